//! The `user_id` that a request claims: in the query, or in the JSON body of a POST or PUT.

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tower_clerk::ids::UserId;

use crate::error::ApiError;
use crate::requests::BODY_LIMIT;

/// Reads the `user_id`, and returns it with the unchanged request.
pub(super) async fn read(request: Request) -> Result<(Option<String>, Request), ApiError> {
    let in_query = from_query(&request)?;
    let (in_body, request) = match *request.method() {
        Method::POST | Method::PUT => from_body(request).await?,
        _ => (None, request),
    };
    let claim = match (in_query, in_body) {
        (Some(query), Some(body)) if query != body => {
            return Err(ApiError::invalid("user_id is one in the query and another in the body"));
        }
        (Some(claim), _) | (None, Some(claim)) => claim,
        (None, None) => return Ok((None, request)),
    };
    if UserId::parse(claim.as_str()).is_err() {
        return Err(ApiError::invalid("user_id must be 1 to 255 letters, digits and underscores"));
    }
    Ok((Some(claim), request))
}

fn from_query(request: &Request) -> Result<Option<String>, ApiError> {
    let all = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let Query(all) = all.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let mut claims = all.into_iter().filter(|(name, _)| name == "user_id").map(|(_, value)| value);
    match (claims.next(), claims.next()) {
        (Some(_), Some(_)) => Err(ApiError::invalid("user_id must be in the query only once")),
        (claim, _) => Ok(claim),
    }
}

/// Reads the `user_id` of a body. A body that is not a JSON object has none, and the handler
/// refuses it.
async fn from_body(request: Request) -> Result<(Option<String>, Request), ApiError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| {
        let detail = "The body is too large, or was broken off";
        ApiError::BadRequest(StatusCode::PAYLOAD_TOO_LARGE, detail.into())
    })?;
    let claim = match serde_json::from_slice(&body) {
        Ok(Member { user_id: None | Some(Value::Null) }) | Err(_) => None,
        Ok(Member { user_id: Some(Value::String(claim)) }) => Some(claim),
        Ok(Member { user_id: Some(_) }) => {
            return Err(ApiError::invalid("user_id must be a string"));
        }
    };
    Ok((claim, Request::from_parts(parts, Body::from(body))))
}

/// The member of a body. Two members `user_id` are an error of serde, so neither is trusted.
#[derive(Deserialize)]
struct Member {
    user_id: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn claim(method: &str, uri: &str, body: &str) -> Result<Option<String>, String> {
        let request = Request::builder().method(method).uri(uri);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (claim, request) = read(request).await.map_err(|error| format!("{error:?}"))?;
        let left = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        assert_eq!(left, body, "the handler gets the body whole");
        Ok(claim)
    }

    #[tokio::test]
    async fn user_id_is_in_the_query_or_in_the_body_of_what_writes() {
        let user = || Ok(Some("user_1".to_owned()));
        assert_eq!(claim("GET", "/?a=b&user_id=user_1", "").await, user());
        assert_eq!(claim("DELETE", "/?user_id=user%5F1", "").await, user());
        for method in ["POST", "PUT"] {
            assert_eq!(claim(method, "/", r#"{"x":[1],"user_id":"user_1"}"#).await, user());
            assert_eq!(claim(method, "/?user_id=user_1", r#"{"user_id":"user_1"}"#).await, user());
            assert_eq!(claim(method, "/?user_id=user_1", "not JSON").await, user());
        }
        for (method, uri, body) in [
            ("GET", "/", ""),
            ("GET", "/", r#"{"user_id":"user_1"}"#),
            ("DELETE", "/?USER_ID=user_1", r#"{"user_id":"user_1"}"#),
            ("POST", "/", r#"{"user_id":null}"#),
            ("POST", "/", r#"{"user":{"user_id":"user_1"}}"#),
            ("POST", "/", r#"{"user_id":"user_1","user_id":"user_2"}"#),
            ("POST", "/", "not JSON"),
            ("POST", "/", ""),
        ] {
            assert_eq!(claim(method, uri, body).await, Ok(None), "{method} {uri} {body}");
        }
    }

    #[tokio::test]
    async fn an_odd_user_id_is_nobody() {
        let long = format!("/?user_id={}", "a".repeat(256));
        for (method, uri, body) in [
            ("GET", "/?user_id=", ""),
            ("GET", "/?user_id", ""),
            ("GET", "/?user_id=user_1&user_id=user_1", ""),
            ("GET", "/?user_id=user-1", ""),
            ("GET", "/?user_id=user_1%00", ""),
            ("GET", "/?user_id=%27%20OR%201%3D1", ""),
            ("GET", "/?user_id=us%C3%A9r", ""),
            ("GET", &*long, ""),
            ("POST", "/", r#"{"user_id":""}"#),
            ("POST", "/", r#"{"user_id":5}"#),
            ("PUT", "/", r#"{"user_id":["user_1"]}"#),
            ("POST", "/?user_id=user_1", r#"{"user_id":"user_2"}"#),
        ] {
            assert!(claim(method, uri, body).await.is_err(), "{method} {uri} {body}");
        }
    }
}
