//! Migration phases 1 and 2: the request's `user_id` identifies the caller. A token is verified if
//! there is one, but the result is only counted and logged. Phase 3 uses none of this.

mod claim;
mod hosts;
mod remind;

pub(crate) use hosts::{KnownHosts, known};
pub(crate) use remind::start as start_reminding;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_clerk::session::{AuthError, AuthErrorKind, Session, Verifier};

use crate::config::AuthPhase;
use crate::telemetry;

/// The caller in phases 1 and 2, in the request's extensions. Only [`identified`] puts it there.
#[derive(Clone)]
pub(crate) struct Claimed {
    pub(crate) user_id: String,
    /// The verified session, if it belongs to this user.
    pub(crate) session: Option<Session>,
}

/// Identifies the caller. Stands inside of the report-only layer and outside of the handlers.
/// Without a `user_id`, the verified token identifies the caller; without both, the request is
/// refused.
pub(crate) async fn identified(request: Request, next: Next) -> Response {
    let (claim, mut request) = match claim::read(request).await {
        Ok(read) => read,
        Err(error) => {
            telemetry::phase_3_would("unidentified", "bad_user_id");
            return error.into_response();
        }
    };
    let verdict = verdict(&request);
    let claimed = match (claim, verdict) {
        (None, Ok(session)) => {
            telemetry::phase_3_would("same", "ok");
            Claimed { user_id: session.user_id().to_owned(), session: Some(session) }
        }
        (None, Err(error)) => {
            telemetry::phase_3_would("unidentified", error.kind().as_str());
            return error.into_response();
        }
        (Some(user_id), Ok(session)) if session.user_id() == user_id => {
            telemetry::phase_3_would("same", "ok");
            Claimed { user_id, session: Some(session) }
        }
        (Some(user_id), Ok(_)) => {
            telemetry::phase_3_would("someone_else", "other_user");
            tracing::info!("a request is answered for another user than the one of its token");
            Claimed { user_id, session: None }
        }
        (Some(user_id), Err(error)) if error.kind() == AuthErrorKind::NotJudged => {
            telemetry::phase_3_would("not_judged", error.kind().as_str());
            Claimed { user_id, session: None }
        }
        (Some(user_id), Err(error)) => {
            // The layer has logged the reason.
            telemetry::phase_3_would("refused", error.kind().as_str());
            Claimed { user_id, session: None }
        }
    };
    request.extensions_mut().insert(claimed);
    next.run(request).await
}

/// Adds a `Warning` to every answer that the user was not verified (RFC 7234 5.5).
pub(crate) async fn warned(mut response: Response) -> Response {
    let warning = HeaderValue::from_static(r#"299 - "unverified user_id""#);
    response.headers_mut().insert(header::WARNING, warning);
    response
}

/// Sets the phase in `/metrics`, and creates the counters of the verdicts with 0.
pub(crate) fn announce(phase: AuthPhase) {
    telemetry::auth_phase(phase.number());
    if phase.trusts_user_id() {
        let missing = AuthErrorKind::MissingCredentials.as_str();
        telemetry::phase_3_verdicts(&[
            ("same", "ok"),
            ("refused", missing),
            ("not_judged", AuthErrorKind::NotJudged.as_str()),
            ("someone_else", "other_user"),
        ]);
    }
}

/// Fetches the keys at the start. In these phases no request waits for them.
pub(crate) fn fetch_keys(verifier: Verifier) {
    // A failure is logged by the crate, which goes on trying.
    tokio::spawn(async move { drop(verifier.warm_up().await) });
}

/// Returns the result of the layer.
fn verdict(request: &Request) -> Result<Session, AuthError> {
    let extensions = request.extensions();
    match (extensions.get::<Session>(), extensions.get::<AuthError>()) {
        (Some(session), _) => Ok(session.clone()),
        (None, Some(error)) => Err(error.clone()),
        (None, None) => Err(AuthErrorKind::MissingCredentials.into()),
    }
}
