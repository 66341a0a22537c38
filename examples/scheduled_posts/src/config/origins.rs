//! The settings of CORS: the origins whose pages may read answers, and the headers that these pages
//! may send.

use axum::http::{HeaderName, HeaderValue, header};
use tower_clerk::Origin;

use crate::config::reader::Reader;

/// The settings of CORS.
#[derive(Clone, Debug)]
pub(crate) struct CorsConfig {
    /// The origins, exactly as browsers send them.
    pub(crate) origins: Vec<HeaderValue>,
    /// The headers of requests.
    pub(crate) headers: Vec<HeaderName>,
}

impl Reader<'_> {
    pub(super) fn cors(&mut self) -> CorsConfig {
        let default = vec![HeaderValue::from_static("http://localhost:3000")];
        let origins = self.value("CORS_ALLOWED_ORIGINS", default, origins);
        let mut headers = USUAL_HEADERS.to_vec();
        for more in self.value("CORS_ALLOWED_HEADERS", Vec::new(), header_names) {
            if !headers.contains(&more) {
                headers.push(more);
            }
        }
        CorsConfig { origins, headers }
    }
}

fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    entries(text).map(origin).collect()
}

/// Parses an origin by the rule for the authorized parties of tokens.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let problem = |error: tower_clerk::ConfigError| error.named("origins").to_string();
    let origin = Origin::parse(text).map_err(problem)?;
    HeaderValue::from_str(origin.as_str()).map_err(|_| "an origin is plain text".to_owned())
}

fn header_names(text: &str) -> Result<Vec<HeaderName>, &'static str> {
    entries(text).map(header_name).collect()
}

fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    if text == "*" {
        return Err("a `*` is not allowed, because credentials are: list each header");
    }
    text.parse().map_err(|_| "must be names of request headers, separated by commas, such as x-app")
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// The headers that a page needs, and those that tracing libraries add to its requests.
const USUAL_HEADERS: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("sentry-trace"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, ServeConfig};

    fn read(name: &str, value: &str) -> Result<CorsConfig, String> {
        let config = ServeConfig::read(&Env::from([(name, value)]));
        config.map(|config| config.cors).map_err(|errors| errors.to_string())
    }

    #[test]
    fn fault_c6_the_origins_of_pages_are_those_that_tokens_may_be_issued_for() {
        const PK: (&str, &str) = ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");
        for (list, is_good) in [
            ("https://a.example, http://localhost:5173,", true),
            ("tauri://localhost,capacitor://localhost", true),
            ("chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", true),
            ("https://a.b:443", false),
            ("https://a.b/", false),
            ("a.example", false),
            ("http://localhost:3000, *", false),
            ("null", false),
        ] {
            let parties = Env::from([PK, ("CLERK_AUTHORIZED_PARTIES", list)]);
            assert_eq!(ServeConfig::read(&parties).is_ok(), is_good, "{list}");
            let cors = read("CORS_ALLOWED_ORIGINS", list);
            assert_eq!(cors.is_ok(), is_good, "{list}: {cors:?}");
        }
        let two = read("CORS_ALLOWED_ORIGINS", "https://a.example, tauri://localhost,").unwrap();
        assert_eq!(two.origins, ["https://a.example", "tauri://localhost"]);
        let error = read("CORS_ALLOWED_ORIGINS", "https://a.b:443").unwrap_err();
        assert!(error.contains("  CORS_ALLOWED_ORIGINS: origins: must not name the"), "{error}");
    }

    #[test]
    fn fault_c5_more_headers_of_pages_can_be_named() {
        let usual = read("CORS_ALLOWED_HEADERS", "").unwrap().headers;
        let more = read("CORS_ALLOWED_HEADERS", "X-App, baggage,").unwrap().headers;
        assert_eq!(more, [&usual[..], &[HeaderName::from_static("x-app")]].concat());
        for bad in ["*", "x app", "x-app; y", "x:y"] {
            let error = read("CORS_ALLOWED_HEADERS", bad).unwrap_err();
            assert!(error.contains("  CORS_ALLOWED_HEADERS: "), "{error}");
        }
    }
}
