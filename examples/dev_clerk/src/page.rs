//! The common parts of the stand-in's pages: the origin of forms, escaping, headers, style.

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::error::ClerkError;
use crate::guard;
use crate::instance::Instance;

pub(super) fn routes() -> Router<Instance> {
    Router::new().route("/page.css", get(style))
}

/// Refuses a form that another page sent.
pub(super) fn own_form(headers: &HeaderMap) -> Result<(), ClerkError> {
    if guard::is_same_origin(headers) {
        return Ok(());
    }
    Err(ClerkError::forbidden("This form must come from the dev Clerk's own page."))
}

/// Builds the response with a page without scripts, whose forms may only be sent to, and redirected
/// to, `form_action`.
pub(super) fn show(html: String, form_action: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_action}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    // With `no-referrer`, browsers would hide the `Origin` of the page's own forms.
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(html)).into_response()
}

/// Returns a paragraph with an error message.
pub(super) fn problem(text: &str) -> String {
    format!(r#"<p class="problem" role="alert">{}</p>"#, escaped(text))
}

/// Escapes text for an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // A name must not be taken for a placeholder of the template.
            '{' => html.push_str("&#123;"),
            _ => html.push(c),
        }
        html
    })
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css"))
}
