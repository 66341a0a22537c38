//! The chapter on observability is true: what it names is emitted, and nothing else.

use std::collections::BTreeSet;
use std::convert::Infallible;

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_clerk::session::keys::{KeySource, RemoteKeys};
use tower_clerk::session::machine::{
    self, Introspect, IntrospectError, Introspection, MachineTokens, Question,
};
use tower_clerk::session::{
    Authorization, AuthorizedPartyPolicy, ClerkAuthLayer, RequireLayer, Verifier,
};
use tower_clerk::test_util::{ManualClock, ScriptedKeys};

use crate::support::observed::Observed;
use crate::support::servers::{Answer, ISS, JwksServer, eventually, issuer, within};

const CHAPTER: &str = include_str!("../../../src/docs/observability.md");

/// The rows of the table under this heading, cell by cell.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = CHAPTER.split_once(heading).unwrap();
    let section = section.split("\n# ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Knows no token.
struct Unknown;

impl Introspect for Unknown {
    async fn ask(&self, _: Question<'_>) -> Result<machine::Answer, IntrospectError> {
        Ok(machine::Answer::new(404, "{}"))
    }
}

#[tokio::test]
async fn every_metric_and_event_of_the_chapter_is_emitted_and_no_other() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let observed = Observed::start();
    let clock = std::sync::Arc::new(ManualClock::new());
    let keys = RemoteKeys::from_url(&server.url()).unwrap().clock(clock);
    let verifier = Verifier::builder(ISS, keys.clone())
        .authorized_parties(["https://app.example.com"])
        .authorized_party_policy(AuthorizedPartyPolicy::Report)
        .build()
        .unwrap();
    let layer = ClerkAuthLayer::new(verifier);
    let good = issuer.token("user_1").mint();
    let ask = async |layer: ClerkAuthLayer, token: &str| {
        let inner = service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        within(layer.layer(inner).oneshot(request.body(()).unwrap())).await.unwrap().status()
    };
    assert_eq!(ask(layer.clone(), &good).await, 200);
    assert_eq!(ask(layer.clone(), &good).await, 200);
    assert_eq!(ask(layer.clone(), "garbage").await, 401);
    assert_eq!(ask(layer.clone().enforced(false), "garbage").await, 200);
    let guarded = async |guard: RequireLayer| {
        let inner =
            service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
        let request = Request::get("/").header("authorization", format!("Bearer {good}"));
        let service = layer.layer(guard.layer(inner));
        within(service.oneshot(request.body(()).unwrap())).await.unwrap().status()
    };
    let admins = RequireLayer::new(Authorization::role("admin"));
    assert_eq!(guarded(admins.clone()).await, 403);
    assert_eq!(guarded(admins.report_only()).await, 200);
    let introspection = Introspection::builder(Unknown).build();
    let machines = MachineTokens::new(&introspection).accept_api_keys();
    let key = "ak_0123456789abcdefghij";
    assert_eq!(ask(layer.clone().machines(machines), key).await, 401);
    server.answer(Answer::status("500 Oops", ""));
    let unknown = issuer.rotated("ins_2").token("user_1").mint();
    assert_eq!(ask(layer.clone(), &unknown).await, 503);
    // The engine tries again by itself, and says when it has keys again.
    server.answer(Answer::jwks(&issuer));
    let fetched = "clerk_keys_fetches_total{outcome=success}";
    eventually(async || observed.metrics()[fetched] == 2.0).await;
    // Outside a runtime, and within earshot.
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let url = server.url();
    let outside = std::thread::spawn(move || {
        let _heard = tracing::dispatcher::set_default(&dispatch);
        drop(RemoteKeys::from_url(&url).unwrap().lookup(Some("ins_1")));
    });
    outside.join().unwrap();

    let metrics = observed.metrics();
    assert_eq!(metrics["clerk_auth_requests_total{outcome=ok,answer=passed}"], 4.0);
    assert_eq!(metrics["clerk_auth_requests_total{outcome=malformed,answer=refused}"], 1.0);
    assert_eq!(metrics["clerk_auth_requests_total{outcome=malformed,answer=passed}"], 1.0);
    assert_eq!(metrics["clerk_auth_requests_total{outcome=keys_unavailable,answer=refused}"], 1.0);
    assert_eq!(metrics["clerk_token_cache_hits_total{}"], 3.0);
    assert_eq!(metrics[fetched], 2.0);
    assert_eq!(metrics["clerk_keys_fetches_total{outcome=failure}"], 1.0);
    assert_eq!(metrics["clerk_keys_age_seconds{}"], 0.0);
    let emitted: BTreeSet<_> = metrics.keys().map(|key| key.split('{').next().unwrap()).collect();
    let named = table("# Metrics");
    let named: BTreeSet<_> = named.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(emitted, named);

    let text = observed.text();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("tower_clerk::session")).collect();
    let rows = table("# Events");
    let guards = "clerk_guard_requests_total{outcome=requirement_not_met";
    assert_eq!(metrics[&format!("{guards},answer=refused}}")], 1.0);
    assert_eq!(metrics[&format!("{guards},answer=passed}}")], 1.0);
    assert_eq!(rows.len(), 12);
    for row in &rows {
        let (level, message) = (row[0].trim_matches('`').to_uppercase(), row[1]);
        // The adapters' own and the guard's are asked for in their own tests.
        if message.contains("without ClerkAuthLayer") {
            continue;
        }
        let line = ours.iter().find(|line| line.starts_with(&level) && line.contains(message));
        let line = line.unwrap_or_else(|| panic!("{message:?} in {text}"));
        for field in row[2].split('`').skip(1).step_by(2) {
            assert!(line.contains(&format!(" {field}=")), "{field} in {line}");
        }
    }
    for line in ours {
        assert!(rows.iter().any(|row| line.contains(row[1])), "the chapter lacks {line}");
    }
}

/// Whoever sends such requests decides how many there are, but not how much is written.
#[tokio::test]
async fn fault_c14_requests_that_would_be_refused_are_counted_each_and_logged_in_samples() {
    let observed = Observed::start();
    let verifier = Verifier::builder(ISS, ScriptedKeys::of(&issuer())).build().unwrap();
    let layer = ClerkAuthLayer::new(verifier).report_only();
    let inner =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let service = layer.layer(inner);
    for _ in 0..1000 {
        let garbage = Request::get("/").header("authorization", "Bearer garbage").body(()).unwrap();
        assert_eq!(service.clone().oneshot(garbage).await.unwrap().status(), 200);
    }
    // Another reason is not hidden by the flood.
    let nothing = Request::get("/").body(()).unwrap();
    assert_eq!(service.oneshot(nothing).await.unwrap().status(), 200);
    let text = observed.text();
    let lines = |reason: &str| {
        let line = |line: &&str| line.contains("would be refused") && line.contains(reason);
        text.lines().filter(line).count()
    };
    assert_eq!((lines("malformed"), lines("missing_credentials")), (1, 1), "{text}");
    let counted = "clerk_auth_requests_total{outcome=malformed,answer=passed}";
    assert_eq!(observed.metrics()[counted], 1000.0);
}
