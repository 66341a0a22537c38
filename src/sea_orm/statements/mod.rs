//! The sink's SQL statements, one function each. Where a statement decides something, the rows that
//! it affects or returns are the decision; nothing is read first and written later, except under a
//! lock.
//!
//! MySQL has no condition in a conflict clause (sea-query drops it silently), and there an ignored
//! insert looks like a successful one. On MySQL each decision is a plain statement of its own: an
//! update, decided by its matched rows, or an insert, whose duplicate is an error.

mod at_once;
mod backfills;
mod both;
mod deliveries;
mod letters;
#[cfg(feature = "lockouts")]
mod lockouts;
#[cfg(feature = "backfill")]
mod records;
mod revive;
mod rows;
mod versions;

pub(super) use at_once::{record_and_upsert, select_can_at_once};
pub(super) use backfills::{forget_run, start_run};
#[cfg(feature = "backfill")]
pub(super) use backfills::{record_run, select_runs};
pub(super) use both::{forget_version_without_row, select_status, select_user};
pub(super) use deliveries::{
    Recording, forget_deliveries, forget_some_deliveries, insert_delivery, record_delivery,
};
pub(super) use letters::{
    NewLetter, count_letters, delete_letters, forget_letters, insert_letter, lock_first_letter,
    park_letter, record_letter, select_letter, select_letters, select_whole_letter,
};
#[cfg(feature = "lockouts")]
pub(super) use lockouts::{forget_lockouts, insert_lockout, select_lockouts};
#[cfg(feature = "backfill")]
pub(super) use records::{select_members, select_record_creations, select_texts};
#[cfg(feature = "backfill")]
pub(super) use revive::select_creations;
pub(super) use revive::{remove_tombstone, unmark_deleted};
pub(super) use rows::{
    delete_where, empty, insert_rows, mark_deleted, select_ids, select_rows, start_row, update_row,
    write_rows,
};
pub(super) use versions::{
    lock_version, raise_started_version, raise_versions, start_versions, tombstone,
    tombstone_started,
};
#[cfg(feature = "backfill")]
pub(super) use versions::{
    lock_versions, select_living, select_versions, set_locked_versions, start_versions_at,
};
