//! `doctor` on set-ups with each of its faults, and on one without.

mod set_up;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::test_util::Issuer;

use self::set_up::{Instance, Told, Variables, doctor, migrate, publishable_key, set};
use crate::support::ai::{self, AiService, Treatment};
use crate::support::pooler::{Mode, Pooler};
use crate::support::{
    Backend, Listing, MadeCertificate, Process, World, free_port, on_every_backend, redis_url,
};

async fn a_set_up_without_faults_is_told_as_such(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "ada@example.com").await;
    api.account("@ada").await;
    // With the environment of the server, which uses its stand-in.
    let named = doctor(&world, "stand-in", &[], &Vec::new()).await;
    assert_eq!((named.code, &named.json["ok"]), (0, &json!(true)), "{}", named.json);
    for check in named.json["checks"].as_array().unwrap() {
        assert_eq!(check["outcome"], "ok", "{check}");
        assert_eq!(check["todo"], Value::Null, "{check}");
    }
    for name in
        ["settings", "jwks", "secret_key", "clock", "database", "migrations", "users", "deliveries"]
    {
        assert_eq!(named.outcome(name), "ok");
    }
    let mut people = Process::start(world.folder(), "people", &["doctor"], &world.env());
    assert_eq!(people.exit_code().await, 0);
    let text = people.out();
    assert!(
        text.contains("✓ ok    users") && text.ends_with("Everything fits together.\n"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no colours into a file: {text}");
}

async fn missing_migrations_are_told_and_nothing_is_made(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let told = doctor(&world, "empty", &[], &variables).await;
    told.fails("migrations", "scheduled-posts migrate");
    assert!(!world.folder().join("posts.db").exists());
    let again = doctor(&world, "again", &[], &variables).await;
    again.fails("migrations", "scheduled-posts migrate");

    migrate(&world).await;
    let told = doctor(&world, "made", &[], &variables).await;
    assert_eq!((told.outcome("database"), told.outcome("migrations")), ("ok", "ok"));
}

async fn an_empty_table_of_users_while_clerk_has_some_is_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    migrate(&world).await;
    let told = doctor(&world, "nobody", &[], &variables).await;
    assert_eq!((told.code, told.outcome("users")), (0, "ok"), "{}", told.json);

    world.clerk().sign_up("ada@example.com").await;
    let told = doctor(&world, "lost", &[], &variables).await;
    told.fails("users", "scheduled-posts backfill");
    assert!(!told.text.contains("ada@"), "{}", told.text);

    let (_, code) = world.backfill("fill", &[], &variables).await;
    assert_eq!(code, 0);
    let told = doctor(&world, "filled", &[], &variables).await;
    assert_eq!((told.code, told.outcome("users")), (0, "ok"), "{}", told.json);
    world.clerk().sign_up("bob@example.com").await;
    let told = doctor(&world, "behind", &[], &variables).await;
    assert_eq!((told.code, told.outcome("users")), (0, "warn"), "{}", told.json);
}

/// An endpoint that Clerk has switched off is otherwise as quiet as a night without changes.
async fn fault_s11_changes_of_clerks_users_that_did_not_arrive_are_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    world.clerk().sign_up("ada@example.com").await;
    assert_eq!(world.backfill("fill", &[], &variables).await.1, 0);
    let told = doctor(&world, "here", &[], &variables).await;
    assert_eq!(told.outcome("deliveries"), "ok", "{}", told.json);

    let listing = Listing::start(3, usize::MAX).await;
    let variables = set(&variables, "CLERK_API_URL", &listing.url);
    let db = world.database().await;
    let older = "UPDATE clerk_user_versions SET version = 1002";
    db.execute_unprepared(older).await.unwrap();
    let told = doctor(&world, "missed", &[], &variables).await;
    assert_eq!((told.code, told.outcome("deliveries")), (0, "warn"), "{}", told.json);
    for text in ["changed at Clerk on 1970-01-01 00:00 UTC", "under Webhooks", "user.deleted"] {
        assert!(told.text.contains(text), "{text} in {}", told.text);
    }
    db.execute_unprepared("UPDATE clerk_user_versions SET version = 1003").await.unwrap();
    let told = doctor(&world, "arrived", &[], &variables).await;
    assert_eq!(told.outcome("deliveries"), "ok", "{}", told.json);
}

