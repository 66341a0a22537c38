//! The settings by variable, alone and together.

use super::*;

fn read(vars: &[(&str, &str)]) -> Result<ClerkConfig, Vec<String>> {
    let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
    ClerkConfig::from_vars(get)
        .map_err(|errors| errors.iter().map(|error| error.setting().to_owned()).collect())
}

const PK: (&str, &str) = ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");

#[test]
fn a_publishable_key_is_enough() {
    let config = read(&[PK]).unwrap();
    assert_eq!(config.issuer(), "https://clerk.example.com");
    assert_eq!(config.api_url(), "https://api.clerk.com");
    assert_eq!(config.jwks_url(), Some("https://clerk.example.com/.well-known/jwks.json"));
    assert!(config.signing_secrets().is_empty() && !config.has_authorized_parties());
    let alias = read(&[("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", PK.1), ("CLERK_ISSUER", "")]);
    assert_eq!(alias.unwrap().issuer(), config.issuer());
}

#[test]
fn without_a_source_of_keys_nothing_starts() {
    assert_eq!(read(&[]).unwrap_err(), ["CLERK_PUBLISHABLE_KEY"]);
    let issuer = ("CLERK_ISSUER", "https://clerk.example.com");
    assert_eq!(read(&[issuer]).unwrap_err(), ["CLERK_PUBLISHABLE_KEY"]);
    let url = ("CLERK_JWKS_URL", "https://clerk.example.com/jwks");
    assert_eq!(read(&[url]).unwrap_err(), ["CLERK_ISSUER"]);
    assert!(read(&[issuer, url]).is_ok());
    let bad = [("CLERK_SECRET_KEY", "bad"), ("CLERK_ISSUER", "bad")];
    let all = ["CLERK_SECRET_KEY", "CLERK_ISSUER", "CLERK_PUBLISHABLE_KEY"];
    assert_eq!(read(&bad).unwrap_err(), all);
    let bad = [("CLERK_ISSUER", "bad"), ("CLERK_PUBLISHABLE_KEY", "bad")];
    assert_eq!(read(&bad).unwrap_err(), ["CLERK_PUBLISHABLE_KEY", "CLERK_ISSUER"]);
}

#[test]
fn everything_wrong_is_said_at_once_by_variable_and_without_values() {
    let vars = [
        ("CLERK_PUBLISHABLE_KEY", "pk_test_secretlooking"),
        ("CLERK_SECRET_KEY", "not-a-key-canary"),
        ("CLERK_WEBHOOK_SECRET", "whsec_canary"),
        ("CLERK_JWT_KEY", "canary"),
        ("CLERK_JWKS_URL", "http://canary.example.com"),
    ];
    let names: Vec<_> = vars.iter().map(|(name, _)| *name).collect();
    let mut errors = read(&vars).unwrap_err();
    errors.sort();
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(errors, expected);
    let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
    let text = ClerkConfig::from_vars(get).unwrap_err().to_string();
    assert!(!text.contains("canary") && !text.contains("secretlooking"), "{text}");
}

#[test]
fn the_rules_of_the_verifier_are_told_by_variable() {
    assert_eq!(read(&[PK, ("CLERK_ISSUER", "clerk")]).unwrap_err(), ["CLERK_ISSUER"]);
    let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example, app.example.com/");
    assert_eq!(read(&[PK, parties]).unwrap_err(), ["CLERK_AUTHORIZED_PARTIES"]);
    let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example, http://localhost:3000");
    let config = read(&[PK, parties]).unwrap();
    assert!(config.has_authorized_parties());
    assert_eq!(config.authorized_parties(), ["https://a.example", "http://localhost:3000"]);
}

#[test]
fn two_names_for_one_setting_must_agree() {
    let other = ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA");
    assert_eq!(read(&[PK, other]).unwrap_err(), ["NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"]);
}

