//! The limits on requests: their keys, the answer over a limit, and several instances that count
//! together.

use std::rc::Rc;

use tokio::task::JoinSet;

use crate::support::{
    Answer, Api, Backend, OwnRedis, Process, Random, TlsRedis, World, answer, free_port, redis_url,
    until,
};

#[tokio::test]
async fn f17_headers_of_the_clients_own_give_it_no_other_limit() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve_with(&variables(&[("ADDRESS_RATE_LIMIT", "5/hour")])).await;
        let mut statuses = Vec::new();
        for n in 0..12 {
            let address = format!("203.0.113.{n}");
            let request = world.api().request("GET", "/api/me");
            let request = request
                .header("x-forwarded-for", format!("{address}, 198.51.100.{n}"))
                .header("x-forwarded-for", &address)
                .header("x-real-ip", &address)
                .header("forwarded", format!("for={address}"))
                .header("true-client-ip", &address)
                .header("cf-connecting-ip", &address);
            statuses.push(answer(request).await.status);
        }
        assert_eq!(statuses, [[401; 5].as_slice(), &[429; 7]].concat());
    })
    .await;
}

#[tokio::test]
async fn f17_a_proxy_that_is_not_trusted_is_told_of_once() {
    World::run(Backend::Sqlite, async |world: World| {
        let trusted = ("TRUSTED_PROXIES", "10.0.0.0/8");
        let limit = ("ADDRESS_RATE_LIMIT", "5/hour");
        let server = world.serve_with(&variables(&[limit, trusted])).await;
        for _ in 0..3 {
            from(&world.api(), "203.0.113.1").await;
        }
        assert_eq!(server.err().matches("outside TRUSTED_PROXIES").count(), 1, "{}", server.err());
        assert!(!server.err().contains("203.0.113"), "{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f18_behind_trusted_proxies_the_right_most_foreign_hop_has_the_limit() {
    World::run(Backend::Sqlite, async |world: World| {
        let trusted = ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
        let limit = ("ADDRESS_RATE_LIMIT", "3/hour");
        let _server = world.serve_with(&variables(&[limit, trusted])).await;
        let api = world.api();
        // What a client wrote itself stands at the left, and changes with each request.
        let mut statuses = Vec::new();
        for n in 0..5 {
            let line = format!("192.0.2.{n}, 198.51.100.{n}, 203.0.113.1, 10.0.0.{n}");
            statuses.push(from(&api, &line).await.status);
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
        let mut lines = api.request("GET", "/api/me").header("x-forwarded-for", "192.0.2.66");
        for line in ["203.0.113.1:4711", "10.1.1.1,10.2.2.2"] {
            lines = lines.header("x-forwarded-for", line);
        }
        assert_eq!(answer(lines).await.status, 429);
        // Other clients of the same proxy are others.
        assert_eq!(from(&api, "203.0.113.2").await.status, 401);
        // An IPv6 customer has as many addresses as he likes, and one limit.
        for (n, status) in [401, 401, 401, 429, 429].into_iter().enumerate() {
            assert_eq!(from(&api, &format!("[2001:db8:1:2::{n}]:80")).await.status, status);
        }
        assert_eq!(from(&api, "2001:db8:1:3::1").await.status, 401);
        // What the proxy itself could not tell counts as the proxy's.
        for status in [401, 401, 401, 429] {
            assert_eq!(from(&api, "203.0.113.9, unknown").await.status, status);
        }
    })
    .await;
}

#[tokio::test]
async fn f20_a_flood_of_bad_tokens_is_limited_before_they_are_looked_at() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve_with(&variables(&[("ADDRESS_RATE_LIMIT", "4/hour")])).await;
        let api = world.api().with_token("a.b.c");
        for _ in 0..4 {
            api.get("/api/me").await.is_error(401, "Invalid token");
        }
        let request = api.request("GET", "/api/me").header("origin", "http://localhost:3000");
        let refused = answer(request).await;
        is_over(&refused, 900);
        assert_eq!(refused.header("www-authenticate"), None);
        let allowed = refused.header("access-control-allow-origin");
        assert_eq!(allowed, Some("http://localhost:3000"));
        let exposed = refused.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("retry-after"), "{exposed}");
        // One limit for all routes of signed-in users, and for methods that they do not have.
        is_over(&api.delete("/api/x-accounts/1").await, 900);
        is_over(&answer(api.request("PATCH", "/api/scheduled-posts")).await, 900);
    })
    .await;
}

