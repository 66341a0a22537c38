//! The environment as far as it can be used, and what is wrong with the rest of it.

use tower_clerk::config::ClerkConfig;

use crate::config::{Clerk, Env, MigrateConfig, ServeConfig};
use crate::config::{ConfigErrors, DatabaseUrl};

/// What the checks go by.
pub(super) struct Facts {
    /// Without the variables that cannot be used; with the stand-in's, when it stands in.
    pub(super) env: Env,
    /// Variables that cannot be used, and why.
    pub(super) problems: Vec<Problem>,
    /// No `CLERK_` variable is set: the dev Clerk stands in.
    pub(super) stand_in: bool,
    /// The settings of `serve`; none when too much of it cannot be used.
    pub(super) config: Option<ServeConfig>,
    pub(super) database: Option<DatabaseUrl>,
}

pub(super) struct Problem {
    pub(super) variable: String,
    pub(super) text: String,
}

impl Facts {
    pub(super) fn read(given: &Env) -> Self {
        let errors = ServeConfig::read(given).err();
        let problems: Vec<Problem> =
            errors.iter().flat_map(ConfigErrors::iter).map(Problem::new).collect();
        let (mut env, mut config) = usable(given);
        let mut stand_in = false;
        if let Some(ServeConfig { clerk: Clerk::Dev(place), .. }) = &config {
            stand_in = given.names("CLERK_").is_empty()
                && given.names("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY").is_empty();
            // Also when all that was set of Clerk's cannot be used: then nobody stands in.
            match place.variables().filter(|_| stand_in) {
                Some(variables) => {
                    env = env.with(variables);
                    config = ServeConfig::read_despite_clashes(&env).ok();
                }
                None if !stand_in => config = None,
                None => {}
            }
        }
        let database = MigrateConfig::read(&env).ok().map(|config| config.common.database_url);
        // What is read without it is the default, and nobody's database.
        let is_broken = problems.iter().any(|problem| problem.variable == "DATABASE_URL");
        let database = database.filter(|_| !is_broken);
        Self { env, problems, stand_in, config, database }
    }

    /// Clerk's part of the settings.
    pub(super) fn clerk(&self) -> Option<&ClerkConfig> {
        match &self.config.as_ref()?.clerk {
            Clerk::Real(clerk) => Some(clerk),
            Clerk::Dev(_) => None,
        }
    }

    /// Whether a key of a production instance is set.
    pub(super) fn is_live(&self) -> bool {
        self.clerk().is_some_and(|clerk| {
            clerk.publishable_key().is_some_and(|key| key.is_live())
                || clerk.secret_key().is_some_and(|key| key.is_live())
        })
    }

    /// What is wrong with one of these variables.
    pub(super) fn problem_with(&self, variables: &[&str]) -> Option<&Problem> {
        self.problems.iter().find(|problem| variables.contains(&&*problem.variable))
    }

    pub(super) fn is_set(&self, variable: &str) -> bool {
        self.env.get(variable).is_some()
    }
}

/// What is left when all that cannot be used is set aside, with what hangs on it. Nothing of Clerk's
/// is made up for that: settings without a source of keys stay unusable. Listeners with the same port
/// keep it, since each of them can be used by itself.
fn usable(given: &Env) -> (Env, Option<ServeConfig>) {
    let mut env = given.clone();
    for _ in 0..ROUNDS {
        let errors = match ServeConfig::read_despite_clashes(&env) {
            Ok(config) => return (env, Some(config)),
            Err(errors) => errors,
        };
        let aside: Vec<String> =
            errors.iter().flat_map(|(variable, _)| to_set_aside(&env, variable)).collect();
        env = env.without(&aside);
    }
    (env, None)
}

/// A variable that is wrong; or, where it is one that is missing, those that want it.
fn to_set_aside(env: &Env, variable: &str) -> Vec<String> {
    if env.get(variable).is_some() {
        return vec![variable.to_owned()];
    }
    match variable.split_once('_') {
        Some((family @ ("OPENAI" | "TLS"), _)) => {
            env.names(&format!("{family}_")).into_iter().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

impl Problem {
    fn new((variable, text): (&str, &str)) -> Self {
        Self { variable: variable.to_owned(), text: text.to_owned() }
    }
}

/// One for each setting that another hangs on, and some more.
const ROUNDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::{self, Subcommand};

    #[test]
    fn the_table_of_settings_says_which_variables_doctor_reads() {
        let mut asked = std::collections::BTreeSet::new();
        for publishable_key in ["", "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k"] {
            let env = Env::from([("CLERK_PUBLISHABLE_KEY", publishable_key)]);
            drop(Facts::read(&env));
            asked.append(&mut env.asked());
        }
        assert_eq!(table::names(Subcommand::Doctor), asked);
    }
}
