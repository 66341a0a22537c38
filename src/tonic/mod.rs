//! Sessions in tonic services.
