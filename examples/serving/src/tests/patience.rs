//! Clients that send slowly, send nothing, or read nothing.

use super::*;

#[tokio::test]
async fn f26_a_head_that_dribbles_is_cut_off() {
    let server = Running::start(short(), true).await;
    for begin in ["", "GET / HT", "GET / HTTP/1.1\r\nX-A: ", "PRI * HTTP/2.0\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        let left = in_time(dribble_to_the_end(&mut stream, b'G')).await;
        assert!(!left.starts_with(b"HTTP/1.1 2"), "{begin}: {left:?}");
    }
    assert!(server.answers().await);
}

#[tokio::test]
async fn f26_the_second_head_on_a_connection_has_no_more_time_than_the_first() {
    let server = Running::start(short(), true).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX-A: ").await.unwrap();
    let left = in_time(dribble_to_the_end(&mut stream, b'a')).await;
    assert_eq!(String::from_utf8(left).unwrap().matches("HTTP/1.1 200").count(), 1);
}

#[tokio::test]
async fn f27_a_connection_that_is_not_used_is_closed() {
    let server = Running::start(short(), true).await;
    for begin in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        in_time(read_to_end(&mut stream)).await;
    }
    // HTTP/2: a client without a request, and one that only answers pings after its request.
    let (_client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    let _ = in_time(connection).await;
    let (mut client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = axum::http::Request::get("http://a/").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    assert_eq!(in_time(answer).await.unwrap().status(), 200);
    let _ = in_time(connection).await.unwrap();
    drop(client);
}

#[tokio::test]
async fn f27_who_takes_none_of_an_answer_is_given_up() {
    let mut server = Running::start(short(), true).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.let_go().await;
}

#[tokio::test]
async fn f27_who_takes_an_answer_in_drops_is_given_up_too() {
    let mut server = Running::start(short(), true).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let drops = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        let mut drop = vec![0; 64 * 1024];
        while stream.read(&mut drop).await.is_ok_and(|length| length > 0) {
            pace.tick().await;
        }
    };
    tokio::join!(server.let_go(), drops);
}

#[tokio::test]
async fn f28_an_http2_client_without_a_window_is_given_up() {
    let mut server = Running::start(short(), true).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (mut client, connection) =
        builder.handshake::<_, Bytes>(server.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = axum::http::Request::get("http://a/endless").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = in_time(answer).await.unwrap();
    server.let_go().await;
    let _ = in_time(connection).await.unwrap();
    drop(answer);
}

#[tokio::test]
async fn f32_what_does_not_end_by_itself_is_closed_after_the_grace_period() {
    let mut server = Running::start(short(), true).await;
    let mut silent = server.connect().await;
    let mut kept = server.connect().await;
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    kept.read_u8().await.unwrap();
    let mut upload = server.connect().await;
    upload
        .write_all(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        .await
        .unwrap();
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stuck.read_u8().await.unwrap();
    server.stop.send_replace(true);
    in_time(&mut server.ended).await.unwrap();
    server.let_go().await;
    for stream in [&mut silent, &mut kept, &mut upload, &mut stuck] {
        in_time(read_to_end(stream)).await;
    }
}
