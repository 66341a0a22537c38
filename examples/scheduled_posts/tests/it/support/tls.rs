//! Certificates made for a test, and clients that trust only those.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tower_clerk::clock::{Clock as _, SystemClock};

/// A certificate that signs itself, and its key.
pub(crate) struct MadeCertificate {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl MadeCertificate {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::make(names, (2500, 1, 1))
    }

    pub(crate) fn expired(names: &[&str]) -> Self {
        Self::make(names, (2021, 1, 1))
    }

    /// One whose last day is so many days from now.
    pub(crate) fn ending_in(days: i64, names: &[&str]) -> Self {
        let end = DateTime::<Utc>::from(SystemClock::new().now()) + TimeDelta::days(days);
        Self::make(
            names,
            (end.year(), end.month().try_into().unwrap(), end.day().try_into().unwrap()),
        )
    }

    fn make(names: &[&str], (year, month, day): (i32, u8, u8)) -> Self {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(year, month, day);
        params.not_before = date_time_ymd(2020, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        Self { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().clone() }
    }

    /// Writes both files, and says which variables name them.
    pub(crate) fn write(&self, folder: &Path) -> Vec<(String, String)> {
        let file = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        [("TLS_CERT", file("cert.pem", &self.cert)), ("TLS_KEY", file("key.pem", &self.key))]
            .map(|(name, path)| (name.to_owned(), path.to_str().unwrap().to_owned()))
            .into()
    }
}

/// How a client begins.
pub(crate) struct TlsClient<'a> {
    pub(crate) port: u16,
    pub(crate) name: &'a str,
    pub(crate) protocols: &'a [&'a str],
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
}

impl<'a> TlsClient<'a> {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, name: "localhost", protocols: &["http/1.1"], versions: VERSIONS }
    }

    pub(crate) async fn connect(
        &self,
        trusted: &MadeCertificate,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().into()).collect();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from(self.name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];