async fn fault_s4_keys_that_hold_deleted_users_are_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    migrate(&world).await;
    let refer = "CREATE TABLE invoices (of_id VARCHAR(255) NOT NULL, \
                 FOREIGN KEY (of_id) REFERENCES users (id))";
    let refer = match world.database().await.get_database_backend() {
        sea_orm::DbBackend::MySql => {
            refer.replace("(255)", "(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        }
        _ => refer.to_owned(),
    };
    world.database().await.execute_unprepared(&refer).await.unwrap();
    let told = doctor(&world, "held", &[], &variables).await;
    assert_eq!((told.code, told.outcome("foreign_keys")), (0, "warn"), "{}", told.json);
    assert!(told.text.contains("`invoices` to `users`"), "{}", told.text);
}

async fn a_database_that_does_not_answer_is_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://app:canary-password@127.0.0.1:{}/app", free_port());
        let told = doctor(&world, scheme, &[], &set(&variables, "DATABASE_URL", &url)).await;
        told.fails("database", "DATABASE_URL");
        assert!(told.text.contains("refused"), "{}", told.text);
        assert_eq!(told.outcome("users"), "skipped");
    }
    let told = doctor(&world, "odd", &[], &set(&variables, "DATABASE_URL", "canary")).await;
    told.fails("database", "DATABASE_URL");
    // Checks that do not depend on it were made.
    assert_eq!((told.outcome("jwks"), told.outcome("secret_key")), ("ok", "ok"));
}

async fn test_and_live_keys_side_by_side_are_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let told =
        doctor(&world, "mixed", &[], &set(&variables, "CLERK_SECRET_KEY", "sk_live_canary")).await;
    told.fails("settings", "CLERK_SECRET_KEY");
}

async fn a_publishable_key_of_another_instance_than_the_issuer_is_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let other = publishable_key("test", "clerk.example.com");
    let told =
        doctor(&world, "other", &[], &set(&variables, "CLERK_PUBLISHABLE_KEY", &other)).await;
    told.fails("publishable_key", "unset CLERK_ISSUER");
}

async fn a_secret_key_of_another_instance_is_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let refused =
        doctor(&world, "refused", &[], &set(&variables, "CLERK_SECRET_KEY", "sk_test_canary"))
            .await;
    refused.fails("secret_key", "API keys");

    let folder = world.folder().join("other");
    std::fs::create_dir(&folder).unwrap();
    let port = free_port();
    let env = vec![("DEV_CLERK_PORT".to_owned(), port.to_string())];
    let other = Process::start(&folder, "clerk", &["dev-clerk"], &env);
    crate::support::until("it listens", async || other.err().contains("listens on").then_some(()))
        .await;
    let secret = other
        .out()
        .lines()
        .find_map(|line| line.strip_prefix("export CLERK_SECRET_KEY=").map(str::to_owned));
    let variables = set(&variables, "CLERK_SECRET_KEY", &secret.unwrap());
    let variables = set(&variables, "CLERK_API_URL", &format!("http://127.0.0.1:{port}"));
    let told = doctor(&world, "stranger", &[], &variables).await;
    told.fails("secret_key", "CLERK_PUBLISHABLE_KEY and CLERK_SECRET_KEY");
}

async fn keys_that_cannot_be_fetched_are_told(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    for (name, url) in [
        ("nobody", format!("http://127.0.0.1:{}/.well-known/jwks.json", free_port())),
        ("nothing", format!("http://127.0.0.1:{}/nothing", world.clerk_port)),
        ("no-keys", format!("http://127.0.0.1:{}/", world.clerk_port)),
    ] {
        let told = doctor(&world, name, &[], &set(&variables, "CLERK_JWKS_URL", &url)).await;
        told.fails("jwks", "CLERK_JWKS_URL");
    }
}

