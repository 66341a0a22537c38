//! The metrics of requests: their number, kind, outcome and duration.

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, gauge, histogram};
use tokio::time::Instant;

use super::{DURATION, IN_FLIGHT, REQUESTS};

/// Counts a request by its route's template. A request without a route is `unmatched`: clients
/// choose paths, and each new path would be a new series.
pub(crate) async fn counted(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unmatched", |path| path.as_str()).to_owned();
    let mut counted = Counted::begin(route, method(request.method()));
    let response = next.run(request).await;
    counted.status = Some(response.status());
    response
}

/// A request in progress. It is counted when it is dropped, which also happens when the client
/// disconnects.
struct Counted {
    route: String,
    method: &'static str,
    begin: Instant,
    status: Option<StatusCode>,
}

impl Counted {
    fn begin(route: String, method: &'static str) -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self { route, method, begin: Instant::now(), status: None }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
        let status = match &self.status {
            Some(status) => status.as_str().to_owned(),
            None => "gone".to_owned(),
        };
        let (route, method) = (std::mem::take(&mut self.route), self.method);
        histogram!(DURATION, "route" => route.clone(), "method" => method)
            .record(self.begin.elapsed());
        counter!(REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
    }
}

/// Returns the method as a label; unknown methods, which clients can invent, are `other`.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}
