//! `/metrics`: its counters, and data that must not appear in it.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::numbers::Numbers;
use crate::support::{Process, World, answer, free_port, on_every_backend, until};

async fn requests_are_counted_by_route_and_never_by_what_a_client_chose(world: World) {
    let port = free_port();
    let _server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    let (user, api) = world.clerk().user(&world.api(), "canary@example.com").await;
    let account = api.account("@canary").await;
    let post = api.scheduled(&account, "canary", "2030-01-01T00:00:00Z").await;
    let path = format!("/api/scheduled-posts/{post}");
    assert_eq!(api.delete(&path).await.status, 204);
    for _ in 0..2 {
        assert_eq!(api.delete(&path).await.status, 404);
    }
    assert_eq!(api.get("/canary/path?canary=1").await.status, 404);
    let odd = answer(api.request("CANARY", "/api/me")).await;
    assert_eq!(odd.status, 405, "{odd:?}");

    let requests = async |labels: &[(&str, &str)]| numbers.sum("http_requests_total", labels).await;
    let one = [("route", "/api/scheduled-posts/{post_id}"), ("method", "DELETE")];
    assert_eq!(requests(&[one[0], one[1], ("status", "204")]).await, 1.0);
    assert_eq!(requests(&[one[0], one[1], ("status", "404")]).await, 2.0);
    assert_eq!(requests(&[("route", "unmatched"), ("status", "404")]).await, 1.0);
    assert_eq!(requests(&[("route", "/api/me"), ("method", "other")]).await, 1.0);
    assert_eq!(numbers.sum("http_request_duration_seconds_count", &one).await, 3.0);
    let bucket = [one[0], one[1], ("le", "+Inf")];
    assert_eq!(numbers.sum("http_request_duration_seconds_bucket", &bucket).await, 3.0);
    assert_eq!(numbers.sum("http_requests_in_flight", &[]).await, 0.0);
    assert_eq!(
        numbers.sum("clerk_auth_requests_total", &[("outcome", "bad_signature")]).await,
        0.0
    );
    assert!(numbers.sum("clerk_auth_requests_total", &[("outcome", "ok")]).await >= 5.0);

    let text = numbers.text().await;
    for personal in ["canary", "CANARY", &user, &account, &post] {
        assert!(!text.contains(personal), "{personal} in {text}");
    }
    for line in text.lines().filter(|line| line.contains(' ') && !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

async fn a_request_is_in_flight_until_it_ends_however_it_ends(world: World) {
    let port = free_port();
    let _server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    let clerk = world.clerk();
    let token = clerk.token(&clerk.sign_up("ada@example.com").await).await;
    let head = format!(
        "POST /api/x-accounts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
    );
    let mut client = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    let in_flight = async || numbers.sum("http_requests_in_flight", &[]).await;
    until("it is in flight", async || (in_flight().await == 1.0).then_some(())).await;
    drop(client);
    until("it ended", async || (in_flight().await == 0.0).then_some(())).await;
    let one = [("route", "/api/x-accounts"), ("method", "POST")];
    assert_eq!(numbers.sum("http_requests_total", &one).await, 1.0);
}

async fn what_became_of_deliveries_is_counted(world: World) {
    let port = free_port();
    let _server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    let clerk = world.clerk();
    let deliveries =
        async |outcome| numbers.sum("webhook_deliveries_total", &[("outcome", outcome)]).await;
    let id = clerk.sign_up("ada@example.com").await;
    let first = clerk.delivered().await[0]["id"].clone();
    assert_eq!((deliveries("applied").await, deliveries("duplicate").await), (1.0, 0.0));
    clerk.replay(&first, &json!({})).await;
    clerk.delivered().await;
    assert_eq!((deliveries("applied").await, deliveries("duplicate").await), (1.0, 1.0));
    clerk.rename(&id, "Ada").await;
    clerk.delivered().await;
    assert_eq!(deliveries("applied").await, 2.0);
    clerk.replay(&first, &json!({ "new_id": true })).await;
    clerk.delivered().await;
    assert_eq!((deliveries("applied").await, deliveries("stale").await), (2.0, 1.0));
}

/// A metric that does not exist, or not yet, raises no alarm.
async fn fault_s11_every_alarm_is_about_what_the_server_measures(world: World) {
    let port = free_port();
    let _server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    // The keys are fetched with the first token.
    let clerk = world.clerk();
    let token = clerk.token(&clerk.sign_up("ada@example.com").await).await;
    assert_eq!(world.api().with_token(&token).get("/api/me").await.status, 200);
    // Counted in the background.
    let text = until("the parked webhooks are counted", async || {
        Some(numbers.text().await).filter(|text| text.contains("clerk_webhook_dead_letters "))
    })
    .await;
    let measured: Vec<&str> =
        text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();

    let chapter = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/production.md");
    let chapter = std::fs::read_to_string(chapter).unwrap();
    let (_, alarms) = chapter.split_once("## Alarms").unwrap();
    let (alarms, _) = alarms.split_once("\n## ").unwrap();
    let mut count = 0;
    for alarm in alarms.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (expression, _) = alarm.split_once('`').unwrap();
        for (name, labels) in series_of(expression) {
            count += 1;
            let fits = |series: &&&str| {
                series.split('{').next() == Some(&*name)
                    && labels.iter().all(|label| series.contains(label.as_str()))
            };
            assert!(measured.iter().any(|series| fits(&series)), "{name} {labels:?} in {text}");
        }
    }
    assert!(count >= 11, "{count}");
}

/// The series in an alarm, each with the labels that it must have to the letter.
fn series_of(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_lowercase()) {
        rest = &rest[start..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        if !name.contains('_') {
            // A function, or a unit of time.
            continue;
        }
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').unwrap();
            let exact = inside.split(',').filter(|label| !label.contains("=~"));
            labels.extend(exact.map(str::to_owned));
            rest = after;
        }
        found.push((name.to_owned(), labels));
    }
    found
}

