//! The sea-orm sink.