#[test]
fn fault_k12_a_proxy_is_issuer_and_source_of_keys_and_a_satellite_needs_an_issuer() {
    let proxy = ("CLERK_PROXY_URL", "https://app.example.com/__clerk/");
    for vars in [&[PK, proxy][..], &[proxy]] {
        let config = read(vars).unwrap();
        assert_eq!(config.issuer(), "https://app.example.com/__clerk");
        let jwks = "https://app.example.com/__clerk/.well-known/jwks.json";
        assert_eq!(config.jwks_url(), Some(jwks));
    }
    let issuer = ("CLERK_ISSUER", "https://clerk.example.com");
    assert_eq!(read(&[proxy, issuer]).unwrap().issuer(), "https://clerk.example.com");
    for bad in ["/__clerk", "http://app.example.com/__clerk", "https://app.example.com/?x"] {
        assert_eq!(read(&[("CLERK_PROXY_URL", bad)]).unwrap_err(), ["CLERK_PROXY_URL"], "{bad}");
    }
    for satellite in [("CLERK_IS_SATELLITE", "true"), ("CLERK_DOMAIN", "b.example.com")] {
        assert_eq!(read(&[PK, satellite]).unwrap_err(), [satellite.0]);
        assert!(read(&[PK, issuer, satellite]).is_ok());
    }
    for no in ["false", "False", "0"] {
        assert!(read(&[PK, ("CLERK_IS_SATELLITE", no)]).is_ok());
    }
    let public = ("NEXT_PUBLIC_CLERK_PROXY_URL", proxy.1);
    assert_eq!(read(&[PK, public]).unwrap().issuer(), "https://app.example.com/__clerk");
    for public in ["NEXT_PUBLIC_CLERK_IS_SATELLITE", "NEXT_PUBLIC_CLERK_DOMAIN"] {
        assert_eq!(read(&[PK, (public, "b.example.com")]).unwrap_err(), [public]);
    }
}

#[test]
fn fault_k11_the_backend_apis_url_is_known_by_its_path_and_has_no_query() {
    let secret = ("CLERK_SECRET_KEY", "sk_live_canary");
    let iss = ("CLERK_ISSUER", "https://clerk.example.com");
    let with = |url| read(&[iss, secret, ("CLERK_JWKS_URL", url)]);
    for url in ["https://api.clerk.com/v1/jwks", "https://api.clerk.com/v1/jwks/"] {
        let keys = with(url).unwrap().keys;
        assert!(matches!(keys, Keys::BackendApi { base, .. } if base == "https://api.clerk.com"));
    }
    for url in ["https://api.clerk.com/v1/jwks?a=1", "https://api.clerk.com/v1/jwks#a"] {
        assert_eq!(with(url).unwrap_err(), ["CLERK_JWKS_URL"], "{url}");
    }
    let elsewhere = with("https://keys.example.com/?a=/v1/jwks").unwrap().keys;
    assert!(matches!(elsewhere, Keys::Url(_)));
    let query = ("CLERK_API_URL", "https://api.clerk.com?x");
    assert_eq!(read(&[PK, query]).unwrap_err(), ["CLERK_API_URL"]);
}

#[test]
fn fault_k10_a_publishable_key_of_an_impossible_host_is_told_by_its_variable() {
    let encoded =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "CLERK.example.com$");
    let key = format!("pk_test_{encoded}");
    let upper = [("CLERK_PUBLISHABLE_KEY", &*key)];
    assert_eq!(read(&upper).unwrap_err(), ["CLERK_PUBLISHABLE_KEY"]);
}

