//! The raw body, within a size and a time. Nothing is decoded here: the signature covers bytes.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::error::{DeliveryError, DeliveryErrorKind};

/// How much is read of a body, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// Reads a body to its end, or to the first byte over the limit. An announced length over the
/// limit is refused with nothing read.
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
            "the body did not arrive in time",
        )),
    }
}

/// The announced length; 0 when nothing readable is announced, since the limit holds either way.
fn announced_length(headers: &HeaderMap) -> u64 {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    announced.and_then(|value| value.trim_ascii().parse().ok()).unwrap_or(0)
}

fn too_large() -> DeliveryError {
    DeliveryError::new(DeliveryErrorKind::BodyTooLarge, "the body is longer than the limit")
}
