//! Callers beside users, and what more a user may need: scopes, permissions, an active organization, a recent
//! verification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_clerk::test_util::Issuer;

use crate::support::{Answer, Api, Backend, Clerk, Process, World, on_every_backend, until};

on_every_backend!(
    callers_beside_users_read_what_their_scopes_allow_and_nothing_else,
    members_of_the_active_organization_are_listed_to_its_admins_alone,
);

/// A server that accepts these callers, and the dev Clerk.
async fn serve(world: &World, more: &[(&str, &str)]) -> (Api, Clerk, [Process; 2]) {
    let (dev_clerk, mut variables) = world.dev_clerk().await;
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let server = world.serve_with(&variables).await;
    (world.api(), world.clerk(), [dev_clerk, server])
}

const ALL: [(&str, &str); 2] =
    [("CLERK_ACCEPT", "api_key, m2m,oauth"), ("PUBLIC_URL", "https://api.example.com")];

/// Makes a token, and returns the member that is the secret.
async fn made(clerk: &Clerk, path: &str, body: &Value) -> String {
    let made = clerk.backend.post(path, body).await;
    assert_eq!(made.status, 200, "{made:?}");
    let made = made.json();
    let secret =
        ["secret", "token", "access_token"].into_iter().find_map(|name| made[name].as_str());
    secret.unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn organization(clerk: &Clerk, slug: &str, founder: &str) -> String {
    let new = json!({ "name": slug, "slug": slug, "created_by": founder });
    let created = clerk.backend.post("/v1/organizations", &new).await;
    created.json()["id"].as_str().unwrap_or_else(|| panic!("{created:?}")).to_owned()
}

async fn token_in(clerk: &Clerk, user: &str, organization: Option<&str>) -> String {
    let new = json!({ "user_id": user, "active_organization_id": organization });
    let session = clerk.backend.post("/v1/sessions", &new).await.json();
    let token = clerk.token_answer(session["id"].as_str().unwrap()).await.json();
    token["jwt"].as_str().unwrap().to_owned()
}

/// The answer to a caller, once Clerk may be asked: with a test key that is five times a second.
async fn get(api: &Api, token: &str, path: &str) -> Answer {
    let caller = api.with_token(token);
    until("Clerk may be asked", async || {
        let answer = caller.get(path).await;
        (answer.status != 503).then_some(answer)
    })
    .await
}

const READING: [&str; 3] = ["/api/me", "/api/x-accounts", "/api/scheduled-posts"];

async fn callers_beside_users_read_what_their_scopes_allow_and_nothing_else(world: World) {
    let (api, clerk, _processes) = serve(&world, &ALL).await;
    let (ada, as_ada) = clerk.user(&api, "ada@example.com").await;
    let account = as_ada.account("@ada").await;
    as_ada.scheduled(&account, "a post of ada's", "2030-01-01T00:00:00Z").await;
    let org = organization(&clerk, "acme", &ada).await;
    let scopes = json!(["posts:read"]);
    let keys = "/v1/api_keys";
    let own_key = made(&clerk, keys, &json!({ "subject": ada, "scopes": scopes })).await;
    let scopeless = made(&clerk, keys, &json!({ "subject": ada, "scopes": ["posts"] })).await;
    let of_org = made(&clerk, keys, &json!({ "subject": org, "scopes": scopes })).await;
    let m2m = made(&clerk, "/v1/m2m_tokens", &json!({ "scopes": scopes })).await;
    let m2m_jwt = made(&clerk, "/v1/m2m_tokens", &json!({ "token_format": "jwt" })).await;
    let oauth = async |more: Value| {
        let mut body = json!({ "user_id": ada, "scopes": scopes });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        made(&clerk, "/dev/oauth_tokens", &body).await
    };
    let opaque = oauth(json!({})).await;
    let jwt = oauth(json!({ "token_format": "jwt" })).await;
    let here = oauth(json!({ "token_format": "jwt", "audience": "https://api.example.com" })).await;

    // Whoever acts for a user reads what is the user's.
    for (token, kind) in
        [(&own_key, "api_key"), (&opaque, "oauth"), (&jwt, "oauth"), (&here, "oauth")]
    {
        let caller = api.with_token(token);
        let me = get(&api, token, "/api/me").await.json();
        assert_eq!((&me["caller"], &me["user_id"]), (&json!(kind), &json!(ada)), "{me}");
        assert_eq!((&me["session_id"], &me["org"]), (&json!(null), &json!(null)));
        assert_eq!(me["user"]["email"], "ada@example.com");
        let posts = caller.get("/api/scheduled-posts").await.json();
        assert_eq!(posts["posts"][0]["content"], "a post of ada's");
        assert_eq!(caller.get("/api/x-accounts").await.json()["accounts"][0]["id"], account);
    }
    let me = as_ada.get("/api/me").await.json();
    assert_eq!((&me["caller"], &me["user_id"]), (&json!("session"), &json!(ada)));
    // Without the scope nothing.
    for path in READING {
        let refused = get(&api, &scopeless, path).await;
        refused.is_error(403, "Not allowed");
        let challenge = r#"Bearer error="insufficient_scope", scope="posts:read""#;
        assert_eq!(refused.header("www-authenticate"), Some(challenge), "{path}");
    }
    // Who acts for nobody is known, and has nothing.
    for (token, kind) in [(&m2m, "m2m"), (&m2m_jwt, "m2m"), (&of_org, "api_key")] {
        let caller = api.with_token(token);
        let me = get(&api, token, "/api/me").await;
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!((&me.json()["caller"], &me.json()["user_id"]), (&json!(kind), &json!(null)));
        for path in &READING[1..] {
            caller.get(path).await.is_error(403, "Not allowed");
        }
    }
    // On every other route they are nobody.
    let elsewhere =
        oauth(json!({ "token_format": "jwt", "audience": "https://other.example.com" })).await;
    for token in [&own_key, &of_org, &m2m, &m2m_jwt, &opaque, &jwt] {
        let caller = api.with_token(token);
        let post = json!({ "handle": "@x" });
        caller.post("/api/x-accounts", &post).await.is_error(401, "Invalid token");
        for path in ["/api/admin/members", "/api/orgs/acme/me"] {
            caller.get(path).await.is_error(401, "Invalid token");
        }
        caller.delete("/api/me/posts").await.is_error(401, "Invalid token");
    }
    let named =
        r#", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#;
    for token in
        [&elsewhere, "ak_0123456789abcdefghij", "ak_1", "oat_0123456789abcdefghij", "a.b.c"]
    {
        let refused = get(&api, token, "/api/me").await;
        refused.is_error(401, "Invalid token");
        let challenge = format!(r#"Bearer error="invalid_token"{named}"#);
        assert_eq!(refused.header("www-authenticate"), Some(&*challenge), "{token}");
    }
    let anonymous = api.get("/api/me").await;
    assert_eq!(anonymous.header("www-authenticate"), Some(&*format!("Bearer {}", &named[2..])));
    let described = api.get("/.well-known/oauth-protected-resource").await;
    assert_eq!(described.header("access-control-allow-origin"), Some("*"));
    assert_eq!(described.json()["resource"], "https://api.example.com");
    assert_eq!(described.json()["scopes_supported"], scopes);
    // A deleted user's key reads nothing more.
    let gone = clerk.backend.delete(&format!("/v1/users/{ada}")).await;
    assert_eq!(gone.status, 200);
    until("the user is gone", async || {
        (api.with_token(&own_key).get("/api/me").await.status != 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn callers_who_are_not_accepted_are_nobody_and_no_description_is_served() {
    World::run(Backend::Sqlite, async |world: World| {
        let (api, clerk, _processes) = serve(&world, &[("CLERK_ACCEPT", "m2m")]).await;
        let ada = clerk.sign_up("ada@example.com").await;
        let key = json!({ "subject": ada, "scopes": ["posts:read"] });
        let key = made(&clerk, "/v1/api_keys", &key).await;
        let jwt = json!({ "user_id": ada, "scopes": ["posts:read"], "token_format": "jwt" });
        let jwt = made(&clerk, "/dev/oauth_tokens", &jwt).await;
        for token in [key, jwt] {
            api.with_token(&token).get("/api/me").await.is_error(401, "Invalid token");
        }
        let m2m = made(&clerk, "/v1/m2m_tokens", &json!({})).await;
        assert_eq!(get(&api, &m2m, "/api/me").await.status, 200);
        let description = api.get("/.well-known/oauth-protected-resource").await;
        description.is_error(404, "Not found");
    })
    .await;
}

#[tokio::test]
async fn when_clerk_cannot_be_asked_it_is_a_503_and_sessions_are_served() {
    World::run(Backend::Sqlite, async |world: World| {
        let (api, clerk, [dev_clerk, _server]) = serve(&world, &ALL).await;
        let (ada, as_ada) = clerk.user(&api, "ada@example.com").await;
        let key = json!({ "subject": ada, "scopes": ["posts:read"] });
        let key = made(&clerk, "/v1/api_keys", &key).await;
        drop(dev_clerk);
        let away = api.with_token(&key).get("/api/me").await;
        assert_eq!(away.status, 503, "{away:?}");
        assert!(away.header("retry-after").is_some() && away.header("www-authenticate").is_none());
        assert_eq!(as_ada.get("/api/me").await.status, 200);
    })
    .await;
}

async fn members_of_the_active_organization_are_listed_to_its_admins_alone(world: World) {
    let (api, clerk, _processes) = serve(&world, &[]).await;
    let (ada, bob) = (clerk.sign_up("ada@example.com").await, clerk.sign_up("bob@x.com").await);
    let (one, two) =
        (organization(&clerk, "one", &ada).await, organization(&clerk, "two", &bob).await);
    let join = json!({ "user_id": bob, "role": "org:member" });
    let members = format!("/v1/organizations/{one}/memberships");
    assert_eq!(clerk.backend.post(&members, &join).await.status, 200);
    clerk.delivered().await;
    let admin = api.with_token(&token_in(&clerk, &ada, Some(&one)).await);
    let list = admin.get("/api/admin/members").await;
    assert_eq!(list.status, 200, "{list:?}");
    let list = list.json();
    let mut found = list["members"].as_array().unwrap().to_vec();
    found.sort_by_key(|member| member["email"].as_str().map(str::to_owned));
    assert_eq!((found.len(), &list["next_cursor"]), (2, &json!(null)));
    assert_eq!(
        (&found[0]["id"], &found[0]["email"], &found[0]["role"]),
        (&json!(ada), &json!("ada@example.com"), &json!("org:admin"))
    );
    assert_eq!((&found[1]["id"], &found[1]["role"]), (&json!(bob), &json!("org:member")));
    // Page by page the same.
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/api/admin/members?limit=1&cursor={cursor}")).await.json();
        paged.extend(page["members"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, *list["members"].as_array().unwrap());
    // An admin of another organization sees that one, and a member, or nobody's organization, none.
    let other = api.with_token(&token_in(&clerk, &bob, Some(&two)).await);
    let list = other.get("/api/admin/members").await.json();
    assert_eq!(
        (list["members"].as_array().unwrap().len(), &list["members"][0]["id"]),
        (1, &json!(bob))
    );
    for token in [token_in(&clerk, &bob, Some(&one)).await, token_in(&clerk, &ada, None).await] {
        api.with_token(&token).get("/api/admin/members").await.is_error(403, "Not allowed");
    }
    api.get("/api/admin/members").await.is_error(401, "Not authenticated");
    for bad in ["limit=0", "limit=501", "cursor=a%20b", "cursor=%C3%A9"] {
        assert_eq!(admin.get(&format!("/api/admin/members?{bad}")).await.status, 422, "{bad}");
    }
    // Who has left is no member.
    assert_eq!(clerk.backend.delete(&format!("{members}/{bob}")).await.status, 200);
    clerk.delivered().await;
    let fresh = api.with_token(&token_in(&clerk, &ada, Some(&one)).await);
    let list = fresh.get("/api/admin/members").await.json();
    assert_eq!(list["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_organizations_routes_are_open_while_it_is_the_active_one() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (api, clerk) = (world.api(), world.clerk());
        let ada = clerk.sign_up("ada@example.com").await;
        let one = organization(&clerk, "one", &ada).await;
        organization(&clerk, "two", &ada).await;
        let in_one = api.with_token(&token_in(&clerk, &ada, Some(&one)).await);
        for named in ["one", &*one] {
            let me = in_one.get(&format!("/api/orgs/{named}/me")).await;
            assert_eq!((me.status, &me.json()["org"]["slug"]), (200, &json!("one")), "{me:?}");
        }
        let in_none = api.with_token(&token_in(&clerk, &ada, None).await);
        for (caller, named) in [
            (&in_one, "two"),
            (&in_one, "ONE"),
            (&in_one, "one%00"),
            (&in_one, "%ff"),
            (&in_one, "%20"),
            (&in_none, "one"),
        ] {
            let refused = caller.get(&format!("/api/orgs/{named}/me")).await;
            refused.is_error(403, "Another organization is active");
        }
        api.get("/api/orgs/one/me").await.is_error(401, "Not authenticated");
    })
    .await;
}

#[tokio::test]
async fn all_posts_are_deleted_only_after_a_recent_verification() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (api, clerk) = (world.api(), world.clerk());
        let (ada, as_ada) = clerk.user(&api, "ada@example.com").await;
        let (_, as_bob) = clerk.user(&api, "bob@example.com").await;
        for user in [&as_ada, &as_bob] {
            let account = user.account("@x").await;
            user.scheduled(&account, "a post", "2030-01-01T00:00:00Z").await;
        }
        let records = std::fs::read(world.clerk_file()).unwrap();
        let records: Value = serde_json::from_slice(&records).unwrap();
        let key = STANDARD.decode(records["private_key"].as_str().unwrap()).unwrap();
        let iss = format!("http://127.0.0.1:{}", world.clerk_port);
        let issuer =
            Issuer::from_pkcs8(&iss, records["instance_id"].as_str().unwrap(), &key).unwrap();
        for ages in [json!([11, -1]), json!([0, 11]), json!(null)] {
            let stale = issuer.token(&ada).claim("fva", ages.clone()).mint();
            let refused = api.with_token(&stale).delete("/api/me/posts").await;
            assert_eq!(refused.status, 403, "{ages} {refused:?}");
            let error = &refused.json()["clerk_error"];
            assert_eq!(error["reason"], "reverification-error", "{refused:?}");
            assert_eq!(error["metadata"]["reverification"]["afterMinutes"], 10);
        }
        let posts = async |user: &Api| {
            let posts = user.get("/api/scheduled-posts").await.json();
            posts["posts"].as_array().unwrap().len()
        };
        assert_eq!(posts(&as_ada).await, 1);
        assert_eq!(as_ada.delete("/api/me/posts").await.status, 204);
        assert_eq!((posts(&as_ada).await, posts(&as_bob).await), (0, 1));
        assert_eq!(as_ada.delete("/api/me/posts").await.status, 204);
    })
    .await;
}
