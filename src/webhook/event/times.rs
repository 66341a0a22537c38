//! The times that a state's own are judged by.

/// All in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The latest that is believed: a state from the far future would win for ever.
    pub(crate) latest: i64,
    /// When the event happened, by its envelope.
    pub(crate) occurred: Option<i64>,
    /// When this try was sent.
    pub(crate) sent: i64,
}

impl Times {
    /// At least 1: 0 is older than every state that Clerk ever told.
    pub(super) fn within(self, millis: i64) -> i64 {
        millis.min(self.latest).max(1)
    }
}
