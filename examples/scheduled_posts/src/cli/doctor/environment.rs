//! The separation of test and production, and the rules for production. Sends no requests.

use axum::http::{HeaderValue, Uri};
use tower_clerk::PublishableKey;
use tower_clerk::config::ClerkConfig;

use crate::cli::doctor::check::Check;
use crate::cli::doctor::facts::Facts;
use crate::config::ServeConfig;

/// Checks the keys against each other, and the server's transport.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let Some(config) = &facts.config else { return Vec::new() };
    let mut checks = Vec::new();
    if let Some(clerk) = facts.clerk()
        && let Some(key) = clerk.publishable_key()
    {
        checks.push(publishable_key(facts, clerk, key));
    }
    checks.push(parties(facts));
    checks.extend(transport(facts, config));
    checks
}

/// Checks that the issuer and the JWKS URL, if set, are those of the publishable key.
fn publishable_key(facts: &Facts, clerk: &ClerkConfig, key: &PublishableKey) -> Check {
    let own = key.frontend_api();
    let (issuer_host, issuer_path) = host_and_path(clerk.issuer());
    if issuer_host != own {
        let what = format!(
            "CLERK_ISSUER is on {issuer_host}, but CLERK_PUBLISHABLE_KEY belongs to {own}: session \
             tokens of {own} are refused"
        );
        return if issuer_path.is_empty() {
            Check::fail(
                "publishable_key",
                what,
                "unset CLERK_ISSUER, because the publishable key gives it, or set the key of the \
                 issuer's instance",
            )
        } else {
            Check::warn(
                "publishable_key",
                format!("{what}, unless Clerk is reached through a proxy at that path"),
                "check the `iss` of a session token, or pass one to `doctor --token -`",
            )
        };
    }
    match clerk.jwks_url().map(host_and_path) {
        Some((host, _)) if host != own && facts.is_set("CLERK_JWKS_URL") => Check::warn(
            "publishable_key",
            format!(
                "CLERK_JWKS_URL is on {host}, but CLERK_PUBLISHABLE_KEY belongs to {own}: {host} \
                 decides which tokens are accepted"
            ),
            "unset CLERK_JWKS_URL, because the publishable key gives it, unless this is intended",
        ),
        _ => Check::ok("publishable_key", format!("belongs to {own}, like the issuer")),
    }
}

fn parties(facts: &Facts) -> Check {
    const NAME: &str = "authorized_parties";
    let Some(clerk) = facts.clerk() else {
        return Check::skipped(NAME, "the dev Clerk's tokens are for any page on this machine");
    };
    let parties = clerk.authorized_parties();
    if parties.is_empty() {
        let what = "CLERK_AUTHORIZED_PARTIES is unset: tokens that were made for any site of this \
                    Clerk instance are accepted";
        return match facts.stand_in {
            true => Check::ok(NAME, "unset, as is usual with the dev Clerk"),
            false => Check::warn(
                NAME,
                what,
                "set it to the origins of your front end, as browsers send them",
            ),
        };
    }
    match parties.iter().find(|party| facts.is_live() && is_plain_remote(party)) {
        Some(party) => Check::fail(
            NAME,
            format!("CLERK_AUTHORIZED_PARTIES has {party}, and the keys are for production"),
            "serve that page over https and set its https:// origin; a page served over http can \
             be changed on the way",
        ),
        None => Check::ok(NAME, format!("{} allowed", parties.len())),
    }
}

/// Checks what is sent unencrypted.
fn transport(facts: &Facts, config: &ServeConfig) -> Vec<Check> {
    const NAME: &str = "transport";
    if !facts.is_live() {
        return vec![Check::ok(NAME, "no production keys: http is acceptable")];
    }
    let mut checks = Vec::new();
    for origin in config.cors.origins.iter().filter_map(plain_remote) {
        checks.push(Check::fail(
            NAME,
            format!("CORS_ALLOWED_ORIGINS has {origin}, and the keys are for production"),
            "serve that page over https and set its https:// origin; the tokens of a page served \
             over http can be read on the way",
        ));
    }
    let issuer = facts.clerk().map(ClerkConfig::issuer).unwrap_or_default();
    if issuer.starts_with("http:") {
        checks.push(Check::fail(
            NAME,
            "CLERK_ISSUER begins with http:, as that of no production instance does",
            "unset CLERK_ISSUER and CLERK_JWKS_URL: the publishable key gives both",
        ));
    }
    let protected = facts.is_set("TLS_CERT") || facts.is_set("TRUSTED_PROXIES");
    if !config.listen.ip().is_loopback() && !protected {
        checks.push(Check::warn(
            NAME,
            "HOST can be reached from other machines, and the server speaks plain http",
            "set TLS_CERT and TLS_KEY; or terminate TLS in a proxy, and set TRUSTED_PROXIES to its \
             addresses",
        ));
    }
    if checks.is_empty() {
        let what = "this server sends and receives nothing over plain http";
        checks.push(Check::ok(NAME, what));
    }
    checks
}

fn plain_remote(origin: &HeaderValue) -> Option<&str> {
    origin.to_str().ok().filter(|origin| is_plain_remote(origin))
}

/// Returns whether `origin` is `http:` on another machine.
fn is_plain_remote(origin: &str) -> bool {
    let host = origin.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let host = host.unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let local = host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    origin.starts_with("http:") && !local
}

fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    (host, path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_to_other_machines_is_plain() {
        for origin in
            ["http://app.example.com", "http://10.0.0.1:3000", "http://localhost.evil.com"]
        {
            assert!(is_plain_remote(origin), "{origin}");
        }
        for origin in ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"] {
            assert!(!is_plain_remote(origin), "{origin}");
        }
    }
}
