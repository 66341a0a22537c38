//! Event macros that vanish without the feature `tracing`. No other file asks for that feature.

macro_rules! event {
    ($level:ident, $($arg:tt)*) => {{
        #[cfg(feature = "tracing")]
        ::tracing::$level!($($arg)*);
    }};
}

pub(crate) use event;
