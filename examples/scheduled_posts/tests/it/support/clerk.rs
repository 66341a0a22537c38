//! A client of the dev Clerk's Backend API, as Clerk's SDKs are.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::http::{Answer, Api, answer};
use crate::support::until;

pub(crate) struct Clerk {
    pub(crate) open: Api,
    pub(crate) backend: Api,
}

impl Clerk {
    /// The secret key is in the file that the dev Clerk keeps.
    pub(crate) fn new(base: String, file: PathBuf) -> Self {
        let records: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let open = Api::new(base);
        let backend = open.with_token(records["secret_key"].as_str().unwrap());
        Self { open, backend }
    }

    /// Creates a user, and says its id.
    pub(crate) async fn sign_up(&self, email: &str) -> String {
        let user = self.backend.post("/v1/users", &json!({ "email_address": [email] })).await;
        assert_eq!(user.status, 200, "{user:?}");
        user.json()["id"].as_str().unwrap().to_owned()
    }

    /// Changes a user's first name.
    pub(crate) async fn rename(&self, user_id: &str, first_name: &str) {
        let request = self.backend.request("PATCH", &format!("/v1/users/{user_id}"));
        let changed = answer(request.json(&json!({ "first_name": first_name }))).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    }

    /// Says how deliveries are treated from now on.
    pub(crate) async fn faults(&self, faults: &Value) {
        let set = self.backend.put("/dev/faults", faults).await;
        assert_eq!(set.status, 200, "{set:?}");
    }

    /// The recent deliveries, the newest first, once none of them is under way any more.
    pub(crate) async fn delivered(&self) -> Vec<Value> {
        until("all deliveries have arrived", async || {
            let deliveries = self.backend.get("/dev/deliveries").await.json();
            let deliveries = deliveries.as_array().unwrap();
            let done = deliveries.iter().all(|delivery| delivery["state"] == "delivered");
            done.then(|| deliveries.clone())
        })
        .await
    }

    /// Sends a delivery again, and says under which id.
    pub(crate) async fn replay(&self, id: &Value, options: &Value) -> String {
        let path = format!("/dev/deliveries/{}/replay", id.as_str().unwrap());
        let replayed = self.backend.post(&path, options).await;
        assert_eq!(replayed.status, 200, "{replayed:?}");
        replayed.json()["id"].as_str().unwrap().to_owned()
    }

    /// Creates a session, and says its id.
    pub(crate) async fn session(&self, user_id: &str) -> String {
        let session = self.backend.post("/v1/sessions", &json!({ "user_id": user_id })).await;
        assert_eq!(session.status, 200, "{session:?}");
        session.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn token_answer(&self, session_id: &str) -> Answer {
        self.backend.post(&format!("/v1/sessions/{session_id}/tokens"), &json!({})).await
    }

    /// A token for a user, from a new session.
    pub(crate) async fn token(&self, user_id: &str) -> String {
        let answer = self.token_answer(&self.session(user_id).await).await;
        answer.json()["jwt"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// A new user, synced, and the API as that user.
    pub(crate) async fn user(&self, api: &Api, email: &str) -> (String, Api) {
        let id = self.sign_up(email).await;
        let api = api.with_token(&self.token(&id).await);
        until("the user is synced", async || {
            let me = api.get("/api/me").await.json();
            (!me["user"].is_null()).then_some(())
        })
        .await;
        (id, api)
    }
}
