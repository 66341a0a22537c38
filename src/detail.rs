//! The JSON body of error responses: an object with the string `detail`. Only this file writes it.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};

/// Returns the response with the body `{"detail": …}`, `application/json`.
pub(crate) fn with_detail<B>(response: Response<B>, detail: &str) -> Response<Bytes> {
    with_detail_and(response, detail, "")
}

/// Returns the response with the body `{"detail": …}` and further members, each written as JSON with
/// a comma before it.
pub(crate) fn with_detail_and<B>(
    response: Response<B>,
    detail: &str,
    members: &str,
) -> Response<Bytes> {
    let body = format!(r#"{{"detail":{}{members}}}"#, serde_json::Value::from(detail));
    let mut response = response.map(|_| Bytes::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_text_it_is_one_json_object() {
        for text in ["Not found", "", "a \"b\" \\ c\n"] {
            let body = with_detail(Response::new(()), text).into_body();
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read, serde_json::json!({ "detail": text }));
        }
    }
}
