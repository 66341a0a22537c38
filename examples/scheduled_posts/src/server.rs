//! Connections: limits on slow and idle clients, and an orderly end. Knows no routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::patience::Patience;

/// Serves until `stop` turns true; then closes the listener and waits for what is in flight, but
/// no longer than the grace period.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let connections = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Waiting for room leaves new connections in the kernel's queue.
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream, peer) = tokio::select! {
            accepted = accepted => match accepted {
                (Ok(place), Ok((stream, peer))) => (place, stream, peer),
                (_, Err(error)) => {
                    tracing::warn!(%error, "cannot accept a connection; is the limit on open files reached?");
                    tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
                    continue;
                }
                (Err(_), _) => break,
            },
            () = told(&mut stop) => break,
        };
        let (router, watcher) = (router.clone(), connections.watcher());
        tokio::spawn(async move {
            serve_connection(stream, peer, router, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    let open = connections.count();
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!(
            "{open} connections were open; not all ended within {GRACE:?}, closing them"
        );
    }
}

/// Resolves on the first SIGTERM or SIGINT. The second ends the process at once.
pub(crate) async fn stop_signal() {
    first_signal().await;
    tokio::spawn(async {
        first_signal().await;
        tracing::warn!("second signal: exiting at once");
        std::process::exit(1);
    });
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can tell any more, which is as good as a word.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn first_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals; only SIGKILL will end this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Without it small answers wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let began = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let began = Arc::clone(&began);
        move |mut request: Request<Incoming>| {
            began.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        }
    });
    let builder = builder();
    let stream = Patience::new(stream, WRITE_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let mut connection = pin!(watcher.watch(connection));
    // hyper's own timeout begins only when it knows which HTTP the client speaks.
    match tokio::time::timeout(HEADER_TIMEOUT, &mut connection).await {
        Err(_) if !began.load(Ordering::Relaxed) => {}
        Err(_) => report(connection.await),
        Ok(ended) => report(ended),
    }
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // Clients go away all the time.
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(HEADER_TIMEOUT)
        .max_concurrent_streams(100)
        .max_header_list_size(32 * 1024);
    builder
}

const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(200);
/// For what is in flight when the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// For a client to take something of what is written for it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// For the head of a request, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const MOST_CONNECTIONS: usize = 4096;
