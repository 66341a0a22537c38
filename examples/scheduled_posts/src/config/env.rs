//! The environment as it was found: `.env` in the working directory below, the process above.

use std::collections::HashMap;
use std::path::Path;

/// Variables by name. One that is empty counts as unset.
#[derive(Clone, Default)]
pub(crate) struct Env {
    variables: HashMap<String, String>,
    /// What was asked for, in this one and its clones.
    #[cfg(test)]
    asked: std::sync::Arc<std::sync::Mutex<std::collections::BTreeSet<String>>>,
}

impl Env {
    /// Reads both sources.
    ///
    /// # Errors
    ///
    /// A `.env` that is there and cannot be used; the message repeats nothing of it.
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

    /// The same without these variables.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        let mut env = self.clone();
        env.variables.retain(|name, _| !names.contains(name));
        env
    }

    /// The same with these variables besides.
    pub(crate) fn with(&self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut env = self.clone();
        env.variables.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        env
    }

    /// The names of the variables that start with `prefix` and are set, in order.
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
        Err(_) => return Err(".env: is there but cannot be read; check its permissions".into()),
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
