//! Single settings: the valid values of each, and the message for all others.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr as _;

use sea_orm::DbBackend;
use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// The URL of the database. Redacted in `Debug`, because it may contain a password.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    url: String,
}

impl DatabaseUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            // Checked before the driver reads it, which logs unknown parameters with their values:
            // after a `?` in a password that is the rest of the password.
            Some("postgres" | "postgresql") => {
                check_parameters(url, &POSTGRES_PARAMETERS, POSTGRES_FORM)?;
                PgConnectOptions::from_str(url).map_err(|_| POSTGRES_FORM)?;
            }
            Some("mysql") if !url.starts_with("mysql://") => return Err(MYSQL_FORM.into()),
            Some("mysql") => {
                check_parameters(url, &MYSQL_PARAMETERS, MYSQL_FORM)?;
                let options = MySqlConnectOptions::from_str(url).map_err(|_| MYSQL_FORM)?;
                options.get_database().ok_or(MYSQL_FORM)?;
            }
            Some("sqlite") => {
                check_parameters(url, &SQLITE_PARAMETERS, SQLITE_FORM)?;
                SqliteConnectOptions::from_str(url).map_err(|_| SQLITE_FORM)?;
                let database = Self { url: url.to_owned() };
                if database.file().is_none() && !database.is_in_memory() {
                    return Err(format!("names no file; set {SQLITE_FORM}"));
                }
            }
            _ => {
                return Err("must start with postgres://, mysql:// or sqlite:, for example \
                            postgres://user:password@host/database or sqlite://posts.db?mode=rwc"
                    .into());
            }
        }
        Ok(Self { url: url.to_owned() })
    }

    /// Returns the URL itself, including the password, for the driver.
    pub(crate) fn expose(&self) -> &str {
        &self.url
    }

    /// Returns whether the database is in memory, where each connection is a separate database.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.url.starts_with("sqlite:")
            && (self.url.contains(":memory:") || self.url.contains("mode=memory"))
    }

    /// Returns the file of the data, if there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let rest = self.url.strip_prefix("sqlite:").filter(|_| !self.is_in_memory())?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() {
            return None;
        }
        // The driver decodes %-escapes.
        let options = SqliteConnectOptions::from_str(&self.url).ok()?;
        Some(options.get_filename().to_owned())
    }

    /// Returns whether the database is a file that is opened for reading only.
    pub(crate) fn is_read_only(&self) -> bool {
        let parameters = self.url.split_once('?').map_or("", |(_, parameters)| parameters);
        self.backend() == DbBackend::Sqlite && parameters.split('&').any(|one| one == "mode=ro")
    }

    pub(crate) fn backend(&self) -> DbBackend {
        match self.url.split_once(':') {
            Some(("sqlite", _)) => DbBackend::Sqlite,
            Some(("mysql", _)) => DbBackend::MySql,
            _ => DbBackend::Postgres,
        }
    }

    /// Returns the kind of database, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.backend() {
            DbBackend::Sqlite => "SQLite",
            DbBackend::MySql => "MySQL",
            _ => "PostgreSQL",
        }
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self { url: "sqlite://scheduled-posts.db?mode=rwc".to_owned() }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.kind())
    }
}

/// Checks that everything after the `?` is one of these parameters with a value, and that there is no
/// `#`. Names the parameter that is not, unless it may be a part of a password.
fn check_parameters(url: &str, names: &[&str], form: &str) -> Result<(), String> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    // Behind a `?` or a `#` in a password, the host and its `@` follow.
    if url.contains('#') || parameters.contains('@') {
        return Err(form.to_owned());
    }
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, has_value) = match parameter.split_once('=') {
            Some((name, _)) => (name, true),
            None => (parameter, false),
        };
        if has_value && names.contains(&name) {
            continue;
        }
        let is_word = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
        let named = match name.len() <= 40 && name.chars().all(is_word) {
            true => format!("the parameter `{name}`"),
            false => "a parameter".to_owned(),
        };
        let problem =
            if names.contains(&name) { "has no value" } else { "is none of this server's driver" };
        let possible = names.join(", ");
        return Err(format!("{named} {problem}; correct or remove it; there are {possible}"));
    }
    Ok(())
}

const POSTGRES_FORM: &str = "must be postgres://user:password@host:port/database with known \
                             parameters; write / ? # @ : and % in user or password as %2F %3F %23 \
                             %40 %3A and %25";

const MYSQL_FORM: &str = "must be mysql://user:password@host:port/database for MySQL and MariaDB; \
                          write / ? # @ : and % in user or password as %2F %3F %23 %40 %3A and \
                          %25; the parameters are ssl-mode, ssl-ca, ssl-cert, ssl-key, socket and \
                          statement-cache-capacity";

const SQLITE_FORM: &str = "must be sqlite://path?mode=rwc or sqlite::memory:";

/// The parameters of SQLite's driver.
const SQLITE_PARAMETERS: [&str; 4] = ["cache", "immutable", "mode", "vfs"];

/// The parameters of PostgreSQL's driver.
const POSTGRES_PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The parameters of MySQL's driver, except character set, collation and time zone: only one value
/// of each preserves text and times.
const MYSQL_PARAMETERS: [&str; 10] = [
    "socket",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "sslca",
    "sslcert",
    "sslkey",
    "sslmode",
    "statement-cache-capacity",
];

/// Parses an IP address, or `localhost`, which means 127.0.0.1.
pub(crate) fn host(text: &str) -> Result<IpAddr, &'static str> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .map_err(|_| "must be an IP address such as 127.0.0.1, 0.0.0.0 or ::, or localhost"),
    }
}

pub(crate) fn port(text: &str) -> Result<u16, &'static str> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or("must be a port number, 1 to 65535")
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
    address.ok_or("must be an IP address and a port, such as 127.0.0.1:9002 or [::1]:9002")
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Pretty,
}

pub(crate) fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "json" => Ok(LogFormat::Json),
        "pretty" => Ok(LogFormat::Pretty),
        _ => Err("must be pretty or json"),
    }
}

pub(crate) fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off"),
    }
}

/// Checks a log filter. The filter is built again from the text when logging starts.
pub(crate) fn log_filter(text: &str) -> Result<String, &'static str> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|_| "must be a log filter, for example info or info,scheduled_posts=debug")
}
