//! HTTPS: protocol versions, refusals, and certificates that are renewed while the server runs.

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version;

use crate::support::{
    Backend, Frames, MadeCertificate, Process, Raw, TlsClient, World, free_port, until,
};

/// A server with HTTPS, once it listens.
pub(crate) async fn serve(world: &World, variables: &[(String, String)]) -> Process {
    let env = [world.env(), variables.to_vec()].concat();
    let mut server = Process::start(world.folder(), "serve", &[], &env);
    until("the server listens", async || {
        assert!(!server.has_ended(), "{}", server.err());
        server.out().contains("Scheduled posts on").then_some(())
    })
    .await;
    server
}

async fn ask(stream: TlsStream<TcpStream>, host: &str, path: &str) -> String {
    let mut raw = Raw::new(stream);
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
    raw.rest().await
}

fn presented(stream: &TlsStream<TcpStream>) -> &[u8] {
    &stream.get_ref().1.peer_certificates().unwrap()[0]
}

#[tokio::test]
async fn f35_https_speaks_tls_1_2_and_1_3_with_either_http() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost", "app.example.com"]);
        let server = serve(&world, &made.write(world.folder())).await;
        assert!(server.out().contains(&format!("https://127.0.0.1:{}", world.port)));
        for versions in [&[&version::TLS12], &[&version::TLS13]] {
            let client = TlsClient { versions, ..TlsClient::new(world.port) };
            let stream = client.connect(&made).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(versions[0].version));
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            let answer = ask(stream, "app.example.com", "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let protocols = &["h2", "http/1.1"];
        let client = TlsClient { protocols, name: "app.example.com", ..TlsClient::new(world.port) };
        let stream = client.connect(&made).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::task::spawn_local(connection);
        let request = http::Request::get("https://app.example.com/healthz").body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
        drop((client, answer));
        connection.await.unwrap().unwrap();
        // A client that wants neither is told so in the handshake.
        let none = TlsClient { protocols: &["smtp"], ..TlsClient::new(world.port) };
        assert!(none.connect(&made).await.is_err());
    })
    .await;
}

