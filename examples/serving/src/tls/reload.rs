//! The renewal of certificates while the server runs: new connections get the new certificate.
//!
//! Needed by row F35.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tower_clerk::clock::{Clock as _, SystemClock};

use crate::tls::certificate::{Certificate, CertificateError, CertificateFiles, Pem};
use crate::tls::hangups::Hangups;

/// Checks the files every minute and on SIGHUP, as long as the certificate is used.
pub(super) async fn watch(files: CertificateFiles, current: Arc<watch::Sender<Arc<Certificate>>>) {
    let mut hangups = Hangups::new();
    let mut minutes = interval(LOOK_AGAIN);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut days = interval(WARN_AGAIN);
    let mut refused = None;
    loop {
        tokio::select! {
            _ = minutes.tick() => look(&files, &current, &mut refused).await,
            () = hangups.next() => {
                tracing::info!("SIGHUP: reading TLS_CERT and TLS_KEY again");
                refused = None;
                look(&files, &current, &mut refused).await;
            }
            _ = days.tick() => warn_of_end(&current.borrow()),
            () = current.closed() => return,
        }
    }
}

/// Checks the files once. Files that were refused are not reported again until they change, so that
/// they do not fill the log.
async fn look(
    files: &CertificateFiles,
    current: &watch::Sender<Arc<Certificate>>,
    refused: &mut Option<Refused>,
) {
    let files = files.clone();
    // A panic has been reported already.
    let Ok(read) = tokio::task::spawn_blocking(move || files.read()).await else { return };
    let pem = match read {
        Ok(pem) => pem,
        Err(error) => {
            if !matches!(refused, Some(Refused::Unread)) {
                tell(&error);
            }
            *refused = Some(Refused::Unread);
            return;
        }
    };
    if current.borrow().is_of(&pem) || matches!(refused, Some(Refused::Read(old)) if *old == pem) {
        return;
    }
    match Certificate::new(pem.clone(), SystemClock::new().now()) {
        Ok(certificate) => {
            warn_of_end(&certificate);
            current.send_replace(Arc::new(certificate));
            *refused = None;
            tracing::info!("a new certificate is in use");
        }
        Err(error) => {
            tell(&error);
            *refused = Some(Refused::Read(pem));
        }
    }
}

/// The files that the log has reported already.
enum Refused {
    Unread,
    Read(Pem),
}

fn tell(error: &CertificateError) {
    tracing::error!(
        "the certificate's files changed and cannot be used; the previous one stays in use. {error}"
    );
}

fn warn_of_end(certificate: &Certificate) {
    let now = SystemClock::new().now();
    if let Some(end) = certificate.ends_before(now) {
        tracing::error!("TLS_CERT: the certificate ended on {end}: clients refuse it; renew it");
    } else if let Some(end) = certificate.ends_before(now + SOON) {
        tracing::warn!("TLS_CERT: the certificate ends on {end}; renew it before");
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(60);
const WARN_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// How long before the end a warning begins. Renewal by a timer happens earlier.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn write(folder: &Path, cert: &[u8], key: &[u8]) {
        std::fs::write(folder.join("cert.pem"), cert).unwrap();
        std::fs::write(folder.join("key.pem"), key).unwrap();
    }

    fn made() -> (Vec<u8>, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_pem().into_bytes();
        (made.cert.pem().into_bytes(), key)
    }

    #[tokio::test]
    async fn f35_a_renewed_certificate_is_taken_and_a_broken_one_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let ((cert, key), (new_cert, new_key)) = (made(), made());
        write(folder.path(), &cert, &key);
        let files =
            CertificateFiles::new(folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let (current, uses) = watch::channel(Arc::new(files.load().unwrap()));
        let first = Arc::clone(&uses.borrow());
        let mut refused = None;
        let mut same_after = async |cert: &[u8], key: &[u8]| {
            write(folder.path(), cert, key);
            look(&files, &current, &mut refused).await;
            Arc::ptr_eq(&first, &uses.borrow())
        };
        assert!(same_after(&cert, &key).await);
        // Half of a renewal, an empty file, a missing file.
        assert!(same_after(&new_cert, &key).await);
        assert!(same_after(&new_cert, b"").await);
        std::fs::remove_file(folder.path().join("key.pem")).unwrap();
        look(&files, &current, &mut refused).await;
        assert!(matches!(refused, Some(Refused::Unread)));
        write(folder.path(), &new_cert, &new_key);
        look(&files, &current, &mut refused).await;
        assert!(refused.is_none());
        assert!(!Arc::ptr_eq(&first, &uses.borrow()));
    }
}
