//! TLS: the handshake, with the certificate that is current at that moment.
//!
//! Needed by rows F27, F35.

mod certificate;
mod hangups;
mod reload;

pub use certificate::{Certificate, CertificateError, CertificateFiles};

use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::keep_running;

/// A certificate that can be replaced while connections are open. Clones share it.
#[derive(Clone)]
pub struct Tls {
    current: watch::Receiver<Arc<Certificate>>,
}

impl Tls {
    /// Begins with this certificate and checks its files for changes as long as the runtime lives:
    /// every minute, and on SIGHUP.
    #[must_use]
    pub fn start(files: CertificateFiles, certificate: Certificate) -> Self {
        let (replace, current) = watch::channel(Arc::new(certificate));
        let replace = Arc::new(replace);
        keep_running("the watch over TLS_CERT and TLS_KEY", move || {
            reload::watch(files.clone(), Arc::clone(&replace))
        });
        Self { current }
    }

    /// Returns the certificate for new connections.
    #[must_use]
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.current.borrow())
    }

    /// Performs the handshake. A client that speaks plain HTTP gets an answer that says so.
    pub(super) async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let mut first = [0];
        match stream.peek(&mut first).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            _ if first != [HANDSHAKE] => {
                refuse_plain_http(stream).await?;
                return Err(Error::new(ErrorKind::InvalidData, "plain HTTP on the HTTPS port"));
            }
            _ => {}
        }
        let acceptor = TlsAcceptor::from(self.certificate().server_config());
        acceptor.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Answers a plain HTTP request. Reads on for a little while: with unread bytes left, the system
/// would discard the answer.
async fn refuse_plain_http(mut stream: TcpStream) -> Result<()> {
    let length = PLAIN_HTTP.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n{PLAIN_HTTP}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(UNREAD);
    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    Ok(())
}

/// The type of a TLS record that begins a handshake.
const HANDSHAKE: u8 = 0x16;
/// The most that is read of a refused request, in bytes.
const UNREAD: u64 = 64 * 1024;
const PLAIN_HTTP: &str = r#"{"detail":"This port speaks HTTPS; use an https:// address"}"#;