/// A ClientHello of TLS 1.1 that offers what every server of its time took.
#[tokio::test]
async fn f35_what_is_older_than_tls_1_2_is_refused() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let _server = serve(&world, &made.write(world.folder())).await;
        for minor in [0, 1, 2] {
            let hello = [&[3, minor][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
            let length = u8::try_from(hello.len()).unwrap();
            let record = [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
            let mut raw = Raw::open(world.port).await;
            raw.send(&record).await;
            let answer = raw.into_rest().await;
            // A fatal alert and nothing else: the handshake failed, or the version did.
            assert_eq!((answer.len(), answer[0], answer[5]), (7, 21, 2), "{answer:?}");
            assert!([40, 70].contains(&answer[6]), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn f35_plain_http_on_the_https_port_is_told_so() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let _server = serve(&world, &made.write(world.folder())).await;
        for request in
            ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        {
            let answer = Raw::ask(world.port, request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            let body = r#"{"detail":"This port speaks HTTPS; use an https:// address"}"#;
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        }
        let mut raw = Raw::open(world.port).await;
        raw.send(format!("POST / HTTP/1.1\r\nHost: a\r\n\r\n{}", "a".repeat(20_000))).await;
        assert!(raw.rest().await.starts_with("HTTP/1.1 400 "));
        // HTTP/2 without ALPN, as some clients begin.
        let plain = TlsClient { protocols: &[], ..TlsClient::new(world.port) };
        let mut raw = Raw::new(plain.connect(&made).await.unwrap());
        raw.send(Frames::preface(&[]).get(1).0).await;
        assert!(raw.frame_of(&[1]).await.unwrap().contains(&0x88));
    })
    .await;
}

/// For a year, and only what is somebody's name: not plain HTTP, not an address, not localhost.
#[tokio::test]
async fn f35_browsers_are_told_to_stay_with_https() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let _server = serve(&world, &made.write(world.folder())).await;
        for (host, told) in [
            ("app.example.com", true),
            ("app.example.com:8443", true),
            ("localhost", false),
            ("127.0.0.1:8443", false),
            ("[::1]", false),
        ] {
            for path in ["/", "/api/me", "/nothing", "/healthz"] {
                let stream = TlsClient::new(world.port).connect(&made).await.unwrap();
                let answer = ask(stream, host, path).await;
                let header = "\r\nstrict-transport-security: max-age=31536000\r\n";
                assert_eq!(answer.contains(header), told, "{host}{path}: {answer}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn f27_a_tls_handshake_that_stalls_is_given_up() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let server = serve(&world, &made.write(world.folder())).await;
        let port = world.port;
        let begun = async |bytes: &'static [u8]| {
            let mut raw = Raw::open(port).await;
            raw.send(bytes).await;
            raw.rest().await
        };
        // Nothing, the beginning of a record, a record that is not whole.
        let (nothing, head, part) = tokio::join!(
            begun(b""),
            begun(b"\x16"),
            begun(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        );
        assert!([nothing, head, part].iter().all(|answer| !answer.contains("HTTP")));
        let stream = TlsClient::new(port).connect(&made).await.unwrap();
        let answer = ask(stream, "localhost", "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}\n{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f35_a_renewed_certificate_is_served_and_no_connection_is_dropped() {
    World::run(Backend::Sqlite, async |world: World| {
        let first = MadeCertificate::new(&["localhost"]);
        let server = serve(&world, &first.write(world.folder())).await;
        let client = TlsClient::new(world.port);
        let stream = client.connect(&first).await.unwrap();
        assert_eq!(presented(&stream), &*first.der);
        let mut kept = Raw::new(stream);
        let ask_again = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        kept.send(ask_again).await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200 "));

        // What cannot be used leaves the old one where it is.
        let other = MadeCertificate::new(&["localhost"]);
        let expired = MadeCertificate::expired(&["localhost"]);
        for (n, (cert, key)) in [
            (&other.cert, &first.key),
            (&"canary".to_owned(), &other.key),
            (&expired.cert, &expired.key),
        ]
        .into_iter()
        .enumerate()
        {
            std::fs::write(world.folder().join("cert.pem"), cert).unwrap();
            std::fs::write(world.folder().join("key.pem"), key).unwrap();
            server.signal("-HUP");
            until("the log says so", async || {
                let told = server.err().matches("the previous one stays in use").count();
                (told > n).then_some(())
            })
            .await;
            let stream = client.connect(&first).await.unwrap();
            assert_eq!(presented(&stream), &*first.der);
        }
        assert!(!server.err().contains("canary"), "{}", server.err());

        let second = MadeCertificate::new(&["localhost"]);
        second.write(world.folder());
        server.signal("-HUP");
        until("the new one is served", async || {
            let stream = client.connect(&second).await.ok()?;
            (presented(&stream) == &*second.der).then_some(())
        })
        .await;
        kept.send(ask_again).await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200 "), "{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f35_what_cannot_be_served_is_refused_before_anything_listens() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let redirect = vec![("HTTP_REDIRECT_PORT".to_owned(), free_port().to_string())];
        let other = MadeCertificate::new(&["localhost"]);
        let mixed = MadeCertificate { key: other.key, ..MadeCertificate::new(&["localhost"]) };
        let missing = vec![
            ("TLS_CERT".to_owned(), "canary.pem".to_owned()),
            ("TLS_KEY".to_owned(), "canary.pem".to_owned()),
        ];
        let write = |made: &MadeCertificate| {
            let folder = world.folder().join(free_port().to_string());
            std::fs::create_dir(&folder).unwrap();
            made.write(&folder)
        };
        let expired = MadeCertificate::expired(&["localhost"]);
        for (name, said, variables) in [
            ("alone", "TLS_KEY: is unset", write(&made)[..1].to_vec()),
            ("keyless", "TLS_CERT: is unset", write(&made)[1..].to_vec()),
            ("redirect", "HTTP_REDIRECT_PORT: redirects to HTTPS", redirect),
            ("missing", "TLS_CERT: the file cannot be read", missing),
            ("expired", "TLS_CERT: the certificate ended on 2021-01-01", write(&expired)),
            ("mixed", "TLS_KEY: the key does not belong", write(&mixed)),
        ] {
            let env = [world.env(), variables].concat();
            let mut process = Process::start(world.folder(), name, &["serve"], &env);
            assert_eq!(process.exit_code().await, 2, "{name}: {}", process.err());
            assert!(process.err().contains(said), "{name}: {}", process.err());
            assert!(!process.err().contains("canary"), "{}", process.err());
        }
        assert!(!world.folder().join("posts.db").exists());
    })
    .await;
}

#[tokio::test]
async fn plain_http_is_sent_to_https_and_nowhere_else() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost", "app.example.com", "*.wild.example"]);
        let port = free_port();
        let redirect = [("HTTP_REDIRECT_PORT".to_owned(), port.to_string())];
        let server = serve(&world, &[made.write(world.folder()), redirect.to_vec()].concat()).await;
        assert!(server.out().contains(&port.to_string()), "{}", server.out());
        let https = world.port;
        let ask = async |method: &str, target: &str, host: &str| {
            let request = format!("{method} {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
            Raw::ask(port, request).await
        };
        for (method, target, host, location) in [
            ("GET", "/", "localhost", format!("https://localhost:{https}/")),
            (
                "POST",
                "/api/x?a=%2F&b",
                "app.example.com:80",
                format!("https://app.example.com:{https}/api/x?a=%2F&b"),
            ),
            (
                "PUT",
                "//evil.com/x",
                "a.wild.example",
                format!("https://a.wild.example:{https}//evil.com/x"),
            ),
            ("GET", "/a", "APP.example.com", format!("https://APP.example.com:{https}/a")),
            // The very address that was asked.
            ("GET", "/a", "127.0.0.1:80", format!("https://127.0.0.1:{https}/a")),
            ("OPTIONS", "*", "localhost", format!("https://localhost:{https}/")),
            (
                "GET",
                "http://app.example.com/a",
                "localhost",
                format!("https://app.example.com:{https}/a"),
            ),
        ] {
            let answer = ask(method, target, &format!("Host: {host}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 308 "), "{target}: {answer}");
            assert!(
                answer.contains(&format!("\r\nlocation: {location}\r\n")),
                "{target}: {answer}"
            );
            assert!(!answer.contains("strict-transport-security"), "{answer}");
        }
        for host in [
            "",
            "Host: \r\n",
            "Host: evil.com\r\n",
            "Host: localhost.evil.com\r\n",
            "Host: localhost@evil.com\r\n",
            "Host: localhost:80@evil.com\r\n",
            "Host: evil.com/localhost\r\n",
            "Host: evil.com#localhost\r\n",
            "Host: localhost\\evil.com\r\n",
            "Host: localhost:x\r\n",
            "Host: 192.0.2.1\r\n",
            "Host: [::1]\r\n",
            "Host: localhost\r\nHost: evil.com\r\n",
        ] {
            let answer = ask("GET", "/a", host).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{host}: {answer}");
            assert!(!answer.contains("location"), "{host}: {answer}");
        }
        let absolute = ask("GET", "http://evil.com/a", "Host: localhost\r\n").await;
        assert!(absolute.starts_with("HTTP/1.1 400 "), "{absolute}");
        // HTTP/1.0 needs no host, and there is nowhere to send such a client.
        assert!(Raw::ask(port, "GET / HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 400 "));
    })
    .await;
}

/// The stand-in has to post to whatever the server speaks.
#[tokio::test]
async fn the_dev_clerk_delivers_over_https() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let server = serve(&world, &made.write(world.folder())).await;
        let id = world.clerk().sign_up("tls@example.com").await;
        until("the user is synced", async || {
            server.err().contains(&format!("Created user: {id}")).then_some(())
        })
        .await;
        let token = world.clerk().token(&id).await;
        let stream = TlsClient::new(world.port).connect(&made).await.unwrap();
        let mut raw = Raw::new(stream);
        let head = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
        raw.send(format!("GET /api/me HTTP/1.1\r\n{head}\r\n")).await;
        assert!(raw.answer().await.contains("tls@example.com"));
    })
    .await;
}
