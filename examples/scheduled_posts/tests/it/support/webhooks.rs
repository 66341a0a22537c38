//! Clerk's deliveries without Clerk: signed and posted by the test, and their outcome in the
//! database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{Issuer, SignedDelivery, user_created, user_deleted, user_updated};

use crate::support::http::{Answer, Api, try_answer};

/// One delivery: of a state of a user, which is numbered, or of the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) user: String,
    pub(crate) state: State,
}

/// What is known of a user. Version 0 is the creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Version(i64),
    Deleted,
}

impl Webhook {
    /// The variables of a server that takes these.
    pub(crate) fn variables() -> Vec<(String, String)> {
        let pem = CLERK.pem();
        [
            ("CLERK_ISSUER", ISSUER),
            ("CLERK_JWT_KEY", &pem),
            ("CLERK_WEBHOOK_SIGNING_SECRET", SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// A token of a user's that such a server accepts.
    pub(crate) fn token(user: &str) -> String {
        CLERK.token(user).issued_at(SystemClock::new().now()).mint()
    }

    /// Headers as lines, of this moment, by which a body is read and then found to be forged.
    pub(crate) fn forged_headers() -> String {
        let secret = SigningSecret::parse(SECRET).unwrap();
        let signed = SignedDelivery::new(&secret, "msg_forged", SystemClock::new().now(), "{}");
        let lines = signed.headers().iter();
        lines.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect()
    }

    /// The delivery's id: the same each time.
    pub(crate) fn id(&self) -> String {
        match self.state {
            State::Version(version) => format!("msg_{}_{version}", self.user),
            State::Deleted => format!("msg_{}_deleted", self.user),
        }
    }

    /// Posts it, signed at this moment. `None`: nobody answered.
    pub(crate) async fn post(&self, api: &Api) -> Option<Answer> {
        Self::post_body(api, &self.id(), self.body()).await
    }

    /// Posts any body, signed at this moment. `None`: nobody answered.
    pub(crate) async fn post_body(api: &Api, id: &str, body: String) -> Option<Answer> {
        let secret = SigningSecret::parse(SECRET).unwrap();
        let signed = SignedDelivery::new(&secret, id, SystemClock::new().now(), body);
        let request = api.request("POST", "/api/webhooks/clerk");
        try_answer(request.headers(signed.headers().clone()).body(signed.body().clone())).await
    }

    /// Every column tells which event it is from.
    fn body(&self) -> String {
        let mut body = match self.state {
            State::Version(0) => user_created(&self.user, Some(&email(0)), T),
            State::Version(version) => user_updated(&self.user, Some(&email(version)), T + version),
            State::Deleted => return user_deleted(&self.user).to_string(),
        };
        if let State::Version(version) = self.state {
            body["data"]["first_name"] = json!(format!("first {version}"));
            body["data"]["last_name"] = json!(format!("last {version}"));
        }
        body.to_string()
    }
}

/// What a database knows of all users; panics when a row is not whole, or is not what its version
/// says.
pub(crate) async fn states(db: &impl ConnectionTrait) -> BTreeMap<String, State> {
    let orphans = "SELECT id FROM users WHERE id NOT IN (SELECT id FROM clerk_user_versions)";
    let orphans: Vec<String> = texts(db, orphans).await;
    assert!(orphans.is_empty(), "rows without a version: {orphans:?}");
    let all = "SELECT v.id, v.version, v.deleted, u.id AS row_id, u.email, u.first_name, \
               u.last_name, u.updated_at \
               FROM clerk_user_versions v LEFT JOIN users u ON u.id = v.id";
    let all = Statement::from_string(db.get_database_backend(), all);
    let mut states = BTreeMap::new();
    for row in db.query_all_raw(all).await.unwrap() {
        let user: String = row.try_get("", "id").unwrap();
        let text = |column: &str| row.try_get::<Option<String>>("", column).unwrap();
        if row.try_get::<bool>("", "deleted").unwrap() {
            assert_eq!(text("row_id"), None, "{user} is deleted and has a row");
            states.insert(user, State::Deleted);
            continue;
        }
        let version = row.try_get::<i64>("", "version").unwrap() - T;
        let columns = ["row_id", "email", "first_name", "last_name"].map(text);
        let names = ["first", "last"].map(|name| format!("{name} {version}"));
        let [first, last] = names;
        let whole = [user.clone(), email(version), first, last].map(Some);
        assert_eq!(columns, whole, "{user} is not of one event");
        let updated_at: DateTimeUtc = row.try_get("", "updated_at").unwrap();
        assert_eq!(updated_at.timestamp_millis(), T + version, "{user}");
        states.insert(user, State::Version(version));
    }
    states
}

/// Which of these deliveries a database remembers.
pub(crate) async fn recorded(
    db: &impl ConnectionTrait,
    ids: impl Iterator<Item = String>,
) -> BTreeSet<String> {
    let ids: Vec<_> = ids.map(|id| format!("'{id}'")).collect();
    if ids.is_empty() {
        return BTreeSet::new();
    }
    let list = ids.join(",");
    let select = format!("SELECT id FROM clerk_deliveries WHERE id IN ({list})");
    texts(db, &select).await.into_iter().collect()
}

async fn texts(db: &impl ConnectionTrait, sql: &str) -> Vec<String> {
    let query = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(query).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

fn email(version: i64) -> String {
    format!("v{version}@example.com")
}

static CLERK: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(ISSUER, "ins_1"));
const ISSUER: &str = "https://clerk.example.com";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Versions count upward from here, in milliseconds.
const T: i64 = 1_716_883_200_000;
