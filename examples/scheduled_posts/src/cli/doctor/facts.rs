//! The environment as far as it can be used, and the problems with the rest.

use tower_clerk::config::ClerkConfig;

use crate::config::{Clerk, Env, MigrateConfig, ServeConfig};
use crate::config::{ConfigErrors, DatabaseUrl};

/// The settings that the checks use.
pub(super) struct Facts {
    /// The variables that can be used, with those of the dev Clerk if it stands in.
    pub(super) env: Env,
    /// The variables that cannot be used, with the reasons.
    pub(super) problems: Vec<Problem>,
    /// Whether the dev Clerk stands in, because no `CLERK_` variable is set.
    pub(super) stand_in: bool,
    /// The settings of `serve`; `None` when too many cannot be used.
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
            stand_in = !given.names_clerk();
            // This is also reached when Clerk's variables are set but unusable: then there is no
            // stand-in.
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
        // Without the broken variable the default was read, which is not the intended database.
        let is_broken = problems.iter().any(|problem| problem.variable == "DATABASE_URL");
        let database = database.filter(|_| !is_broken);
        Self { env, problems, stand_in, config, database }
    }

    /// Returns the settings of Clerk.
    pub(super) fn clerk(&self) -> Option<&ClerkConfig> {
        match &self.config.as_ref()?.clerk {
            Clerk::Real(clerk) => Some(clerk),
            Clerk::Dev(_) => None,
        }
    }

    /// Returns whether a key of a production instance is set.
    pub(super) fn is_live(&self) -> bool {
        self.clerk().is_some_and(|clerk| {
            clerk.publishable_key().is_some_and(|key| key.is_live())
                || clerk.secret_key().is_some_and(|key| key.is_live())
        })
    }

    /// Returns the problem with one of these variables.
    pub(super) fn problem_with(&self, variables: &[&str]) -> Option<&Problem> {
        self.problems.iter().find(|problem| variables.contains(&&*problem.variable))
    }

    pub(super) fn is_set(&self, variable: &str) -> bool {
        self.env.get(variable).is_some()
    }
}

/// Returns the environment without the variables that cannot be used and those that depend on them,
/// and its settings. Nothing of Clerk's is invented: settings without a source of keys stay
/// unusable. Listeners with the same port keep it, because each can be used by itself.
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

/// Returns the variable if it is set and wrong; if it is missing, the variables that need it.
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

/// One round for each setting that another depends on, and some more.
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
