//! `examples/webhooks_to_log.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/webhooks_to_log.rs"]
mod example;

use tower_clerk::secret::SigningSecret;

use super::{follow, serve};
use crate::support::observed::Observed;

#[tokio::test]
async fn each_signed_delivery_is_a_line_in_the_log_with_ids_and_nothing_personal() {
    let observed = Observed::start();
    let secret = SigningSecret::parse(example::PUBLISHED_SECRET).unwrap();
    let addr = serve(example::app(vec![secret.clone()]).unwrap()).await;
    let instructions = example::instructions(addr, &secret);
    assert!(instructions.contains("ann@example.com"), "there is something to be kept out");

    let bodies = follow(&instructions).await;
    assert_eq!(bodies, ["", "", r#"{"detail":"Invalid webhook"}"#]);
    let log = observed.text();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("from Clerk")).collect();
    let [created, deleted] = lines[..] else { panic!("two of three, in {log}") };
    for (line, delivery, event) in
        [(created, "msg_1", "user.created"), (deleted, "msg_2", "user.deleted")]
    {
        assert!(line.starts_with("INFO "), "{line}");
        let fields = format!("delivery=\"{delivery}\" event=\"{event}\" about=\"user_1\"");
        assert!(line.contains(&fields), "{fields} in {line}");
    }
    assert!(!log.contains("ann@example.com"), "{log}");
}
