//! The raw body, read within limits of size and time. Nothing is decoded here: the signature covers
//! the bytes.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::error::{DeliveryError, DeliveryErrorKind};

/// The limits for reading a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// The longest body, in bytes.
    pub(crate) bytes: usize,
    /// The longest time from the first byte to the last.
    pub(crate) time: Duration,
}

/// Reads a body to its end, or to the first byte over the limit. Refuses an announced length over
/// the limit without reading.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limits: BodyLimits,
) -> Result<Bytes, DeliveryError>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let announced = announced_length(headers).max(body.size_hint().lower());
    if announced > u64::try_from(limits.bytes).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let reading = Limited::new(body, limits.bytes).collect();
    match tokio::time::timeout(limits.time, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(DeliveryError::new(
            DeliveryErrorKind::BodyUnreadable,
            "the body could not be read to its end",
        )
        .caused_by(error)),
        Err(_) => Err(DeliveryError::new(
            DeliveryErrorKind::BodyTimeout,
            "the body did not arrive within the webhook body timeout",
        )),
    }
}

/// Returns the announced length; 0 without a readable one, since the limit applies either way.
fn announced_length(headers: &HeaderMap) -> u64 {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    announced.and_then(|value| value.trim_ascii().parse().ok()).unwrap_or(0)
}

fn too_large() -> DeliveryError {
    DeliveryError::new(
        DeliveryErrorKind::BodyTooLarge,
        "the body is longer than the webhook body limit",
    )
}
