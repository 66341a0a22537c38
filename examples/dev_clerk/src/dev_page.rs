//! The page `/dev`: deliveries, their faults and the users they are about. Plain forms, no script.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::dev_api::no_delivery;
use crate::error::ClerkError;
use crate::example::{self, Example};
use crate::instance::Instance;
use crate::page::{self, escaped};
use crate::time;
use crate::user::{Profile, User};
use crate::webhooks::{Entry, Faults, GivenFaults, Order, ReplayId};

pub(super) fn routes() -> Router<Instance> {
    Router::new()
        .route("/dev", get(show))
        .route("/dev/forms/example", post(send_example))
        .route("/dev/forms/faults", post(set_faults))
        .route("/dev/forms/no-faults", post(clear_faults))
        .route("/dev/forms/replay", post(replay))
        .route("/dev/forms/user", post(change_or_delete))
}

async fn show(State(instance): State<Instance>) -> Response {
    render(&instance, None)
}

#[derive(Deserialize)]
struct ReplayForm {
    id: String,
    naming: Naming,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Naming {
    New,
    Same,
}

async fn replay(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(form): Form<ReplayForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    let naming = match form.naming {
        Naming::New => ReplayId::New,
        Naming::Same => ReplayId::Same,
    };
    match instance.outbox().replay(&form.id, naming) {
        Some(_) => Ok(back()),
        None => Ok(refused(&instance, &no_delivery())),
    }
}

#[derive(Deserialize)]
struct FaultsForm {
    copies: u32,
    shortest_delay_ms: u32,
    longest_delay_ms: u32,
    order: Order,
    window: u32,
    window_ms: u32,
    drop_answers: f64,
}

async fn set_faults(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(form): Form<FaultsForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    let given = GivenFaults {
        copies: Some(form.copies),
        delay_ms: Some([form.shortest_delay_ms, form.longest_delay_ms]),
        order: Some(form.order),
        window: Some(form.window),
        window_ms: Some(form.window_ms),
        drop_answers: Some(form.drop_answers),
    };
    match given.check() {
        Ok(faults) => {
            instance.outbox().set_faults(faults);
            Ok(back())
        }
        Err(error) => Ok(refused(&instance, &error)),
    }
}

async fn clear_faults(
    State(instance): State<Instance>,
    headers: HeaderMap,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    instance.outbox().set_faults(Faults::default());
    Ok(back())
}

#[derive(Deserialize)]
struct ExampleForm {
    event: Example,
}

async fn send_example(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(ExampleForm { event }): Form<ExampleForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    instance.outbox().send(event.kind(), example::USER, &event.envelope());
    Ok(back())
}

#[derive(Deserialize)]
struct UserForm {
    id: String,
    first_name: String,
    action: UserAction,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum UserAction {
    Change,
    Delete,
}

async fn change_or_delete(
    State(instance): State<Instance>,
    headers: HeaderMap,
    Form(form): Form<UserForm>,
) -> Result<Response, ClerkError> {
    page::own_form(&headers)?;
    let first_name = Some(form.first_name.trim().to_owned());
    let done = match form.action {
        UserAction::Change => {
            let change = Profile { first_name, ..Profile::default() };
            instance.change_user(&form.id, change, None).map(drop)
        }
        UserAction::Delete => instance.delete_user(&form.id).map(drop),
    };
    Ok(done.map_or_else(|error| refused(&instance, &error), |()| back()))
}

fn back() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/dev")]).into_response()
}

fn refused(instance: &Instance, error: &ClerkError) -> Response {
    let page = render(instance, Some(error.message()));
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

fn render(instance: &Instance, problem: Option<&str>) -> Response {
    let entries = instance.outbox().deliveries();
    let deliveries = match entries.as_slice() {
        [] => "<p>None since the dev Clerk started: sign somebody up, or change or delete a \
                   user.</p>"
            .to_owned(),
        entries => {
            let items: String = entries.iter().map(|entry| delivery(instance, entry)).collect();
            format!(r#"<ul class="deliveries">{items}</ul>"#)
        }
    };
    let problem = problem.map_or_else(String::new, page::problem);
    let webhooks = match instance.outbox().endpoint() {
        Some(endpoint) => format!("Posted to <code>{}</code>.", escaped(endpoint.shown())),
        None => {
            "Posted to nobody: the dev Clerk was started without a URL for webhooks.".to_owned()
        }
    };
    let html = fill_in(PAGE, &instance.outbox().faults())
        .replace("{webhooks}", &webhooks)
        .replace("{problem}", &problem)
        .replace("{users}", &users(instance))
        .replace("{deliveries}", &deliveries);
    page::show(html, "'self'")
}

/// Fills the form with the current faults.
fn fill_in(template: &str, faults: &Faults) -> String {
    let [shortest, longest] = faults.delay_ms;
    let selected = |order: Order| if faults.order == order { " selected" } else { "" };
    template
        .replace("{faults}", &escaped(&faults.to_string()))
        .replace("{copies}", &faults.copies.to_string())
        .replace("{shortest}", &shortest.to_string())
        .replace("{longest}", &longest.to_string())
        .replace("{in_order}", selected(Order::InOrder))
        .replace("{shuffled}", selected(Order::Shuffled))
        .replace("{window}", &faults.window.to_string())
        .replace("{window_ms}", &faults.window_ms.to_string())
        .replace("{drop_answers}", &faults.drop_answers.to_string())
}

fn users(instance: &Instance) -> String {
    instance.read(|records| {
        let all = records.users.len();
        let newest = records.users.iter().rev().take(SHOWN_USERS);
        let items: String = newest.enumerate().map(|(n, one)| user(n, one)).collect();
        let more = match all.saturating_sub(SHOWN_USERS) {
            0 => String::new(),
            more => format!("<p>And {more} who signed up earlier.</p>"),
        };
        match all {
            0 => "<p>None yet: sign up on the server’s page.</p>".to_owned(),
            _ => format!(r#"<ul class="users">{items}</ul>{more}"#),
        }
    })
}

fn user(n: usize, user: &User) -> String {
    let first_name = user.profile.first_name.as_deref().unwrap_or_default();
    format!(
        r#"<li><form method="post" action="/dev/forms/user"><input type="hidden" name="id" value="{id}"><label for="user-{n}">First name of {label}</label><input id="user-{n}" name="first_name" maxlength="100" value="{first_name}"><button name="action" value="change">Change</button><button name="action" value="delete">Delete</button></form></li>"#,
        id = escaped(&user.id),
        label = escaped(&user.label()),
        first_name = escaped(first_name),
    )
}

fn delivery(instance: &Instance, entry: &Entry) -> String {
    let Entry { delivery, created_at, replay_of, tries, attempts, .. } = entry;
    let label = instance.label(&delivery.user_id);
    let about = label.map_or_else(|| delivery.user_id.clone(), |label| escaped(&label));
    let (id, state) = (escaped(&delivery.id), entry.state().replace('_', " "));
    let mut html = format!(
        "<li><p><strong>{}</strong> about {about}: {state}</p><p><small><code>{id}</code>, {}",
        delivery.kind,
        time::show(*created_at),
    );
    // Writing to a String cannot fail.
    if let Some(original) = replay_of {
        let _ = write!(html, ", replay of <code>{}</code>", escaped(original));
    }
    html.push_str("</small></p>");
    if *tries > 0 {
        let first = tries.saturating_sub(attempts.len() as u64) + 1;
        let _ = write!(html, r#"<ol start="{first}">"#);
        for attempt in attempts {
            let outcome = attempt.outcome.name().replace('_', " ");
            let status =
                attempt.outcome.status().map_or_else(String::new, |code| format!("{code} "));
            let _ = write!(html, "<li>{}: {status}{outcome}</li>", time::show(attempt.at));
        }
        html.push_str("</ol>");
    }
    let _ = write!(
        html,
        r#"<details><summary>Body</summary><pre>{}</pre></details><form method="post" action="/dev/forms/replay"><input type="hidden" name="id" value="{id}"><div class="buttons"><button name="naming" value="same">Replay</button><button name="naming" value="new">Replay under a new id</button></div></form></li>"#,
        escaped(&pretty(&delivery.body)),
    );
    html
}

fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

const SHOWN_USERS: usize = 20;
const PAGE: &str = include_str!("dev_page.html");
