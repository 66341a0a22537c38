//! The environment as far as it can be used, and what is wrong with the rest of it.

use tower_clerk::config::ClerkConfig;

use crate::config::{Clerk, Env, MigrateConfig, ServeConfig};
use crate::config::{ConfigErrors, DatabaseUrl};
use crate::dev_clerk;

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
        let broken: Vec<&str> = problems.iter().map(|problem| &*problem.variable).collect();
        let mut env = given.without(&broken);
        let mut config = ServeConfig::read(&env).ok();
        let mut stand_in = false;
        if let Some(ServeConfig { clerk: Clerk::Dev(place), .. }) = &config {
            stand_in = given.names("CLERK_").is_empty()
                && given.names("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY").is_empty();
            // Also when all that was set of Clerk's cannot be used: then nobody stands in.
            match dev_clerk::variables_of(place).filter(|_| stand_in) {
                Some(variables) => {
                    env = env.with(variables);
                    config = ServeConfig::read(&env).ok();
                }
                None if !stand_in => config = None,
                None => {}
            }
        }
        let database = MigrateConfig::read(&env).ok().map(|config| config.common.database_url);
        let database = database.filter(|_| !broken.contains(&"DATABASE_URL"));
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

impl Problem {
    fn new((variable, text): (&str, &str)) -> Self {
        Self { variable: variable.to_owned(), text: text.to_owned() }
    }
}
