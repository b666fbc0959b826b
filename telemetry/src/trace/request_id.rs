//! The id of one request, in the log of every process that it passes.
//!
//! A client may bring its own, within an alphabet that is harmless in logs, headers and shells.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

const LENGTH_MAX: usize = 64;

/// A request's id: 32 hexadecimal digits of ours, or what the client brought.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    bytes: [u8; LENGTH_MAX],
    length: u8,
}

impl RequestId {
    /// The header that carries it.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// An id that no other request has.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; LENGTH_MAX];
        let id = rand::random::<u128>().to_be_bytes();
        hex::encode_to_slice(id, &mut bytes[..32]).expect("16 bytes have 32 digits");
        Self { bytes, length: 32 }
    }

    /// The id that the request brought when it is well-formed, else a random one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self::accept(headers.get(Self::HEADER).and_then(|value| value.to_str().ok()))
    }

    /// The id that was brought when it is well-formed, else a random one.
    #[must_use]
    pub fn accept(brought: Option<&str>) -> Self {
        brought.and_then(Self::parse).unwrap_or_else(Self::random)
    }

    /// Takes a text of 1 to 64 letters, digits, dashes and underscores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > LENGTH_MAX || !text.bytes().all(allowed) {
            return None;
        }
        let mut bytes = [0; LENGTH_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: u8::try_from(text.len()).expect("at most 64") })
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("only ASCII is taken in")
    }

    /// Its text as the value of a header.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).expect("letters, digits, dashes and underscores")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
