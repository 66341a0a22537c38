//! The AI service of `generate-ai`: three variables, all or none of them.

use std::fmt;

use reqwest::Url;

use crate::config::reader::Reader;

/// An OpenAI-compatible service.
#[derive(Clone, Debug)]
pub(crate) struct AiConfig {
    /// The base URL, without a slash at its end; `/chat/completions` is appended.
    pub(crate) base_url: Url,
    pub(crate) key: ApiKey,
    pub(crate) model: String,
}

/// The service's key. Redacted in `Debug`, and valid in a header.
#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("has a character that no key has, such as a space; copy the whole key again")
        }
    }

    /// Returns the key itself, for the request.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

impl Reader<'_> {
    /// Reads the three variables; `None` when none is set. Some without the others are an error.
    pub(super) fn ai(&mut self) -> Option<AiConfig> {
        if VARIABLES.iter().all(|name| self.env.get(name).is_none()) {
            return None;
        }
        for name in VARIABLES {
            if self.env.get(name).is_none() {
                self.errors.push(format!("{name}: {MISSING}"));
            }
        }
        let base_url = self.value(BASE_URL, None, |text| base_url(text).map(Some));
        let key = self.value(API_KEY, None, |text| ApiKey::parse(text).map(Some));
        let model = self.value(MODEL, None, |text| model(text).map(Some));
        Some(AiConfig { base_url: base_url?, key: key?, model: model? })
    }
}

fn base_url(text: &str) -> Result<Url, &'static str> {
    const FORM: &str = "must be a URL without user, query and fragment, for example \
                        https://api.openai.com/v1 or http://127.0.0.1:11434/v1";
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| FORM)?;
    let host = url.host_str().ok_or(FORM)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(FORM);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => {
            Err("is http: on another machine, so that the key would be sent unencrypted; use \
                       https:")
        }
        _ => Err(FORM),
    }
}

/// Returns whether a URL's host is this machine, without asking a resolver.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn model(text: &str) -> Result<String, &'static str> {
    if text.len() > 200 || text.contains(char::is_control) {
        return Err("must be a model's name of at most 200 bytes, without control characters");
    }
    Ok(text.to_owned())
}

const BASE_URL: &str = "OPENAI_BASE_URL";
const API_KEY: &str = "OPENAI_API_KEY";
const MODEL: &str = "OPENAI_MODEL";
const VARIABLES: [&str; 3] = [API_KEY, BASE_URL, MODEL];
const MISSING: &str = "is not set, but another OPENAI_ variable is; set OPENAI_BASE_URL, \
                       OPENAI_API_KEY (any word if none is needed) and OPENAI_MODEL, or none of \
                       them";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    fn read(base_url: &str, key: &str, model: &str) -> Result<Option<AiConfig>, Vec<String>> {
        let env = Env::from([(BASE_URL, base_url), (API_KEY, key), (MODEL, model)]);
        let mut reader = Reader::new(&env);
        let config = reader.ai();
        if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
    }

    #[test]
    fn all_three_or_none() {
        assert!(read("", "", "").unwrap().is_none());
        let whole = read("https://ai.example/v1/", "canary", "small").unwrap().unwrap();
        assert_eq!(whole.base_url.as_str(), "https://ai.example/v1");
        assert!(!format!("{whole:?}").contains("canary"), "{whole:?}");
        for (given, missing) in [
            (["https://ai.example", "", ""], &["OPENAI_API_KEY", "OPENAI_MODEL"][..]),
            (["", "canary", ""], &["OPENAI_BASE_URL", "OPENAI_MODEL"]),
            (["", "canary", "small"], &["OPENAI_BASE_URL"]),
            (["https://ai.example", "canary", ""], &["OPENAI_MODEL"]),
        ] {
            let [url, key, model] = given;
            let errors = read(url, key, model).unwrap_err();
            let names: Vec<&str> = errors.iter().filter_map(|e| e.split(':').next()).collect();
            assert_eq!(names, missing);
            assert!(!errors.concat().contains("canary"), "{errors:?}");
        }
    }

    #[test]
    fn a_key_crosses_no_network_in_plain_text() {
        for url in ["http://127.0.0.1:8080", "http://[::1]/v1", "http://localhost:11434/v1"] {
            assert!(read(url, "k", "m").is_ok(), "{url}");
        }
        for url in [
            "http://ai.example/v1",
            "http://127.0.0.1.ai.example/v1",
            "http://localhost.ai.example",
            "ftp://127.0.0.1",
            "https://user@ai.example",
            "https://ai.example/v1?key=x",
            "https://ai.example/#v1",
            "ai.example",
            "https://",
        ] {
            let errors = read(url, "k", "m").unwrap_err();
            assert!(errors.len() == 1 && errors[0].starts_with("OPENAI_BASE_URL: "), "{url}");
        }
    }

    #[test]
    fn a_key_fits_into_a_header() {
        for key in ["two words", "k\u{e9}y", "line\nbreak"] {
            let errors = read("https://ai.example", key, "m").unwrap_err();
            assert!(errors[0].starts_with("OPENAI_API_KEY: "), "{errors:?}");
            assert!(!errors[0].contains(key));
        }
    }
}
