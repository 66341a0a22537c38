//! The event that Clerk's Dashboard sends when somebody tries an endpoint ("Send Example"): signed with
//! the endpoint's own secret, but about a user who does not exist and of an instance that is none.

use serde::Deserialize;
use serde_json::{Value, json};

/// The kinds of example that can be sent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Example {
    Created,
    Updated,
    Deleted,
}

impl Example {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Created => "user.created",
            Self::Updated => "user.updated",
            Self::Deleted => "user.deleted",
        }
    }

    /// Returns the whole event.
    pub(super) fn envelope(self) -> Value {
        json!({
            "object": "event", "type": self.kind(), "instance_id": INSTANCE, "timestamp": LONG_AGO,
            "data": match self {
                Self::Created | Self::Updated => user(),
                Self::Deleted => json!({ "object": "user", "id": USER, "deleted": true }),
            },
            "event_attributes": { "http_request": { "client_ip": "0.0.0.0", "user_agent": "" } },
        })
    }
}

fn user() -> Value {
    json!({
        "object": "user", "id": USER, "external_id": null, "username": null,
        "first_name": "Example", "last_name": "Example", "image_url": "https://img.clerk.com/xxxxxx",
        "has_image": false, "public_metadata": {}, "private_metadata": {}, "unsafe_metadata": {},
        "primary_email_address_id": "idn_example", "primary_phone_number_id": null,
        "email_addresses": [{
            "object": "email_address", "id": "idn_example", "email_address": "example@example.org",
            "verification": { "status": "verified", "strategy": "ticket" }, "linked_to": [],
        }],
        "phone_numbers": [], "external_accounts": [], "password_enabled": true,
        "last_sign_in_at": LONG_AGO, "created_at": LONG_AGO, "updated_at": LONG_AGO,
    })
}

/// The user in the example.
pub(super) const USER: &str = "user_dashboardexample";
/// The instance that the Dashboard's examples name.
const INSTANCE: &str = "ins_123";
/// A time in 2022, in milliseconds since 1970.
const LONG_AGO: i64 = 1_654_012_591_514;
