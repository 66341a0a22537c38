//! A fake Backend API with any number of users, which the dev Clerk would take long to create.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Users `user_00001` and so on. It answers so many pages and holds all later ones back.
pub(crate) struct Listing {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    users: usize,
    counted: AtomicUsize,
    open: watch::Sender<usize>,
    asked: watch::Sender<Vec<String>>,
}

impl Listing {
    pub(crate) async fn start(users: usize, open: usize) -> Self {
        let (open, asked) = (watch::Sender::new(open), watch::Sender::new(Vec::new()));
        let counted = AtomicUsize::new(users);
        let shared = Arc::new(Shared { users, counted, open, asked });
        let app = Router::new()
            .route("/v1/instance", get(async || r#"{"id":"ins_many"}"#))
            .route("/v1/users/count", get(count))
            .route("/v1/users", get(list))
            .route("/v1/organizations", get(async || r#"{"data":[],"total_count":0}"#))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// Counts this many users, whatever it lists.
    pub(crate) fn counts(&self, users: usize) {
        self.shared.counted.store(users, Ordering::SeqCst);
    }

    /// Holds nothing back any more.
    pub(crate) fn open(&self) {
        self.shared.open.send_replace(usize::MAX);
    }

    /// After whom each page was asked for, once there were so many.
    pub(crate) async fn asked(&self, pages: usize) -> Vec<String> {
        let mut asked = self.shared.asked.subscribe();
        let enough = asked.wait_for(|asked| asked.len() >= pages);
        tokio::time::timeout(super::DEADLINE, enough).await.expect("in time").unwrap().clone()
    }
}

async fn count(State(shared): State<Arc<Shared>>) -> String {
    json!({ "total_count": shared.counted.load(Ordering::SeqCst) }).to_string()
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Vec<(String, String)>>,
) -> String {
    let value = |name| query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    if value("order_by") == Some("-updated_at") {
        return Value::from(vec![user(shared.users)]).to_string();
    }
    let after = value("starting_after").unwrap_or_default();
    shared.asked.send_modify(|asked| asked.push(after.to_owned()));
    let page = shared.asked.borrow().len();
    shared.open.subscribe().wait_for(|open| page <= *open).await.unwrap();
    let first = after.strip_prefix("user_").map_or(0, |n| n.parse().unwrap());
    let limit: usize = value("limit").unwrap().parse().unwrap();
    let users: Vec<Value> = (first + 1..=shared.users).take(limit).map(user).collect();
    Value::from(users).to_string()
}

fn user(n: usize) -> Value {
    let (id, address) = (format!("user_{n:05}"), format!("{n}@example.com"));
    json!({
        "id": id,
        "primary_email_address_id": "idn_1",
        "email_addresses": [{ "id": "idn_1", "email_address": address }],
        "created_at": 1000 + n,
        "updated_at": 1000 + n,
    })
}
