//! API keys, machines' tokens and OAuth access tokens: made, asked about and revoked.

use serde_json::{Value, json};

use crate::support::{Api, Program, text};

async fn made(backend: &Api, path: &str, body: &Value) -> Value {
    let made = backend.post(path, body).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.json()
}

#[tokio::test]
async fn opaque_tokens_are_made_with_a_secret_and_verified_with_and_without_the_version() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let ada = backend.sign_up("ada@example.com").await;
    let api_key = json!({ "subject": ada, "name": "ci", "scopes": ["posts:read"] });
    let m2m = json!({ "subject": "mch_one", "claims": { "plan": "free" } });
    let oauth = json!({ "user_id": ada, "client_id": "client_1", "scopes": ["profile"] });
    for (path, body, member, asked, object, begins) in [
        ("/v1/api_keys", &api_key, "secret", "/api_keys/verify", "api_key", "ak_"),
        ("/v1/m2m_tokens", &m2m, "token", "/m2m_tokens/verify", "machine_to_machine_token", "mt_"),
        (
            "/dev/oauth_tokens",
            &oauth,
            "access_token",
            "/oauth_applications/access_tokens/verify",
            "clerk_idp_oauth_access_token",
            "oat_",
        ),
    ] {
        let token = made(&backend, path, body).await;
        let secret = text(&token[member]);
        assert!(secret.starts_with(begins) && secret.len() > 40, "{secret}");
        assert!(text(&token["id"]).starts_with(begins));
        for prefix in ["", "/v1"] {
            let path = format!("{prefix}{asked}");
            let known = backend.post(&path, &json!({ member: secret })).await.json();
            assert_eq!((&known["object"], &known["id"]), (&json!(object), &token["id"]));
            assert_eq!((&known["revoked"], &known["expired"]), (&json!(false), &json!(false)));
            assert!(known.get(member).is_none(), "the secret is told only once");
            let unknown = backend.post(&path, &json!({ member: format!("{begins}none") })).await;
            assert_eq!(unknown.status, 404);
            let open = running.open().post(&path, &json!({ member: secret })).await;
            assert_eq!(open.status, 401);
        }
    }
}

#[tokio::test]
async fn a_revoked_key_says_so_and_goes_with_its_user() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let ada = backend.sign_up("ada@example.com").await;
    let key = made(&backend, "/v1/api_keys", &json!({ "subject": ada })).await;
    let secret = json!({ "secret": key["secret"] });
    let path = format!("/v1/api_keys/{}/revoke", text(&key["id"]));
    assert_eq!(made(&backend, &path, &json!({})).await["revoked"], true);
    assert_eq!(backend.post("/api_keys/verify", &secret).await.json()["revoked"], true);
    let short = json!({ "subject": ada, "seconds_until_expiration": 0 });
    let short = made(&backend, "/v1/api_keys", &short).await;
    let short = json!({ "secret": short["secret"] });
    assert_eq!(backend.post("/api_keys/verify", &short).await.json()["expired"], true);
    backend.send("DELETE", &format!("/v1/users/{ada}"), &json!({})).await;
    assert_eq!(backend.post("/api_keys/verify", &secret).await.status, 404);
    for bad in [json!({}), json!({ "subject": "user_none" }), json!({ "subject": "mch_" })] {
        assert_eq!(backend.post("/v1/api_keys", &bad).await.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn jwts_of_machines_applications_and_sessions_of_version_1_have_their_claims() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let ada = backend.sign_up("ada@example.com").await;
    let part = |jwt: &Value, at: usize| {
        let jwt = text(jwt);
        let part = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(at).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&part).unwrap()
    };
    let m2m = json!({ "subject": "mch_one", "token_format": "jwt", "scopes": ["mch_two"] });
    let token = made(&backend, "/v1/m2m_tokens", &m2m).await;
    assert_eq!(part(&token["token"], 1)["sub"], "mch_one");
    let oauth = json!({
        "user_id": ada, "token_format": "jwt", "scopes": ["a", "b"], "audience": "https://api.example.com",
    });
    let token = made(&backend, "/dev/oauth_tokens", &oauth).await["access_token"].clone();
    assert_eq!(part(&token, 0)["typ"], "at+jwt");
    let claims = part(&token, 1);
    assert_eq!(
        (&claims["scope"], &claims["aud"]),
        (&json!("a b"), &json!("https://api.example.com"))
    );
    let session = made(&backend, "/v1/sessions", &json!({ "user_id": ada })).await;
    let path = format!("/v1/sessions/{}/tokens", text(&session["id"]));
    let old = made(&backend, &format!("{path}?v=1"), &json!({})).await;
    assert!(part(&old["jwt"], 1).get("v").is_none());
    assert_eq!(part(&made(&backend, &path, &json!({})).await["jwt"], 1)["v"], 2);
    assert_eq!(backend.post(&format!("{path}?v=3"), &json!({})).await.status, 422);
    let server = running.open().get("/.well-known/oauth-authorization-server").await.json();
    assert!(text(&server["jwks_uri"]).ends_with("/.well-known/jwks.json"));
}
