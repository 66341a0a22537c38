//! `.env.example` and the files in `deploy/`: everything that they name exists. Unit tests of
//! `config` check that the example lists exactly the variables that are read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Process, World, on_every_backend};

fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(own(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

async fn what_help_names_is_in_the_example_file_and_the_file_can_be_used(world: World) {
    let mut help = Process::start(world.folder(), "help", &["--help"], &[]);
    assert_eq!(help.exit_code().await, 0);
    let example = text(".env.example");
    let help = help.out();
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_variable = |word: &&str| {
        let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let whole = word.contains('_') && !word.starts_with('_') && !word.ends_with('_');
        (whole || ["HOST", "PORT"].contains(word)) && word.chars().all(capital)
    };
    let variables: Vec<&str> = words.filter(is_variable).collect();
    assert!(variables.len() > 20, "{variables:?}");
    for variable in variables {
        assert!(example.contains(&format!("\n#{variable}=")), "{variable}");
    }
    // As it stands it changes nothing.
    std::fs::copy(own(".env.example"), world.folder().join(".env")).unwrap();
    let _server = world.serve().await;
}

async fn the_containers_check_of_health_tells_ready_from_not(world: World) {
    let compose = text("deploy/compose.yaml");
    let line = compose.lines().find_map(|line| line.trim().strip_prefix("- exec ")).unwrap();
    let check = format!("exec {}", line.replace("8002", &world.port.to_string()));
    let healthy = async || {
        let mut bash = Command::new("bash");
        bash.args(["-c", &check]).stderr(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || bash.status().unwrap().success()).await.unwrap()
    };
    assert!(!healthy().await);
    let mut server = world.serve().await;
    assert!(healthy().await);
    server.kill();
    assert!(!healthy().await);
}

on_every_backend!(
    the_containers_check_of_health_tells_ready_from_not,
    what_help_names_is_in_the_example_file_and_the_file_can_be_used,
);

#[test]
fn the_dockerfile_builds_this_program_with_the_version_that_it_wants() {
    let dockerfile = text("deploy/Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"))));
    let program = env!("CARGO_PKG_NAME");
    for line in [
        format!("--package {program} --no-default-features\n"),
        format!("/src/target/release/{program} /usr/local/bin/{program}\n"),
        format!("ENTRYPOINT [\"{program}\"]\n"),
    ] {
        assert!(dockerfile.contains(&line), "{line}");
    }
    assert!(
        text("deploy/scheduled-posts.service").contains(&format!("/usr/local/bin/{program} serve"))
    );
    let compose = text("deploy/compose.yaml");
    let context = own("deploy").join("../../..");
    for file in ["Cargo.lock", "examples/scheduled_posts/deploy/Dockerfile"] {
        assert!(context.join(file).exists(), "{file}");
    }
    assert!(compose.contains("context: ../../..\n"));
    assert!(compose.contains("dockerfile: examples/scheduled_posts/deploy/Dockerfile\n"));
    assert!(compose.contains("./Caddyfile:") && own("deploy/Caddyfile").exists());
}

#[test]
fn the_chapters_link_to_what_is_there() {
    for chapter in
        ["docs/production.md", "docs/from-user-id-to-verified-tokens.md", "docs/settings.md"]
    {
        let text = text(chapter);
        let links: Vec<&str> = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"))
            .collect();
        for link in &links {
            assert!(own("docs").join(link).exists(), "{link} in {chapter}");
        }
    }
}
