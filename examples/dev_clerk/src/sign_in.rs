//! The sign-in page: sign up, or sign in as an existing user. Plain forms, no script.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::error::ClerkError;
use crate::guard::{self, LoopbackPage};
use crate::instance::{Instance, TokenVersion};
use crate::page::{self, escaped};
use crate::records::SignIn;
use crate::user::Profile;

pub(super) fn routes() -> Router<Instance> {
    Router::new().route("/sign-in", get(show).post(sign_in)).route("/sign-up", post(sign_up))
}

#[derive(Deserialize)]
struct Target {
    redirect_url: Option<String>,
    /// A value of the page's choice that is returned beside the code: the page recognises its own sign-in by
    /// it.
    state: Option<String>,
}

/// The page that gets the user back, and its state.
struct Return {
    page: LoopbackPage,
    state: Option<String>,
}

impl Target {
    fn checked(&self) -> Result<Return, ClerkError> {
        let state = self.state.clone().filter(|state| !state.is_empty());
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if state.as_ref().is_some_and(|text| text.len() > 128 || !text.bytes().all(is_plain)) {
            let message = "state must be at most 128 letters, digits, - and _";
            return Err(ClerkError::invalid("form_param_format_invalid", message));
        }
        Ok(Return { page: self.page()?, state })
    }

    fn page(&self) -> Result<LoopbackPage, ClerkError> {
        self.redirect_url.as_deref().and_then(guard::loopback_page).ok_or_else(|| {
            ClerkError::invalid(
                "invalid_url_scheme",
                "redirect_url must be a page on this machine: http://127.0.0.1:… or \
                 http://localhost:…",
            )
        })
    }
}

async fn show(
    State(instance): State<Instance>,
    Query(target): Query<Target>,
) -> Result<Response, ClerkError> {
    Ok(render(&instance, &target.checked()?, None))
}

#[derive(Deserialize)]
struct SignInForm {
    user_id: String,
    #[serde(flatten)]
    target: Target,
}

async fn sign_in(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    let target = form.target.checked()?;
    match instance.sign_in(&form.user_id, None) {
        Ok(session) => Ok(send_back(&instance, &target, &session)),
        Err(error) => Ok(render(&instance, &target, Some(error.message()))),
    }
}

#[derive(Deserialize)]
struct SignUpForm {
    email_address: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(flatten)]
    target: Target,
}

async fn sign_up(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(form): Form<SignUpForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    let target = form.target.checked()?;
    let name = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let profile = Profile {
        first_name: name(&form.first_name),
        last_name: name(&form.last_name),
        ..Profile::default()
    };
    let signed_in = instance
        .create_user(vec![form.email_address.trim().to_owned()], profile)
        .and_then(|user| instance.sign_in(&user.id, None));
    match signed_in {
        Ok(session) => Ok(send_back(&instance, &target, &session)),
        Err(error) => Ok(render(&instance, &target, Some(error.message()))),
    }
}

/// Redirects to the page with the code, and sets Clerk's cookies for pages that use those. A fragment stays in
/// the browser, so that no server's log contains the code; in the browser's history it is worth nothing once
/// the page has used it.
fn send_back(instance: &Instance, target: &Return, session: &SignIn) -> Response {
    let code = instance.code_for(session);
    let state = target.state.as_ref().map(|state| format!("&state={state}")).unwrap_or_default();
    let location = format!("{}#code={code}{state}", target.page.url);
    let cookies = AppendHeaders(cookies(instance, &target.page, session));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)], cookies).into_response()
}

/// Returns the cookies that Clerk's SDK keeps in the page's browser, with and without the instance's suffix:
/// they are sent to every port of this host. The token lasts a minute, and is not renewed.
fn cookies(
    instance: &Instance,
    page: &LoopbackPage,
    session: &SignIn,
) -> [(HeaderName, String); 4] {
    let token = instance.token(session, Some(&page.origin), None, TokenVersion::Two);
    let signed_in_at = session.created_at / 1000;
    let suffix = instance.cookie_suffix();
    let cookie = |name: &str, value: &str, seconds: u32| {
        let cookie = format!("{name}={value}; Path=/; SameSite=Lax; Max-Age={seconds}");
        (header::SET_COOKIE, cookie)
    };
    let signed_in_at = signed_in_at.to_string();
    [
        cookie("__session", &token, 60),
        cookie(&format!("__session_{suffix}"), &token, 60),
        cookie("__client_uat", &signed_in_at, WEEK),
        cookie(&format!("__client_uat_{suffix}"), &signed_in_at, WEEK),
    ]
}

const WEEK: u32 = 7 * 24 * 60 * 60;

fn render(instance: &Instance, target: &Return, problem: Option<&str>) -> Response {
    let Return { page: target, state } = target;
    let mut redirect =
        format!(r#"<input type="hidden" name="redirect_url" value="{}">"#, escaped(&target.url));
    if let Some(state) = state {
        // Writing to a String cannot fail.
        let _ =
            write!(redirect, r#"<input type="hidden" name="state" value="{}">"#, escaped(state));
    }
    let users = instance.read(|records| {
        records.users.iter().rev().fold(String::new(), |mut html, user| {
            let (id, label) = (escaped(&user.id), escaped(&user.label()));
            // Writing to a String cannot fail.
            let _ =
                write!(html, r#"<li><button name="user_id" value="{id}">{label}</button></li>"#);
            html
        })
    });
    let known = match users.as_str() {
        "" => String::new(),
        users => format!(
            r#"<section><h2>Sign in</h2><form method="post" action="/sign-in">{redirect}<ul>{users}</ul></form></section>"#
        ),
    };
    let problem = problem.map_or_else(String::new, page::problem);
    let html = PAGE
        .replace("{known}", &known)
        .replace("{problem}", &problem)
        .replace("{redirect}", &redirect);
    page::show(html, &format!("'self' {}", target.policy_source()))
}

const PAGE: &str = include_str!("sign_in.html");