#[tokio::test]
async fn f20_a_user_is_limited_by_the_verified_id_and_takes_nothing_from_others() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve_with(&variables(&[("RATE_LIMIT", "3/hour")])).await;
        let clerk = world.clerk();
        let (first, second) =
            (clerk.sign_up("1@example.com").await, clerk.sign_up("2@example.com").await);
        let other = world.api().with_token(&clerk.token(&second).await);
        // Who only names somebody uses up nothing of his.
        for _ in 0..10 {
            let path = format!("/api/me?user_id={first}");
            world.api().get(&path).await.is_error(401, "Not authenticated");
            world.api().with_token("a.b.c").get(&path).await.is_error(401, "Invalid token");
        }
        // Each with a new session, and the last with a body that is refused.
        for _ in 0..2 {
            let api = world.api().with_token(&clerk.token(&first).await);
            assert_eq!(api.get("/api/me").await.status, 200);
        }
        let api = world.api().with_token(&clerk.token(&first).await);
        assert_eq!(api.post("/api/x-accounts", &serde_json::json!({})).await.status, 422);
        is_over(&api.get("/api/me").await, 1200);
        is_over(&api.post("/api/x-accounts", &serde_json::json!({ "handle": "@a" })).await, 1200);
        assert_eq!(other.get("/api/me").await.status, 200);
        assert_eq!(other.account("@b").await.len(), 36);
        assert_eq!(other.get("/api/x-accounts").await.status, 200);
        is_over(&other.get("/api/x-accounts").await, 1200);
    })
    .await;
}

#[tokio::test]
async fn f20_health_webhooks_and_the_page_are_outside_of_both_limits() {
    World::run(Backend::Sqlite, async |world: World| {
        let limits = [("ADDRESS_RATE_LIMIT", "1/hour"), ("RATE_LIMIT", "1/hour")];
        let _server = world.serve_with(&variables(&limits)).await;
        let api = world.api();
        assert_eq!(api.get("/api/me").await.status, 401);
        is_over(&api.get("/api/me").await, 3600);
        let paths = [
            "/",
            "/web/app.js",
            "/web/style.css",
            "/app-config.json",
            "/docs",
            "/openapi.json",
            "/healthz",
            "/readyz",
        ];
        for path in paths.repeat(3) {
            assert_eq!(api.get(path).await.status, 200, "{path}");
        }
        api.get("/api/nothing").await.is_error(404, "Not found");
        for n in 0..5 {
            world.clerk().sign_up(&format!("{n}@example.com")).await;
            let unsigned = api.post("/api/webhooks/clerk", &serde_json::json!({})).await;
            assert_eq!(unsigned.status, 400, "{unsigned:?}");
        }
        world.clerk().delivered().await;
        assert_eq!(world.count("users").await, 5);
    })
    .await;
}

