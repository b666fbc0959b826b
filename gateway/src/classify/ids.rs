//! What a request is known by: its id, and the trace that it is part of.
//!
//! Both are taken from the client when they are well formed, so that one request can be followed
//! through proxies; neither gives the client any right.

use http::{HeaderMap, HeaderValue};

/// Longest id that is taken from a client.
const ID_BYTES_MAX: usize = 64;

/// The id that a client sent, or one of ours.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let known = headers.get("x-request-id").filter(|value| {
        let bytes = value.as_bytes();
        !bytes.is_empty()
            && bytes.len() <= ID_BYTES_MAX
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    });
    known.cloned().unwrap_or_else(|| {
        let mut text = [0; 16];
        write_hex(rand::random(), &mut text);
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII")
    })
}

fn write_hex(number: u64, text: &mut [u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, digit) in text.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * at)) & 0xf;
        *digit = DIGITS[usize::try_from(nibble).expect("four bits")];
    }
}

/// The trace that a request is part of, by its `traceparent` (W3C Trace Context).
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    header: Option<HeaderValue>,
}

impl Trace {
    /// The trace that a client names, if the header is well formed.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get("traceparent").filter(|value| is_traceparent(value.as_bytes()));
        Self { header: header.cloned() }
    }

    /// The header as nodes and the client are told it.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.header.clone()
    }

    /// The id of the trace, for the log.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.header.as_ref()?.to_str().ok()?.get(3..35)
    }
}

fn is_traceparent(bytes: &[u8]) -> bool {
    const DASHES: [usize; 3] = [2, 35, 52];
    bytes.len() == 55
        && bytes.iter().enumerate().all(|(at, byte)| {
            if DASHES.contains(&at) {
                *byte == b'-'
            } else {
                matches!(byte, b'0'..=b'9' | b'a'..=b'f')
            }
        })
        && bytes[..2] != *b"ff"
        && bytes[3..35].iter().any(|byte| *byte != b'0')
        && bytes[36..52].iter().any(|byte| *byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_clients_are_taken_when_they_are_plain() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("abc-123"));
        assert_eq!(request_id(&headers), "abc-123");
        for odd in ["", "a b", "\"", &"x".repeat(65)] {
            headers.insert("x-request-id", HeaderValue::from_str(odd).expect("a header"));
            let id = request_id(&headers);
            assert_eq!(id.len(), 16, "{odd}");
            assert_ne!(id, request_id(&headers));
        }
    }

    #[test]
    fn only_well_formed_traces_are_joined() {
        let trace = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_str(text).expect("a header"));
            Trace::of(&headers).trace_id().map(str::to_owned)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        assert_eq!(trace(&format!("ff-{id}-00f067aa0ba902b7-01")), None);
        assert_eq!(trace(&format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))), None);
        assert_eq!(trace(&format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase())), None);
        assert_eq!(trace("00-x"), None);
    }
}
