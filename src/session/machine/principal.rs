//! Who is calling: a user's session or a machine.

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::session::error::AuthError;
use crate::session::scope::Scope;
use crate::session::session::Session;

/// A caller, of whatever kind a route accepts.
///
/// With the feature `axum` it is an extractor; elsewhere [`of`](Self::of) finds it in a request's
/// extensions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Principal {
    /// A user's session.
    Session(Session),
    /// An API key of a user, an organization or a machine.
    ApiKey(ApiKey),
    /// A machine, by a token of its own (M2M).
    M2m(M2mToken),
    /// An application that acts for a user (OAuth).
    OAuth(OAuthToken),
}

impl Principal {
    /// Returns the caller that the layer found; `None` if it let the request pass without one, or there is
    /// no layer.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        // A layer that finds a machine removes the session of an outer one: where both are, the session came
        // later.
        match extensions.get::<Session>() {
            Some(session) => Some(Self::Session(session.clone())),
            None => extensions.get::<Found>().map(|found| found.principal.clone()),
        }
    }

    /// Returns the kind of the caller as one word: `session`, `api_key`, `m2m` or `oauth`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::ApiKey(_) => MachineKind::ApiKey.as_str(),
            Self::M2m(_) => MachineKind::M2m.as_str(),
            Self::OAuth(_) => MachineKind::OAuth.as_str(),
        }
    }

    /// Returns the id of the user who calls or for whom the caller acts, `user_…`: `None` for machines and
    /// for API keys of organizations.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::Session(session) => Some(session.user_id()),
            Self::ApiKey(key) => key.user_id(),
            Self::M2m(_) => None,
            Self::OAuth(token) => Some(token.user_id()),
        }
    }

    /// Returns the id of the caller itself: a user's, an organization's or a machine's. A user and what acts for
    /// the user have the same.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Session(session) => session.user_id(),
            Self::ApiKey(key) => key.subject(),
            Self::M2m(token) => token.machine_id(),
            Self::OAuth(token) => token.user_id(),
        }
    }

    /// Requires a scope, as [`has_scope`](Self::has_scope) judges it.
    ///
    /// # Errors
    ///
    /// Returns [`AuthErrorKind::InsufficientScope`](crate::session::AuthErrorKind::InsufficientScope), of which
    /// [`Refusal`](crate::session::Refusal) makes a 403.
    pub fn require_scope(&self, scope: Scope) -> Result<(), AuthError> {
        match self.has_scope(scope.as_str()) {
            true => Ok(()),
            false => Err(AuthError::insufficient_scope(scope)),
        }
    }

    /// Returns whether the caller may do what `scope` names: a session always, because a user is not
    /// limited by scopes; any other caller if it has the scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        let scopes = match self {
            Self::Session(_) => return true,
            Self::ApiKey(key) => key.scopes(),
            Self::M2m(token) => token.scopes(),
            Self::OAuth(token) => token.scopes(),
        };
        scopes.iter().any(|own| own == scope)
    }
}

/// A kind of callers that are not sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MachineKind {
    /// An API key, `ak_…`.
    ApiKey,
    /// A machine's token, `mt_…` or a JWT.
    M2m,
    /// An OAuth access token, `oat_…` or a JWT.
    OAuth,
}

impl MachineKind {
    pub(super) const ALL: [Self; 3] = [Self::M2m, Self::OAuth, Self::ApiKey];

    /// Returns the kind as one word, for logs and metric labels: `api_key`, `m2m` or `oauth`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::M2m => "m2m",
            Self::OAuth => "oauth",
        }
    }

    /// Returns the beginning of opaque tokens of this kind. It is compared case by case, as in Clerk's SDK.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "ak_",
            Self::M2m => "mt_",
            Self::OAuth => "oat_",
        }
    }
}

/// What is known of a machine's token.
#[derive(PartialEq, Eq)]
pub(super) struct Details {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) claims: Option<String>,
}

