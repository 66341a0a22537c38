//! One message to the server, as often as it is sent.

use crate::random;

/// Id and body stay the same in each try.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// `svix-id`.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) user_id: String,
    /// JSON.
    pub(crate) body: String,
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
