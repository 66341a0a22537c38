//! The backfill flow: users from the Backend API into a [`Target`].
//!
//! Webhooks report only the changes after they were set up. [`Backfill`] adds the users who existed
//! before, and the changes of lost deliveries. It writes them to a [`Target`], for example
//! `sea_orm::SeaOrmSink`.
#![doc = include_str!("../docs/backfill.md")]
#![warn(clippy::indexing_slicing)]

mod api;
mod error;
mod lists;
mod organizations;
mod page;
mod progress;
mod reconcile;
mod records;
mod retry;
mod run;
mod target;
mod walk;

pub use api::BackendApi;
pub use error::{BackfillError, BackfillErrorKind};
pub use progress::{
    Drift, Phase, Progress, RecordDrift, RecordReport, RecordsRemoved, Removed, Report, Sample,
};
pub use records::{Member, RecordKind, RecordPage, Records, UserPage};
pub use run::Backfill;
pub use target::{Differences, OrganizationsRun, Refused, Removal, Run, Target, Written};
