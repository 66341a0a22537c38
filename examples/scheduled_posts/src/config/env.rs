//! The variables of `.env` in the working directory, overridden by those of the process.

use std::collections::HashMap;
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

fn dot_env(path: &Path) -> Result<HashMap<String, String>, String> {
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(_) => return Err(".env: exists but cannot be read; check its permissions".into()),
    };
    let mut variables = HashMap::new();
    for (number, line) in lines.enumerate() {
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
