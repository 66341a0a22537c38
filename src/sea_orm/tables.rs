//! The names of the sink's own tables and columns.

use ::sea_orm::DeriveIden;

/// The newest state seen of each user.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum ClerkUserVersions {
    Table,
    Id,
    /// Clerk's `updated_at` in milliseconds; 0 for a user whom no event has named yet.
    Version,
    /// Which of two states with the same version is the newer one.
    Tie,
    /// The tombstone.
    Deleted,
}

/// The deliveries taken in.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum ClerkDeliveries {
    Table,
    Id,
    ReceivedAt,
}
