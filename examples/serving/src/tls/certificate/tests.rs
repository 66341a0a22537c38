//! Certificates with the mistakes of operators.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

use super::*;

fn pem(change: impl FnOnce(&mut CertificateParams)) -> Pem {
    let names = vec!["app.example.com".to_owned(), "*.wild.example".into(), "192.0.2.1".into()];
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap().pem().into_bytes();
    Pem { cert, key: key.serialize_pem().into_bytes() }
}

fn judge(pem: Pem) -> Result<Certificate, CertificateError> {
    Certificate::new(pem, SystemClock::new().now())
}

#[test]
fn f35_a_certificate_that_is_not_in_date_is_refused() {
    let expired = judge(pem(|params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 3);
    }));
    let expired = expired.unwrap_err().to_string();
    assert!(expired.starts_with("TLS_CERT: the certificate ended on 2020-02-03T"), "{expired}");
    let early = judge(pem(|params| {
        params.not_before = date_time_ymd(2500, 1, 1);
        params.not_after = date_time_ymd(2501, 1, 1);
    }));
    let early = early.unwrap_err().to_string();
    assert!(early.starts_with("TLS_CERT: the certificate begins on 2500-01-01T"), "{early}");
}

#[test]
fn fault_c2_a_byte_order_mark_before_a_certificate_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let Pem { cert, key } = pem(|_| {});
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, [b"\xEF\xBB\xBF", text].concat()).unwrap();
        path
    };
    let files = CertificateFiles::new(file("cert.pem", &cert), file("key.pem", &key));
    assert!(files.load().is_ok(), "{:?}", files.load());
}

#[test]
fn f35_a_key_of_another_certificate_is_refused() {
    let key = pem(|_| {}).key;
    let mixed = judge(Pem { key, ..pem(|_| {}) }).unwrap_err();
    assert!(matches!(mixed, CertificateError::Mismatch), "{mixed}");
}

#[test]
fn f35_files_that_hold_something_else_are_refused_and_nothing_of_them_is_shown() {
    let good = || pem(|_| {});
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nY2FuYXJ5\n-----END ENCRYPTED PRIVATE \
                      KEY-----\n";
    let garbled = b"-----BEGIN canary\ncanary".to_vec();
    for (variable, bad) in [
        ("TLS_CERT", Pem { cert: Vec::new(), ..good() }),
        ("TLS_CERT", Pem { cert: garbled.clone(), ..good() }),
        ("TLS_CERT", Pem { cert: good().key, ..good() }),
        ("TLS_KEY", Pem { key: Vec::new(), ..good() }),
        ("TLS_KEY", Pem { key: garbled, ..good() }),
        ("TLS_KEY", Pem { key: good().cert, ..good() }),
        ("TLS_KEY", Pem { key: encrypted.to_vec(), ..good() }),
    ] {
        let error = judge(bad).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{variable}: ")), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let nowhere = CertificateFiles::new("/canary/cert.pem", "/canary/key.pem");
    let error = nowhere.load().unwrap_err().to_string();
    assert!(error.starts_with("TLS_CERT: ") && !error.contains("canary"), "{error}");
}

/// Certificates as `openssl req -x509` makes them: authorities that sign themselves.
#[test]
fn f35_self_made_certificates_are_taken() {
    let own = judge(pem(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)));
    assert!(own.unwrap().names("app.example.com"));
    let late = judge(pem(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2020, 2, 3);
        params.not_before = date_time_ymd(2019, 2, 3);
    }));
    assert!(matches!(late.unwrap_err(), CertificateError::Expired(_)));
}

#[test]
fn a_certificate_names_its_hosts_and_one_without_names_takes_any() {
    let certificate = judge(pem(|_| {})).unwrap();
    for host in ["app.example.com", "APP.example.com", "a.wild.example", "192.0.2.1"] {
        assert!(certificate.names(host), "{host}");
    }
    for host in ["example.com", "evil.com", "a.b.wild.example", "192.0.2.2", "[::1]", ""] {
        assert!(!certificate.names(host), "{host}");
    }
    let nameless = judge(pem(|params| params.subject_alt_names.clear())).unwrap();
    assert!(!nameless.names("app.example.com") && !nameless.names("[::1]"));
}

#[test]
fn f24_neither_the_key_nor_its_file_is_shown() {
    let pem = pem(|_| {});
    let key = String::from_utf8(pem.key.clone()).unwrap();
    let certificate = judge(pem).unwrap();
    let shown = format!("{certificate:?} {certificate:#?} {:?}", certificate.pem);
    assert!(!shown.contains(key.lines().nth(1).unwrap()));
    assert!(shown.contains("[redacted]"));
}