async fn fault_c11_a_key_that_its_instance_does_not_publish_is_told(world: World) {
    let instance = Instance::start(0).await;
    let variables = set(&instance.variables(), "CLERK_JWKS_URL", "");
    let other = Issuer::new(&instance.url, "ins_other");
    for (number, (issuer, is_own)) in [(&instance.issuer, true), (&other, false)].iter().enumerate()
    {
        let pem = issuer.pem();
        let whole = STANDARD.encode(&pem);
        for (form, key) in
            [("lines", pem.clone()), ("line", pem.replace('\n', "\\n")), ("base64", whole)]
        {
            let variables = set(&variables, "CLERK_JWT_KEY", &key);
            let told = doctor(&world, &format!("{form}-{number}"), &[], &variables).await;
            if *is_own {
                assert_eq!(told.outcome("jwks"), "ok", "{}", told.json);
                assert!(told.text.contains("is one of its instance's keys"), "{}", told.text);
            } else {
                told.fails("jwks", "PEM public key");
            }
        }
    }
    // The issuer cannot be asked.
    let away = format!("http://127.0.0.1:{}", free_port());
    let variables = set(&set(&variables, "CLERK_ISSUER", &away), "CLERK_PUBLISHABLE_KEY", "");
    let variables = set(&variables, "CLERK_JWT_KEY", &other.pem());
    let told = doctor(&world, "away", &[], &variables).await;
    assert!(told.text.contains("could not be compared"), "{}", told.text);
}

async fn fault_c11_what_else_the_server_needs_is_looked_at(world: World) {
    let instance = Instance::start(0).await;
    let variables = instance.variables();
    let service = AiService::start(Treatment::says("models")).await;
    let with = |more: Variables| [variables.clone(), more].concat();
    let told = doctor(&world, "ai", &[], &with(service.variables())).await;
    assert_eq!(told.outcome("ai_service"), "ok", "{}", told.json);
    assert!(service.requests(1).await[0].starts_with("GET /v1/models "));
    service.treat(Treatment::status("401 Unauthorized"));
    let told = doctor(&world, "ai-key", &[], &with(service.variables())).await;
    told.fails("ai_service", "OPENAI_BASE_URL");
    let nobody = ai::variables(&format!("http://127.0.0.1:{}/v1", free_port()));
    doctor(&world, "ai-away", &[], &with(nobody)).await.fails("ai_service", "OPENAI_BASE_URL");

    let redis = format!("redis://:canary@127.0.0.1:{}", free_port());
    let told = doctor(&world, "redis", &[], &set(&variables, "REDIS_URL", &redis)).await;
    told.fails("redis", "REDIS_URL");
    if let Some(url) = redis_url() {
        let told = doctor(&world, "redis-here", &[], &set(&variables, "REDIS_URL", &url)).await;
        assert_eq!(told.outcome("redis"), "ok", "{}", told.json);
    }

    for (days, outcome) in [(3, "warn"), (60, "ok")] {
        let made = MadeCertificate::ending_in(days, &["localhost"]).write(world.folder());
        let told = doctor(&world, &format!("ends-{days}"), &[], &with(made)).await;
        assert_eq!(told.outcome("certificate"), outcome, "{}", told.json);
        assert!(told.text.contains("ends on 20"), "{}", told.text);
    }
    let told = doctor(&world, "none", &[], &variables).await;
    for name in ["ai_service", "redis", "certificate"] {
        assert!(!told.text.contains(&format!("\"{name}\"")), "{}", told.text);
    }
}

