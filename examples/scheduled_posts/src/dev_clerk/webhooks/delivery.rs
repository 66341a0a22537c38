//! One message to the server, as often as it is sent.

use crate::dev_clerk::random;

/// Id and body stay the same in each try.
#[derive(Debug)]
pub(in crate::dev_clerk) struct Delivery {
    /// `svix-id`.
    pub(in crate::dev_clerk) id: String,
    pub(in crate::dev_clerk) kind: &'static str,
    pub(in crate::dev_clerk) user_id: String,
    /// JSON.
    pub(in crate::dev_clerk) body: String,
}

impl Delivery {
    pub(super) fn new(kind: &'static str, user_id: &str, body: String) -> Self {
        Self { id: new_id(), kind, user_id: user_id.to_owned(), body }
    }

    /// The same message under another id.
    pub(super) fn renamed(&self) -> Self {
        Self::new(self.kind, &self.user_id, self.body.clone())
    }
}

fn new_id() -> String {
    format!("msg_{}", random::alphanumeric(27))
}
