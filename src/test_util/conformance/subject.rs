//! The sink that is checked, the checks, and what they find.

use std::error::Error;
use std::fmt;

use crate::webhook::Sink;

/// A kind of sink that is to be checked, and a view of what it stores.
///
/// The methods may panic where the store cannot be reached: they are part of a test.
pub trait SinkUnderTest: Send + Sync {
    /// The sink.
    type Sink: Sink;

    /// Returns a sink that has stored nothing. A check may call it several times, and does not use an
    /// earlier sink after that: the tables of one database may be emptied.
    fn empty(&self) -> impl Future<Output = Self::Sink> + Send;

    /// Returns another sink on the same data, as another instance of the server has it. By default there
    /// is none, and races are held on one.
    fn another(&self, sink: &Self::Sink) -> impl Future<Output = Option<Self::Sink>> + Send {
        let _ = sink;
        std::future::ready(None)
    }

    /// Returns what is stored about a user, as committed at one moment: a delivery that was dropped may
    /// be ending meanwhile.
    fn stored(&self, sink: &Self::Sink, user_id: &str) -> impl Future<Output = Stored> + Send;

    /// Makes users' rows unwritable until [`mend_writes`](Self::mend_writes), for example by renaming
    /// their table, and returns whether it could. By default it cannot, and [`Check::Failures`] passes.
    ///
    /// What breaks should be the last of what a delivery writes: whatever was written before has to
    /// disappear with it.
    fn break_writes(&self, sink: &Self::Sink) -> impl Future<Output = bool> + Send {
        let _ = sink;
        std::future::ready(false)
    }

    /// Undoes [`break_writes`](Self::break_writes).
    fn mend_writes(&self, sink: &Self::Sink) -> impl Future<Output = ()> + Send {
        let _ = sink;
        std::future::ready(())
    }
}

/// What a sink stores about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stored {
    /// Nothing: the user was never heard of.
    Nothing,
    /// A row with this e-mail address, or without one.
    Row(Option<String>),
    /// The mark of a deletion. There may be a row beside it.
    Tombstone,
}

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// In every order of arrival, the newest state wins.
    Orders,
    /// A delivery that comes again, or an event that is sent again under another id, changes nothing.
    Repetitions,
    /// A deletion is final, in every order of arrival, also of a user who was never heard of.
    Deletions,
    /// Deliveries at once end as in some order.
    Races,
    /// Events about something else, and deletions of nobody, change no user.
    Strangers,
    /// Every value that Clerk's data may have is taken, and ids are compared byte for byte.
    Values,
    /// A delivery that is dropped half-way is applied in full or not at all, and its next try in full.
    Interruptions,
    /// A delivery that failed leaves nothing, and its next try is applied.
    Failures,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 8] = [
        Self::Orders,
        Self::Repetitions,
        Self::Deletions,
        Self::Races,
        Self::Strangers,
        Self::Values,
        Self::Interruptions,
        Self::Failures,
    ];
}

/// The error of a sink that does not pass a check. `Debug` is its message.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonconformity {
    check: Check,
    text: String,
}

impl Nonconformity {
    pub(super) fn new(check: Check, text: String) -> Self {
        Self { check, text }
    }

    /// Returns the check.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }
}

impl fmt::Display for Nonconformity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.text)
    }
}

impl fmt::Debug for Nonconformity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Nonconformity {}

/// The error of a sink that does not pass all checks. `Debug` is its message, a line for each.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonconformities(Vec<Nonconformity>);

impl Nonconformities {
    pub(super) fn new(failed: Vec<Nonconformity>) -> Self {
        Self(failed)
    }

    /// Returns an error for each check that the sink does not pass.
    #[must_use]
    pub fn all(&self) -> &[Nonconformity] {
        &self.0
    }
}

impl fmt::Display for Nonconformities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sink does not conform")?;
        self.0.iter().try_for_each(|one| write!(f, "\n  {one}"))
    }
}

impl fmt::Debug for Nonconformities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Nonconformities {}
