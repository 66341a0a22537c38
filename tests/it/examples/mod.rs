//! The examples, one file each: every one is served on a real socket and tried by the very commands
//! that it prints.

mod axum;
mod hyper;
mod optional_sign_in;
mod own_tests;
mod report_only;
mod sqlx_postgres;
mod tonic;
mod two_instances;
mod webhooks_to_database;
mod webhooks_to_log;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::support::servers::within;

/// A free port, and its address.
async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Serves an example on a free port.
async fn serve(app: ::axum::Router) -> SocketAddr {
    let (listener, addr) = bind().await;
    tokio::spawn(async move { ::axum::serve(listener, app).await });
    addr
}

/// Does what an example tells its reader to do, asserts that each command gets the status that is
/// printed above it, and returns the bodies.
async fn follow(instructions: &str) -> Vec<String> {
    let (mut variables, mut status, mut bodies) = (Vec::new(), None, Vec::new());
    for line in instructions.lines() {
        if let Some(command) = line.strip_prefix("  curl -i ") {
            let words = split(command, &variables);
            let (got, body) = curl(&words).await;
            assert_eq!(Some(got), status.take(), "{line}");
            bodies.push(body);
        } else if let Some((name, value)) = line.strip_prefix("  ").and_then(|l| l.split_once('='))
        {
            variables.push((format!("${name}"), value.trim_matches('\'').to_owned()));
        } else {
            status = line.get(..3).and_then(|number| number.parse::<u16>().ok());
        }
    }
    assert!(!bodies.is_empty(), "nothing to try in {instructions}");
    bodies
}

/// Splits a command into words as a shell does: quotes of both kinds, variables within `"`.
fn split(command: &str, variables: &[(String, String)]) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => {
                if open == '"' {
                    for (name, value) in variables {
                        word = word.replace(name, value);
                    }
                }
                quote = None;
            }
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    assert_eq!(quote, None, "an open quote in {command}");
    words.push(word);
    words
}

/// Sends a request as `curl` does: `-H header`, `-d body`, which makes it a POST, and an address.
async fn curl(words: &[String]) -> (u16, String) {
    let (mut builder, mut body, mut words) = (http::Request::builder(), None, words.iter());
    let mut url: Option<http::Uri> = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" => {
                let (name, value) = words.next().unwrap().split_once(": ").unwrap();
                builder = builder.header(name, value);
            }
            "-d" => body = words.next().cloned(),
            address => {
                assert!(url.is_none() && address.starts_with("http://"), "{address:?}");
                url = Some(address.parse().unwrap());
            }
        }
    }
    let url = url.unwrap();
    let authority = url.authority().unwrap().as_str();
    let method = if body.is_some() { "POST" } else { "GET" };
    let builder = builder.method(method).uri(url.path()).header("host", authority);
    let request = builder.body(body.unwrap_or_default()).unwrap();
    let io = TokioIo::new(TcpStream::connect(authority).await.unwrap());
    let (mut sender, connection) = ::hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = within(sender.send_request(request)).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn every_example_is_run_by_a_test_and_has_at_most_150_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".rs") && name != "mod.rs").collect()
    };
    let examples = sources("examples");
    assert_eq!(examples, sources("tests/it/examples"));
    for example in examples {
        let text = fs::read_to_string(root.join("examples").join(&example)).unwrap();
        assert!(text.lines().count() <= 150, "{example} is longer");
        let command = format!("cargo run --example {}", example.trim_end_matches(".rs"));
        assert!(text.contains(&command), "{example} does not say how it is started");
    }
}
