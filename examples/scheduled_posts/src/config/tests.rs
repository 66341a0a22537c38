//! The environment as operators get it wrong.

use super::*;

fn serve<const N: usize>(variables: [(&str, &str); N]) -> Result<ServeConfig, Vec<String>> {
    ServeConfig::read(&Env::from(variables)).map_err(|ConfigErrors(errors)| errors)
}

/// The variables that the errors name.
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
        assert_eq!(config.cors_origins, ["http://localhost:3000"]);
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
fn only_phase_3_exists() {
    for phase in ["1", "2", "4", "03"] {
        assert_eq!(wrong([("AUTH_PHASE", phase)]), ["AUTH_PHASE"]);
    }
    assert!(serve([("AUTH_PHASE", "3")]).is_ok());
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
    assert_eq!(DevClerkConfig::read(&env).unwrap().server.to_string(), "127.0.0.1:9000");
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
fn what_this_version_does_not_have_is_refused_instead_of_ignored() {
    for name in NOT_YET {
        assert_eq!(wrong([(name, "x")]), [name]);
    }
    assert!(serve([("METRICS_ADDR", "off")]).is_ok());
}
