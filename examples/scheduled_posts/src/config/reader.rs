//! The reader of settings, which collects what is wrong with each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tower_clerk::backfill::BackendApi;
use tower_clerk::config::ClerkConfig;
use tower_clerk::secret::SecretKey;

use crate::config::env::Env;
use crate::config::ports::UsedPorts;
use crate::config::values::{self, DatabaseUrl, LogFormat};
use crate::stand_in::{self, Place};

/// The settings of every subcommand.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) database_url: DatabaseUrl,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
}

/// The source of sign-ins.
#[derive(Debug)]
pub(crate) enum Clerk {
    /// The stand-in: Clerk is not configured, and the server is reachable from this machine only.
    Dev(Place),
    Real(Box<ClerkConfig>),
}

/// All problems with the environment.
#[derive(Debug)]
pub(crate) struct ConfigErrors(pub(super) Vec<String>);

impl ConfigErrors {
    /// Returns each variable with its problem.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|error| error.split_once(": ").unwrap_or(("", error)))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(errors) = self;
        write!(f, "The configuration cannot be used:")?;
        errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl From<String> for ConfigErrors {
    fn from(error: String) -> Self {
        Self(vec![error])
    }
}

/// A reader of settings that collects the problems.
pub(super) struct Reader<'a> {
    pub(super) env: &'a Env,
    pub(super) errors: Vec<String>,
    ports: UsedPorts,
}

impl<'a> Reader<'a> {
    pub(super) fn new(env: &'a Env) -> Self {
        Self { env, errors: Vec::new(), ports: UsedPorts::default() }
    }

    /// Notes that the process will listen on `port`, which `variable` sets.
    pub(super) fn listens_on(&mut self, variable: &'static str, port: u16) {
        self.ports.add(variable, port);
    }

    /// Forgets the ports, so that two listeners with the same port are no error.
    pub(super) fn forget_ports(&mut self) {
        self.ports = UsedPorts::default();
    }

    pub(super) fn value<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        match self.env.get(name).map(parse) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(problem)) => {
                self.errors.push(format!("{name}: {problem}"));
                default
            }
        }
    }

    pub(super) fn common(&mut self) -> Common {
        Common {
            database_url: self.value("DATABASE_URL", DatabaseUrl::default(), DatabaseUrl::parse),
            log_filter: self.value("RUST_LOG", "info".to_owned(), values::log_filter),
            log_format: self.value("LOG_FORMAT", LogFormat::Pretty, values::log_format),
        }
    }

    pub(super) fn listen(&mut self) -> SocketAddr {
        let ip = self.value("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST), values::host);
        let port = self.value("PORT", 8002, values::port);
        self.listens_on("PORT", port);
        SocketAddr::new(ip, port)
    }

    pub(super) fn metrics(&mut self) -> Option<SocketAddr> {
        let metrics = self.value("METRICS_ADDR", None, |text| values::address(text).map(Some))?;
        self.listens_on("METRICS_ADDR", metrics.port());
        Some(metrics)
    }

    pub(super) fn dev_clerk(&mut self, common: &Common) -> Place {
        let port = self.value("DEV_CLERK_PORT", 8003, values::port);
        let database = common.database_url.file().unwrap_or_else(|| "scheduled-posts.db".into());
        Place { port, file: database.with_extension("dev-clerk.json") }
    }

    pub(super) fn clerk(&mut self, common: &Common, listen: SocketAddr) -> Option<Clerk> {
        if !self.env.names_clerk() {
            let place = self.dev_clerk(common);
            if !stand_in::IS_BUILT_IN {
                self.errors.push(
                    "CLERK_PUBLISHABLE_KEY: is unset, and this program was built without the dev \
                     Clerk; set the key of your Clerk instance (or CLERK_JWT_KEY with \
                     CLERK_ISSUER)"
                        .into(),
                );
            } else if !listen.ip().is_loopback() {
                self.errors.push(
                    "CLERK_PUBLISHABLE_KEY: is unset, and HOST can be reached from other \
                     machines; set the key of your Clerk instance (or CLERK_JWT_KEY with \
                     CLERK_ISSUER), or leave HOST on 127.0.0.1 to use the dev Clerk"
                        .into(),
                );
            } else {
                self.listens_on("DEV_CLERK_PORT", place.port);
            }
            return Some(Clerk::Dev(place));
        }
        match ClerkConfig::from_vars(|name| self.env.get(name).map(str::to_owned)) {
            Ok(clerk) => Some(Clerk::Real(Box::new(clerk))),
            Err(errors) => {
                self.errors.extend(errors.iter().map(ToString::to_string));
                None
            }
        }
    }

    /// Reads the settings of the Backend API only: no token is verified, so no keys are needed.
    pub(super) fn backend_api(&mut self) -> Option<BackendApi> {
        let key = match self.env.get(SECRET_KEY).map(SecretKey::parse) {
            Some(Ok(key)) => Some(key),
            Some(Err(error)) => {
                self.errors.push(error.named(SECRET_KEY).to_string());
                None
            }
            None => {
                let hint = if self.env.names_clerk() { "" } else { ASK_DEV_CLERK };
                self.errors.push(format!("{SECRET_KEY}: {NO_SECRET_KEY}{hint}"));
                None
            }
        };
        let url = self.env.get("CLERK_API_URL").unwrap_or("https://api.clerk.com");
        // Any key serves to check the URL, so that the problems of both are reported at once.
        let any_key = key.clone().or_else(|| SecretKey::parse("sk_test_none").ok())?;
        match BackendApi::new(url, &any_key) {
            Ok(api) => key.map(|_| api),
            Err(error) => {
                self.errors.push(error.named("CLERK_API_URL").to_string());
                None
            }
        }
    }

    /// Returns the settings, or all problems. `config` is `None` only if there is one.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<T, ConfigErrors> {
        let clashes = self.ports.clashes(self.env, &self.errors);
        self.errors.extend(clashes);
        match config {
            Some(config) if self.errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(self.errors)),
        }
    }
}

const SECRET_KEY: &str = "CLERK_SECRET_KEY";
const NO_SECRET_KEY: &str = "is not set, but the Backend API requires it; set the sk_… that \
                             Clerk's Dashboard shows under API keys";
const ASK_DEV_CLERK: &str = "\n    To ask the dev Clerk instead: start `scheduled-posts dev-clerk`, \
                             evaluate the lines that it prints, and run this again.\n    A server \
                             with its own dev Clerk prints a command for this when it starts";
