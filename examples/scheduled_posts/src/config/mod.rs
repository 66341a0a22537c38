//! The settings, read once from the environment, with all errors at once. Opens only the
//! certificate's files.

mod access;
mod ai;
mod env;
mod hosts;
mod limits;
mod origins;
mod phase;
mod ports;
mod reader;
pub(crate) mod table;
mod tls;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use access::{AccessConfig, PublicUrl};
pub(crate) use ai::{AiConfig, is_loopback};
pub(crate) use env::Env;
pub(crate) use hosts::AllowedHosts;
pub(crate) use limits::{LimitsConfig, Per, Rate, RedisUrl, TrustedProxies};
pub(crate) use origins::CorsConfig;
pub(crate) use phase::AuthPhase;
pub(crate) use reader::{Clerk, Common, ConfigErrors};
pub(crate) use tls::TlsConfig;
pub(crate) use values::{DatabaseUrl, LogFormat};

use std::net::{Ipv4Addr, SocketAddr};

use tower_clerk::backfill::BackendApi;

use crate::config::reader::Reader;
use crate::stand_in::Place;
use crate::webhook::PATH;

/// The settings of `migrate` and `parked`.
#[derive(Debug)]
pub(crate) struct MigrateConfig {
    pub(crate) common: Common,
}

/// The settings of `backfill`.
#[derive(Debug)]
pub(crate) struct BackfillConfig {
    pub(crate) common: Common,
    pub(crate) api: BackendApi,
}

/// The settings of `dev-clerk`.
#[derive(Debug)]
pub(crate) struct DevClerkConfig {
    pub(crate) common: Common,
    /// The URL at which the server receives webhooks.
    pub(crate) webhooks: String,
    pub(crate) dev_clerk: Place,
}

/// The settings of `serve`.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) common: Common,
    pub(crate) listen: SocketAddr,
    pub(crate) cors: CorsConfig,
    /// The hosts that phases 1 and 2 answer to, beside their own.
    pub(crate) hosts: AllowedHosts,
    pub(crate) limits: LimitsConfig,
    pub(crate) phase: AuthPhase,
    /// The address of `/metrics`.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) clerk: Clerk,
    pub(crate) access: AccessConfig,
    /// Whether webhooks that can never be applied are parked.
    pub(crate) dead_letters: bool,
    /// Whether users who are signed out at Clerk are out at once.
    pub(crate) lockouts: bool,
    pub(crate) ai: Option<AiConfig>,
    pub(crate) tls: Option<TlsConfig>,
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
        // The server is another process on this machine.
        let listen = reader.listen();
        let dev_clerk = reader.dev_clerk(&common);
        reader.listens_on("DEV_CLERK_PORT", dev_clerk.port);
        // A server on all addresses can also be reached on loopback.
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

    /// Reads the settings without an error for several listeners with one port.
    pub(crate) fn read_despite_clashes(env: &Env) -> Result<Self, ConfigErrors> {
        let (config, mut reader) = Self::read_each(env);
        reader.forget_ports();
        reader.finish(config)
    }

    /// Returns the settings, unless too many are wrong, and the reader with the errors.
    fn read_each(env: &Env) -> (Option<Self>, Reader<'_>) {
        let mut reader = Reader::new(env);
        let common = reader.common();
        let listen = reader.listen();
        let cors = reader.cors();
        let hosts = reader.value("ALLOWED_HOSTS", AllowedHosts::default(), AllowedHosts::parse);
        let ai = reader.ai();
        let tls = reader.tls(listen);
        let metrics = reader.metrics();
        let clerk = reader.clerk(&common, listen);
        let access = reader.access(clerk.as_ref());
        let limits = reader.limits(matches!(clerk, Some(Clerk::Dev(_))));
        let phase = reader.auth_phase();
        let dead_letters = reader.value("DEAD_LETTERS", true, values::on_or_off);
        let lockouts = reader.value("LOCKOUTS", true, values::on_or_off);
        let config = clerk.map(|clerk| Self {
            common,
            listen,
            cors,
            hosts,
            limits,
            phase,
            metrics,
            clerk,
            access,
            dead_letters,
            lockouts,
            ai,
            tls,
        });
        (config, reader)
    }
}
