//! The environment as settings: read once, all errors at once. Opens nothing but the certificate's
//! files.

mod ai;
mod env;
mod limits;
mod origins;
mod phase;
mod ports;
pub(crate) mod table;
mod tls;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use ai::{AiConfig, is_loopback};
pub(crate) use env::Env;
pub(crate) use limits::{LimitsConfig, Per, Rate, RedisUrl, TrustedProxies};
pub(crate) use phase::AuthPhase;
pub(crate) use tls::TlsConfig;
pub(crate) use values::{DatabaseUrl, LogFormat};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderValue;
use tower_clerk::backfill::BackendApi;
use tower_clerk::config::ClerkConfig;
use tower_clerk::secret::SecretKey;

use crate::config::ports::UsedPort;
use crate::stand_in::{self, Place};
use crate::webhook::PATH;

/// What every subcommand needs.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) database_url: DatabaseUrl,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
}

/// Settings of `migrate`.
#[derive(Debug)]
pub(crate) struct MigrateConfig {
    pub(crate) common: Common,
}

/// Settings of `backfill`.
#[derive(Debug)]
pub(crate) struct BackfillConfig {
    pub(crate) common: Common,
    pub(crate) api: BackendApi,
}

/// Settings of `dev-clerk`.
#[derive(Debug)]
pub(crate) struct DevClerkConfig {
    pub(crate) common: Common,
    /// Where the server takes webhooks.
    pub(crate) webhooks: String,
    pub(crate) dev_clerk: Place,
}

/// Settings of `serve`.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) common: Common,
    pub(crate) listen: SocketAddr,
    pub(crate) cors_origins: Vec<HeaderValue>,
    pub(crate) limits: LimitsConfig,
    pub(crate) phase: AuthPhase,
    /// Where `/metrics` is served.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) clerk: Clerk,
    pub(crate) ai: Option<AiConfig>,
    pub(crate) tls: Option<TlsConfig>,
}

/// Who signs the users in.
#[derive(Debug)]
pub(crate) enum Clerk {
    /// Nothing was configured and nobody outside can reach us: the stand-in.
    Dev(Place),
    Real(Box<ClerkConfig>),
}

/// Everything that is wrong with the environment.
#[derive(Debug)]
pub(crate) struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// Each variable, and what is wrong with it.
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

impl MigrateConfig {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(env);
        let common = reader.common();
        reader.finish(Some(Self { common }))
    }
}

impl BackfillConfig {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(env);
        let common = reader.common();
        let config = reader.backend_api().map(|api| Self { common, api });
        reader.finish(config)
    }
}

impl DevClerkConfig {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(env);
        let common = reader.common();
        // Another process listens there, on this machine.
        let listen = reader.listen();
        let dev_clerk = reader.dev_clerk(&common);
        reader.listens_on("DEV_CLERK_PORT", dev_clerk.port);
        // A server on all addresses is also on this one.
        let ip =
            if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
        let scheme = if env.get("TLS_CERT").is_some() { "https" } else { "http" };
        let webhooks = format!("{scheme}://{}{PATH}", SocketAddr::new(ip, listen.port()));
        reader.finish(Some(Self { common, webhooks, dev_clerk }))
    }
}

impl ServeConfig {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigErrors> {
        let (config, reader) = Self::read_each(env);
        reader.finish(config)
    }

    /// Reads settings that can each be used by itself, even if several listeners have one port.
    pub(crate) fn read_despite_clashes(env: &Env) -> Result<Self, ConfigErrors> {
        let (config, mut reader) = Self::read_each(env);
        reader.ports.clear();
        reader.finish(config)
    }

    /// Returns the settings, unless too much is wrong with them, and the reader with the errors.
    fn read_each(env: &Env) -> (Option<Self>, Reader<'_>) {
        let mut reader = Reader::new(env);
        let common = reader.common();
        let listen = reader.listen();
        let default = vec![HeaderValue::from_static("http://localhost:3000")];
        let cors_origins = reader.value("CORS_ALLOWED_ORIGINS", default, origins::origins);
        let ai = reader.ai();
        let tls = reader.tls(listen);
        let metrics = reader.metrics();
        let clerk = reader.clerk(&common, listen);
        let limits = reader.limits(matches!(clerk, Some(Clerk::Dev(_))));
        let phase = reader.auth_phase();
        let config = clerk.map(|clerk| Self {
            common,
            listen,
            cors_origins,
            limits,
            phase,
            metrics,
            clerk,
            ai,
            tls,
        });
        (config, reader)
    }
}

