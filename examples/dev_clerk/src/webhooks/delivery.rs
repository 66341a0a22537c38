//! One webhook message to the server.

use crate::random;

/// A message, whose id and body are the same in each attempt.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The `svix-id`.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// The user, or the organization, that it is about.
    pub(crate) user_id: String,
    /// The body, as JSON.
    pub(crate) body: String,
}

impl Delivery {
    pub(super) fn new(kind: &'static str, user_id: &str, body: String) -> Self {
        Self { id: new_id(), kind, user_id: user_id.to_owned(), body }
    }

    /// Returns the same message under another id.
    pub(super) fn renamed(&self) -> Self {
        Self::new(self.kind, &self.user_id, self.body.clone())
    }
}

fn new_id() -> String {
    format!("msg_{}", random::alphanumeric(27))
}
