//! HTTP/2 attacks, frame by frame: the connection ends, and other clients are not affected.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::raw::{END_HEADERS, END_STREAM, GET, HEADERS};
use crate::support::{Backend, Frames, MadeCertificate, Process, Raw, TlsClient, World};

const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

/// What a server says before it ends a connection: the error code of its GOAWAY.
async fn goodbye<S: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<S>) -> Option<u32> {
    let mut code = None;
    while let Some((kind, _, payload)) = raw.frame().await {
        if kind == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    code
}

/// Sends these frames, and waits until the server has ended the connection for them.
async fn is_ended(world: &World, server: &Process, what: &str, frames: Frames) {
    let before = server.memory_kib();
    let mut raw = Raw::open(world.port).await;
    raw.send(frames.0).await;
    // A GOAWAY may be lost when the server does not read on; that it ends the connection, not.
    if let Some(code) = goodbye(&mut raw).await {
        assert_ne!(code, 0, "{what}");
    }
    let grown = server.memory_kib() - before;
    assert!(grown < 32 * 1024, "{what}: {grown} KiB more than before");
    assert_eq!(world.api().get("/healthz").await.status, 200, "{what}: {}", server.err());
}

#[tokio::test]
async fn f28_streams_that_are_begun_and_given_up_at_once_end_the_connection() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let mut rapid = Frames::preface(&[]);
        for stream in (1..20_000_u32).step_by(2) {
            rapid = rapid.get(stream).frame(RST_STREAM, 0, stream, &CANCEL);
        }
        is_ended(&world, &server, "rapid reset", rapid).await;
        // The server's own resets, for what is wrong with each stream.
        let mut wrong = Frames::preface(&[]);
        for stream in (1..20_000_u32).step_by(2) {
            // A stream that depends on itself.
            let payload = [&stream.to_be_bytes()[..], &[16], GET].concat();
            wrong = wrong.frame(HEADERS, END_STREAM | END_HEADERS | 0x20, stream, &payload);
        }
        is_ended(&world, &server, "made to reset", wrong).await;
    })
    .await;
}

#[tokio::test]
async fn f28_and_so_they_do_over_https() {
    World::run(Backend::Sqlite, async |world: World| {
        let made = MadeCertificate::new(&["localhost"]);
        let server = crate::tls::serve(&world, &made.write(world.folder())).await;
        let client = TlsClient { protocols: &["h2"], ..TlsClient::new(world.port) };
        let mut rapid = Frames::preface(&[]);
        for stream in (1..20_000_u32).step_by(2) {
            rapid = rapid.get(stream).frame(RST_STREAM, 0, stream, &CANCEL);
        }
        let mut raw = Raw::new(client.connect(&made).await.unwrap());
        raw.send(rapid.0).await;
        assert_ne!(goodbye(&mut raw).await, Some(0));
        let mut raw = Raw::new(client.connect(&made).await.unwrap());
        raw.send(Frames::preface(&[]).get(1).0).await;
        assert!(raw.frame_of(&[HEADERS]).await.unwrap().contains(&0x88), "{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f28_headers_without_an_end_end_the_connection() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        // A header of 4 KiB in each frame, never the last one.
        let header = [&b"\x00\x01a\x7f\x81\x1f"[..], &[b'a'; 4096]].concat();
        let mut flood = Frames::preface(&[]).frame(HEADERS, END_STREAM, 1, GET);
        for _ in 0..4000 {
            flood = flood.frame(CONTINUATION, 0, 1, &header);
        }
        is_ended(&world, &server, "continuation flood", flood).await;
        let mut empty = Frames::preface(&[]).frame(HEADERS, END_STREAM, 1, GET);
        for _ in 0..200_000 {
            empty = empty.frame(CONTINUATION, 0, 1, &[]);
        }
        is_ended(&world, &server, "empty continuations", empty).await;
    })
    .await;
}

/// A header of 4000 bytes that the decoder is told to remember, and then named by one byte each.
#[tokio::test]
async fn f28_headers_that_unpack_to_megabytes_are_not_unpacked() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let before = server.memory_kib();
        let remember = [&b"\x40\x01a\x7f\xa1\x1e"[..], &[b'a'; 4000]].concat();
        let bomb = [GET, &remember, &[0xbe; 12_000]].concat();
        let frames = Frames::preface(&[]);
        let frames = frames.frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb).get(3);
        let mut raw = Raw::open(world.port).await;
        raw.send(frames.0).await;
        let mut statuses = Vec::new();
        while statuses.len() < 2 {
            match raw.frame().await {
                Some((HEADERS, _, block)) => statuses.push(block),
                Some(_) => {}
                // It may end the connection as well.
                None => break,
            }
        }
        // `:status: 200` is 0x88 in HPACK: the bomb got something else.
        let served = statuses.iter().filter(|block| block.contains(&0x88)).count();
        assert!(served <= 1, "{statuses:?}");
        let grown = server.memory_kib() - before;
        assert!(grown < 32 * 1024, "{grown} KiB more than before");
        assert_eq!(world.api().get("/healthz").await.status, 200, "{}", server.err());
    })
    .await;
}

/// Requests whose bodies never come: no more at a time than the server allows.
#[tokio::test]
async fn f28_ten_thousand_streams_at_once_are_refused_but_for_a_hundred() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let before = server.memory_kib();
        let mut frames = Frames::preface(&[]);
        for stream in (1..20_000_u32).step_by(2) {
            let post = b"\x83\x86\x41\x01a\x44\x13/api/webhooks/clerk";
            frames = frames.frame(HEADERS, END_HEADERS, stream, post);
        }
        let mut raw = Raw::open(world.port).await;
        raw.send(frames.0).await;
        // It refuses them one by one, or has had enough of the whole connection.
        let refused = raw.frame_of(&[RST_STREAM, GOAWAY]).await;
        assert!(refused.is_none_or(|payload| payload != [0; 4]));
        let grown = server.memory_kib() - before;
        assert!(grown < 32 * 1024, "{grown} KiB more than before");
        assert_eq!(world.api().get("/healthz").await.status, 200, "{}", server.err());
    })
    .await;
}

/// Pings and settings in masses: answered as fast as they come and no faster than they are read.
#[tokio::test]
async fn f28_pings_whose_answers_nobody_takes_do_not_pile_up() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let before = server.memory_kib();
        let mut frames = Frames::preface(&[]);
        for _ in 0..100_000 {
            frames = frames.frame(6, 0, 0, &[7; 8]).frame(4, 0, 0, &[]);
        }
        let mut raw = Raw::open(world.port).await;
        // Nothing of what the server says is read meanwhile.
        raw.try_send(&frames.0).await;
        let grown = server.memory_kib() - before;
        assert!(grown < 32 * 1024, "{grown} KiB more than before");
        assert_eq!(world.api().get("/healthz").await.status, 200, "{}", server.err());
    })
    .await;
}
