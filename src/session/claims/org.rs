//! The active organization, from version 1's claims or version 2's compact form.

use std::fmt;

use serde::Deserialize;

use super::parts::Entitlement;

/// The organization that is active in a session, with the user's role and permissions in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Organization {
    id: Box<str>,
    slug: Option<Box<str>>,
    role: Option<Box<str>>,
    permissions: Vec<Box<str>>,
}

impl Organization {
    /// Returns the organization's id, `org_…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the organization's slug.
    #[must_use]
    pub fn slug(&self) -> Option<&str> {
        self.slug.as_deref()
    }

    /// Returns the user's role in the organization, with its prefix: `org:admin`.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Returns the user's permissions in the organization, with their prefix: `org:posts:publish`.
    /// System permissions (`org:sys_…`) are never in a token.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(|permission| &**permission)
    }
}

impl Organization {
    /// Returns about how much memory the organization takes beyond its own struct, in bytes: masks
    /// expand to many permissions.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        let texts = self.permissions.iter().chain([&self.id]).chain(&self.slug).chain(&self.role);
        texts.map(|text| text.len() + PER_TEXT).sum()
    }
}

/// The overhead of a text, in bytes: a pointer, a length, and the allocator's.
#[cfg(feature = "moka")]
const PER_TEXT: usize = 32;

impl fmt::Debug for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Organization").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The organization in version 1: `org_id`, `org_slug`, `org_role`, `org_permissions`.
pub(super) struct OrganizationV1<'a> {
    pub(super) id: &'a str,
    pub(super) slug: Option<&'a str>,
    pub(super) role: Option<&'a str>,
    pub(super) permissions: Vec<Box<str>>,
}

impl From<OrganizationV1<'_>> for Organization {
    fn from(v1: OrganizationV1<'_>) -> Self {
        Self {
            id: v1.id.into(),
            slug: v1.slug.map(Into::into),
            role: v1.role.map(Into::into),
            permissions: v1.permissions,
        }
    }
}

/// The organization in version 2: `o`, `{"id", "slg", "rol", "per", "fpm"}`.
#[derive(Deserialize)]
pub(super) struct OrganizationV2 {
    id: String,
    #[serde(default)]
    slg: Option<String>,
    #[serde(default)]
    rol: Option<String>,
    #[serde(default)]
    per: Option<String>,
    #[serde(default)]
    fpm: Option<String>,
}

impl OrganizationV2 {
    pub(super) fn decode(self, features: &[Entitlement]) -> Organization {
        let permissions = match (self.per.as_deref(), self.fpm.as_deref()) {
            (Some(per), Some(fpm)) if !per.is_empty() => permissions(features, per, fpm),
            _ => Vec::new(),
        };
        let role = self.rol.filter(|role| !role.is_empty());
        Organization {
            id: self.id.into(),
            slug: self.slg.map(Into::into),
            role: role.map(|role| format!("org:{role}").into()),
            permissions,
        }
    }
}

/// Returns the permissions that the masks stand for.
///
/// `per` lists permission names. Each decimal mask of `fpm` selects those that the feature at the
/// same position grants: bit 0 is the first name. Positions count only the organization's features,
/// as in Clerk's JavaScript SDK; other SDKs count all features, and so grant other permissions if a
/// user's feature precedes an organization's. Surplus masks and features are ignored, and so is a
/// mask that is not all digits.
fn permissions(features: &[Entitlement], per: &str, fpm: &str) -> Vec<Box<str>> {
    let names: Vec<&str> = per.split(',').map(str::trim).collect();
    let features = features.iter().filter(|feature| feature.of_organization);
    let mut granted = Vec::new();
    for (feature, mask) in features.zip(fpm.split(',')) {
        let Some(mask) = Mask::parse(mask.trim()) else { continue };
        for (bit, name) in names.iter().enumerate() {
            if mask.has(bit) {
                granted.push(format!("org:{}:{name}", feature.slug).into());
            }
        }
    }
    granted
}

/// A decimal number of any length, as bits; masks can exceed 64 bits.
struct Mask {
    limbs: Vec<u32>,
}

impl Mask {
    fn parse(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut limbs: Vec<u32> = Vec::new();
        for digit in digits.bytes() {
            let mut carry = u64::from(digit - b'0');
            for limb in &mut limbs {
                let value = u64::from(*limb) * 10 + carry;
                *limb = value as u32;
                carry = value >> 32;
            }
            if carry > 0 {
                limbs.push(carry as u32);
            }
        }
        Some(Self { limbs })
    }

    fn has(&self, bit: usize) -> bool {
        self.limbs.get(bit / 32).is_some_and(|limb| limb >> (bit % 32) & 1 == 1)
    }
}
