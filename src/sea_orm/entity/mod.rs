//! Entities that an application reads. Tables of the sink's own are not among them.

pub mod organization;
pub mod organization_membership;
pub mod user;
