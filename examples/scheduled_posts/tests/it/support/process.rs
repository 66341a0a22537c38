//! A process of the binary under test, which ends with its handle even when the test fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Api, until};

pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        Self::start_by(Command::new(PROGRAM), folder, name, args, env)
    }

    /// The same without the right to listen on privileged ports, whoever runs the tests.
    pub(crate) fn start_unprivileged(
        folder: &Path,
        name: &str,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        let mut command = Command::new(PROGRAM);
        if may_bind_privileged_ports() {
            command = Command::new("setpriv");
            let without = "-net_bind_service";
            command.args(["--bounding-set", without, "--inh-caps", without, "--", PROGRAM]);
        }
        Self::start_by(command, folder, name, args, env)
    }

    pub(crate) fn start_by(
        command: Command,
        folder: &Path,
        name: &str,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        let [out, err] = Self::files(folder, name);
        let (into_out, into_err) = (File::create(&out).unwrap(), File::create(&err).unwrap());
        Self::spawn(command, folder, name, args, env, into_out.into(), into_err.into())
    }

    /// The same with standard output and standard error of the test's own.
    pub(crate) fn start_into(
        folder: &Path,
        name: &str,
        args: &[&str],
        env: &[(String, String)],
        out: Stdio,
        err: Stdio,
    ) -> Self {
        Self::spawn(Command::new(PROGRAM), folder, name, args, env, out, err)
    }

    fn spawn(
        mut command: Command,
        folder: &Path,
        name: &str,
        args: &[&str],
        env: &[(String, String)],
        out: Stdio,
        err: Stdio,
    ) -> Self {
        let child = command
            .args(args)
            .current_dir(folder)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        let [out, err] = Self::files(folder, name);
        Self { child, out, err }
    }

    fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
        ["out", "err"].map(|end| folder.join(format!("{name}.{end}")))
    }

    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The exit code, once there is one.
    pub(crate) async fn exit_code(&mut self) -> i32 {
        until("the process ends", async || self.child.try_wait().unwrap())
            .await
            .code()
            .expect("an exit code, not a signal")
    }

    /// Waits until it can serve.
    pub(crate) async fn ready(&mut self, api: &Api) {
        until("the server is ready", async || {
            assert!(!self.has_ended(), "{}", self.err());
            api.try_get("/readyz").await.filter(|answer| answer.status == 200)
        })
        .await;
    }

    /// As a service manager does it.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has in memory now.
    pub(crate) fn memory_kib(&self) -> i64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

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
            eprintln!("--- {}\n{}\n{}", self.err.display(), text(&self.out), text(&self.err));
        }
    }
}

/// Whether a process has CAP_NET_BIND_SERVICE, capability 10, from this one.
fn may_bind_privileged_ports() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() & (1 << 10) != 0
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_scheduled-posts");
