//! One connection from its first byte to its end. Every wait in it has a limit.
//!
//! Needed by rows F26, F27, F28.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::activity::Activity;
use crate::host::Host;
use crate::limits::{self, Limits};
use crate::patience::Patience;
use crate::tls::Tls;

/// The local address that a request arrived at.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LocalAddress(pub SocketAddr);

/// What is served on a connection, and how.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
}

/// Serves one connection.
pub(super) async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    served: &Served,
    mut stop: watch::Receiver<bool>,
) {
    // Otherwise a small answer waits until the client acknowledges the previous one.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let ends = Ends { peer, local, secure: served.tls.is_some() };
    let Some(tls) = &served.tls else { return speak(stream, ends, served, stop).await };
    let handshake = tokio::time::timeout(served.limits.handshake, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        // No request was sent yet, so there is nothing to finish.
        () = stopped(&mut stop) => return,
    };
    match accepted {
        Ok(Ok(stream)) => speak(stream, ends, served, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// The addresses of the two ends, and whether the connection between them is encrypted.
#[derive(Clone, Copy)]
struct Ends {
    peer: SocketAddr,
    local: SocketAddr,
    secure: bool,
}

/// Serves HTTP/1 or HTTP/2, whichever the client begins with.
async fn speak<S>(stream: S, ends: Ends, served: &Served, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = served.limits;
    let activity = Activity::default();
    let service = service_fn(|request: Request<Incoming>| {
        let handling = activity.begin(request.version());
        let answer = answer(request, ends, served);
        async move {
            let answer = answer.await;
            drop(handling);
            Ok::<_, Infallible>(answer)
        }
    });
    let builder = builder(limits);
    let stream = Patience::new(stream, limits.write, activity.clone());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut looks = tokio::time::interval(limits.head / LOOKS_PER_HEAD);
    let (mut begun, mut quiet_since) = (0, Instant::now());
    let (mut asked_to_end, mut stopping) = (None, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => return report(ended),
            // The server itself ends requests that outlast its grace period.
            () = stopped(&mut stop), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
            now = looks.tick() => {
                if !activity.is_quiet_since(begun) {
                    (begun, quiet_since) = (activity.begun(), now);
                    continue;
                }
                let quiet = now.duration_since(quiet_since);
                let without_request = begun == 0 && quiet >= limits.head;
                if without_request || activity.head_lasts(limits.head) {
                    return;
                }
                match asked_to_end {
                    Some(asked) if now.duration_since(asked) >= limits.farewell => return,
                    // An idle client, an HTTP/2 client that only answers pings, or a client that
                    // reads nothing of an answer.
                    None if quiet >= limits.idle => {
                        connection.as_mut().graceful_shutdown();
                        asked_to_end = Some(now);
                    }
                    Some(_) | None => {}
                }
            }
        }
    }
}

fn answer(
    mut request: Request<Incoming>,
    ends: Ends,
    served: &Served,
) -> impl Future<Output = Response> + Send + use<> {
    request.extensions_mut().insert(ConnectInfo(ends.peer));
    request.extensions_mut().insert(LocalAddress(ends.local));
    let named = ends.secure && Host::of(&request).is_some_and(|host| host.is_public_name());
    let answer = served.router.clone().oneshot(request);
    async move {
        let mut answer = answer.await.unwrap_or_else(|never| match never {});
        if named {
            answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
        }
        answer
    }
}

/// Resolves when the server is told to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // Clients disconnect all the time.
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper includes the time between two requests. The shorter limit on a head alone is in
        // `speak`.
        .header_read_timeout(limits.idle)
        .max_buf_size(limits::HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits::PING)
        .keep_alive_timeout(limits.head)
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(limits::HEAD_BYTES)
        .max_pending_accept_reset_streams(limits::RESETS)
        .max_local_error_reset_streams(limits::RESETS)
        .max_send_buf_size(limits::SEND_BUFFER)
        .initial_stream_window_size(limits::STREAM_WINDOW)
        .initial_connection_window_size(limits::CONNECTION_WINDOW);
    builder
}

/// The checks of a connection per `Limits::head`: a head is cut off at most a quarter too late.
const LOOKS_PER_HEAD: u32 = 4;
/// How long browsers refuse plain HTTP. Subdomains are left out: this server knows none of them.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
