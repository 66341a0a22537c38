//! Redis: the one that `TEST_REDIS_URL` names, and one that a test can stop and start.

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};

use tempfile::TempDir;

use super::own_database::not_run;

/// `None` when there is no server to test on and none is required.
pub(crate) fn redis_url() -> Option<String> {
    let url = std::env::var("TEST_REDIS_URL").ok();
    if url.is_none() {
        not_run(&name(), "TEST_REDIS_URL is unset");
    }
    url
}

/// Stopped and removed when it is dropped, or when this process ends.
pub(crate) struct OwnRedis {
    folder: TempDir,
    pub(crate) url: String,
}

impl OwnRedis {
    /// `None` when there is no server's program on this machine and none is required.
    pub(crate) fn start() -> Option<Self> {
        let mut redis = Self { folder: tempfile::tempdir().unwrap(), url: String::new() };
        match redis.launch() {
            Ok(url) => redis.url = url,
            Err(NO_PROGRAM) => {
                not_run(&name(), "Redis is missing on this machine");
                return None;
            }
            Err(code) => panic!("scripts/database ended with {code}"),
        }
        Some(redis)
    }

    pub(crate) fn stop(&self) {
        let status = self.script("stop").status().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Starts it with the data and on the port that it had.
    pub(crate) fn start_again(&self) {
        assert_eq!(self.launch(), Ok(self.url.clone()));
    }

    /// From now on it takes connections and answers nothing, until it is told to go on.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.pid()).unwrap();
        let done = Command::new("kill").args([signal, pid.trim()]).status().unwrap();
        assert!(done.success(), "{done}");
    }

    fn pid(&self) -> PathBuf {
        self.folder.path().join("redis/pid")
    }

    /// Its URL, or the script's exit code.
    fn launch(&self) -> Result<String, i32> {
        let mut start = self.script("start");
        let done = start.arg(process::id().to_string()).stderr(Stdio::inherit()).output().unwrap();
        match done.status.success() {
            true => Ok(String::from_utf8(done.stdout).unwrap().trim().to_owned()),
            false => Err(done.status.code().unwrap_or(-1)),
        }
    }

    fn script(&self, what: &str) -> Command {
        let mut command = Command::new(SCRIPT);
        command.args([what, "redis"]).arg(self.folder.path().join("redis"));
        command
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may be frozen, have been stopped, or never have started.
        if let Ok(pid) = fs::read_to_string(self.pid()) {
            let _ = Command::new("kill").args(["-CONT", pid.trim()]).status();
        }
        let _ = self.script("stop").status();
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/database");
/// What the script ends with when there is nothing to start.
const NO_PROGRAM: i32 = 3;

/// Returns the name of the running test.
fn name() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}
