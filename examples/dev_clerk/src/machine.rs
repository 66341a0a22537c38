//! An API key, or a machine's or an OAuth token, and what a new one is to be. No HTTP routes.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::ClerkError;
use crate::random;
use crate::time;

/// An opaque token. Times are milliseconds since 1970.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) claims: Option<Value>,
    pub(super) name: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) revoked: bool,
    pub(super) expiration: Option<i64>,
    pub(super) created_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    ApiKey,
    M2m,
    OAuth,
}

impl Kind {
    /// Returns the beginning of ids and secrets.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "ak",
            Self::M2m => "mt",
            Self::OAuth => "oat",
        }
    }

    pub(super) fn object(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::M2m => "machine_to_machine_token",
            Self::OAuth => "clerk_idp_oauth_access_token",
        }
    }
}

impl Machine {
    pub(super) fn new(kind: Kind, subject: String, given: Given) -> Self {
        let prefix = kind.prefix();
        let now = time::now().timestamp_millis();
        Self {
            kind,
            id: format!("{prefix}_{}", random::hexadecimal(32)),
            secret: format!("{prefix}_{}", random::alphanumeric(43)),
            subject,
            scopes: given.scopes,
            claims: given.claims,
            name: given.name,
            client_id: given.client_id,
            revoked: false,
            expiration: given
                .seconds_until_expiration
                .map(|seconds| now + i64::from(seconds) * 1000),
            created_at: now,
        }
    }

    /// Returns what Clerk answers about it.
    pub(super) fn clerk_json(&self) -> Value {
        let now = time::now().timestamp_millis();
        json!({
            "object": self.kind.object(), "id": self.id, "type": self.kind.object(),
            "subject": self.subject, "name": self.name, "client_id": self.client_id,
            "scopes": self.scopes, "claims": self.claims, "revoked": self.revoked,
            "revocation_reason": null, "expired": self.expiration.is_some_and(|end| end <= now),
            "expiration": self.expiration, "last_used_at": null, "created_by": null,
            "created_at": self.created_at, "updated_at": self.created_at,
        })
    }

    /// Returns whether it goes with this user or organization.
    pub(super) fn belongs_to(&self, id: &str) -> bool {
        self.subject == id
    }

    /// Returns the same with the secret, which is told only once.
    pub(super) fn with_secret(&self, member: &str) -> Json<Value> {
        let mut json = self.clerk_json();
        json[member] = self.secret.clone().into();
        Json(json)
    }
}

/// What a new token is to be.
#[derive(Default, Deserialize)]
pub(super) struct Given {
    pub(super) subject: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    pub(super) claims: Option<Value>,
    pub(super) seconds_until_expiration: Option<u32>,
    /// `jwt`, or `opaque`, which is the default.
    pub(super) token_format: Option<String>,
    /// Whom an OAuth token is for.
    pub(super) audience: Option<Value>,
}

impl Given {
    pub(super) fn is_jwt(&self) -> Result<bool, ClerkError> {
        match self.token_format.as_deref() {
            None | Some("opaque") => Ok(false),
            Some("jwt") => Ok(true),
            Some(_) => {
                let message = "token_format must be opaque or jwt";
                Err(ClerkError::invalid("form_param_format_invalid", message))
            }
        }
    }
}
