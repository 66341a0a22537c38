//! The running stand-in: its records behind a lock. Every change is saved before it is announced.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_clerk::PublishableKey;
use tower_clerk::test_util::Issuer;

use crate::codes::Codes;
use crate::error::ClerkError;
use crate::records::{Records, SignIn, publishable_key};
use crate::records_file::RecordsFile;
use crate::time;
use crate::user::{Metadata, Profile, User};
use crate::webhooks::Outbox;

/// The format of a session token's claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenVersion {
    One,
    Two,
}

/// A handle to the instance. Clones share it.
#[derive(Clone)]
pub(super) struct Instance {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    file: RecordsFile,
    outbox: Outbox,
    records: Mutex<Records>,
    codes: Codes,
}

impl Instance {
    pub(super) fn new(issuer: Issuer, file: RecordsFile, outbox: Outbox, records: Records) -> Self {
        let records = Mutex::new(records);
        let codes = Codes::default();
        Self { shared: Arc::new(Shared { issuer, file, outbox, records, codes }) }
    }

    pub(super) fn jwks(&self) -> Value {
        self.shared.issuer.jwks()
    }

    /// Returns the public key as PEM.
    pub(super) fn pem(&self) -> String {
        self.shared.issuer.pem()
    }

    /// Returns the outbox, which sends deliveries and keeps their outcomes.
    pub(super) fn outbox(&self) -> &Outbox {
        &self.shared.outbox
    }

