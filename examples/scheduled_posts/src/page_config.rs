//! The sign-in service of the web page, its configuration for the page, and the page's policy.

use serde_json::{Value, json};
use tower_clerk::PublishableKey;
use tower_clerk::config::ClerkConfig;

/// The service that signs users in on the page.
#[derive(Debug)]
pub(crate) enum PageConfig {
    /// A Clerk instance, by its publishable key.
    Clerk(PublishableKey),
    /// The stand-in for Clerk at this origin.
    DevClerk(String),
    /// No sign-in: tokens are verified, but their source is not configured.
    Nobody,
}

impl PageConfig {
    pub(crate) fn of(clerk: &ClerkConfig) -> Self {
        // A Backend API on this machine can only be a stand-in, in this process or another.
        let local =
            clerk.issuer().strip_prefix("http://").filter(|_| clerk.issuer() == clerk.api_url());
        match (local, clerk.publishable_key()) {
            (Some(host), _) => Self::DevClerk(format!("http://{host}")),
            (None, Some(key)) => Self::Clerk(key.clone()),
            (None, None) => Self::Nobody,
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Clerk(key) => {
                let clerk = json!({ "publishable_key": key.as_str(), "script": script(key) });
                json!({ "dev_clerk": null, "clerk": clerk })
            }
            Self::DevClerk(origin) => json!({ "dev_clerk": origin, "clerk": null }),
            Self::Nobody => json!({ "dev_clerk": null, "clerk": null }),
        }
    }

    /// Returns the Content-Security-Policy of the API's page: its viewer has styles in the markup and pictures
    /// in its style sheet, and asks nobody but this server and the stand-in for Clerk.
    pub(crate) fn docs_policy(&self) -> String {
        let connect = match self {
            Self::DevClerk(origin) => format!(" {origin}"),
            Self::Clerk(key) => format!(" https://{}", key.frontend_api()),
            Self::Nobody => String::new(),
        };
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    }

    /// Returns the Content-Security-Policy: only this server's scripts, styles and connections, and
    /// those of the sign-in service.
    pub(crate) fn policy(&self) -> String {
        let (script, connect, rest) = match self {
            Self::Clerk(key) => {
                let api = format!("https://{}", key.frontend_api());
                // As in Clerk's guide to Content-Security-Policy, without the inline styles: those
                // are for Clerk's components, which this page does not use.
                let script = format!(" {api} {CHALLENGES} https://*.protect.clerk.com");
                let connect = format!(" {api} https://*.protect.clerk.com:*");
                let rest = format!(
                    "; worker-src 'self' blob:; frame-src {CHALLENGES} https://*.protect.clerk.com"
                );
                (script, connect, rest)
            }
            Self::DevClerk(origin) => (String::new(), format!(" {origin}"), String::new()),
            Self::Nobody => (String::new(), String::new(), String::new()),
        };
        format!(
            "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self'; \
             connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'{rest}"
        )
    }
}

/// Returns the URL of ClerkJS on the instance. Major version 6 is the current one, and the first
/// whose script omits the components, which this page does not use.
fn script(key: &PublishableKey) -> String {
    format!("https://{}/npm/@clerk/clerk-js@6/dist/clerk.browser.js", key.frontend_api())
}

/// The host of Cloudflare's bot check, which Clerk uses.
const CHALLENGES: &str = "https://challenges.cloudflare.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_instance_may_run_its_own_script_and_nobody_else() {
        let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        let page = PageConfig::Clerk(key);
        assert_eq!(
            page.json()["clerk"]["script"],
            "https://clerk.example.com/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
        );
        let policy = page.policy();
        for directive in [
            "default-src 'none'",
            "script-src 'self' https://clerk.example.com https://challenges.cloudflare.com https://*.protect.clerk.com",
            "style-src 'self'",
            "connect-src 'self' https://clerk.example.com https://*.protect.clerk.com:*",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|found| found == directive), "{directive} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!PageConfig::Nobody.policy().contains("http"));
    }
}
