//! Events and spans, which expand to nothing without the feature `tracing`. Only this file checks
//! that feature.

macro_rules! event {
    ($level:ident, $($arg:tt)*) => {{
        #[cfg(feature = "tracing")]
        ::tracing::$level!($($arg)*);
    }};
}

/// Runs a future in the span `clerk_keys_fetch`.
#[cfg(feature = "remote")]
pub(crate) fn in_fetch_span<F: Future>(future: F) -> impl Future<Output = F::Output> {
    #[cfg(feature = "tracing")]
    let future =
        ::tracing::Instrument::instrument(future, ::tracing::debug_span!("clerk_keys_fetch"));
    future
}

pub(crate) use event;
