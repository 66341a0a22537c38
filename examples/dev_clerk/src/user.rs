//! A user of the stand-in, and its form in Clerk's API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::random;

/// A user as stored in the file. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email_addresses: Vec<EmailAddress>,
    pub(super) primary_email_address_id: Option<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) last_sign_in_at: Option<i64>,
    /// Whether the user may not sign in and is signed out.
    #[serde(default)]
    pub(super) banned: bool,
    /// Whether the user may not sign in for a while.
    #[serde(default)]
    pub(super) locked: bool,
    #[serde(flatten)]
    pub(super) profile: Profile,
}

/// An e-mail address of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EmailAddress {
    pub(super) id: String,
    pub(super) email_address: String,
}

/// The members that a caller may set, by Clerk's names. `None` in a change leaves a member as it
/// is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) external_id: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) username: Option<String>,
    pub(super) public_metadata: Option<Map<String, Value>>,
    pub(super) private_metadata: Option<Map<String, Value>>,
    pub(super) unsafe_metadata: Option<Map<String, Value>>,
}

impl User {
    pub(super) fn new(addresses: Vec<String>, profile: Profile, now: i64) -> Self {
        let address = |email_address| EmailAddress {
            id: format!("idn_{}", random::alphanumeric(27)),
            email_address,
        };
        let email_addresses: Vec<_> = addresses.into_iter().map(address).collect();
        Self {
            id: format!("user_{}", random::alphanumeric(27)),
            primary_email_address_id: email_addresses.first().map(|first| first.id.clone()),
            email_addresses,
            created_at: now,
            updated_at: now,
            last_sign_in_at: None,
            banned: false,
            locked: false,
            profile,
        }
    }

    /// Sets the time of a change. No two states of a user have the same time.
    pub(super) fn touch(&mut self, now: i64) {
        self.updated_at = now.max(self.updated_at.saturating_add(1));
    }

    pub(super) fn primary_email(&self) -> Option<&str> {
        let primary = self.primary_email_address_id.as_deref()?;
        let address = self.email_addresses.iter().find(|address| address.id == primary)?;
        Some(&address.email_address)
    }

    pub(super) fn has_email(&self, email: &str) -> bool {
        self.email_addresses.iter().any(|own| own.email_address.eq_ignore_ascii_case(email))
    }

    /// Returns the user's name and address, for display.
    pub(super) fn label(&self) -> String {
        let names = [&self.profile.first_name, &self.profile.last_name];
        let names = names.into_iter().flatten().filter(|name| !name.is_empty()).cloned();
        let name = names.collect::<Vec<_>>().join(" ");
        match self.primary_email() {
            Some(email) if name.is_empty() => email.to_owned(),
            Some(email) => format!("{name} ({email})"),
            None if name.is_empty() => self.id.clone(),
            None => name,
        }
    }

