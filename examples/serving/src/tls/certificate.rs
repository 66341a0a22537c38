//! A certificate and its key: read from PEM, judged before use. Opens nothing but its two files.
//!
//! Needed by row F35.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};
use tower_clerk::clock::{Clock as _, SystemClock};
use webpki::{EndEntityCert, KeyUsage};

/// Where a certificate and its key are: `TLS_CERT` and `TLS_KEY`.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    cert: PathBuf,
    key: PathBuf,
}

/// What the two files hold. Redacted in `Debug`: half of it is secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that can be served: in date, and with the key that belongs to it.
pub struct Certificate {
    leaf: CertificateDer<'static>,
    config: Arc<ServerConfig>,
    pem: Pem,
}

impl CertificateFiles {
    /// Returns these two places; opens nothing.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { cert: cert.into(), key: key.into() }
    }

    /// Reads both and judges them.
    ///
    /// # Errors
    ///
    /// Whatever keeps them from being served now; the message names the variable and shows nothing
    /// of the files.
    pub fn load(&self) -> Result<Certificate, CertificateError> {
        Certificate::new(self.read()?, SystemClock::new().now())
    }

    pub(super) fn read(&self) -> Result<Pem, CertificateError> {
        let cert = std::fs::read(&self.cert).map_err(CertificateError::CertUnreadable)?;
        let key = std::fs::read(&self.key).map_err(CertificateError::KeyUnreadable)?;
        Ok(Pem { cert, key })
    }
}

impl Certificate {
    pub(super) fn new(pem: Pem, now: SystemTime) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.cert).collect();
        let chain = chain.unwrap_or_default();
        let leaf = chain.first().cloned().ok_or(CertificateError::NoCert)?;
        // What the reader says of a key may repeat some of it.
        let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| CertificateError::NoKey)?;
        match validity(&leaf, now) {
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                return Err(CertificateError::Expired(not_after));
            }
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
                return Err(CertificateError::NotYet(not_before));
            }
            // There was no issuer to be found, and what else is odd is for clients to judge.
            Ok(()) | Err(_) => {}
        }
        // The library is told which cryptography to use: a choice for the whole process would be
        // made for everybody else in it too.
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let mut config = builder
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    CertificateError::Mismatch
                }
                other => CertificateError::Unusable(other),
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { leaf, config: Arc::new(config), pem })
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Whether it was made of these files' contents.
    pub(super) fn is_of(&self, pem: &Pem) -> bool {
        self.pem == *pem
    }

    /// Whether clients take it for this host. They take one that names nobody for nobody.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches([']', '.']);
        let (Ok(name), Ok(leaf)) =
            (ServerName::try_from(host), EndEntityCert::try_from(&self.leaf))
        else {
            return false;
        };
        leaf.verify_is_valid_for_subject_name(&name).is_ok()
    }

    /// When it ends, if that is before then.
    pub(super) fn ends_before(&self, then: SystemTime) -> Option<String> {
        match validity(&self.leaf, then) {
            Err(webpki::Error::CertExpired { not_after, .. }) => Some(shown(not_after)),
            _ => None,
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem([redacted])")
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate([redacted])")
    }
}

/// Why two files cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateError {
    /// The certificate's file cannot be read.
    CertUnreadable(io::Error),
    /// The certificate ended then.
    Expired(UnixTime),
    /// The key's file cannot be read.
    KeyUnreadable(io::Error),
    /// The key is another certificate's.
    Mismatch,
    /// The certificate's file holds none.
    NoCert,
    /// The key's file holds none.
    NoKey,
    /// The certificate begins then.
    NotYet(UnixTime),
    /// The TLS library takes neither.
    Unusable(rustls::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertUnreadable(error) => write!(f, "TLS_CERT: the file cannot be read: {error}"),
            Self::Expired(end) => write!(
                f,
                "TLS_CERT: the certificate ended on {}; put the renewed one there",
                shown(*end)
            ),
            Self::KeyUnreadable(error) => write!(f, "TLS_KEY: the file cannot be read: {error}"),
            Self::Mismatch => write!(
                f,
                "TLS_KEY: is not the key of the certificate in TLS_CERT, whose first certificate \
                 must be the server's own"
            ),
            Self::NoCert => write!(
                f,
                "TLS_CERT: the file is no PEM with BEGIN CERTIFICATE; it holds the server's \
                 certificate first and the intermediate ones after it"
            ),
            Self::NoKey => write!(
                f,
                "TLS_KEY: the file is no PEM with a private key that is not encrypted (BEGIN \
                 PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY)"
            ),
            Self::NotYet(begin) => write!(
                f,
                "TLS_CERT: the certificate begins on {} only; is this machine's clock right?",
                shown(*begin)
            ),
            Self::Unusable(error) => {
                write!(f, "TLS_CERT: the certificate and its key cannot be used: {error}")
            }
        }
    }
}

/// Looks for an issuer among none: before that, webpki judges whether the certificate is in date.
fn validity(leaf: &CertificateDer<'_>, at: SystemTime) -> Result<(), webpki::Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let at = UnixTime::since_unix_epoch(since);
    let leaf = EndEntityCert::try_from(leaf)?;
    leaf.verify_for_usage(&[], &[], &[], at, KeyUsage::server_auth(), None, None).map(|_| ())
}

fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    time.map_or_else(|| "a day beyond all calendars".to_owned(), show)
}

fn show(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
