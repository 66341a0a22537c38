//! Organizations and memberships of the stand-in, and their form in Clerk's API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::random;
use crate::user::User;

/// An organization as stored in the file. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) slug: Option<String>,
    pub(super) created_by: Option<String>,
    /// The largest number of members; 0 for no limit.
    pub(super) max_allowed_memberships: u64,
    pub(super) public_metadata: Map<String, Value>,
    pub(super) private_metadata: Map<String, Value>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// The members that a caller may set, by Clerk's names. `None` in a change leaves a member as it is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct OrganizationChange {
    pub(super) name: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) max_allowed_memberships: Option<u64>,
    pub(super) public_metadata: Option<Map<String, Value>>,
    pub(super) private_metadata: Option<Map<String, Value>>,
}

/// A membership as stored in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Membership {
    pub(super) id: String,
    pub(super) organization_id: String,
    pub(super) user_id: String,
    pub(super) role: String,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

impl Organization {
    pub(super) fn new(created_by: Option<String>, change: OrganizationChange, now: i64) -> Self {
        let mut new = Self {
            id: format!("org_{}", random::alphanumeric(27)),
            name: String::new(),
            slug: None,
            created_by,
            max_allowed_memberships: 0,
            public_metadata: Map::new(),
            private_metadata: Map::new(),
            created_at: now,
            updated_at: now,
        };
        new.apply(change);
        new
    }

    /// Sets the members that `change` has; a metadata object is replaced as a whole.
    pub(super) fn apply(&mut self, change: OrganizationChange) {
        let OrganizationChange { name, slug, max_allowed_memberships, .. } = change;
        if let Some(name) = name {
            self.name = name;
        }
        if slug.is_some() {
            self.slug = slug;
        }
        if let Some(most) = max_allowed_memberships {
            self.max_allowed_memberships = most;
        }
        if let Some(metadata) = change.public_metadata {
            self.public_metadata = metadata;
        }
        if let Some(metadata) = change.private_metadata {
            self.private_metadata = metadata;
        }
    }

    /// Sets the time of a change. No two states of an organization have the same time.
    pub(super) fn touch(&mut self, now: i64) {
        self.updated_at = now.max(self.updated_at.saturating_add(1));
    }

    /// Returns the organization's JSON in the Backend API and in webhooks; the number of members only in
    /// answers that have it.
    pub(super) fn clerk_json(&self, members: Option<usize>) -> Value {
        let mut json = json!({
            "object": "organization", "id": self.id, "name": self.name, "slug": self.slug,
            "image_url": "", "has_image": false, "created_by": self.created_by,
            "max_allowed_memberships": self.max_allowed_memberships,
            "admin_delete_enabled": true, "role_set_key": null,
            "public_metadata": self.public_metadata, "private_metadata": self.private_metadata,
            "created_at": self.created_at, "updated_at": self.updated_at,
        });
        if let Some(members) = members {
            json["members_count"] = members.into();
        }
        json
    }

    /// Returns the JSON of a deletion.
    pub(super) fn deleted_json(&self) -> Value {
        json!({ "object": "organization", "id": self.id, "slug": self.slug, "deleted": true })
    }
}

impl Membership {
    pub(super) fn new(organization_id: &str, user_id: &str, role: &str, now: i64) -> Self {
        Self {
            id: format!("orgmem_{}", random::alphanumeric(27)),
            organization_id: organization_id.to_owned(),
            user_id: user_id.to_owned(),
            role: role.to_owned(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Sets the time of a change. No two states of a membership have the same time.
    pub(super) fn touch(&mut self, now: i64) {
        self.updated_at = now.max(self.updated_at.saturating_add(1));
    }

    /// Returns the membership's JSON in the Backend API and in webhooks.
    pub(super) fn clerk_json(&self, organization: &Organization, user: Option<&User>) -> Value {
        let profile = user.map(|user| &user.profile);
        json!({
            "object": "organization_membership", "id": self.id, "role": self.role,
            "role_name": self.role.strip_prefix("org:"), "permissions": permissions(&self.role),
            "public_metadata": {}, "private_metadata": {},
            "organization": organization.clerk_json(None),
            "public_user_data": {
                "user_id": self.user_id,
                "first_name": profile.and_then(|profile| profile.first_name.as_deref()),
                "last_name": profile.and_then(|profile| profile.last_name.as_deref()),
                "username": profile.and_then(|profile| profile.username.as_deref()),
                "image_url": "", "has_image": false, "banned": false, "deprovisioned": false,
                "identifier": user.and_then(User::primary_email),
            },
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// Returns the permissions that Clerk gives its own roles.
fn permissions(role: &str) -> &'static [&'static str] {
    match role {
        ADMIN => &[
            "org:sys_profile:manage",
            "org:sys_profile:delete",
            "org:sys_memberships:read",
            "org:sys_memberships:manage",
            "org:sys_domains:read",
            "org:sys_domains:manage",
        ],
        "org:member" => &["org:sys_memberships:read"],
        _ => &[],
    }
}

/// The role of an organization's creator.
pub(super) const ADMIN: &str = "org:admin";