    /// Returns the user's JSON in the Backend API and in webhooks.
    pub(super) fn clerk_json(&self) -> Value {
        let profile = &self.profile;
        let addresses: Vec<Value> =
            self.email_addresses.iter().map(|address| self.address_json(address)).collect();
        json!({
            "object": "user", "id": self.id, "external_id": profile.external_id,
            "primary_email_address_id": self.primary_email_address_id,
            "primary_phone_number_id": null, "primary_web3_wallet_id": null,
            "username": profile.username, "first_name": profile.first_name,
            "last_name": profile.last_name, "locale": null, "image_url": "", "has_image": false,
            "public_metadata": profile.public_metadata.clone().unwrap_or_default(),
            "private_metadata": profile.private_metadata.clone().unwrap_or_default(),
            "unsafe_metadata": profile.unsafe_metadata.clone().unwrap_or_default(),
            "email_addresses": addresses, "phone_numbers": [], "web3_wallets": [],
            "passkeys": [], "external_accounts": [], "saml_accounts": [],
            "enterprise_accounts": [],
            "password_enabled": false, "two_factor_enabled": false, "totp_enabled": false,
            "backup_code_enabled": false, "mfa_enabled_at": null, "mfa_disabled_at": null,
            "password_last_updated_at": null,
            "last_sign_in_at": self.last_sign_in_at, "last_active_at": self.last_sign_in_at,
            "banned": self.banned, "locked": self.locked, "lockout_expires_in_seconds": null,
            "verification_attempts_remaining": null, "legal_accepted_at": null,
            "delete_self_enabled": true, "create_organization_enabled": true,
            "create_organizations_limit": null,
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }

    fn address_json(&self, address: &EmailAddress) -> Value {
        json!({
            "object": "email_address", "id": address.id,
            "email_address": address.email_address, "reserved": false,
            "verification": {
                "object": "verification_admin", "status": "verified", "strategy": "admin",
                "attempts": null, "expire_at": null,
            },
            "linked_to": [], "matches_sso_connection": false,
            "created_at": self.created_at, "updated_at": self.created_at,
        })
    }
}

/// The metadata that a caller may set separately, by Clerk's names.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) public_metadata: Option<Map<String, Value>>,
    pub(super) private_metadata: Option<Map<String, Value>>,
    pub(super) unsafe_metadata: Option<Map<String, Value>>,
}

impl From<Metadata> for Profile {
    fn from(metadata: Metadata) -> Self {
        let Metadata { public_metadata, private_metadata, unsafe_metadata } = metadata;
        Self { public_metadata, private_metadata, unsafe_metadata, ..Self::default() }
    }
}

impl Profile {
    /// Merges `change` at any depth; a member that is null there is removed.
    pub(super) fn merge(&mut self, change: Metadata) {
        let objects = [
            (&mut self.public_metadata, change.public_metadata),
            (&mut self.private_metadata, change.private_metadata),
            (&mut self.unsafe_metadata, change.unsafe_metadata),
        ];
        for (own, change) in objects {
            if let Some(change) = change {
                merge(own.get_or_insert_default(), change);
            }
        }
    }

    /// Sets the members that `change` has; a metadata object is replaced as a whole.
    pub(super) fn apply(&mut self, change: Self) {
        let Self { external_id, first_name, last_name, username, .. } = change;
        let texts = [
            (&mut self.external_id, external_id),
            (&mut self.first_name, first_name),
            (&mut self.last_name, last_name),
            (&mut self.username, username),
        ];
        for (own, new) in texts {
            if new.is_some() {
                *own = new;
            }
        }
        let objects = [
            (&mut self.public_metadata, change.public_metadata),
            (&mut self.private_metadata, change.private_metadata),
            (&mut self.unsafe_metadata, change.unsafe_metadata),
        ];
        for (own, new) in objects {
            if new.is_some() {
                *own = new;
            }
        }
    }
}

/// Merges `change` into `own` by the rules of a JSON merge patch (RFC 7396).
fn merge(own: &mut Map<String, Value>, change: Map<String, Value>) {
    for (name, value) in change {
        match value {
            Value::Null => {
                own.remove(&name);
            }
            Value::Object(change) => {
                let own = own.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !own.is_object() {
                    *own = Value::Object(Map::new());
                }
                if let Value::Object(own) = own {
                    merge(own, change);
                }
            }
            other => {
                own.insert(name, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_merged_at_any_depth_and_null_removes() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let mut own = map(json!({ "a": { "b": 1, "c": { "d": 2 } }, "e": [1], "f": "text" }));
        merge(&mut own, map(json!({ "a": { "b": null, "c": { "g": null, "h": 3 } }, "e": [2] })));
        merge(&mut own, map(json!({ "f": { "i": null, "j": 4 }, "gone": null })));
        let merged = json!({ "a": { "c": { "d": 2, "h": 3 } }, "e": [2], "f": { "j": 4 } });
        assert_eq!(Value::Object(own), merged);
    }
}
