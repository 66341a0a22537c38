//! A certificate and its key: read from PEM, checked before use. Opens only its two files.
//!
//! Needed by row F35.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};
use tower_clerk::clock::{Clock as _, SystemClock};
use webpki::{EndEntityCert, KeyUsage};

/// The paths of a certificate and its key: `TLS_CERT` and `TLS_KEY`.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    cert: PathBuf,
    key: PathBuf,
}

/// The contents of the two files. Redacted in `Debug`, because the key is secret.
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
    /// Returns these two paths; opens nothing.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { cert: cert.into(), key: key.into() }
    }

    /// Reads and checks both files.
    ///
    /// # Errors
    ///
    /// Returns the reason why they cannot be served now. The message names the variable and shows
    /// nothing of the files.
    pub fn load(&self) -> Result<Certificate, CertificateError> {
        Certificate::new(self.read()?, SystemClock::new().now())
    }

    pub(super) fn read(&self) -> Result<Pem, CertificateError> {
        let cert = read(&self.cert).map_err(CertificateError::CertUnreadable)?;
        let key = read(&self.key).map_err(CertificateError::KeyUnreadable)?;
        Ok(Pem { cert, key })
    }
}

/// Reads a file of text, without the byte order mark that some editors put before it.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(path)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

impl Certificate {
    pub(super) fn new(pem: Pem, now: SystemTime) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.cert).collect();
        let chain = chain.unwrap_or_default();
        let leaf = chain.first().cloned().ok_or(CertificateError::NoCert)?;
        // The error is dropped: its text may repeat a part of the key.
        let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| CertificateError::NoKey)?;
        match validity(&leaf, now) {
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                return Err(CertificateError::Expired(not_after));
            }
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
                return Err(CertificateError::NotYet(not_before));
            }
            // The issuer cannot be found, as expected. Other defects are for clients to judge.
            Ok(()) | Err(_) => {}
        }
        // The provider is set here: a default for the whole process would affect all other users of
        // rustls in it.
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

    /// Returns whether the certificate was made from `pem`.
    pub(super) fn is_of(&self, pem: &Pem) -> bool {
        self.pem == *pem
    }

    /// Returns whether clients accept it for this host. They accept a certificate without names for
    /// no host.
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

    /// Returns when the certificate ends, if that is before `then`.
    #[must_use]
    pub fn ends_before(&self, then: SystemTime) -> Option<String> {
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

/// The reason why a certificate and its key cannot be served.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateError {
    /// The certificate's file cannot be read.
    CertUnreadable(io::Error),
    /// The certificate ended at this time.
    Expired(UnixTime),
    /// The key's file cannot be read.
    KeyUnreadable(io::Error),
    /// The key belongs to another certificate.
    Mismatch,
    /// The certificate's file holds no certificate.
    NoCert,
    /// The key's file holds no key.
    NoKey,
    /// The certificate begins at this time.
    NotYet(UnixTime),
    /// The TLS library accepts neither.
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
                "TLS_KEY: the key does not belong to the first certificate in TLS_CERT, which \
                 must be the server's own"
            ),
            Self::NoCert => write!(
                f,
                "TLS_CERT: the file holds no PEM with BEGIN CERTIFICATE; put the server's \
                 certificate first and the intermediate certificates after it"
            ),
            Self::NoKey => write!(
                f,
                "TLS_KEY: the file must be PEM with an unencrypted private key (BEGIN PRIVATE \
                 KEY, RSA PRIVATE KEY or EC PRIVATE KEY)"
            ),
            Self::NotYet(begin) => write!(
                f,
                "TLS_CERT: the certificate begins on {}, in the future; check this machine's clock",
                shown(*begin)
            ),
            Self::Unusable(error) => {
                write!(f, "TLS_CERT: the certificate and its key cannot be used: {error}")
            }
        }
    }
}

/// Checks whether the certificate is in date. webpki does so before it looks for an issuer, and it
/// is given none.
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