#[tokio::test]
async fn f20_two_instances_share_a_limit_through_redis() {
    let Some(redis) = redis_url() else { return };
    World::run(Backend::Sqlite, move |world: World| async move {
        let limits = [
            ("REDIS_URL", &*redis),
            ("RATE_LIMIT", "10/hour"),
            ("ADDRESS_RATE_LIMIT", "8/hour"),
            ("TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let pair = Pair::start(&world, &limits).await;
        // All at the same moment: no two of them get the last one.
        let token = pair.token(&world, "shared@example.com").await;
        let apis = Rc::new(pair.apis.each_ref().map(|api| api.with_token(&token)));
        let mut random = Random::new();
        let mut requests = JoinSet::new();
        for n in 0..40 {
            let apis = Rc::clone(&apis);
            let client = format!("2001:db8:{:x}:{n:x}::1", random.below(0xffff));
            requests.spawn_local(async move { from(&apis[n % 2], &client).await });
        }
        let answers = requests.join_all().await;
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(passed, 10, "{answers:?}");
        answers.iter().filter(|answer| answer.status != 200).for_each(|over| is_over(over, 360));
        // The same for addresses: one after the other at either.
        let client =
            format!("2001:db8:{:x}:{:x}::1", random.below(0xffff), random.below(0xffff) + 40);
        let mut statuses = Vec::new();
        for n in 0..12 {
            statuses.push(from(&pair.apis[n % 2], &client).await.status);
        }
        assert_eq!(statuses, [[401; 8].as_slice(), &[429; 4]].concat());
        is_over(&from(&pair.apis[0], &client).await, 450);
    })
    .await;
}

#[tokio::test]
async fn f20_without_redis_each_instance_holds_the_limit_and_says_so_once() {
    let Some(redis) = OwnRedis::start() else { return };
    World::run(Backend::Sqlite, move |world: World| async move {
        let limits = [("REDIS_URL", &*redis.url), ("RATE_LIMIT", "6/hour")];
        let pair = Pair::start(&world, &limits).await;
        let token = pair.token(&world, "alone@example.com").await;
        let [one, two] = pair.apis.each_ref().map(|api| api.with_token(&token));
        assert_eq!(passed(&one, 2).await, 2);
        assert_eq!(passed(&two, 1).await, 1);

        redis.stop();
        // Each knows what it let pass itself.
        assert_eq!(passed(&one, 10).await, 4);
        assert_eq!(passed(&two, 10).await, 5);
        for server in &pair.servers {
            assert_eq!(server.err().matches(AWAY).count(), 1, "{}", server.err());
            assert_eq!(server.err().matches(BACK).count(), 0, "{}", server.err());
        }

        redis.start_again();
        for server in &pair.servers {
            until("Redis answers", async || server.err().contains(BACK).then_some(())).await;
        }
        // Together they have what Redis remembers, and nobody begins anew.
        assert_eq!(passed(&two, 2).await, 2);
        assert_eq!(passed(&one, 10).await, 1);
        assert_eq!(passed(&two, 10).await, 0);

        redis.stop();
        assert_eq!(passed(&one, 10).await + passed(&two, 10).await, 0);
        for server in &pair.servers {
            assert_eq!(server.err().matches(AWAY).count(), 2, "{}", server.err());
        }
    })
    .await;
}

#[tokio::test]
async fn f20_a_redis_that_hangs_holds_nobody_up_for_long() {
    let Some(redis) = OwnRedis::start() else { return };
    World::run(Backend::Sqlite, move |world: World| async move {
        let limits = [("REDIS_URL", &*redis.url), ("RATE_LIMIT", "6/hour")];
        let pair = Pair::start(&world, &limits).await;
        let token = pair.token(&world, "hangs@example.com").await;
        let one = pair.apis[0].with_token(&token);
        assert_eq!(passed(&one, 1).await, 1);
        redis.freeze();
        // Many find out at once, and one of them says so.
        let mut requests = JoinSet::new();
        for _ in 0..30 {
            let one = one.clone();
            requests.spawn_local(async move { passed(&one, 1).await });
        }
        assert_eq!(requests.join_all().await.iter().sum::<usize>(), 5);
        assert_eq!(passed(&one, 3).await, 0);
        let told = pair.servers[0].err();
        assert_eq!(told.matches("did not answer within 200ms").count(), 1, "{told}");
        redis.go_on();
        until("Redis answers", async || pair.servers[0].err().contains(BACK).then_some(())).await;
        assert_eq!(pair.servers[0].err().matches(AWAY).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn f20_a_redis_behind_tls_counts_only_if_its_certificate_is_trusted() {
    let Some(redis) = redis_url() else { return };
    World::run(Backend::Sqlite, move |world: World| async move {
        let tls = TlsRedis::start(&redis, world.folder()).await;
        let trust = ("SSL_CERT_FILE", tls.certificate.to_str().unwrap());
        let limits = [("REDIS_URL", &*tls.url), ("RATE_LIMIT", "6/hour")];
        let pair = Pair::start(&world, &[limits[0], limits[1], trust]).await;
        let token = pair.token(&world, "tls@example.com").await;
        let [one, two] = pair.apis.each_ref().map(|api| api.with_token(&token));
        assert_eq!((passed(&one, 4).await, passed(&two, 4).await), (4, 2));
        for server in &pair.servers {
            assert!(!server.err().contains(AWAY), "{}", server.err());
        }
        let env = [pair.clerk.clone(), variables(&limits)].concat();
        let (mut other, api) = world.instance("other", free_port(), &env);
        other.ready(&api).await;
        let told = other.err();
        assert!(told.contains(AWAY) && told.contains("certificate"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn f20_a_redis_that_cannot_be_used_keeps_no_server_from_starting() {
    let Some(redis) = redis_url() else { return };
    World::run(Backend::Sqlite, move |world: World| async move {
        let password = redis.replace("redis://", "redis://:canary-password@");
        let nobody = format!("redis://:canary-password@127.0.0.1:{}/0", free_port());
        for (url, reason) in
            [(password, "refuses the user and password"), (nobody, "nothing listens there")]
        {
            let limits = [("REDIS_URL", &*url), ("ADDRESS_RATE_LIMIT", "2/hour")];
            let mut server = world.serve_with(&variables(&limits)).await;
            let told = server.err();
            assert!(told.contains(AWAY) && told.contains(reason), "{told}");
            assert!(!told.contains("canary") && !server.out().contains("canary"), "{told}");
            let statuses = [(); 3].map(|()| world.api());
            let mut passed = Vec::new();
            for api in statuses {
                passed.push(api.get("/api/me").await.status);
            }
            assert_eq!(passed, [401, 401, 429]);
            server.kill();
        }
    })
    .await;
}

/// Two instances that one dev Clerk signs users in for.
struct Pair {
    apis: [Api; 2],
    servers: [Process; 2],
    /// Where Clerk is.
    clerk: Vec<(String, String)>,
    _clerk: Process,
}

impl Pair {
    async fn start(world: &World, limits: &[(&str, &str)]) -> Self {
        let (_clerk, clerk) = world.dev_clerk().await;
        let env = [clerk.clone(), variables(limits)].concat();
        let (mut one, api_one) = world.instance("one", world.port, &env);
        one.ready(&api_one).await;
        let (mut two, api_two) = world.instance("two", free_port(), &env);
        two.ready(&api_two).await;
        Self { apis: [api_one, api_two], servers: [one, two], clerk, _clerk }
    }

    async fn token(&self, world: &World, email: &str) -> String {
        let clerk = world.clerk();
        let user = clerk.sign_up(email).await;
        clerk.token(&user).await
    }
}

/// How many of so many requests pass; the others are over the limit.
async fn passed(api: &Api, requests: usize) -> usize {
    let mut passed = 0;
    for _ in 0..requests {
        let answer = api.get("/api/me").await;
        match answer.status {
            200 => passed += 1,
            _ => is_over(&answer, 600),
        }
    }
    passed
}

/// A request as a proxy hands it on.
async fn from(api: &Api, forwarded_for: &str) -> Answer {
    answer(api.request("GET", "/api/me").header("x-forwarded-for", forwarded_for)).await
}

/// The answer of somebody over a limit, who may come again after so many seconds or a little less.
#[track_caller]
fn is_over(refused: &Answer, seconds: u64) {
    refused.is_error(429, "Too many requests");
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait >= 1 && wait <= seconds && wait + 60 > seconds, "{wait}");
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const AWAY: &str = "each instance counts requests by itself";
const BACK: &str = "Redis answers: the instances count requests together";
