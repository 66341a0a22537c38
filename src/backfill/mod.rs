//! FLOW 3: users from the Backend API into a target.
//!
//! ```text
//! target.runs ─▶ from where? ─①api─▶ bytes ─②page─▶ users ─③run─▶ target.write ─▶ next page
//!                             ④reconcile: target.ids_after ─①─▶ whom does Clerk no longer have?
//! ```
//!
//! Webhooks tell what changes from the day on which they are set up. [`Backfill`] brings in who was
//! there before, and whatever deliveries were lost; a [`Target`] takes them, `sea_orm::SeaOrmSink`
//! for example.
#![doc = include_str!("../docs/backfill.md")]
#![warn(clippy::indexing_slicing)]

mod api;
mod error;
mod page;
mod progress;
mod reconcile;
mod retry;
mod run;
mod target;
mod walk;

pub use api::BackendApi;
pub use error::{BackfillError, BackfillErrorKind};
pub use progress::{Drift, Phase, Progress, Removed, Report, Sample};
pub use run::Backfill;
pub use target::{Differences, Run, Target, Written};
