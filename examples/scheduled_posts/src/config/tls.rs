//! The settings of TLS: both files or none, and a redirect only with them.

use std::net::SocketAddr;

use crate::config::reader::Reader;
use crate::config::values;
use serving::tls::{Certificate, CertificateFiles};

/// The settings of HTTPS.
#[derive(Debug)]
pub(crate) struct TlsConfig {
    pub(crate) files: CertificateFiles,
    pub(crate) certificate: Certificate,
    /// The address at which plain HTTP is redirected to HTTPS.
    pub(crate) redirect: Option<SocketAddr>,
}

impl Reader<'_> {
    /// Reads the settings and the two files, so that problems with the files are reported with all
    /// others.
    pub(super) fn tls(&mut self, listen: SocketAddr) -> Option<TlsConfig> {
        let redirect = self.value(REDIRECT, None, |text| values::port(text).map(Some));
        let (cert, key) = match (self.env.get("TLS_CERT"), self.env.get("TLS_KEY")) {
            (Some(cert), Some(key)) => {
                if let Some(port) = redirect {
                    self.listens_on(REDIRECT, port);
                }
                (cert, key)
            }
            (None, None) => {
                if redirect.is_some() {
                    self.errors.push(format!(
                        "{REDIRECT}: redirects to HTTPS, which is not served without TLS_CERT and \
                         TLS_KEY; set them, or unset it"
                    ));
                }
                return None;
            }
            (Some(_), None) => return self.one_without("TLS_KEY", "TLS_CERT"),
            (None, Some(_)) => return self.one_without("TLS_CERT", "TLS_KEY"),
        };
        let files = CertificateFiles::new(cert, key);
        match files.load() {
            Ok(certificate) => {
                let redirect = redirect.map(|port| SocketAddr::new(listen.ip(), port));
                Some(TlsConfig { files, certificate, redirect })
            }
            Err(error) => {
                self.errors.push(error.to_string());
                None
            }
        }
    }

    fn one_without(&mut self, missing: &str, given: &str) -> Option<TlsConfig> {
        self.errors.push(format!("{missing}: is unset, and {given} is set; HTTPS needs both"));
        None
    }
}

const REDIRECT: &str = "HTTP_REDIRECT_PORT";