#[tokio::test]
async fn fault_c11_a_pooler_that_takes_the_connection_away_is_told() {
    World::run(Backend::Postgres, async |world| {
        let (_clerk, variables) = world.dev_clerk().await;
        migrate(&world).await;
        for (mode, what) in [
            (Mode::Session, "no pooler takes the connection away"),
            (Mode::Transaction, "every statement is a transaction"),
        ] {
            let Some(pooler) = Pooler::start(&world.database_url, mode, 4, "doctor") else {
                return;
            };
            let variables = set(&variables, "DATABASE_URL", &pooler.url);
            let told = doctor(&world, &format!("{mode:?}"), &[], &variables).await;
            for name in ["pooler", "database", "migrations"] {
                assert_eq!(told.outcome(name), "ok", "{}", told.json);
            }
            assert!(told.json.to_string().contains(what), "{}", told.json);

            let trusted = format!("{}?statement-cache-capacity=100", pooler.url);
            let variables = set(&variables, "DATABASE_URL", &trusted);
            let told = doctor(&world, &format!("{mode:?}-trusted"), &[], &variables).await;
            let outcome = if mode == Mode::Session { "ok" } else { "warn" };
            assert_eq!(told.outcome("pooler"), outcome, "{}", told.json);

            let refused = format!("{}?options=-c%20lock_timeout=1s", pooler.url);
            let variables = set(&variables, "DATABASE_URL", &refused);
            let told = doctor(&world, &format!("{mode:?}-refused"), &[], &variables).await;
            told.fails("database", "ignore_startup_parameters");
        }
    })
    .await;
}

async fn a_clock_that_is_not_clerks_is_told(world: World) {
    for (name, behind, outcome) in
        [("right", 0, "ok"), ("near", 4, "warn"), ("hour", 3600, "fail"), ("ahead", -3600, "fail")]
    {
        let instance = Instance::start(behind).await;
        let told = doctor(&world, name, &[], &instance.variables()).await;
        assert_eq!(told.outcome("clock"), outcome, "{}", told.json);
    }
}

async fn a_token_is_judged_and_never_repeated(world: World) {
    let instance = Instance::start(0).await;
    let variables = instance.variables();
    let variables = set(&variables, "CLERK_AUTHORIZED_PARTIES", "https://app.example.com");
    let token = || instance.issuer.token("user_1").claim("azp", "https://app.example.com");
    let all = ["token_key", "token_issuer", "token_party", "token_expiry", "token"];

    let good = doctor(&world, "good", &["--token", &token().mint()], &variables).await;
    assert_eq!(all.map(|name| good.outcome(name)), ["ok"; 5], "{}", good.json);

    let hour_ago = SystemClock::new().now() - Duration::from_secs(3600);
    let expired = token().issued_at(hour_ago).mint();
    let expired = doctor(&world, "expired", &["--token", &expired], &variables).await;
    let outcomes = all.map(|name| expired.outcome(name));
    assert_eq!(outcomes, ["ok", "ok", "ok", "warn", "warn"], "{}", expired.json);

    let other = Issuer::new(&instance.url, "ins_other").token("user_1").mint();
    let strange = doctor(&world, "strange", &["--token", &other], &variables).await;
    strange.fails("token_key", "CLERK_PUBLISHABLE_KEY");
    strange.fails("token", "see above");

    let issuer = token().claim("iss", "https://clerk.example.com").mint();
    let told = doctor(&world, "issuer", &["--token", &issuer], &variables).await;
    told.fails("token_issuer", "CLERK_PUBLISHABLE_KEY");

    let party = token().claim("azp", "https://evil.example.com").mint();
    let told = doctor(&world, "party", &["--token", &party], &variables).await;
    told.fails("token_party", "CLERK_AUTHORIZED_PARTIES");

    let forged = format!("{}AAAA", &other[..other.len() - 4]);
    doctor(&world, "forged", &["--token", &forged], &variables).await.fails("token", "see above");
    let told = doctor(&world, "words", &["--token", "canary words"], &variables).await;
    told.fails("token", "Authorization");
}

async fn a_token_may_come_from_standard_input(world: World) {
    let instance = Instance::start(0).await;
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_scheduled-posts"))
        .args(["doctor", "--json", "--token", "-"])
        .current_dir(world.folder())
        .env_clear()
        .envs([world.env(), instance.variables()].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let token = instance.issuer.token("user_1").mint();
    writeln!(doctor.stdin.take().unwrap(), "{token}").unwrap();
    let output = tokio::task::spawn_blocking(|| doctor.wait_with_output()).await.unwrap().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["name"] == "token" && check["outcome"] == "ok"),
        "{json}"
    );
}

