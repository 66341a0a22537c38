//! Environments with the mistakes of operators.

use std::collections::HashMap;

use super::table::{Subcommand, Unset};
use tower_clerk::session::machine::MachineKind;

use super::*;

fn serve<const N: usize>(variables: [(&str, &str); N]) -> Result<ServeConfig, Vec<String>> {
    ServeConfig::read(&Env::from(variables)).map_err(|ConfigErrors(errors)| errors)
}

/// Returns the variables that the errors name.
fn wrong<const N: usize>(variables: [(&str, &str); N]) -> Vec<String> {
    let errors = serve(variables).unwrap_err();
    let mut names: Vec<String> =
        errors.iter().map(|error| error.split(':').next().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

const PK: (&str, &str) = ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");

#[test]
fn an_empty_environment_is_the_dev_clerk_on_loopback() {
    for config in [serve([]).unwrap(), serve([("CLERK_SECRET_KEY", ""), ("PORT", " ")]).unwrap()] {
        assert_eq!(config.listen.to_string(), "127.0.0.1:8002");
        assert_eq!(config.cors.origins, ["http://localhost:3000"]);
        let Clerk::Dev(place) = config.clerk else { panic!("{:?}", config.clerk) };
        assert_eq!(place.port, 8003);
        assert_eq!(place.file.to_str(), Some("scheduled-posts.dev-clerk.json"));
    }
}

#[test]
fn a_stand_in_is_never_trusted_by_accident() {
    assert_eq!(wrong([("HOST", "0.0.0.0")]), ["CLERK_PUBLISHABLE_KEY"]);
    assert_eq!(wrong([("CLERK_SECRET_KEY", "sk_test_abc")]), ["CLERK_PUBLISHABLE_KEY"]);
    assert_eq!(
        wrong([("CLERK_AUTHORIZED_PARTIES", "https://a.example")]),
        ["CLERK_PUBLISHABLE_KEY"]
    );
    let real = serve([("HOST", "0.0.0.0"), PK]).unwrap();
    assert!(matches!(real.clerk, Clerk::Real(_)));
}

#[test]
fn fault_c3_variables_of_other_sdks_alone_leave_the_stand_in() {
    let of_others = [("CLERK_TELEMETRY_DISABLED", "1"), ("CLERK_SIGN_IN_URL", "/sign-in")];
    assert!(matches!(serve(of_others).unwrap().clerk, Clerk::Dev(_)));
    let backfill = BackfillConfig::read(&Env::from(of_others)).unwrap_err().to_string();
    assert!(backfill.contains("scheduled-posts dev-clerk"), "{backfill}");
    let with_a_key = [of_others[0], ("CLERK_SECRET_KEY", "sk_test_abc")];
    assert_eq!(wrong(with_a_key), ["CLERK_PUBLISHABLE_KEY"]);
}

#[test]
fn everything_wrong_is_said_at_once_and_no_value_is_repeated() {
    let variables = [
        ("HOST", "canary.example"),
        ("PORT", "canary1"),
        ("DATABASE_URL", "canary://user:canary@host/db"),
        ("CORS_ALLOWED_ORIGINS", "canary.example"),
        ("AUTH_PHASE", "canary"),
        ("RATE_LIMIT", "canary/hour"),
        ("ADDRESS_RATE_LIMIT", "600/canary"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, canary"),
        ("REDIS_URL", "redis://:canary@/canary"),
        ("RUST_LOG", "canary=canary"),
        ("LOG_FORMAT", "canary"),
        ("CLERK_PUBLISHABLE_KEY", "canary"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "canary"),
    ];
    let mut names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(wrong(variables), names);
    let text = ServeConfig::read(&Env::from(variables)).unwrap_err().to_string();
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn the_phase_is_3_unless_another_is_named_and_no_odd_one_weakens_it() {
    assert_eq!(serve([]).unwrap().phase, AuthPhase::Verified);
    for (text, number) in [("1", 1), ("2", 2), ("3", 3)] {
        assert_eq!(serve([("AUTH_PHASE", text)]).unwrap().phase.number(), number);
    }
    for phase in ["0", "4", "03", "two", "1 "] {
        let found = serve([("AUTH_PHASE", phase)]);
        // Spaces around a value are ignored.
        assert_eq!(found.is_ok(), phase == "1 ", "{phase}");
    }
}

#[test]
fn phases_that_verify_nobody_are_refused_with_production_keys_unless_they_are_meant() {
    let live = ("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k");
    let secret = ("CLERK_SECRET_KEY", "sk_live_abc");
    for phase in ["1", "2"] {
        assert_eq!(wrong([live, ("AUTH_PHASE", phase)]), ["AUTH_PHASE"]);
        let by_secret_key = [
            ("CLERK_ISSUER", "https://clerk.example.com"),
            ("CLERK_JWKS_URL", "https://clerk.example.com/.well-known/jwks.json"),
            secret,
            ("AUTH_PHASE", phase),
        ];
        assert_eq!(wrong(by_secret_key), ["AUTH_PHASE"]);
        assert!(serve([PK, ("AUTH_PHASE", phase)]).is_ok());
        let meant = [live, ("AUTH_PHASE", phase), ("ALLOW_UNVERIFIED_USERS", "yes")];
        assert_eq!(serve(meant).unwrap().phase.number().to_string(), phase);
    }
    let broken = [live, ("AUTH_PHASE", "1"), ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_x")];
    assert_eq!(wrong(broken), ["AUTH_PHASE", "CLERK_WEBHOOK_SIGNING_SECRET"]);
    assert!(serve([live, ("AUTH_PHASE", "3")]).is_ok());
    for odd in ["no", "true", "1", "YES"] {
        let given = [live, ("AUTH_PHASE", "1"), ("ALLOW_UNVERIFIED_USERS", odd)];
        assert_eq!(wrong(given), ["ALLOW_UNVERIFIED_USERS", "AUTH_PHASE"]);
    }
}

#[test]
fn metrics_are_on_an_address_of_their_own() {
    assert_eq!(serve([]).unwrap().metrics, None);
    let on = |address| serve([("METRICS_ADDR", address)]).unwrap().metrics.unwrap().to_string();
    assert_eq!(on("127.0.0.1:9002"), "127.0.0.1:9002");
    assert_eq!(on("[::]:9002"), "[::]:9002");
    for bad in ["9002", ":9002", "localhost:9002", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:8002"] {
        assert_eq!(wrong([("METRICS_ADDR", bad)]), ["METRICS_ADDR"], "{bad}");
    }
    assert_eq!(wrong([("PORT", "9002"), ("METRICS_ADDR", "[::1]:9002")]), ["METRICS_ADDR"]);
}

#[test]
fn fault_c9_two_listeners_with_one_port_are_an_error_that_names_what_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cert = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let tls = [("TLS_CERT", &*cert), ("TLS_KEY", &*key)];
    let port = |value| ("PORT", value);
    let redirect = |value| ("HTTP_REDIRECT_PORT", value);
    let metrics = |value| ("METRICS_ADDR", value);
    let dev = |value| ("DEV_CLERK_PORT", value);
    for (first, second) in [
        (port("9001"), dev("9001")),
        (port("9001"), metrics("127.0.0.1:9001")),
        (port("9001"), redirect("9001")),
        (redirect("9001"), dev("9001")),
        (redirect("9001"), metrics("127.0.0.1:9001")),
        (metrics("127.0.0.1:9001"), dev("9001")),
        // Against the defaults.
        (dev("8002"), ("", "")),
        (port("8003"), ("", "")),
        (redirect("8002"), ("", "")),
        (redirect("8003"), ("", "")),
        (metrics("127.0.0.1:8002"), ("", "")),
        (metrics("127.0.0.1:8003"), ("", "")),
    ] {
        let errors = serve([tls[0], tls[1], first, second]).unwrap_err();
        assert_eq!(errors.len(), 1, "{first:?} {second:?}: {errors:?}");
        assert!(errors[0].contains(first.0) && errors[0].contains(second.0), "{errors:?}");
        let (wrong, _) = errors[0].split_once(": ").unwrap();
        assert!([first.0, second.0].contains(&wrong), "{errors:?}");
        assert!(second.0.is_empty() == errors[0].contains("by default"), "{errors:?}");
    }
    let one = [port("9001"), redirect("9001"), metrics("[::1]:9001"), dev("9001"), tls[0], tls[1]];
    assert_eq!(serve(one).unwrap_err().len(), 6, "each two of four");
}

#[test]
fn fault_c9_a_port_that_nobody_listens_on_clashes_with_none() {
    // No stand-in, no HTTPS.
    assert!(serve([PK, ("PORT", "8003")]).is_ok());
    assert!(serve([PK, ("PORT", "9001"), ("DEV_CLERK_PORT", "9001")]).is_ok());
    assert_eq!(wrong([("HOST", "0.0.0.0"), ("PORT", "8003")]), ["CLERK_PUBLISHABLE_KEY"]);
    assert_eq!(wrong([("HTTP_REDIRECT_PORT", "8002")]), ["HTTP_REDIRECT_PORT"]);
    // A port that cannot be read clashes with none.
    assert_eq!(wrong([("PORT", "canary"), ("METRICS_ADDR", "127.0.0.1:8002")]), ["PORT"]);
}

#[test]
fn fault_c9_clashes_are_told_with_everything_else() {
    let variables = [
        ("PORT", "9001"),
        ("METRICS_ADDR", "127.0.0.1:9001"),
        ("AUTH_PHASE", "4"),
        ("CLERK_PUBLISHABLE_KEY", "canary"),
    ];
    assert_eq!(wrong(variables), ["AUTH_PHASE", "CLERK_PUBLISHABLE_KEY", "METRICS_ADDR"]);
    let dev_clerk = |port| DevClerkConfig::read(&Env::from([("PORT", port)]));
    assert!(dev_clerk("8003").unwrap_err().to_string().contains("  PORT: is the port that DEV_"));
    assert!(dev_clerk("8004").is_ok());
}

#[test]
fn users_have_a_limit_unless_the_stand_in_signs_them_in() {
    let limits = |config: ServeConfig| {
        let LimitsConfig { address, user, .. } = config.limits;
        (address.map(|rate| rate.to_string()), user.map(|rate| rate.to_string()))
    };
    let address = || Some("600/minute".to_owned());
    assert_eq!(limits(serve([]).unwrap()), (address(), None));
    assert_eq!(limits(serve([PK]).unwrap()), (address(), Some("100/hour".to_owned())));
    let own = [PK, ("RATE_LIMIT", "5/second"), ("ADDRESS_RATE_LIMIT", "off")];
    assert_eq!(limits(serve(own).unwrap()), (None, Some("5/second".to_owned())));
    let dev = serve([("RATE_LIMIT", "5/second")]);
    assert_eq!(limits(dev.unwrap()), (address(), Some("5/second".to_owned())));
}

#[test]
fn the_dev_clerks_file_is_beside_the_database() {
    let file = |url| {
        let config = DevClerkConfig::read(&Env::from([("DATABASE_URL", url)])).unwrap();
        config.dev_clerk.file.to_str().unwrap().to_owned()
    };
    assert_eq!(file("sqlite:///var/lib/posts.db?mode=rwc"), "/var/lib/posts.dev-clerk.json");
    assert_eq!(file("sqlite:data/posts.sqlite"), "data/posts.dev-clerk.json");
    assert_eq!(file("sqlite::memory:"), "scheduled-posts.dev-clerk.json");
    assert_eq!(file("postgres://u:p@host/db"), "scheduled-posts.dev-clerk.json");
    assert_eq!(file("mysql://u:p@host/db"), "scheduled-posts.dev-clerk.json");
}

#[test]
fn webhooks_of_a_server_on_all_addresses_go_to_this_machine() {
    let env = Env::from([("HOST", "0.0.0.0"), ("PORT", "9000")]);
    assert_eq!(
        DevClerkConfig::read(&env).unwrap().webhooks,
        "http://127.0.0.1:9000/api/webhooks/clerk"
    );
    let env = Env::from([("HOST", "::1"), ("PORT", "9000"), ("TLS_CERT", "cert.pem")]);
    assert_eq!(
        DevClerkConfig::read(&env).unwrap().webhooks,
        "https://[::1]:9000/api/webhooks/clerk"
    );
}

#[test]
fn a_database_url_that_no_driver_can_read_is_refused_without_being_shown() {
    for url in [
        "postgres://app:s3cr3t/pa55@db.internal:5432/app",
        "postgres://app:s3cr3t?@db.internal/app?sslmode=s3cr3t",
        "postgres://app:x@127.0.0.1:s3cr3t/app",
        "postgres://app:x@db/app?sslmode=s3cr3t",
        "postgres://app:12?canary=s3cr3t@127.0.0.1/app",
        "postgres://app:12#s3cr3t@127.0.0.1/app",
        "postgres://app:x@127.0.0.1/app?canary=s3cr3t",
        "sqlite://x.db?s3cr3t=1",
        "sqlite:",
        "sqlite://",
        "sqlite://?mode=rwc",
        "mysql://app:s3cr3t@db",
        "mysql://app:s3cr3t@db/",
        "mysql:s3cr3t",
        "mysql://app:s3cr3t/pa55@db.internal:3306/app",
        "mysql://app:12?canary=s3cr3t@127.0.0.1/app",
        "mysql://app:12#s3cr3t@127.0.0.1/app",
        "mysql://app:x@db/app?ssl-mode=s3cr3t",
        "mysql://app:x@db/app?charset=s3cr3t",
        "mysql://app:x@db/app?time-zone=s3cr3t",
        "mariadb://app:s3cr3t@db/app",
        "s3cr3t",
    ] {
        let errors = serve([("DATABASE_URL", url)]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].starts_with("DATABASE_URL: "), "{url}: {errors:?}");
        assert!(!errors[0].contains("s3cr3t"), "{errors:?}");
    }
    for url in [
        "postgres://app:pa%2F55@db.internal:5432/app?sslmode=require",
        "postgresql:///app",
        "mysql://app:pa%2F55@db.internal:3306/app?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca.pem",
        "mysql://app@db/app",
        "sqlite::memory:",
        "sqlite://x.db?mode=rwc",
        "sqlite:x.db",
    ] {
        assert!(serve([("DATABASE_URL", url)]).is_ok(), "{url}");
    }
}

#[test]
fn fault_c7_a_parameter_that_cannot_be_used_is_named_with_those_that_can() {
    let said = |name, url: &str| {
        let errors = serve([(name, url)]).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(!errors[0].contains("canary"), "{errors:?}");
        errors[0].clone()
    };
    for (url, named, possible) in [
        ("postgres://a:b@h/d?sslmode=require&channel_binding=canary", "channel_binding", "sslmode"),
        ("postgresql://h/d?schema=canary", "schema", "options"),
        ("postgres://a@h/d?pgbouncer=true", "pgbouncer", "statement-cache-capacity"),
        ("postgres://a@h/d?Sslmode=canary", "Sslmode", "sslmode"),
        ("postgres://a@h/d?sslmode", "sslmode", "sslmode"),
        ("mysql://a@h/d?charset=canary", "charset", "ssl-mode"),
        ("mysql://a@h/d?useSSL=true&ssl-mode=REQUIRED", "useSSL", "ssl-ca"),
        ("sqlite://x.db?mode=rwc&journal_mode=canary", "journal_mode", "immutable"),
    ] {
        let error = said("DATABASE_URL", url);
        let named = format!("the parameter `{named}` ");
        assert!(error.contains(&named) && error.contains(possible), "{url}: {error}");
    }
    assert!(said("REDIS_URL", "redis://h/0?protocol=canary").contains("no parameters"));
    // What may be a part of a password is not repeated.
    for url in [
        "postgres://app:12?canary=1@127.0.0.1/app",
        "postgres://app:x@h/d?can4ry=canary",
        "postgres://app:12?canary#sslmode=x@h/d",
        "mysql://app:12?canary=1@127.0.0.1/app",
    ] {
        let error = said("DATABASE_URL", url);
        assert!(error.contains("%2F %3F %23") || error.contains("a parameter"), "{error}");
        assert!(!error.contains("can4ry"), "{error}");
    }
}

#[test]
fn f35_https_needs_a_certificate_its_key_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cert = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let (cert, key) = (("TLS_CERT", cert.as_str()), ("TLS_KEY", key.as_str()));
    let redirect = ("HTTP_REDIRECT_PORT", "8080");
    let tls = serve([cert, key, redirect]).unwrap().tls.unwrap();
    assert_eq!(tls.redirect.unwrap().to_string(), "127.0.0.1:8080");
    assert!(serve([cert, key]).unwrap().tls.unwrap().redirect.is_none());
    assert!(serve([]).unwrap().tls.is_none());
    assert_eq!(wrong([cert]), ["TLS_KEY"]);
    assert_eq!(wrong([key]), ["TLS_CERT"]);
    assert_eq!(wrong([redirect]), ["HTTP_REDIRECT_PORT"]);
    assert_eq!(wrong([cert, ("TLS_KEY", cert.1)]), ["TLS_KEY"]);
    assert_eq!(wrong([cert, key, ("HTTP_REDIRECT_PORT", "8002")]), ["HTTP_REDIRECT_PORT"]);
    let all = [("TLS_CERT", "/canary"), key, ("HTTP_REDIRECT_PORT", "canary"), ("PORT", "canary")];
    assert_eq!(wrong(all), ["HTTP_REDIRECT_PORT", "PORT", "TLS_CERT"]);
}

#[test]
fn who_may_call_needs_the_keys_with_which_clerk_is_asked_and_the_servers_address() {
    let secret = ("CLERK_SECRET_KEY", "sk_test_1");
    let machine = ("CLERK_MACHINE_SECRET_KEY", "ak_0123456789abcdef");
    let url = ("PUBLIC_URL", "https://api.example.com");
    let accept = |kinds: &'static str| ("CLERK_ACCEPT", kinds);
    for kinds in ["api_key", "m2m", "api_key,m2m", " oauth , "] {
        assert_eq!(wrong([PK, url, accept(kinds)]), ["CLERK_SECRET_KEY"], "{kinds}");
        assert!(serve([PK, url, secret, accept(kinds)]).is_ok(), "{kinds}");
    }
    assert!(serve([PK, machine, accept("m2m")]).is_ok());
    assert_eq!(wrong([PK, machine, accept("m2m,api_key")]), ["CLERK_SECRET_KEY"]);
    assert_eq!(wrong([PK, secret, accept("oauth")]), ["PUBLIC_URL"]);
    assert_eq!(wrong([PK, secret, accept("session")]), ["CLERK_ACCEPT"]);
    for bad in
        ["https://api.example.com/", "api.example.com", "http://api.example.com", "https://a b"]
    {
        assert_eq!(
            wrong([PK, secret, accept("oauth"), ("PUBLIC_URL", bad)]),
            ["PUBLIC_URL"],
            "{bad}"
        );
    }
    assert_eq!(
        wrong([PK, ("CLERK_MACHINE_SECRET_KEY", "sk_test_1")]),
        ["CLERK_MACHINE_SECRET_KEY"]
    );
    let cookies = ("CLERK_COOKIES", "on");
    assert!(serve([PK, cookies]).is_ok());
    let keyless =
        [("CLERK_ISSUER", "https://a.b"), ("CLERK_JWKS_URL", "https://a.b/jwks"), cookies];
    assert_eq!(wrong(keyless), ["CLERK_PUBLISHABLE_KEY"]);
    assert_eq!(wrong([PK, ("CLERK_COOKIES", "yes")]), ["CLERK_COOKIES"]);
    // None of them is a reason to trust the stand-in.
    assert_eq!(wrong([cookies]), ["CLERK_PUBLISHABLE_KEY"]);
    let access = serve([PK, secret, url, accept("oauth,m2m"), cookies]).unwrap().access;
    assert_eq!(access.accepted, [MachineKind::OAuth, MachineKind::M2m]);
    assert_eq!(access.public_url.unwrap().authority(), "api.example.com");
}

/// Anything may be printed with `{:?}`, anywhere.
#[test]
fn f24_no_secret_is_in_the_debug_output_of_the_configuration() {
    const SIGNING: &str = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";
    let secrets = [
        ("CLERK_SECRET_KEY", "sk_test_canarysecretkey"),
        ("CLERK_MACHINE_SECRET_KEY", "ak_canarymachinekey0"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", SIGNING),
        ("CLERK_WEBHOOK_SECRET", SIGNING),
        ("DATABASE_URL", "postgres://app:canary-password@db.example/app"),
        ("REDIS_URL", "redis://:canary-password@redis.example"),
        ("OPENAI_API_KEY", "canary-key"),
    ];
    let others = [("OPENAI_BASE_URL", "https://ai.example"), ("OPENAI_MODEL", "small"), PK];
    let is_secret = |name: &&&str| secrets.iter().any(|(secret, _)| *secret == **name);
    for setting in table::TOPICS.iter().flat_map(|topic| topic.settings) {
        let covered = setting.names.iter().filter(is_secret).count();
        let wanted = if setting.is_secret { setting.names.len() } else { 0 };
        assert_eq!(covered, wanted, "{:?}", setting.names);
    }
    let variables: HashMap<String, String> = secrets
        .iter()
        .chain(&others)
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let env = Env::from(variables);
    let serve = ServeConfig::read(&env).unwrap();
    let backfill = BackfillConfig::read(&env).unwrap();
    let migrate = MigrateConfig::read(&env).unwrap();
    let shown = format!("{serve:?} {serve:#?} {backfill:?} {backfill:#?} {migrate:?}");
    for secret in ["canary", "Y2FuYXJ5"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// The table lists exactly the variables that the program reads.
#[test]
fn the_table_says_which_subcommand_reads_which_variables() {
    let read = |read: fn(&Env)| {
        // Some variables are only read when there is no stand-in.
        let asked = |env: Env| {
            read(&env);
            env.asked()
        };
        let mut names = asked(Env::from([]));
        names.append(&mut asked(Env::from([PK])));
        names
    };
    assert_eq!(table::names(Subcommand::Serve), read(|env| drop(ServeConfig::read(env))));
    assert_eq!(table::names(Subcommand::DevClerk), read(|env| drop(DevClerkConfig::read(env))));
    assert_eq!(table::names(Subcommand::Backfill), read(|env| drop(BackfillConfig::read(env))));
    assert_eq!(table::names(Subcommand::Migrate), read(|env| drop(MigrateConfig::read(env))));
    assert_eq!(table::names(Subcommand::Parked), read(|env| drop(MigrateConfig::read(env))));
}

#[test]
fn the_defaults_in_the_table_are_those_that_count() {
    let shown = |env: &Env| match ServeConfig::read(env) {
        Ok(config) => format!("{config:?} {}", config.common.database_url.expose()),
        Err(errors) => panic!("{errors}"),
    };
    for setting in table::TOPICS.iter().flat_map(|topic| topic.settings) {
        let Unset::Value(value) = setting.unset else { continue };
        for name in setting.names {
            let clerk = if *name == "DEV_CLERK_PORT" { ("", "") } else { PK };
            let unset = shown(&Env::from([clerk]));
            assert_eq!(shown(&Env::from([clerk, (name, value)])), unset, "{name}");
        }
    }
    let backfill = |url| {
        let env = Env::from([("CLERK_SECRET_KEY", "sk_test_abc"), ("CLERK_API_URL", url)]);
        format!("{:?}", BackfillConfig::read(&env).unwrap().api)
    };
    assert_eq!(backfill("https://api.clerk.com"), backfill(""));
}

/// A line of `.env.example` without its `#` can be used.
#[test]
fn the_examples_in_the_table_can_be_used() {
    for setting in table::TOPICS.iter().flat_map(|topic| topic.settings) {
        // Shortened, or the name of a file that does not exist here.
        if setting.example.contains('…') || setting.example.starts_with('/') {
            continue;
        }
        for name in setting.names {
            let errors = match serve([PK, (name, setting.example)]) {
                Ok(_) => Vec::new(),
                Err(errors) => errors,
            };
            let about_it = format!("{name}: ");
            let alone = errors.iter().filter(|error| error.starts_with(&about_it));
            let lonely = |error: &&String| error.contains("without TLS_CERT");
            assert_eq!(alone.filter(|error| !lonely(error)).count(), 0, "{errors:?}");
        }
    }
}
