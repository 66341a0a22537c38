//! Where a database is, for the support that the crate's tests share.

pub(crate) use super::own_database::{Backend, execute, not_run, with_database};

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    pub(crate) url: String,
}