const SECRET_KEY: &str = "CLERK_SECRET_KEY";
const NO_SECRET_KEY: &str = "is not set, so there is nobody to ask for users; set the sk_… that \
                             Clerk's Dashboard shows under API keys";
const ASK_DEV_CLERK: &str = "\n    To ask the dev Clerk instead: start `scheduled-posts dev-clerk`, \
                             evaluate the lines that it prints, and run this again.\n    A server \
                             that stands in for Clerk itself prints a line for this when it starts";

/// Reads settings and remembers what was wrong with each.
struct Reader<'a> {
    env: &'a Env,
    errors: Vec<String>,
    ports: Vec<UsedPort>,
}

impl<'a> Reader<'a> {
    fn new(env: &'a Env) -> Self {
        Self { env, errors: Vec::new(), ports: Vec::new() }
    }

    fn value<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
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

    fn common(&mut self) -> Common {
        Common {
            database_url: self.value("DATABASE_URL", DatabaseUrl::default(), DatabaseUrl::parse),
            log_filter: self.value("RUST_LOG", "info".to_owned(), values::log_filter),
            log_format: self.value("LOG_FORMAT", LogFormat::Pretty, values::log_format),
        }
    }

    fn listen(&mut self) -> SocketAddr {
        let ip = self.value("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST), values::host);
        let port = self.value("PORT", 8002, values::port);
        self.listens_on("PORT", port);
        SocketAddr::new(ip, port)
    }

    fn metrics(&mut self) -> Option<SocketAddr> {
        let metrics = self.value("METRICS_ADDR", None, |text| values::address(text).map(Some))?;
        self.listens_on("METRICS_ADDR", metrics.port());
        Some(metrics)
    }

    fn dev_clerk(&mut self, common: &Common) -> Place {
        let port = self.value("DEV_CLERK_PORT", 8003, values::port);
        let database = common.database_url.file().unwrap_or_else(|| "scheduled-posts.db".into());
        Place { port, file: database.with_extension("dev-clerk.json") }
    }

    fn clerk(&mut self, common: &Common, listen: SocketAddr) -> Option<Clerk> {
        let mut given = self.env.names("CLERK_");
        given.extend(self.env.names("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"));
        if given.is_empty() {
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

    /// The Backend API alone: nobody's token is verified, so no source of keys is wanted.
    fn backend_api(&mut self) -> Option<BackendApi> {
        let key = match self.env.get(SECRET_KEY).map(SecretKey::parse) {
            Some(Ok(key)) => Some(key),
            Some(Err(error)) => {
                self.errors.push(error.named(SECRET_KEY).to_string());
                None
            }
            None => {
                let any = !self.env.names("CLERK_").is_empty();
                let hint = if any { "" } else { ASK_DEV_CLERK };
                self.errors.push(format!("{SECRET_KEY}: {NO_SECRET_KEY}{hint}"));
                None
            }
        };
        let url = self.env.get("CLERK_API_URL").unwrap_or("https://api.clerk.com");
        // Any key will do for a look at the URL, so that what is wrong with both is said at once.
        let any_key = key.clone().or_else(|| SecretKey::parse("sk_test_none").ok())?;
        match BackendApi::new(url, &any_key) {
            Ok(api) => key.map(|_| api),
            Err(error) => {
                self.errors.push(error.named("CLERK_API_URL").to_string());
                None
            }
        }
    }

    /// Returns the settings unless anything is wrong; there are none only if something is.
    fn finish<T>(mut self, config: Option<T>) -> Result<T, ConfigErrors> {
        let clashes = self.clashes();
        self.errors.extend(clashes);
        match config {
            Some(config) if self.errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(self.errors)),
        }
    }
}