    /// Reads the records.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        look(&self.records())
    }

    /// Returns a user's name and address, or `None` if there is no such user.
    pub(super) fn label(&self, user_id: &str) -> Option<String> {
        self.read(|records| records.user(user_id).map(User::label))
    }

    pub(super) fn create_user(
        &self,
        addresses: Vec<String>,
        profile: Profile,
    ) -> Result<User, ClerkError> {
        for address in &addresses {
            check_address(address)?;
        }
        self.change(|records| {
            let taken = |address: &String| records.users.iter().any(|user| user.has_email(address));
            if addresses.iter().any(taken) {
                let message = "That email address is taken. Please try another.";
                return Err(ClerkError::invalid("form_identifier_exists", message));
            }
            let user = User::new(addresses, profile, now());
            records.users.push(user.clone());
            let event = Event::new("user.created", &user.id, user.clerk_json());
            Ok((user, vec![event]))
        })
    }

    pub(super) fn change_user(
        &self,
        id: &str,
        profile: Profile,
        primary_email_address_id: Option<String>,
    ) -> Result<User, ClerkError> {
        self.update_user(id, |user| {
            if let Some(primary) = primary_email_address_id {
                if !user.email_addresses.iter().any(|address| address.id == primary) {
                    return Err(ClerkError::not_found("email address"));
                }
                user.primary_email_address_id = Some(primary);
            }
            user.profile.apply(profile);
            Ok(())
        })
    }

    pub(super) fn merge_metadata(&self, id: &str, change: Metadata) -> Result<User, ClerkError> {
        self.update_user(id, |user| {
            user.profile.merge(change);
            Ok(())
        })
    }

    fn update_user(
        &self,
        id: &str,
        update: impl FnOnce(&mut User) -> Result<(), ClerkError>,
    ) -> Result<User, ClerkError> {
        self.change(|records| {
            let user = records.user_mut(id).ok_or_else(|| ClerkError::not_found("user"))?;
            update(user)?;
            user.touch(now());
            let event = Event::new("user.updated", &user.id, user.clerk_json());
            Ok((user.clone(), vec![event]))
        })
    }

    pub(super) fn delete_user(&self, id: &str) -> Result<Value, ClerkError> {
        self.change(|records| {
            let user = records.remove_user(id).ok_or_else(|| ClerkError::not_found("user"))?;
            let data = json!({ "object": "user", "id": user.id, "deleted": true });
            let event = Event::new("user.deleted", &user.id, data.clone());
            Ok((data, vec![event]))
        })
    }

    /// Creates a session, in which an organization of the user's may be active.
    pub(super) fn sign_in(
        &self,
        user_id: &str,
        organization_id: Option<String>,
    ) -> Result<SignIn, ClerkError> {
        self.change(|records| {
            let is_member = |id: &String| records.membership(id, user_id).is_some();
            if !organization_id.as_ref().is_none_or(is_member) {
                return Err(ClerkError::not_found("organization membership"));
            }
            let user = records.user_mut(user_id).ok_or_else(|| ClerkError::not_found("user"))?;
            if user.banned || user.locked {
                let (code, message) = match user.banned {
                    true => ("user_banned", "This user is banned and cannot sign in."),
                    false => ("user_locked", "This user is locked and cannot sign in for now."),
                };
                return Err(ClerkError::new(StatusCode::FORBIDDEN, code, message));
            }
            user.last_sign_in_at = Some(now());
            let session = SignIn::new(user_id, organization_id, now());
            records.sessions.push(session.clone());
            Ok((session, Vec::new()))
        })
    }

    /// Ends a session, by sign-out or by the secret key.
    pub(super) fn end_session(&self, id: &str, end: SessionEnd) -> Result<Value, ClerkError> {
        self.change(|records| {
            let at = records.sessions.iter().position(|session| session.id == id);
            let session =
                records.sessions.remove(at.ok_or_else(|| ClerkError::not_found("session"))?);
            let event = end.event(&session);
            Ok((event.data.clone(), vec![event]))
        })
    }

    /// Bans a user, who is signed out, or ends the ban.
    pub(super) fn ban(&self, id: &str, banned: bool) -> Result<User, ClerkError> {
        self.change(|records| {
            let user = records.user_mut(id).ok_or_else(|| ClerkError::not_found("user"))?;
            user.banned = banned;
            user.touch(now());
            let user = user.clone();
            let mut events = vec![Event::new("user.updated", &user.id, user.clerk_json())];
            if banned {
                let ended = records.sessions.extract_if(.., |session| session.user_id == id);
                events.extend(ended.map(|session| SessionEnd::Revoked.event(&session)));
            }
            Ok((user, events))
        })
    }

    /// Locks a user, who cannot sign in and stays signed in, or ends the lock.
    pub(super) fn lock(&self, id: &str, locked: bool) -> Result<User, ClerkError> {
        self.update_user(id, |user| {
            user.locked = locked;
            Ok(())
        })
    }

    /// Mints a session token that is valid for `seconds`; default: 60. `azp` is the origin of the
    /// request for it.
    pub(super) fn token(
        &self,
        session: &SignIn,
        azp: Option<&str>,
        seconds: Option<u32>,
        version: TokenVersion,
    ) -> String {
        let minutes = (now() - session.created_at).max(0) / 60_000;
        let issuer = &self.shared.issuer;
        let token = match version {
            TokenVersion::One => issuer.token_v1(&session.user_id),
            TokenVersion::Two => issuer.token(&session.user_id),
        };
        let mut token = token.claim("sid", session.id.clone()).claim("fva", json!([minutes, -1]));
        if let Some(seconds) = seconds {
            token = token.expires_after(std::time::Duration::from_secs(seconds.into()));
        }
        if let Some((id, slug, role)) = self.active_organization(session) {
            // As an instance has them whose admins were given this permission.
            let permissions: &[&str] = if role == "org:admin" { &["org:users:read"] } else { &[] };
            token = token.organization(&id, &slug, &role, permissions);
        }
        match azp {
            Some(origin) => token.claim("azp", origin).mint(),
            None => token.mint(),
        }
    }

    /// Mints a machine's JWT.
    pub(super) fn m2m_jwt(&self, machine_id: &str, scopes: &[String]) -> String {
        let token = self.shared.issuer.m2m_token(machine_id);
        token.claim("scopes", scopes.join(" ")).claim("aud", json!(scopes)).mint()
    }

    /// Mints an OAuth access token.
    pub(super) fn oauth_jwt(
        &self,
        user_id: &str,
        client_id: &str,
        scopes: &[String],
        audience: Option<Value>,
    ) -> String {
        let token = self.shared.issuer.oauth_token(user_id, client_id);
        let token = token.claim("scope", scopes.join(" "));
        match audience {
            Some(audience) => token.claim("aud", audience).mint(),
            None => token.mint(),
        }
    }

    /// Returns the suffix of the instance's cookies.
    pub(super) fn cookie_suffix(&self) -> String {
        let host = self.url().strip_prefix("http://").unwrap_or_default();
        let key = PublishableKey::parse(&publishable_key(host));
        key.map(|key| key.cookie_suffix()).unwrap_or_default()
    }

    /// Returns the address of the issuer.
    pub(super) fn url(&self) -> &str {
        self.shared.issuer.iss()
    }

    /// Returns the active organization of a session, if the user is still a member: its id and slug, and the
    /// role.
    fn active_organization(&self, session: &SignIn) -> Option<(String, String, String)> {
        let id = session.active_organization_id.as_deref()?;
        self.read(|records| {
            let membership = records.membership(id, &session.user_id)?;
            let slug = records.organization(id)?.slug.clone().unwrap_or_default();
            Some((id.to_owned(), slug, membership.role.clone()))
        })
    }

    /// Changes a copy of the records, saves it, and only then puts it in force and sends its events.
    ///
    /// The lock is held during a small write to a local file: the stand-in serves one developer,
    /// and events must be sent in the order of the changes.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Records) -> Result<(T, Vec<Event>), ClerkError>,
    ) -> Result<T, ClerkError> {
        let mut records = self.records();
        let mut next = records.clone();
        let (result, events) = change(&mut next)?;
        self.shared.file.save(&next).map_err(|error| {
            let file = self.shared.file.named().display();
            tracing::error!(%error, "the dev Clerk cannot write {file}; the change was not made");
            let message = "The dev Clerk cannot write its file; its log says why.";
            ClerkError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_clerk_error", message)
        })?;
        *records = next;
        for Event { kind, about, data } in events {
            let envelope = json!({
                "object": "event", "type": kind, "instance_id": records.instance_id,
                "timestamp": now(), "data": data,
                "event_attributes": { "http_request": { "client_ip": "127.0.0.1", "user_agent": "" } },
            });
            self.shared.outbox.send(kind, &about, &envelope);
        }
        Ok(result)
    }

    /// Returns a code with which a page gets this session once.
    pub(super) fn code_for(&self, session: &SignIn) -> String {
        self.shared.codes.issue(&session.id, time::now())
    }

    /// Returns the session of a code, which counts once.
    pub(super) fn session_for(&self, code: &str) -> Option<SignIn> {
        let id = self.shared.codes.redeem(code, time::now())?;
        self.read(|records| records.session(&id).cloned())
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.shared.records.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How a session ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionEnd {
    /// The user has signed out.
    Removed,
    /// The secret key has ended it.
    Revoked,
}

impl SessionEnd {
    fn event(self, session: &SignIn) -> Event {
        let (kind, status) = match self {
            Self::Removed => ("session.removed", "removed"),
            Self::Revoked => ("session.revoked", "revoked"),
        };
        Event::new(kind, &session.user_id, session.clerk_json(status))
    }
}

/// An event for webhooks.
pub(super) struct Event {
    kind: &'static str,
    /// The user or the organization: deliveries about one keep their order.
    about: String,
    data: Value,
}

impl Event {
    pub(super) fn new(kind: &'static str, about: &str, data: Value) -> Self {
        Self { kind, about: about.to_owned(), data }
    }
}

fn check_address(address: &str) -> Result<(), ClerkError> {
    let good = address.len() <= 254
        && !address.chars().any(|c| c.is_whitespace() || c.is_control())
        && address.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
    let message = "Email address must be a valid email address.";
    if good { Ok(()) } else { Err(ClerkError::invalid("form_param_format_invalid", message)) }
}

/// Returns the time in milliseconds since 1970.
pub(super) fn now() -> i64 {
    time::now().timestamp_millis()
}
