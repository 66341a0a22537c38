//! A folder, a database and two free ports: where one test's processes run.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;

use sea_orm::{ConnectionTrait as _, Statement};
use tempfile::TempDir;
use tokio::task::LocalSet;
use uuid::Uuid;

use crate::support::own_database::{Backend, OwnDatabase};
use crate::support::{Api, Clerk, Process, until};

pub(crate) struct World {
    folder: TempDir,
    pub(crate) database_url: String,
    pub(crate) port: u16,
    pub(crate) clerk_port: u16,
}

impl World {
    /// Runs a test in a new world, and cleans up after it however it ends.
    pub(crate) async fn run<F>(backend: Backend, test: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("posts.db");
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let Some(database) = OwnDatabase::create(backend, &name, &file).await else { return };
        let database_url = database.url.clone();
        let world = Self { folder, database_url, port: free_port(), clerk_port: free_port() };
        // As a task, so that its panic does not keep the database from being dropped.
        let tasks = LocalSet::new();
        let result = tasks.run_until(tasks.spawn_local(test(world))).await;
        database.remove().await;
        if let Err(error) = result {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What both processes are told. Limits are for the tests that are about them: the others come
    /// from one address as often as they like.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        [
            ("DATABASE_URL", self.database_url.clone()),
            ("PORT", self.port.to_string()),
            ("DEV_CLERK_PORT", self.clerk_port.to_string()),
            ("ADDRESS_RATE_LIMIT", "off".to_owned()),
            ("RATE_LIMIT", "off".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A server with its own dev Clerk, ready.
    pub(crate) async fn serve(&self) -> Process {
        self.serve_also(&[]).await
    }

    /// The same with more variables.
    pub(crate) async fn serve_also(&self, variables: &[(String, String)]) -> Process {
        let env = [self.env(), variables.to_vec()].concat();
        self.ready(Process::start(self.folder(), "serve", &[], &env)).await
    }

    /// A server that was told where Clerk is, ready.
    pub(crate) async fn serve_with(&self, variables: &[(String, String)]) -> Process {
        let env = [self.env(), variables.to_vec()].concat();
        self.ready(Process::start(self.folder(), "serve", &["serve"], &env)).await
    }

    /// One of several servers on this world's database, which may not be ready yet.
    pub(crate) fn instance(
        &self,
        name: &str,
        port: u16,
        variables: &[(String, String)],
    ) -> (Process, Api) {
        let port_variable = ("PORT".to_owned(), port.to_string());
        let env = [self.env(), variables.to_vec(), vec![port_variable]].concat();
        let process = Process::start(self.folder(), name, &["serve"], &env);
        (process, Api::new(format!("http://127.0.0.1:{port}")))
    }

    /// The dev Clerk alone, listening; and the variables that it prints.
    pub(crate) async fn dev_clerk(&self) -> (Process, Vec<(String, String)>) {
        let process = Process::start(self.folder(), "dev-clerk", &["dev-clerk"], &self.env());
        until("the dev Clerk listens", async || process.err().contains("listens on").then_some(()))
            .await;
        let variable = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let variables = process.out().lines().map(|line| variable(line).unwrap()).collect();
        (process, variables)
    }

    /// `backfill` with these options and variables, run to its end; and its exit code.
    pub(crate) async fn backfill(
        &self,
        name: &str,
        options: &[&str],
        variables: &[(String, String)],
    ) -> (Process, i32) {
        let mut process = self.start_backfill(name, options, variables);
        let code = process.exit_code().await;
        (process, code)
    }

    pub(crate) fn start_backfill(
        &self,
        name: &str,
        options: &[&str],
        variables: &[(String, String)],
    ) -> Process {
        let args = [&["backfill"], options].concat();
        let env = [self.env(), variables.to_vec()].concat();
        Process::start(self.folder(), name, &args, &env)
    }

    /// A connection of the test's own.
    pub(crate) async fn database(&self) -> sea_orm::DatabaseConnection {
        sea_orm::Database::connect(&self.database_url).await.unwrap()
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let db = self.database().await;
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let query = Statement::from_string(db.get_database_backend(), sql);
        db.query_one_raw(query).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// Keeps everybody from the PostgreSQL database, or lets them in again.
    pub(crate) async fn let_in(&self, allowed: bool) {
        let (base, name) = self.database_url.rsplit_once('/').unwrap();
        let admin = sea_orm::Database::connect(format!("{base}/postgres")).await.unwrap();
        let alter = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
        admin.execute_unprepared(&alter).await.unwrap();
        if !allowed {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
            admin.execute_unprepared(&format!("{end}'{name}'")).await.unwrap();
        }
    }

    async fn ready(&self, mut server: Process) -> Process {
        server.ready(&self.api()).await;
        server
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(format!("http://127.0.0.1:{}", self.port))
    }

    pub(crate) fn clerk(&self) -> Clerk {
        Clerk::new(format!("http://127.0.0.1:{}", self.clerk_port), self.clerk_file())
    }

    /// The dev Clerk's.
    pub(crate) fn clerk_file(&self) -> std::path::PathBuf {
        let stem =
            if self.database_url.starts_with("sqlite") { "posts" } else { "scheduled-posts" };
        self.folder().join(format!("{stem}.dev-clerk.json"))
    }
}

/// Returns a port that is free, and that no other test is given while this process lives. It is below
/// the range that the system takes for connections, so that no client of another test sits on it when
/// the server comes.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ports");
    std::fs::create_dir_all(&folder).unwrap();
    loop {
        let [a, b, ..] = Uuid::new_v4().into_bytes();
        let port = 10_000 + u16::from_be_bytes([a, b]) % 20_000;
        // The lock ends with the process, however that ends.
        let lock = File::create(folder.join(port.to_string())).unwrap();
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.lock().unwrap().push(lock);
            return port;
        }
    }
}
