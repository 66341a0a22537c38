//! Users who are signed out, banned or no longer members, on two servers with one database.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, Backend, Clerk, Process, World, free_port, on_every_backend, until};

on_every_backend!(
    lockouts_reach_every_instance_within_two_seconds,
    lockouts_end_memberships_and_bans_and_leave_all_others_in,
);

/// Two servers, of which the first one receives the webhooks, and the dev Clerk.
struct Two {
    apis: [Api; 2],
    clerk: Clerk,
    _processes: [Process; 3],
}

impl Two {
    async fn start(world: &World) -> Self {
        let (dev_clerk, variables) = world.dev_clerk().await;
        let first = world.serve_with(&variables).await;
        let (mut second, api) = world.instance("second", free_port(), &variables);
        second.ready(&api).await;
        let (apis, clerk) = ([world.api(), api], world.clerk());
        Self { apis, clerk, _processes: [dev_clerk, first, second] }
    }

    async fn change(&self, method: &str, path: &str) {
        let request = self.clerk.backend.request(method, path).json(&json!({}));
        let status = request.send().await.unwrap().status();
        assert_eq!(status, 200, "{method} {path}");
    }

    /// A token of a new session, in which an organization may be active.
    async fn token(&self, user: &str, organization: Option<&str>) -> (String, String) {
        let new = json!({ "user_id": user, "active_organization_id": organization });
        let session = self.clerk.backend.post("/v1/sessions", &new).await;
        assert_eq!(session.status, 200, "{session:?}");
        let id = session.json()["id"].as_str().unwrap().to_owned();
        let token = self.clerk.token_answer(&id).await.json()["jwt"].as_str().unwrap().to_owned();
        (id, token)
    }

    /// Both servers answer this token so.
    async fn are(&self, token: &str, status: u16, detail: Option<&str>) -> bool {
        for api in &self.apis {
            let answer = api.with_token(token).get("/api/me").await;
            let found: Option<String> = answer.json()["detail"].as_str().map(str::to_owned);
            if answer.status != status || found.as_deref() != detail {
                return false;
            }
        }
        true
    }

    /// Waits until both refuse this token so: two seconds at most after the webhook was taken.
    async fn refuse(&self, token: &str, detail: &str) {
        self.clerk.delivered().await;
        let both = until("both servers refuse", async || {
            self.are(token, 401, Some(detail)).await.then_some(())
        });
        tokio::time::timeout(Duration::from_secs(2), both).await.expect("within two seconds");
    }
}

async fn lockouts_reach_every_instance_within_two_seconds(world: World) {
    let two = Two::start(&world).await;
    let ada = two.clerk.sign_up("ada@example.com").await;
    let ((session, token), (_, other)) = (two.token(&ada, None).await, two.token(&ada, None).await);
    assert!(two.are(&token, 200, None).await && two.are(&other, 200, None).await);
    two.change("POST", &format!("/v1/sessions/{session}/revoke")).await;
    two.refuse(&token, "Session ended").await;
    assert!(two.are(&other, 200, None).await, "another session of the same user stays");
}

async fn lockouts_end_memberships_and_bans_and_leave_all_others_in(world: World) {
    let two = Two::start(&world).await;
    let clerk = &two.clerk;
    let (ada, bob) = (clerk.sign_up("ada@example.com").await, clerk.sign_up("b@x.com").await);
    let new = json!({ "name": "One", "slug": "one", "created_by": ada });
    let created: Value = clerk.backend.post("/v1/organizations", &new).await.json();
    let organization = created["id"].as_str().unwrap();
    let members = format!("/v1/organizations/{organization}/memberships");
    let join = json!({ "user_id": bob, "role": "org:member" });
    assert_eq!(clerk.backend.post(&members, &join).await.status, 200);

    let (_, of_ada) = two.token(&ada, Some(organization)).await;
    let (_, of_bob) = two.token(&bob, Some(organization)).await;
    let (_, elsewhere) = two.token(&bob, None).await;
    for token in [&of_ada, &of_bob, &elsewhere] {
        assert!(two.are(token, 200, None).await);
    }
    two.change("DELETE", &format!("{members}/{bob}")).await;
    two.refuse(&of_bob, "Invalid token").await;
    assert!(two.are(&of_ada, 200, None).await && two.are(&elsewhere, 200, None).await);
    two.change("DELETE", &format!("/v1/organizations/{organization}")).await;
    two.refuse(&of_ada, "Invalid token").await;

    two.change("POST", &format!("/v1/users/{bob}/lock")).await;
    clerk.delivered().await;
    assert!(two.are(&elsewhere, 200, None).await, "a lock bars signing in alone");
    two.change("POST", &format!("/v1/users/{bob}/unlock")).await;
    two.change("POST", &format!("/v1/users/{bob}/ban")).await;
    two.refuse(&elsewhere, "Session ended").await;
    let again = clerk.backend.post("/v1/sessions", &json!({ "user_id": bob })).await;
    assert_eq!((again.status, &again.json()["errors"][0]["code"]), (403, &json!("user_banned")));
    // When the ban has ended, a token of a later second is good.
    two.change("POST", &format!("/v1/users/{bob}/unban")).await;
    until("a newer token is good", async || {
        let (_, newer) = two.token(&bob, None).await;
        two.are(&newer, 200, None).await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn lockouts_can_be_switched_off() {
    World::run(Backend::Sqlite, async |world: World| {
        let off = [("LOCKOUTS".to_owned(), "off".to_owned())];
        let _server = world.serve_also(&off).await;
        let (clerk, api) = (world.clerk(), world.api());
        let ada = clerk.sign_up("ada@example.com").await;
        let session = clerk.session(&ada).await;
        let token = clerk.token_answer(&session).await.json()["jwt"].as_str().unwrap().to_owned();
        let revoke = format!("/v1/sessions/{session}/revoke");
        assert_eq!(clerk.backend.post(&revoke, &json!({})).await.status, 200);
        clerk.delivered().await;
        assert_eq!(api.with_token(&token).get("/api/me").await.status, 200);
        assert_eq!(world.count("clerk_lockouts").await, 0);
    })
    .await;
}
