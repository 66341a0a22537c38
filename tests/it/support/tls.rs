//! An HTTPS server whose certificate nobody vouches for: it has signed itself.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tower_clerk::test_util::Issuer;

/// Where it listens, and what became of the first connection's handshake.
pub(crate) async fn serve_tls(key: &Issuer) -> (String, JoinHandle<io::Result<()>>) {
    let private = PrivatePkcs8KeyDer::from(key.to_pkcs8());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate(key))], private.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/jwks", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let first = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = acceptor.accept(stream).await?;
        // TLS 1.3: a client that refuses says so after the server is done.
        tokio::io::AsyncReadExt::read_u8(&mut stream).await.map(|_| ())
    });
    (url, first)
}

/// RFC 5280 4.1 in as few fields as there can be: for 127.0.0.1, from 2020 to 2049.
fn certificate(key: &Issuer) -> Vec<u8> {
    const SHA256_WITH_RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";
    let algorithm = der(0x30, SHA256_WITH_RSA);
    let common_name = [&b"\x06\x03\x55\x04\x03"[..], &der(0x0c, b"localhost")].concat();
    let name = der(0x30, &der(0x31, &der(0x30, &common_name)));
    let times = [der(0x17, b"200101000000Z"), der(0x17, b"490101000000Z")].concat();
    let addresses = der(0x30, &der(0x87, &[127, 0, 0, 1]));
    let subject_alt_name = [&b"\x06\x03\x55\x1d\x11"[..], &der(0x04, &addresses)].concat();
    let extensions = der(0xa3, &der(0x30, &der(0x30, &subject_alt_name)));
    let to_sign = der(
        0x30,
        &[
            &b"\xa0\x03\x02\x01\x02\x02\x01\x01"[..],
            &algorithm,
            &name,
            &der(0x30, &times),
            &name,
            &public_key(key),
            &extensions,
        ]
        .concat(),
    );
    let signature = [&[0][..], &key.sign(&to_sign)].concat();
    der(0x30, &[to_sign, algorithm, der(0x03, &signature)].concat())
}

fn public_key(key: &Issuer) -> Vec<u8> {
    use base64::Engine as _;
    let pem = key.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        short @ 0..0x80 => vec![tag, short as u8],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head, content].concat()
}
