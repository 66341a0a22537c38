//! A client of the stand-in, and its complete answers.

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    /// Returns the code of the only error in an answer of Clerk's shape.
    pub(crate) fn code(&self) -> String {
        text(&self.json()["errors"][0]["code"])
    }
}

/// A client of the stand-in, with a key or without.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: Client,
    key: Option<String>,
}

impl Api {
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { base: base.to_owned(), client: client.build().unwrap(), key: None }
    }

    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Starts a request; finish it with [`answer`].
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await
    }

    /// Sends a GET request; `None` when the connection is refused.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        read(self.request("GET", path)).await.ok()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        answer(self.request(method, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }

    /// Creates a user and returns its id.
    pub(crate) async fn sign_up(&self, email: &str) -> String {
        let user = self.post("/v1/users", &json!({ "email_address": [email] })).await;
        assert_eq!(user.status, 200, "{user:?}");
        text(&user.json()["id"])
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    read(request).await.unwrap()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    Ok(Answer { status: response.status().as_u16(), text: response.text().await? })
}
