//! A process that cannot listen on an address: it names the setting and exits with 2.

use std::net::{TcpListener, TcpStream};

use crate::support::{Backend, MadeCertificate, Process, World, free_port, until};

type Variables = Vec<(String, String)>;

/// Runs the program with these variables and returns what it says before it ends.
async fn refusal(world: &World, subcommand: &str, variables: &Variables) -> String {
    let env = [world.env(), variables.clone()].concat();
    let mut process = Process::start(world.folder(), "refused", &[subcommand], &env);
    assert_eq!(process.exit_code().await, 2, "{variables:?}: {}", process.err());
    process.err()
}

fn variables<const N: usize>(variables: [(&str, &str); N]) -> Variables {
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A variable for each listener, with this port.
fn each_listener(world: &World, port: u16) -> [(&'static str, Variables); 4] {
    let port = port.to_string();
    let metrics = format!("127.0.0.1:{port}");
    let tls = MadeCertificate::new(&["localhost"]).write(world.folder());
    [
        ("PORT", variables([("PORT", &port)])),
        ("DEV_CLERK_PORT", variables([("DEV_CLERK_PORT", &port)])),
        ("METRICS_ADDR", variables([("METRICS_ADDR", &metrics)])),
        ("HTTP_REDIRECT_PORT", [variables([("HTTP_REDIRECT_PORT", &port)]), tls].concat()),
    ]
}

#[tokio::test]
async fn fault_c9_two_listeners_with_one_port_are_refused_before_anything_listens() {
    World::run(Backend::Sqlite, async |world: World| {
        let port = free_port();
        let listeners = each_listener(&world, port);
        let mut pairs = 0;
        for (n, (first, given)) in listeners.iter().enumerate() {
            for (second, also) in &listeners[n + 1..] {
                let told = refusal(&world, "serve", &[given.clone(), also.clone()].concat()).await;
                let line = told.lines().find(|line| line.contains("no two listeners")).unwrap();
                assert!(line.contains(first) && line.contains(second), "{first} {second}: {told}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 6);
        let clash = variables([("PORT", &world.clerk_port.to_string())]);
        assert!(refusal(&world, "dev-clerk", &clash).await.contains("no two listeners"));
        assert!(!world.folder().join("posts.db").exists());
    })
    .await;
}

#[tokio::test]
async fn fault_c9_the_port_of_a_stand_in_that_is_not_needed_is_free_for_others() {
    World::run(Backend::Sqlite, async |world: World| {
        let port = world.port.to_string();
        let env = [clerk_elsewhere(), variables([("DEV_CLERK_PORT", &port)])].concat();
        let _server = world.serve_with(&env).await;
    })
    .await;
}

#[tokio::test]
async fn fault_c9_a_port_that_another_process_has_is_told_by_its_variable() {
    World::run(Backend::Sqlite, async |world: World| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        for (variable, given) in each_listener(&world, port) {
            let told = refusal(&world, "serve", &given).await;
            let wanted = format!("  {variable}: cannot listen on 127.0.0.1:{port}: ");
            assert!(told.contains(&wanted) && told.contains("another copy"), "{variable}: {told}");
        }
        let given = variables([("DEV_CLERK_PORT", &port.to_string())]);
        let told = refusal(&world, "dev-clerk", &given).await;
        assert!(told.contains("  DEV_CLERK_PORT: cannot listen on"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn fault_c9_an_address_that_this_machine_lacks_is_told_by_its_variable() {
    World::run(Backend::Sqlite, async |world: World| {
        // Of networks that are kept for documentation (RFC 5737, RFC 3849).
        for host in ["192.0.2.1", "2001:db8::1"] {
            let given = [clerk_elsewhere(), variables([("HOST", host)])].concat();
            let told = refusal(&world, "serve", &given).await;
            assert!(told.contains("  HOST: cannot listen on"), "{host}: {told}");
            assert!(!told.contains("PORT") && !told.contains("copy"), "{host}: {told}");
        }
        let given = variables([("METRICS_ADDR", "192.0.2.1:9002")]);
        let told = refusal(&world, "serve", &given).await;
        assert!(told.contains("  METRICS_ADDR: cannot listen on 192.0.2.1:9002"), "{told}");
        assert!(told.contains("no such address") && !told.contains("copy"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn fault_c9_a_privileged_port_is_told_as_such() {
    World::run(Backend::Sqlite, async |world: World| {
        let port = privileged_port();
        for (variable, given) in each_listener(&world, port) {
            let env = [world.env(), given].concat();
            let mut process = Process::start_unprivileged(world.folder(), "port", &["serve"], &env);
            if port >= first_unprivileged_port() {
                // As containers are set up: there it is a port like any other.
                until("it listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
                continue;
            }
            assert_eq!(process.exit_code().await, 2, "{variable}: {}", process.err());
            let told = process.err();
            let wanted = format!("  {variable}: cannot listen on 127.0.0.1:{port}: ");
            assert!(told.contains(&wanted), "{variable}: {told}");
            assert!(told.contains("CAP_NET_BIND_SERVICE"), "{variable}: {told}");
            assert!(!told.contains("HOST") && !told.contains("copy"), "{variable}: {told}");
        }
    })
    .await;
}

/// A Clerk that need not answer for a server to start.
fn clerk_elsewhere() -> Variables {
    let url = format!("http://127.0.0.1:{}", free_port());
    let keys = format!("{url}/.well-known/jwks.json");
    variables([("CLERK_ISSUER", &*url), ("CLERK_JWKS_URL", &*keys)])
}

/// A port below 1024 that nobody listens on.
fn privileged_port() -> u16 {
    let is_free = |port: &u16| {
        let taken = TcpListener::bind(("127.0.0.1", *port)).err();
        taken.is_none_or(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    (600..1024).rev().find(is_free).unwrap()
}

fn first_unprivileged_port() -> u16 {
    let file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn fault_c9_a_second_server_in_one_folder_is_told_that_the_stand_ins_file_is_in_use() {
    World::run(Backend::Sqlite, async |world: World| {
        let _first = world.serve().await;
        let other = |name: &str| (name.to_owned(), free_port().to_string());
        let env = [world.env(), vec![other("PORT"), other("DEV_CLERK_PORT")]].concat();
        let mut second = Process::start(world.folder(), "second", &[], &env);
        assert_eq!(second.exit_code().await, 2);
        let told = second.err();
        assert!(told.contains("DATABASE_URL: ") && told.contains("is in use by another"), "{told}");
        // The first one has lost nothing.
        let (_, api) = world.clerk().user(&world.api(), "first@example.com").await;
        assert_eq!(api.get("/api/me").await.status, 200);
    })
    .await;
}
