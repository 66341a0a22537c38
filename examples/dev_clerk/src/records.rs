//! The stand-in's data in memory. No files, no HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_clerk::test_util::Issuer;

use crate::machine::Machine;
use crate::organization::{Membership, Organization};
use crate::random;
use crate::user::User;

/// The data that survives a restart.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Records {
    pub(super) instance_id: String,
    /// The private key: PKCS#8 in base64.
    private_key: String,
    pub(super) secret_key: String,
    pub(super) signing_secret: String,
    pub(super) users: Vec<User>,
    pub(super) sessions: Vec<SignIn>,
    #[serde(default)]
    pub(super) organizations: Vec<Organization>,
    #[serde(default)]
    pub(super) memberships: Vec<Membership>,
    #[serde(default)]
    pub(super) machines: Vec<Machine>,
}

/// A session of a user. Times are milliseconds since 1970.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SignIn {
    pub(super) id: String,
    pub(super) user_id: String,
    /// The token with which a browser gets session tokens for this session.
    pub(super) client_token: String,
    #[serde(default)]
    pub(super) active_organization_id: Option<String>,
    pub(super) created_at: i64,
}

impl Records {
    /// Parses the contents of a file; `None` if they are not a stand-in's.
    pub(super) fn parse(bytes: &[u8], iss: &str) -> Option<(Self, Issuer)> {
        let records: Self = serde_json::from_slice(bytes).ok()?;
        let key = STANDARD.decode(&records.private_key).ok()?;
        let issuer = Issuer::from_pkcs8(iss, &records.instance_id, &key)?;
        Some((records, issuer))
    }

    /// Creates a new instance without users.
    pub(super) fn new(iss: &str) -> (Self, Issuer) {
        let instance_id = format!("ins_{}", random::alphanumeric(27));
        let issuer = Issuer::new(iss, &instance_id);
        let records = Self {
            instance_id,
            private_key: STANDARD.encode(issuer.to_pkcs8()),
            secret_key: format!("sk_test_{}", random::alphanumeric(42)),
            signing_secret: random::signing_secret(),
            users: Vec::new(),
            sessions: Vec::new(),
            organizations: Vec::new(),
            memberships: Vec::new(),
            machines: Vec::new(),
        };
        (records, issuer)
    }

    pub(super) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn user_mut(&mut self, id: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.id == id)
    }

    pub(super) fn session(&self, id: &str) -> Option<&SignIn> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(super) fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations.iter().find(|organization| organization.id == id)
    }

    pub(super) fn organization_mut(&mut self, id: &str) -> Option<&mut Organization> {
        self.organizations.iter_mut().find(|organization| organization.id == id)
    }

    /// Returns the number of an organization's members.
    pub(super) fn members_of(&self, id: &str) -> usize {
        self.memberships.iter().filter(|membership| membership.organization_id == id).count()
    }

    /// Returns a membership's JSON; `None` without its organization.
    pub(super) fn membership_json(&self, membership: &Membership) -> Option<Value> {
        let organization = self.organization(&membership.organization_id)?;
        Some(membership.clerk_json(organization, self.user(&membership.user_id)))
    }

    /// Returns a user's membership of an organization.
    pub(super) fn membership(&self, organization_id: &str, user_id: &str) -> Option<&Membership> {
        let is = |it: &&Membership| it.organization_id == organization_id && it.user_id == user_id;
        self.memberships.iter().find(is)
    }

    /// Removes a user and the user's sessions and memberships.
    pub(super) fn remove_user(&mut self, id: &str) -> Option<User> {
        let at = self.users.iter().position(|user| user.id == id)?;
        self.sessions.retain(|session| session.user_id != id);
        self.memberships.retain(|membership| membership.user_id != id);
        self.machines.retain(|machine| !machine.belongs_to(id));
        Some(self.users.remove(at))
    }
}

impl SignIn {
    pub(super) fn new(user_id: &str, active_organization_id: Option<String>, now: i64) -> Self {
        Self {
            id: format!("sess_{}", random::alphanumeric(27)),
            user_id: user_id.to_owned(),
            client_token: format!("dvb_{}", random::alphanumeric(43)),
            active_organization_id,
            created_at: now,
        }
    }

    /// Returns the client's id. Each session has its own client.
    pub(super) fn client_id(&self) -> String {
        format!("client_{}", self.id.trim_start_matches("sess_"))
    }

    /// Returns the time at which its client token ends. For the secret key the stand-in's sessions last until
    /// sign-out, or until the user is deleted or banned.
    pub(super) fn expire_at(&self) -> i64 {
        self.created_at.saturating_add(WEEK)
    }

    /// Returns the session's JSON in the Backend API and in webhooks, in this status.
    pub(super) fn clerk_json(&self, status: &str) -> Value {
        json!({
            "object": "session", "id": self.id, "user_id": self.user_id,
            "client_id": self.client_id(), "actor": null, "status": status,
            "last_active_organization_id": self.active_organization_id,
            "last_active_at": self.created_at, "expire_at": self.expire_at(),
            "abandon_at": self.expire_at(),
            "created_at": self.created_at, "updated_at": self.created_at,
        })
    }
}

/// A week in milliseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1000;

/// Returns the publishable key of a stand-in on this host.
pub(super) fn publishable_key(host: &str) -> String {
    format!("pk_test_{}", STANDARD.encode(format!("{host}$")))
}
