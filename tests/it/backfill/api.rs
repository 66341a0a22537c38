//! A Backend API on a socket of its own: it lists users, organizations and members as Clerk documents
//! it, remembers what it was asked, and fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::body::{Broken, Endless};
use crate::support::servers::within;

pub(crate) struct ClerkApi {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Clerk>,
    requests: watch::Sender<usize>,
}

/// What this Clerk knows and has seen.
pub(crate) struct Clerk {
    pub(crate) instance: Value,
    pub(crate) users: Vec<Value>,
    pub(crate) organizations: Vec<Value>,
    pub(crate) memberships: Vec<Value>,
    /// Whether organizations are switched off for the instance.
    pub(crate) has_no_organizations: bool,
    /// Whether lists of organizations and members come without an envelope.
    pub(crate) is_bare: bool,
    pub(crate) asked: Vec<Asked>,
    /// Whether lists come in an envelope.
    pub(crate) wraps: bool,
    /// The header `Date`, instead of the true one.
    pub(crate) date: Option<&'static str>,
    faults: VecDeque<(&'static str, Fault)>,
}

/// A request as it arrived.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
}

impl Asked {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters(name).first().copied()
    }

    fn parameters(&self, name: &str) -> Vec<&str> {
        let named = self.query.iter().filter(|(own, _)| own == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// What happens in place of an answer.
#[derive(Clone)]
pub(crate) enum Fault {
    /// This status, `Retry-After` and body.
    Says(u16, Option<&'static str>, String),
    /// Nothing, for ever.
    Silent,
    /// A body that breaks off.
    Breaks,
    /// A body that never ends.
    Endless,
    /// The answer to another query.
    AsIf(&'static str),
}

impl Fault {
    pub(crate) fn status(status: u16) -> Self {
        Self::Says(status, None, String::new())
    }

    /// 200 with this body.
    pub(crate) fn body(body: impl Into<String>) -> Self {
        Self::Says(200, None, body.into())
    }
}

impl ClerkApi {
    pub(crate) async fn start(users: Vec<Value>) -> Self {
        let state = Clerk {
            instance: json!({
                "object": "instance",
                "id": "ins_1",
                "environment_type": "development",
                "allowed_origins": null,
            }),
            users,
            organizations: Vec::new(),
            memberships: Vec::new(),
            has_no_organizations: false,
            is_bare: false,
            asked: Vec::new(),
            wraps: false,
            date: None,
            faults: VecDeque::new(),
        };
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { state, requests: watch::Sender::new(0) });
        let app = Router::new().fallback(get(answer)).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Clerk> {
        self.shared.state.lock().unwrap()
    }

    /// The next request for this path and query (a part of `path?query`) meets a fault; faults of
    /// the same request are met in the order in which they were told.
    pub(crate) fn fails(&self, request: &'static str, fault: Fault) {
        self.state().faults.push_back((request, fault));
    }

    /// All further requests like this do.
    pub(crate) fn always_fails(&self, request: &'static str, fault: &Fault) {
        for _ in 0..100 {
            self.fails(request, fault.clone());
        }
    }

    /// A way to change what is known, for others to take along.
    pub(crate) fn handle(&self) -> impl Fn(&dyn Fn(&mut Clerk)) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |change| change(&mut shared.state.lock().unwrap())
    }

    pub(crate) fn deletes(&self, id: &str) {
        self.state().deletes(id);
    }

    /// `path?query` of all requests so far, decoded.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().asked.iter().map(Asked::line).collect()
    }

    /// Those among them that ask for pages, by what they ask beside limit and order.
    pub(crate) fn pages(&self) -> Vec<String> {
        let state = self.state();
        let lists = state.asked.iter().filter(|asked| asked.parameter("order_by").is_some());
        lists
            .map(|asked| {
                let after = asked.parameter("starting_after").map(|id| format!("after {id}"));
                let since = asked.parameter("created_at_after").map(|at| format!("since {at}"));
                [after, since].into_iter().flatten().collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn saw(&self, requests: usize) {
        let mut seen = self.shared.requests.subscribe();
        within(async { seen.wait_for(|n| *n >= requests).await.unwrap().to_owned() }).await;
    }
}

impl Clerk {
    pub(crate) fn deletes(&mut self, id: &str) {
        self.users.retain(|user| user["id"] != id);
        self.organizations.retain(|it| it["id"] != id);
        self.memberships.retain(|it| {
            it["id"] != id
                && it["organization"]["id"] != id
                && it["public_user_data"]["user_id"] != id
        });
    }

    fn fault(&mut self, request: &str) -> Option<Fault> {
        let at = self.faults.iter().position(|(part, _)| request.contains(part))?;
        self.faults.remove(at).map(|(_, fault)| fault)
    }

    fn answer(&self, asked: &Asked) -> Response {
        match asked.path.as_str() {
            "/v1/instance" => ok(&self.instance),
            "/v1/users/count" => {
                ok(&json!({ "object": "total_count", "total_count": self.users.len() }))
            }
            "/v1/users" => self.list(asked),
            path if path.starts_with("/v1/organizations") => self.organization(asked),
            path => {
                let id = path.strip_prefix("/v1/users/").unwrap_or_default();
                let user = self.users.iter().find(|user| user["id"] == id);
                user.map_or_else(|| error(404, "resource_not_found"), ok)
            }
        }
    }

    fn organization(&self, asked: &Asked) -> Response {
        if self.has_no_organizations {
            return error(403, "organization_not_enabled_in_instance");
        }
        let parts: Vec<&str> = asked.path.split('/').skip(3).collect();
        let found = |id: &str| self.organizations.iter().find(|it| it["id"] == id);
        match parts[..] {
            [] => {
                let ids = asked.parameters("organization_id");
                let asked_for = |it: &&Value| ids.is_empty() || is_in(&it["id"], &ids);
                self.by_offset(asked, self.organizations.iter().filter(asked_for).collect())
            }
            [id] => found(id).map_or_else(|| error(404, "resource_not_found"), ok),
            [id, "memberships"] if found(id).is_some() => {
                let users = asked.parameters("user_id");
                let asked_for = |it: &&Value| {
                    it["organization"]["id"] == id
                        && (users.is_empty() || is_in(&it["public_user_data"]["user_id"], &users))
                };
                self.by_offset(asked, self.memberships.iter().filter(asked_for).collect())
            }
            _ => error(404, "resource_not_found"),
        }
    }

    fn by_offset(&self, asked: &Asked, mut all: Vec<&Value>) -> Response {
        let number = |name| asked.parameter(name).map(|value| value.parse::<usize>().unwrap());
        match asked.parameter("order_by") {
            Some("+created_at") => all.sort_by_key(|it| it["created_at"].as_i64()),
            Some(_) => return error(422, "form_param_value_invalid"),
            None => {}
        }
        let total = all.len();
        let limit = number("limit").unwrap_or(10);
        assert!(limit <= 500, "Clerk lists 500 at most");
        let page: Vec<_> =
            all.into_iter().skip(number("offset").unwrap_or(0)).take(limit).collect();
        if self.is_bare {
            ok(&json!(page))
        } else {
            ok(&json!({ "data": page, "total_count": total }))
        }
    }

    fn list(&self, asked: &Asked) -> Response {
        let number = |name| asked.parameter(name).map(|value| value.parse::<i64>().unwrap());
        let mut users: Vec<&Value> = self.users.iter().collect();
        match asked.parameter("order_by") {
            Some("+created_at") => users.sort_by_key(|user| user["created_at"].as_i64()),
            Some(_) => return error(422, "form_param_value_invalid"),
            None => {}
        }
        let ids = asked.parameters("user_id");
        assert!(ids.len() <= 100, "Clerk takes 100 values at most");
        if !ids.is_empty() {
            users.retain(|user| user["id"].as_str().is_some_and(|id| ids.contains(&id)));
        }
        if let Some(since) = number("created_at_after") {
            users.retain(|user| user["created_at"].as_i64().is_some_and(|at| at > since));
        }
        if let Some(last) = asked.parameter("starting_after") {
            match users.iter().position(|user| user["id"] == last) {
                Some(at) => drop(users.drain(..=at)),
                None => return error(404, "resource_not_found"),
            }
        }
        users.truncate(usize::try_from(number("limit").unwrap_or(10)).unwrap());
        if self.wraps {
            ok(&json!({ "data": users, "total_count": self.users.len() }))
        } else {
            ok(&json!(users))
        }
    }
}

impl Asked {
    fn read(uri: &Uri, headers: HeaderMap) -> Self {
        let url = reqwest::Url::parse(&format!("http://clerk{uri}")).unwrap();
        let query = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
        Self { path: url.path().to_owned(), query, headers, at: Instant::now() }
    }

    fn line(&self) -> String {
        let query: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}?{}", self.path, query.join("&"))
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let date = shared.state.lock().unwrap().date;
    let mut response = answer_undated(shared, uri, headers).await;
    if let Some(date) = date {
        response.headers_mut().insert("date", date.parse().unwrap());
    }
    response
}

async fn answer_undated(shared: Arc<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let mut asked = Asked::read(&uri, headers);
    let fault = {
        let mut state = shared.state.lock().unwrap();
        let fault = state.fault(&asked.line());
        state.asked.push(Asked::read(&uri, asked.headers.clone()));
        fault
    };
    shared.requests.send_modify(|n| *n += 1);
    match fault {
        None => {}
        Some(Fault::AsIf(other)) => asked = Asked::read(&other.parse().unwrap(), asked.headers),
        Some(Fault::Says(status, retry_after, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.parse().unwrap());
            }
            return response;
        }
        Some(Fault::Silent) => return std::future::pending().await,
        Some(Fault::Breaks) => return Body::new(Broken).into_response(),
        Some(Fault::Endless) => return Body::new(Endless::default()).into_response(),
    }
    shared.state.lock().unwrap().answer(&asked)
}

fn ok(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

fn error(status: u16, code: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": "no", "long_message": "no" }] });
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

fn is_in(id: &Value, ids: &[&str]) -> bool {
    id.as_str().is_some_and(|id| ids.contains(&id))
}

/// An organization as Clerk lists one, created at this millisecond and not changed since.
pub(crate) fn organization(id: &str, created_at: i64) -> Value {
    json!({
        "object": "organization", "id": id, "name": format!("name of {id}"), "slug": id,
        "image_url": null, "created_by": null, "created_at": created_at, "updated_at": created_at,
    })
}

/// A membership, `orgmem_<organization>_<user>`, the same way.
pub(crate) fn membership(organization_id: &str, user_id: &str, created_at: i64) -> Value {
    json!({
        "object": "organization_membership", "id": format!("orgmem_{organization_id}_{user_id}"),
        "role": "org:member", "permissions": [],
        "organization": organization(organization_id, 1000),
        "public_user_data": { "user_id": user_id, "identifier": "ann@example.com" },
        "created_at": created_at, "updated_at": created_at,
    })
}

/// A user as Clerk lists one, created at this millisecond and not changed since.
pub(crate) fn user(id: &str, created_at: i64) -> Value {
    json!({
        "object": "user",
        "id": id,
        "first_name": "Ann",
        "primary_email_address_id": "idn_1",
        "email_addresses": [{ "id": "idn_1", "email_address": format!("{id}@example.com") }],
        "created_at": created_at,
        "updated_at": created_at,
    })
}

/// `user_01` and so on, created one after another.
pub(crate) fn users(count: i64) -> Vec<Value> {
    (1..=count).map(|n| user(&format!("user_{n:02}"), 1000 * n)).collect()
}
