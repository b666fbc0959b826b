//! How long the certificate of a listener is still good.
//!
//! The connection is made as any client would make it, so that a chain that nobody accepts is said to
//! be refused.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The second since 1970 at which the certificate of a listener ends. Blocks.
///
/// # Errors
/// What happened, in words.
pub(super) fn ends_at(host: &str, port: u16, within: Duration) -> Result<i64, String> {
    let said = |error: io::Error| error.to_string();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_webpki_roots()
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let mut tls =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let mut places = (host, port).to_socket_addrs().map_err(said)?;
    let place = places.next().ok_or_else(|| format!("{host} has no address"))?;
    let mut socket = TcpStream::connect_timeout(&place, within).map_err(said)?;
    socket.set_read_timeout(Some(within)).map_err(said)?;
    socket.set_write_timeout(Some(within)).map_err(said)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(said)?;
    }
    let chain = tls.peer_certificates().unwrap_or_default();
    let leaf = chain.first().ok_or("it shows no certificate")?;
    not_after(leaf).ok_or_else(|| "its certificate cannot be read".to_owned())
}

/// The end of a certificate (RFC 5280 §4.1.2.5), in seconds since 1970.
fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const BITS: u8 = 0x03;
    const OID: u8 = 0x06;
    const VERSION: u8 = 0xa0;
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("it is short").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    fn certificate(end: &[u8]) -> Vec<u8> {
        let validity = der(SEQUENCE, &[der(UTC_TIME, b"260101000000Z"), end.to_vec()].concat());
        let (algorithm, bits) =
            (der(SEQUENCE, &der(OID, &[0x2b, 0x65, 0x70])), der(BITS, &[0; 33]));
        let parts = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[7; 20]),
            algorithm.clone(),
            der(SEQUENCE, b""),
            validity,
            der(SEQUENCE, b""),
            der(SEQUENCE, &[&algorithm[..], &bits].concat()),
        ];
        der(SEQUENCE, &[der(SEQUENCE, &parts.concat()), algorithm, bits].concat())
    }

    #[test]
    fn the_end_of_a_certificate_is_found() {
        let short = certificate(&der(UTC_TIME, b"270101000000Z"));
        assert_eq!(not_after(&short), Some(1_798_761_600));
        let long = certificate(&der(GENERALIZED_TIME, b"20500101000000Z"));
        assert_eq!(not_after(&long), Some(2_524_608_000));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let good = certificate(&der(UTC_TIME, b"270101000000Z"));
        for cut in 0..good.len() - 16 {
            not_after(&good[..cut]);
        }
        for bad in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", &certificate(b"\x17\x01x")] {
            assert_eq!(not_after(bad), None);
        }
    }
}
