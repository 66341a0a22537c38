//! A client of the server, and its complete answers.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The answer is this error, as JSON.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.json(), serde_json::json!({ "detail": detail }));
    }
}

/// The server as one of its users, or as nobody.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: Client,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(base: String) -> Self {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { base, client: client.build().unwrap(), token: None }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Any request; finish it with [`answer`].
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await
    }

    /// `None` when nobody listens.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        read(self.request("GET", path)).await.ok()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request("POST", path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        answer(self.request("PUT", path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request("DELETE", path)).await
    }

    /// Connects an X account, and says its id.
    pub(crate) async fn account(&self, handle: &str) -> String {
        let account = self.post("/api/x-accounts", &serde_json::json!({ "handle": handle })).await;
        assert_eq!(account.status, 201, "{account:?}");
        account.json()["id"].as_str().unwrap().to_owned()
    }

    /// Schedules a post, and says its id.
    pub(crate) async fn scheduled(&self, account: &str, content: &str, at: &str) -> String {
        let body = serde_json::json!({
            "x_account_id": account, "content": content, "scheduled_at": at,
        });
        let post = self.post("/api/scheduled-posts", &body).await;
        assert_eq!(post.status, 201, "{post:?}");
        post.json()["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    read(request).await.unwrap()
}

/// `None` when nobody answers to the end.
pub(crate) async fn try_answer(request: reqwest::RequestBuilder) -> Option<Answer> {
    read(request).await.ok()
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}
