//! The number of connections of one address, and of all addresses together.

use super::*;

#[tokio::test]
async fn f27_one_address_cannot_take_all_places() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let server = Running::start(limits, false).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    first.read_u8().await.unwrap();
    let second = server.connect().await;
    let mut third = server.connect().await;
    assert_eq!(in_time(read_to_end(&mut third)).await, b"");
    drop((first, second));
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    in_time(async {
        while !server.answers().await {
            pace.tick().await;
        }
    })
    .await;
}

#[tokio::test]
async fn f27_a_trusted_peer_has_as_many_as_there_are() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let server = Running::start(limits, true).await;
    let many: Vec<_> =
        [server.connect().await, server.connect().await, server.connect().await].into();
    assert!(server.answers().await);
    drop(many);
}

#[tokio::test]
async fn f27_when_all_places_are_taken_the_next_client_waits() {
    let server = Running::start(Limits { connections: 1, ..short() }, true).await;
    let _first = server.connect().await;
    // The first client sends nothing, and its connection is closed in the end.
    assert!(server.answers().await);
}
