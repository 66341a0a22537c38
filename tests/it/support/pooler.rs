//! A PgBouncer of a test's own before a PostgreSQL server: `scripts/database` starts it. The tests of the
//! application include this file by its path.

use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::own_database::{not_run, with_database};

/// How long a client keeps a connection of the pooler's to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Session,
    Transaction,
}

/// Stopped and removed when it is dropped, or when this process ends.
pub(crate) struct Pooler {
    script: PathBuf,
    folder: PathBuf,
    /// The database, by way of the pooler.
    pub(crate) url: String,
}

impl Pooler {
    /// `None` when there is no pooler on this machine and none is required.
    pub(crate) fn start(database: &str, mode: Mode, connections: u32, test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The published crate has no scripts.
        let Some(script) = script() else {
            not_run(test, "scripts/database is not there");
            return None;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("tower_clerk_{}_pooler_{count}", process::id()));
        let mut pooler = Self { script, folder, url: String::new() };
        let mode = match mode {
            Mode::Session => "session",
            Mode::Transaction => "transaction",
        };
        let started = pooler
            .command("start")
            .arg(process::id().to_string())
            .env("POOL_URL", database)
            .env("POOL_MODE", mode)
            .env("POOL_SIZE", connections.to_string())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        match started.status.code() {
            Some(0) => {}
            Some(NO_PROGRAM) => {
                not_run(test, "PgBouncer is missing on this machine");
                return None;
            }
            code => panic!("scripts/database ended with {code:?}"),
        }
        let (_, name) = database.rsplit_once('/').unwrap();
        let server = String::from_utf8(started.stdout).unwrap();
        pooler.url = with_database(server.trim(), name);
        Some(pooler)
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(&self.script);
        command.args([what, "pgbouncer"]).arg(&self.folder);
        command
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.command("stop").status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The script, which the packages of this repository share.
fn script() -> Option<PathBuf> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.map(|folder| folder.join("scripts/database")).find(|script| script.exists())
}

/// What the script ends with when there is nothing to start.
const NO_PROGRAM: i32 = 3;