async fn connections_to_the_database_are_counted(world: World) {
    let port = free_port();
    let _server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    let connections = async |state| numbers.sum("database_connections", &[("state", state)]).await;
    assert_eq!(connections("most").await, 10.0);
    assert!(connections("used").await + connections("idle").await >= 1.0);
}

async fn they_are_on_their_own_listener_alone(world: World) {
    let port = free_port();
    let mut server = world.serve_with(&[Numbers::variable(port)]).await;
    let numbers = Numbers::new(port);
    numbers.text().await;
    world.api().get("/metrics").await.is_error(404, "Not found");
    for path in ["/", "/healthz", "/api/me", "/metrics/x"] {
        numbers.api().get(path).await.is_error(404, "Not found");
    }
    // It does not keep the server from stopping.
    server.terminate();
    assert_eq!(server.exit_code().await, 0);
    until("nobody listens", async || {
        numbers.api().try_get("/metrics").await.is_none().then_some(())
    })
    .await;
}

async fn a_port_that_is_taken_is_told_by_the_variables_name(world: World) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let env = [world.env(), vec![Numbers::variable(port)]].concat();
    let mut server = Process::start(world.folder(), "taken", &["serve"], &env);
    assert_eq!(server.exit_code().await, 2);
    assert!(server.err().contains("METRICS_ADDR"), "{}", server.err());
}

on_every_backend!(
    a_request_is_in_flight_until_it_ends_however_it_ends,
    a_port_that_is_taken_is_told_by_the_variables_name,
    connections_to_the_database_are_counted,
    requests_are_counted_by_route_and_never_by_what_a_client_chose,
    they_are_on_their_own_listener_alone,
    what_became_of_deliveries_is_counted,
    fault_s11_every_alarm_is_about_what_the_server_measures,
);
