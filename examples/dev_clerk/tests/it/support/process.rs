//! A process of the program under test, which ends with its handle even when the test fails.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Api, DEADLINE, until};

/// The program with its own folder and variables, not started yet.
pub(crate) struct Program {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Program {
    /// Returns the program with any free port and its users in `users.json`.
    pub(crate) fn new() -> Self {
        let program = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        program.with("DEV_CLERK_PORT", "0").with("DEV_CLERK_FILE", "users.json")
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(given, _)| given != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Starts it and waits until it reports that it listens.
    pub(crate) async fn running(&self) -> Running {
        let mut process = self.start(Stdio::piped(), None);
        let mut out = process.child.stdout.take().unwrap();
        // To the end, which is when all variables are printed.
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).map(|_| text)
        });
        let read = tokio::time::timeout(DEADLINE, read).await;
        let out = read.expect("standard output ends").unwrap().unwrap();
        assert!(!out.is_empty() && !process.has_ended(), "{}", process.err());
        Running { process, out }
    }

    /// Starts it and waits until it has ended.
    pub(crate) async fn refused(&self) -> (i32, String) {
        let mut process = self.start(Stdio::null(), None);
        (process.exit_code().await, process.err())
    }

    /// Starts it with the given standard output and standard error.
    pub(crate) fn start(&self, out: Stdio, err: Option<Stdio>) -> Process {
        self.start_by(&mut Command::new(env!("CARGO_BIN_EXE_dev-clerk")), out, err)
    }

    /// Starts it with another command.
    pub(crate) fn start_by(
        &self,
        command: &mut Command,
        out: Stdio,
        err: Option<Stdio>,
    ) -> Process {
        let file = self.path(&format!("{}.err", uuid::Uuid::new_v4()));
        let into_file = File::create(&file).unwrap();
        let child = command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err.unwrap_or_else(|| into_file.into()))
            .spawn()
            .unwrap();
        Process { child, err: file }
    }
}

/// A stand-in that listens, and its standard output.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) out: String,
}

impl Running {
    /// Returns the value of a variable that it printed.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let mut pairs = self.out.lines().filter_map(|line| line.split_once('='));
        let export = format!("export {name}");
        let found = pairs.find(|(given, _)| *given == export);
        found.unwrap_or_else(|| panic!("{name}: {}", self.out)).1
    }

    pub(crate) fn open(&self) -> Api {
        Api::new(self.variable("CLERK_API_URL"))
    }

    /// Returns a client of the Backend API with the secret key.
    pub(crate) fn backend(&self) -> Api {
        self.open().with_key(self.variable("CLERK_SECRET_KEY"))
    }
}

pub(crate) struct Process {
    child: Child,
    err: PathBuf,
}

impl Process {
    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process and returns the exit code.
    pub(crate) async fn exit_code(&mut self) -> i32 {
        until("the process ends", async || self.child.try_wait().unwrap())
            .await
            .code()
            .expect("an exit code, not a signal")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = |file: &Path| fs::read_to_string(file).unwrap_or_default();
            eprintln!("--- {}\n{}", self.err.display(), text(&self.err));
        }
    }
}