#[test]
fn fault_k12_there_is_one_explicit_source_of_keys_and_a_builder_for_the_rest() {
    let issuer = crate::test_util::Issuer::new("https://clerk.example.com", "ins_1");
    let pem = issuer.pem();
    let (pem, iss) = (("CLERK_JWT_KEY", &*pem), ("CLERK_ISSUER", "https://clerk.example.com"));
    let url = ("CLERK_JWKS_URL", "https://clerk.example.com/.well-known/jwks.json");
    assert_eq!(read(&[iss, pem, url]).unwrap_err(), ["CLERK_JWKS_URL"]);
    let config = read(&[PK, pem]).unwrap();
    assert_eq!(config.jwks_url(), None);
    assert_eq!(config.remote_keys().unwrap_err().setting(), "CLERK_JWT_KEY");
    let skew = std::time::Duration::from_secs(30);
    assert!(config.verifier_builder().unwrap().skew(skew).deny_impersonation().build().is_ok());
    let times = crate::session::keys::FetchTimes { cool_down: skew, ..Default::default() };
    let config = read(&[PK]).unwrap();
    let keys = config.remote_keys().unwrap().times(times).unwrap();
    assert!(config.verifier_builder_with(keys).build().is_ok());
}

#[test]
fn fault_k11_the_backend_apis_keys_are_asked_for_with_the_secret_key_and_others_without() {
    let issuer = ("CLERK_ISSUER", "https://clerk.example.com");
    let secret = ("CLERK_SECRET_KEY", "sk_test_abc");
    let keys = |url: &'static str, api: &'static str| {
        let api = ("CLERK_API_URL", api);
        let config = read(&[issuer, secret, api, ("CLERK_JWKS_URL", url)]).unwrap();
        matches!(config.keys, Keys::BackendApi { .. })
    };
    for (url, api, with_key) in [
        ("https://api.clerk.com/v1/jwks", "", true),
        ("http://127.0.0.1:8003/v1/jwks", "", true),
        ("https://api.example.com/clerk/v1/jwks", "https://api.example.com/clerk", true),
        ("https://evil.example.com/v1/jwks", "", false),
        ("https://api.clerk.com:8443/v1/jwks", "", false),
        ("https://api.clerk.com.evil.example/v1/jwks", "", false),
        ("https://api.clerk.com/.well-known/jwks.json", "", false),
    ] {
        assert_eq!(keys(url, api), with_key, "{url}");
    }
    let url = ("CLERK_JWKS_URL", "https://api.clerk.com/v1/jwks");
    assert_eq!(read(&[issuer, url]).unwrap_err(), ["CLERK_SECRET_KEY"]);
    let key = SecretKey::parse("sk_test_abc").unwrap();
    for base in ["https://api.clerk.com?x", "https://api.clerk.com/#x"] {
        let error = RemoteKeys::from_backend_api(base, &key).unwrap_err();
        assert_eq!(error.setting(), "API URL", "{base}");
    }
}

#[test]
fn fault_a11_what_is_copied_with_a_line_end_is_taken_and_mixed_keys_are_told() {
    assert!(PublishableKey::parse(&format!("{}\r\n", PK.1)).is_ok());
    assert_eq!(SecretKey::parse("sk_test_abc\n").unwrap().expose(), "sk_test_abc");
    assert!(SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").is_ok());
    assert_eq!(read(&[PK, ("CLERK_SECRET_KEY", "sk_live_abc")]).unwrap_err(), ["CLERK_SECRET_KEY"]);
    let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example, https://b.example,");
    let config = read(&[PK, parties]).unwrap();
    assert_eq!(config.authorized_parties(), ["https://a.example", "https://b.example"]);
    #[cfg(feature = "webhook")]
    {
        let sink = crate::webhook::sink_fn(async |_| Ok(crate::webhook::Outcome::Ignored));
        let error = crate::webhook::WebhookService::builder([], sink).build().unwrap_err();
        assert!(error.to_string().contains("CLERK_WEBHOOK_SIGNING_SECRET"), "{error}");
    }
    let only_a_comma = ("CLERK_AUTHORIZED_PARTIES", ",");
    assert_eq!(read(&[PK, only_a_comma]).unwrap_err(), ["CLERK_AUTHORIZED_PARTIES"]);
}
