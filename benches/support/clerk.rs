//! The process that stands for Clerk in benchmarks.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A Backend API in a separate process, so that its memory is not counted. The benchmark serves it when
/// its arguments are `clerk` and the number of users, and prints the URL first.
pub(crate) struct Clerk {
    process: Child,
    pub(crate) url: String,
}

impl Clerk {
    pub(crate) fn start(users: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["clerk", &users.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
