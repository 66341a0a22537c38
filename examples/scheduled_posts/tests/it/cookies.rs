//! Clerk's session cookie in the place of a bearer token.

use reqwest::RequestBuilder;
use serde_json::json;
use tower_clerk::PublishableKey;

use crate::support::{Api, Backend, Process, World, answer};

/// A server that takes cookies, its dev Clerk, and a token of a user.
struct Signed {
    api: Api,
    token: String,
    suffix: String,
    host: String,
    _processes: [Process; 2],
}

impl Signed {
    async fn start(world: &World, more: &[(&str, &str)]) -> Self {
        let (dev_clerk, mut variables) = world.dev_clerk().await;
        let key = variables.iter().find(|(name, _)| name == "CLERK_PUBLISHABLE_KEY");
        let suffix = PublishableKey::parse(&key.unwrap().1).unwrap().cookie_suffix();
        variables.push(("CLERK_COOKIES".to_owned(), "on".to_owned()));
        variables.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let server = world.serve_with(&variables).await;
        let (api, clerk) = (world.api(), world.clerk());
        let (id, _) = clerk.user(&api, "ada@example.com").await;
        let token = clerk.token(&id).await;
        let host = format!("127.0.0.1:{}", world.port);
        Self { api, token, suffix, host, _processes: [dev_clerk, server] }
    }

    fn cookies(&self) -> String {
        format!("__session={}; __client_uat=1", self.token)
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.api.request(method, path).header("cookie", self.cookies())
    }
}

#[tokio::test]
async fn a_cookie_signs_in_where_there_is_no_authorization() {
    World::run(Backend::Sqlite, async |world: World| {
        let signed = Signed::start(&world, &[]).await;
        let me = answer(signed.request("GET", "/api/me")).await;
        assert_eq!((me.status, &me.json()["caller"]), (200, &json!("session")), "{me:?}");
        let suffixed = format!(
            "__session_{0}={1}; __client_uat_{0}=1; __session=a.b.c; __client_uat=1",
            signed.suffix, signed.token
        );
        let both = signed.api.request("GET", "/api/me").header("cookie", suffixed);
        // The one without a suffix cannot be read, so it decides, by Clerk's first rule.
        answer(both).await.is_error(401, "Invalid token");
        for (cookies, detail) in [
            (format!("__session={}", signed.token), "Not authenticated"),
            (format!("__session={}; __client_uat=0", signed.token), "Not authenticated"),
            ("__session=a.b.c; __client_uat=1".to_owned(), "Invalid token"),
            ("__client_uat=1".to_owned(), "Not authenticated"),
        ] {
            let refused = signed.api.request("GET", "/api/me").header("cookie", &cookies);
            answer(refused).await.is_error(401, detail);
        }
        // Any Authorization, of a foreign scheme too, means that no cookie is looked at.
        for (authorization, detail) in
            [("Basic eDp5", "Not authenticated"), ("Bearer a.b.c", "Invalid token")]
        {
            let with = signed.request("GET", "/api/me").header("authorization", authorization);
            answer(with).await.is_error(401, detail);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cookie_changes_nothing_for_pages_of_other_sites() {
    World::run(Backend::Sqlite, async |world: World| {
        let origins = "http://localhost:3000,https://app.example.com";
        let signed = Signed::start(&world, &[("CORS_ALLOWED_ORIGINS", origins)]).await;
        let own = format!("http://{}", signed.host);
        let post = |headers: &[(&str, &str)]| {
            let mut request =
                signed.request("POST", "/api/x-accounts").json(&json!({ "handle": "@x" }));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request
        };
        for good in [
            [("sec-fetch-site", "same-origin")],
            [("origin", &*own)],
            [("origin", "https://app.example.com")],
        ] {
            assert_eq!(answer(post(&good)).await.status, 201, "{good:?}");
        }
        let count = answer(signed.request("GET", "/api/x-accounts")).await;
        let refused: [&[(&str, &str)]; 7] = [
            &[],
            &[("origin", "null")],
            &[("origin", "https://evil.example.com")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example.com")],
        ];
        for headers in refused {
            answer(post(headers)).await.is_error(403, "Cross-site request");
        }
        // As a form sends it, which needs no preflight.
        let form = signed
            .request("POST", "/api/x-accounts")
            .header("origin", "https://evil.example.com")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("handle=@evil");
        answer(form).await.is_error(403, "Cross-site request");
        for method in ["PUT", "DELETE"] {
            let path = "/api/scheduled-posts/00000000-0000-0000-0000-000000000000";
            answer(signed.request(method, path)).await.is_error(403, "Cross-site request");
        }
        // A WebSocket's handshake is a GET, and pages of other sites may open one.
        let handshake = |origin: &str| {
            signed
                .request("GET", "/api/me")
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
                .header("origin", origin.to_owned())
        };
        answer(handshake("https://evil.example.com")).await.is_error(403, "Cross-site request");
        assert_eq!(answer(handshake(&own)).await.status, 200, "no route upgrades");
        assert_eq!(answer(signed.request("GET", "/api/x-accounts")).await.text, count.text);
        // A bearer token needs none of this.
        let bearer = signed.api.with_token(&signed.token);
        assert_eq!(bearer.post("/api/x-accounts", &json!({ "handle": "@y" })).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn a_cookie_is_nothing_unless_it_is_switched_on() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (api, clerk) = (world.api(), world.clerk());
        let (id, _) = clerk.user(&api, "ada@example.com").await;
        let cookies = format!("__session={}; __client_uat=1", clerk.token(&id).await);
        let request = api.request("GET", "/api/me").header("cookie", cookies);
        answer(request).await.is_error(401, "Not authenticated");
    })
    .await;
}
