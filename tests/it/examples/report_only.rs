//! `examples/report_only.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/report_only.rs"]
mod example;

use metrics_exporter_prometheus::PrometheusBuilder;

use super::{follow, serve};
use crate::support::observed::Observed;
use example::Enforcement;

/// Follows the instructions, and returns the bodies and what was logged meanwhile.
async fn run(enforcement: Enforcement) -> (Vec<String>, String) {
    let observed = Observed::start();
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let (verifier, token) = example::stand_in().unwrap();
    let addr = serve(example::app(verifier, enforcement, metrics)).await;
    let bodies = follow(&example::instructions(addr, &token, enforcement)).await;
    (bodies, observed.text())
}

fn count(metrics: &str, outcome: &str, answer: &str) -> Option<String> {
    let name = format!("clerk_auth_requests_total{{outcome=\"{outcome}\",answer=\"{answer}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
}

#[tokio::test]
async fn before_enforcement_everybody_passes_and_the_reason_is_logged_and_counted() {
    let (bodies, log) = run(Enforcement::ReportOnly).await;
    let [good, none, bad, metrics] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(good, "The orders of user_1.\n");
    assert_eq!([none, bad], ["The orders of somebody.\n"; 2]);

    let reported: Vec<_> = log.lines().filter(|line| line.contains("would be refused")).collect();
    let ours: Vec<_> = reported.iter().filter(|line| line.contains("path=\"/orders\"")).collect();
    let [none, bad] = ours[..] else { panic!("two of three, in {log}") };
    assert!(none.starts_with("WARN") && none.contains("reason=\"missing_credentials\""), "{none}");
    assert!(bad.starts_with("WARN") && bad.contains("reason=\"malformed\""), "{bad}");

    assert_eq!(count(metrics, "ok", "passed").as_deref(), Some("1"), "{metrics}");
    assert_eq!(count(metrics, "missing_credentials", "passed").as_deref(), Some("1"));
    assert_eq!(count(metrics, "malformed", "passed").as_deref(), Some("1"));
    assert!(!metrics.contains("refused"), "{metrics}");
}

#[tokio::test]
async fn with_enforcement_on_who_was_reported_is_refused_and_counted() {
    let (bodies, log) = run(Enforcement::On).await;
    let [good, none, bad, metrics] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(good, "The orders of user_1.\n");
    assert_eq!(none, r#"{"detail":"Not authenticated"}"#);
    assert_eq!(bad, r#"{"detail":"Invalid token"}"#);
    assert!(!log.contains("would be refused"), "{log}");
    assert_eq!(count(metrics, "ok", "passed").as_deref(), Some("1"), "{metrics}");
    assert_eq!(count(metrics, "missing_credentials", "refused").as_deref(), Some("1"));
    assert_eq!(count(metrics, "malformed", "refused").as_deref(), Some("1"));
}
