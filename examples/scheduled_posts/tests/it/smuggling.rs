//! Requests that a proxy and the server could interpret differently.

use crate::support::{Backend, Raw, Webhook, World};

/// RFC 9112 3.2.
#[tokio::test]
async fn fault_c22_a_request_names_one_host() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        for hosts in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nhost: b\r\n",
            "Host: \r\n",
            "Host: a b\r\n",
            "Host: a, b\r\n",
            "Host: http://a\r\n",
            "Host: a:x\r\n",
        ] {
            for path in ["/healthz", "/api/me", "/", "/nothing", "http://a/healthz"] {
                let close = "Connection: close\r\n\r\n";
                let request = format!("GET {path} HTTP/1.1\r\n{hosts}{close}");
                let answer = Raw::ask(world.port, request).await;
                assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts:?} {path}: {answer}");
                assert!(answer.contains(r#"{"detail":"The Host header"#), "{answer}");
            }
        }
        // Before HTTP/1.1 there was no such header.
        let old = Raw::ask(world.port, "GET /healthz HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
    })
    .await;
}

/// One answer, after which the connection ends: whatever follows is nobody's request.
#[tokio::test]
async fn f29_a_request_that_can_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        const HOST: &str = "Host: a\r\n";
        for (what, head) in [
            ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
            ("two lengths in one", "Content-Length: 5, 6\r\n"),
            ("the same length twice in one", "Content-Length: 5, 5\r\n"),
            ("a length with a sign", "Content-Length: +5\r\n"),
            ("a length below nothing", "Content-Length: -5\r\n"),
            ("a length in hexadecimal", "Content-Length: 0x5\r\n"),
            ("no length at all", "Content-Length: \r\n"),
            ("a length beyond all", "Content-Length: 99999999999999999999\r\n"),
            ("another coding", "Transfer-Encoding: gzip\r\n"),
            ("another coding last", "Transfer-Encoding: chunked, gzip\r\n"),
            ("a coding spelt wrong", "Transfer-Encoding: xchunked\r\n"),
            ("a coding as a quoted text", "Transfer-Encoding: \"chunked\"\r\n"),
            ("a length and another coding", "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"),
            ("a folded line", "X-A: b\r\n Content-Length: 5\r\n"),
            ("a folded line by a tab", "X-A: b\r\n\tContent-Length: 5\r\n"),
            ("a space before the colon", "Content-Length : 5\r\n"),
            ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
            ("a space before the name", " Content-Length: 5\r\n"),
            ("no name", ": 5\r\n"),
            ("no colon", "Content-Length\r\n"),
            ("a NUL in a value", "X-A: b\0c\r\n"),
            ("a bare CR in a value", "X-A: b\rc\r\n"),
            ("a NUL in a name", "X-A\0: b\r\n"),
        ] {
            let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
            let request = format!("POST /api/me HTTP/1.1\r\n{HOST}{head}\r\nhello{smuggled}");
            let answer = Raw::ask(world.port, request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
        }
        for (what, request) in [
            (
                "chunked in HTTP/1.0",
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            ("no such version", "GET / HTTP/1.7\r\nHost: a\r\n\r\n"),
            ("no version", "GET /\r\nHost: a\r\n\r\n"),
            ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ] {
            let answer = Raw::ask(world.port, request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
        }
    })
    .await;
}

/// RFC 9112, 6.3: the coding counts, the length does not, and the connection ends after the answer.
#[tokio::test]
async fn f29_of_a_length_and_a_coding_the_coding_counts_and_the_connection_is_closed() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        const CODING: &str = "Transfer-Encoding: chunked\r\n";
        const LENGTH: &str = "Content-Length: 4\r\n";
        for head in [format!("{CODING}{LENGTH}"), format!("{LENGTH}{CODING}")] {
            let request = format!(
                "POST /api/me HTTP/1.1\r\nHost: a\r\n{head}\r\n5c\r\nGPOST / HTTP/1.1\r\n{}\r\n0\r\n\r\n\
                 GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
                "a".repeat(0x5c - 18)
            );
            let answer = Raw::ask(world.port, request).await;
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
            assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
        }
    })
    .await;
}

/// What is not ambiguous to any server: lines that end with LF alone (RFC 9112, 2.2), and the same
/// length twice.
#[tokio::test]
async fn f29_what_is_odd_and_has_one_meaning_is_read_by_it() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        for request in [
            "GET /healthz HTTP/1.1\nHost: a\nConnection: close\n\n",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\
             Connection: close\r\n\r\nhello",
        ] {
            let answer = Raw::ask(world.port, request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
        }
        // Chunks whose sizes are none end the request, and nothing after them is one.
        for chunks in
            ["g\r\nhello\r\n", "-5\r\nhello\r\n", "5\r\nhelloX\r\n", "fffffffffffffffff\r\n"]
        {
            let request = format!(
                "POST /api/webhooks/clerk HTTP/1.1\r\nHost: a\r\n{}Transfer-Encoding: chunked\r\n\
                 \r\n{chunks}0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
                Webhook::forged_headers()
            );
            let answer = Raw::ask(world.port, request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{chunks:?}: {answer}");
        }
    })
    .await;
}