impl Details {
    fn claims<T: DeserializeOwned>(&self) -> Option<Result<T, serde_json::Error>> {
        self.claims.as_deref().map(serde_json::from_str)
    }
}

/// Returns JSON as its text, unless it is `null`.
pub(super) fn claims_text(raw: Option<&RawValue>) -> Option<String> {
    raw.map(RawValue::get).filter(|text| *text != "null").map(str::to_owned)
}

macro_rules! machine {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Arc<Details>);

        impl $name {
            pub(super) fn new(details: Details) -> Self {
                Self(Arc::new(details))
            }

            /// Returns the token's id, which is no secret.
            #[must_use]
            pub fn id(&self) -> &str {
                &self.0.id
            }

            /// Returns what the token may be used for.
            #[must_use]
            pub fn scopes(&self) -> &[String] {
                &self.0.scopes
            }
        }

        /// Shows only the ids: other claims do not belong in a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("id", &self.0.id)
                    .field("subject", &self.0.subject)
                    .finish_non_exhaustive()
            }
        }
    };
}

machine! {
    /// A caller with an API key, which acts for its subject.
    ApiKey
}

machine! {
    /// A machine that calls with a token of its own.
    M2mToken
}

machine! {
    /// An application that a user allowed to act, with an OAuth access token.
    OAuthToken
}

impl ApiKey {
    /// Returns the name that its maker gave it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Returns the id of whom it belongs to: `user_…`, `org_…` or `mch_…`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the id of its user, if it belongs to one.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        Some(self.subject()).filter(|subject| subject.starts_with(USER))
    }

    /// Returns the id of its organization, if it belongs to one.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        Some(self.subject()).filter(|subject| subject.starts_with(ORGANIZATION))
    }

    /// Parses the claims of its own, as they were given when it was made; `None` without any.
    ///
    /// # Errors
    ///
    /// Fails if they do not have the shape of the type.
    #[must_use]
    pub fn claims<T: DeserializeOwned>(&self) -> Option<Result<T, serde_json::Error>> {
        self.0.claims()
    }
}

impl M2mToken {
    /// Returns the machine's id, `mch_…`.
    #[must_use]
    pub fn machine_id(&self) -> &str {
        &self.0.subject
    }

    /// Parses the claims of its own, as they were given when it was made; `None` without any.
    ///
    /// # Errors
    ///
    /// Fails if they do not have the shape of the type.
    #[must_use]
    pub fn claims<T: DeserializeOwned>(&self) -> Option<Result<T, serde_json::Error>> {
        self.0.claims()
    }
}

impl OAuthToken {
    /// Returns the id of the user for whom the application acts, `user_…`.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.0.subject
    }

    /// Returns the application's id.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }
}

/// The machine that a layer found in a request, as the request's extensions hold it.
#[derive(Clone)]
pub(in crate::session) struct Found {
    pub(in crate::session) principal: Principal,
    /// Which layer's settings accepted it.
    pub(super) by: u64,
}

/// Returns the caller of a kind.
pub(super) fn principal(kind: MachineKind, details: Details) -> Principal {
    match kind {
        MachineKind::ApiKey => Principal::ApiKey(ApiKey::new(details)),
        MachineKind::M2m => Principal::M2m(M2mToken::new(details)),
        MachineKind::OAuth => Principal::OAuth(OAuthToken::new(details)),
    }
}

/// Returns whether a token of this kind can belong to this subject.
pub(super) fn may_belong_to(kind: MachineKind, subject: &str) -> bool {
    let subjects: &[&str] = match kind {
        MachineKind::ApiKey => &[USER, ORGANIZATION, MACHINE],
        MachineKind::M2m => &[MACHINE],
        MachineKind::OAuth => &[USER],
    };
    subjects.iter().any(|prefix| subject.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
}

const USER: &str = "user_";
const ORGANIZATION: &str = "org_";
const MACHINE: &str = "mch_";
