//! The variables of `.env` in the working directory, overridden by those of the process.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

/// The variables by name. An empty one counts as unset.
#[derive(Clone, Default)]
pub(crate) struct Env {
    variables: HashMap<String, String>,
    /// The names that were read from this value and its clones.
    #[cfg(test)]
    asked: std::sync::Arc<std::sync::Mutex<std::collections::BTreeSet<String>>>,
}

impl Env {
    /// Reads both sources.
    ///
    /// # Errors
    ///
    /// Fails when `.env` exists and cannot be used. The message repeats nothing of it.
    pub(crate) fn read() -> Result<Self, String> {
        let mut variables = dot_env(Path::new(".env"))?;
        for (name, value) in std::env::vars_os() {
            if let Some(name) = name.to_str() {
                variables.insert(name.to_owned(), value.to_string_lossy().into_owned());
            }
        }
        Ok(variables.into())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        #[cfg(test)]
        self.asked.lock().unwrap().insert(name.to_owned());
        self.value(name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    #[cfg(test)]
    pub(crate) fn asked(&self) -> std::collections::BTreeSet<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns a copy without these variables.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        let mut env = self.clone();
        env.variables.retain(|name, _| !names.contains(name));
        env
    }

    /// Returns a copy with these variables added.
    pub(crate) fn with(&self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut env = self.clone();
        env.variables.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        env
    }

    /// Returns whether a variable says that Clerk is meant, and not the stand-in. Those that only
    /// Clerk's other SDKs read do not count: they are set by habit or for a front end.
    pub(crate) fn names_clerk(&self) -> bool {
        let mut names = self.names("CLERK_").into_iter();
        names.any(|name| !is_of_other_sdks(name))
            || !self.names("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY").is_empty()
    }

    /// Returns the names of the set variables that start with `prefix`, sorted.
    pub(crate) fn names(&self, prefix: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .variables
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with(prefix) && self.value(name).is_some())
            .collect();
        names.sort_unstable();
        names
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(variables: [(&str, &str); N]) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        variables.into_iter().map(own).collect::<HashMap<_, _>>().into()
    }
}

impl From<HashMap<String, String>> for Env {
    fn from(variables: HashMap<String, String>) -> Self {
        Self {
            variables,
            #[cfg(test)]
            asked: std::sync::Arc::default(),
        }
    }
}

/// Returns whether only Clerk's SDKs for other languages and for front ends read the variable. None
/// of these names an instance.
fn is_of_other_sdks(name: &str) -> bool {
    name.starts_with("CLERK_TELEMETRY_") || OF_OTHER_SDKS.contains(&name)
}

const OF_OTHER_SDKS: [&str; 20] = [
    "CLERK_AFTER_SIGN_IN_URL",
    "CLERK_AFTER_SIGN_OUT_URL",
    "CLERK_AFTER_SIGN_UP_URL",
    "CLERK_API_VERSION",
    "CLERK_JS",
    "CLERK_JS_URL",
    "CLERK_JS_VARIANT",
    "CLERK_JS_VERSION",
    "CLERK_KEYLESS_DISABLED",
    "CLERK_PREFETCH_UI",
    "CLERK_SIGN_IN_FALLBACK_REDIRECT_URL",
    "CLERK_SIGN_IN_FORCE_REDIRECT_URL",
    "CLERK_SIGN_IN_URL",
    "CLERK_SIGN_UP_FALLBACK_REDIRECT_URL",
    "CLERK_SIGN_UP_FORCE_REDIRECT_URL",
    "CLERK_SIGN_UP_URL",
    "CLERK_UI_URL",
    "CLERK_UI_VERSION",
    "CLERK_UNSAFE_DISABLE_DEVELOPMENT_MODE_CONSOLE_WARNING",
    "CLERK_WAITLIST_URL",
];

fn dot_env(path: &Path) -> Result<HashMap<String, String>, String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(_) => return Err(".env: exists but cannot be read; check its permissions".into()),
    };
    // Some editors begin a file with a byte order mark.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") || text.contains(&0) {
        return Err(".env: is UTF-16 text; save it as UTF-8".into());
    }
    let text = std::str::from_utf8(text);
    let text = text.map_err(|_| ".env: is not UTF-8 text; save it as UTF-8".to_owned())?;
    let mut variables = HashMap::new();
    for (number, line) in dotenvy::from_read_iter(text.as_bytes()).enumerate() {
        // The error would quote the line.
        let (name, value) = line.map_err(|_| {
            format!(
                ".env: assignment {} is not NAME=value; put a value with spaces, `#` or `$` in \
                 single quotes",
                number + 1
            )
        })?;
        variables.insert(name, value);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, bytes).unwrap();
        dot_env(&file)
    }

    #[test]
    fn fault_c2_a_byte_order_mark_is_dropped_and_other_encodings_are_named() {
        let marked = read(b"\xEF\xBB\xBFPORT=9001\r\nHOST='::1'\r\n").unwrap();
        assert_eq!(marked["PORT"], "9001");
        assert_eq!(marked["HOST"], "::1");
        let in_utf_16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}PORT=canary\n").encode_utf16().flat_map(order).collect()
        };
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in ["\u{FEFF}", ""] {
                let error = read(&in_utf_16(order, mark)).unwrap_err();
                assert!(error.starts_with(".env: is UTF-16"), "{error}");
            }
        }
        let error = read(b"CITY=canary-Z\xFCrich\n").unwrap_err();
        assert!(error.contains("is not UTF-8") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn fault_c3_a_variable_that_only_other_sdks_read_names_no_clerk() {
        for name in OF_OTHER_SDKS.into_iter().chain(["CLERK_TELEMETRY_DISABLED"]) {
            assert!(!Env::from([(name, "1")]).names_clerk(), "{name}");
            let both = Env::from([(name, "1"), ("CLERK_SECRET_KEY", "sk_test_abc")]);
            assert!(both.names_clerk(), "{name}");
        }
        for name in ["CLERK_FRONTEND_API", "CLERK_ENCRYPTION_KEY", "CLERK_SIGN_IN", "CLERK_JS_KEY"]
        {
            assert!(Env::from([(name, "1")]).names_clerk(), "{name}");
        }
        assert!(Env::from([("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_test_x")]).names_clerk());
    }
}
