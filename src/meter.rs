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

#[cfg(feature = "remote")]
macro_rules! gauge {
    ($name:literal, $value:expr) => {{
        #[cfg(feature = "metrics")]
        ::metrics::gauge!($name).set($value);
    }};
}

pub(crate) use count;
#[cfg(feature = "remote")]
pub(crate) use gauge;
