//! The reference times for the times of a state.

/// The times that bound or replace the times of a state, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The latest plausible time: a state from the far future would stay the newest for ever.
    pub(crate) latest: i64,
    /// The time of the event, if its envelope has one.
    pub(crate) occurred: Option<i64>,
    /// The time at which this try was sent.
    pub(crate) sent: i64,
}

impl Times {
    /// Limits a time to the range from 1 to `latest`; 0 is reserved as older than every state that
    /// Clerk sends.
    pub(super) fn within(self, millis: i64) -> i64 {
        millis.min(self.latest).max(1)
    }
}
