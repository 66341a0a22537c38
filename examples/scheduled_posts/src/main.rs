//! The scheduled-posts server.
fn main() {}
