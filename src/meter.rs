//! Metric macros, which expand to nothing without the feature `metrics`. Only this file checks that
//! feature.
//!
//! Labels are reasons and outcomes, never a value that a client chose.

macro_rules! count {
    ($name:literal, $($label:literal => $value:expr),* $(,)?) => {{
        #[cfg(feature = "metrics")]
        ::metrics::counter!($name, $($label => $value),*).increment(1);
    }};
}

#[cfg(any(feature = "remote", feature = "webhook"))]
macro_rules! gauge {
    ($name:literal, $value:expr) => {{
        #[cfg(feature = "metrics")]
        ::metrics::gauge!($name).set($value);
    }};
}

#[cfg(feature = "webhook")]
macro_rules! measure {
    ($name:literal, $value:expr) => {{
        #[cfg(feature = "metrics")]
        ::metrics::histogram!($name).record($value);
    }};
}

pub(crate) use count;
#[cfg(any(feature = "remote", feature = "webhook"))]
pub(crate) use gauge;
#[cfg(feature = "webhook")]
pub(crate) use measure;
