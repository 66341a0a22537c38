//! A database server of a test's own, to be stopped and started: `scripts/database` does it.

use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::database::{Backend, Place, execute, not_run, with_database};

/// Stopped and removed when it is dropped, or when this process ends.
pub(crate) struct OwnServer {
    backend: Backend,
    script: PathBuf,
    folder: PathBuf,
    /// The database that every server has.
    pub(crate) url: String,
}

impl OwnServer {
    /// `None` when there is no server's program on this machine and none is required.
    pub(crate) fn start(backend: Backend, test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The published crate has no scripts.
        let Some(script) = script() else {
            not_run(test, "scripts/database is not there");
            return None;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("tower_clerk_{}_own_{count}", process::id()));
        let mut server = Self { backend, script, folder, url: String::new() };
        match server.launch() {
            Ok(url) => server.url = url,
            Err(NO_PROGRAM) => {
                not_run(test, "its program is missing on this machine");
                return None;
            }
            Err(code) => panic!("scripts/database ended with {code}"),
        }
        Some(server)
    }

    /// A new database on it.
    pub(crate) async fn database(&self) -> Place {
        execute(&self.url, "CREATE DATABASE app").await;
        Place { backend: self.backend, url: with_database(&self.url, "app") }
    }

    pub(crate) fn stop(&self) {
        let status = self.command("stop").status().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Starts it with the data and on the port that it had.
    pub(crate) fn start_again(&self) {
        assert_eq!(self.launch(), Ok(self.url.clone()));
    }

    /// Its URL, or the script's exit code.
    fn launch(&self) -> Result<String, i32> {
        let done = self
            .command("start")
            .arg(process::id().to_string())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        match done.status.success() {
            true => Ok(String::from_utf8(done.stdout).unwrap().trim().to_owned()),
            false => Err(done.status.code().unwrap_or(-1)),
        }
    }

    fn command(&self, what: &str) -> Command {
        let kind = match self.backend {
            Backend::MySql => "mysql",
            Backend::Postgres => "postgres",
            Backend::Sqlite => panic!("SQLite has no server"),
        };
        let mut command = Command::new(&self.script);
        command.args([what, kind]).arg(&self.folder);
        command
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It may have been stopped, or never have started.
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
