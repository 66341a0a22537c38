//! Entities for an application to read. The sink's own tables have none.

pub mod organization;
pub mod organization_membership;
pub mod user;
