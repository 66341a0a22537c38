//! The promises of the crate, one file per topic.
