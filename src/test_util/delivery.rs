//! A webhook delivery with a genuine signature.

/// A signed delivery.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignedDelivery;