async fn settings_that_cannot_be_used_are_findings_beside_the_others(world: World) {
    let (_clerk, variables) = world.dev_clerk().await;
    let wrong = [
        ("PORT", "canary", "settings"),
        ("LOG_FORMAT", "canary", "settings"),
        ("CORS_ALLOWED_ORIGINS", "canary.example.com", "cors_origins"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_canary", "webhook_secret"),
    ];
    let mut broken = variables.clone();
    for (name, value, _) in wrong {
        broken = set(&broken, name, value);
    }
    let told = doctor(&world, "broken", &[], &broken).await;
    for (name, _, check) in wrong {
        told.fails(check, name);
    }
    assert_eq!(told.outcome("jwks"), "ok", "{}", told.json);

    // When one half cannot be used, the other half is not reported as a second fault.
    let tls = set(&set(&variables, "TLS_CERT", "/nowhere/cert.pem"), "TLS_KEY", "/nowhere/key.pem");
    let told = doctor(&world, "tls", &[], &tls).await;
    told.fails("settings", "TLS_");
    let checks = told.json["checks"].as_array().unwrap().iter();
    let faults = checks.filter(|check| check["name"] == "settings").count();
    assert_eq!((faults, told.outcome("jwks")), (1, "ok"), "{:#}", told.json);
    for (given, missing) in [("TLS_CERT", "TLS_KEY"), ("OPENAI_API_KEY", "OPENAI_BASE_URL")] {
        let alone = doctor(&world, given, &[], &set(&variables, given, "canary")).await;
        alone.fails("settings", missing);
        assert_eq!(alone.outcome("jwks"), "ok", "{:#}", alone.json);
    }

    let told =
        doctor(&world, "no-key", &[], &set(&variables, "CLERK_PUBLISHABLE_KEY", "canary")).await;
    told.fails("settings", "CLERK_PUBLISHABLE_KEY");

    std::fs::write(world.folder().join(".env"), "canary canary\n").unwrap();
    let told = doctor(&world, "dot-env", &[], &variables).await;
    told.fails("settings", "correct the file");
}

async fn fault_c9_listeners_with_one_port_are_one_finding_and_all_else_is_looked_at(world: World) {
    let names = |told: &Told| -> Vec<(String, String)> {
        let checks = told.json["checks"].as_array().unwrap().iter();
        let checks = checks.filter(|check| check["name"] != "settings");
        checks.map(|check| (check["name"].to_string(), check["outcome"].to_string())).collect()
    };
    let clash = |told: &Told| {
        let checks = told.json["checks"].as_array().unwrap().iter();
        let failed: Vec<_> = checks.filter(|check| check["outcome"] == "fail").collect();
        assert_eq!((failed.len(), told.code), (1, 1), "{:#}", told.json);
        assert_eq!(failed[0]["name"], "settings");
        failed[0]["what"].as_str().unwrap().to_owned()
    };
    // With a running server and its stand-in, and without.
    for running in [false, true] {
        let _server = if running { Some(world.serve().await) } else { None };
        let without = doctor(&world, "without", &[], &Vec::new()).await;
        assert_eq!(without.code, 0, "{:#}", without.json);
        let port = vec![("PORT".to_owned(), world.clerk_port.to_string())];
        let told = doctor(&world, "port", &[], &port).await;
        let what = clash(&told);
        assert!(what.contains("PORT: ") && what.contains("DEV_CLERK_PORT"), "{what}");
        assert_eq!(names(&told), names(&without), "{running}");
        let metrics = vec![("METRICS_ADDR".to_owned(), format!("127.0.0.1:{}", world.clerk_port))];
        let told = doctor(&world, "metrics", &[], &metrics).await;
        let what = clash(&told);
        assert!(what.contains("METRICS_ADDR: ") || what.contains("DEV_CLERK_PORT: "), "{what}");
        assert_eq!(names(&told), names(&without), "{running}");
    }
}

async fn http_in_production_is_told(world: World) {
    let instance = Instance::start(0).await;
    let host = instance.url.strip_prefix("http://").unwrap();
    let live = set(&instance.variables(), "CLERK_PUBLISHABLE_KEY", &publishable_key("live", host));
    let told = doctor(&world, "issuer", &[], &live).await;
    told.fails("transport", "unset CLERK_ISSUER");
    assert_eq!(
        (told.outcome("cors_origins"), told.outcome("authorized_parties")),
        ("warn", "warn")
    );

    let page = "http://app.example.com";
    let told = doctor(&world, "cors", &[], &set(&live, "CORS_ALLOWED_ORIGINS", page)).await;
    told.fails("transport", "https://");
    let told = doctor(&world, "party", &[], &set(&live, "CLERK_AUTHORIZED_PARTIES", page)).await;
    told.fails("authorized_parties", "https://");

    let open: Variables = live.into_iter().filter(|(name, _)| name != "CLERK_ISSUER").collect();
    let open = set(&open, "HOST", "0.0.0.0");
    let told = doctor(&world, "open", &[], &open).await;
    assert_eq!(told.outcome("transport"), "warn", "{}", told.json);
}

async fn a_phase_below_3_with_production_keys_is_told(world: World) {
    let instance = Instance::start(0).await;
    let host = instance.url.strip_prefix("http://").unwrap();
    let live = set(&instance.variables(), "CLERK_PUBLISHABLE_KEY", &publishable_key("live", host));
    let phase = set(&live, "AUTH_PHASE", "2");
    doctor(&world, "live", &[], &phase).await.fails("auth_phase", "AUTH_PHASE");
    let meant = doctor(&world, "meant", &[], &set(&phase, "ALLOW_UNVERIFIED_USERS", "yes")).await;
    assert_eq!(meant.outcome("auth_phase"), "warn", "{}", meant.json);
    let test = doctor(&world, "test", &[], &set(&instance.variables(), "AUTH_PHASE", "1")).await;
    assert_eq!(test.outcome("auth_phase"), "warn", "{}", test.json);
    assert_eq!(doctor(&world, "three", &[], &live).await.outcome("auth_phase"), "ok");
}

async fn a_stand_in_that_does_not_run_is_no_fault(world: World) {
    let told = doctor(&world, "nothing", &[], &Vec::new()).await;
    assert_eq!((told.code, told.outcome("jwks")), (0, "skipped"), "{}", told.json);
    assert_eq!(told.outcome("database"), "skipped");
    assert!(!world.folder().join("posts.db").exists() && !world.clerk_file().exists());
}

on_every_backend!(
    a_set_up_without_faults_is_told_as_such,
    an_empty_table_of_users_while_clerk_has_some_is_told,
    fault_s11_changes_of_clerks_users_that_did_not_arrive_are_told,
    fault_s4_keys_that_hold_deleted_users_are_told,
    missing_migrations_are_told_and_nothing_is_made,
);

/// Tests that do not depend on the kind of database.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        mod once {
            $(#[tokio::test]
            async fn $name() {
                $crate::support::World::run($crate::support::Backend::Sqlite, super::$name).await;
            })+
        }
    };
}

on_sqlite!(
    a_clock_that_is_not_clerks_is_told,
    a_database_that_does_not_answer_is_told,
    a_phase_below_3_with_production_keys_is_told,
    a_publishable_key_of_another_instance_than_the_issuer_is_told,
    a_secret_key_of_another_instance_is_told,
    a_stand_in_that_does_not_run_is_no_fault,
    a_token_is_judged_and_never_repeated,
    a_token_may_come_from_standard_input,
    fault_c11_a_key_that_its_instance_does_not_publish_is_told,
    fault_c11_what_else_the_server_needs_is_looked_at,
    fault_c9_listeners_with_one_port_are_one_finding_and_all_else_is_looked_at,
    http_in_production_is_told,
    keys_that_cannot_be_fetched_are_told,
    settings_that_cannot_be_used_are_findings_beside_the_others,
    test_and_live_keys_side_by_side_are_told,
);
