//! Entities that an application reads. Tables of the sink's own are not among them.

pub mod user;
