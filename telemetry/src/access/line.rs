//! One line of JSON, made by hand.
//!
//! Field names are the program's own and are written as they are; values are escaped and cut. What
//! comes out is always one line and one JSON object.

use std::time::{Duration, SystemTime};

use super::stamp;

/// Most bytes of one text value; what is over is cut and ends in an ellipsis. A URL that a browser
/// takes fits.
const VALUE_BYTES_MAX: usize = 4096;

/// Most bytes that are hashed in one go: two blocks of BLAKE3, for names, networks, digests and most
/// paths.
const HASHED_BYTES: usize = 128;

/// A line that is being made.
#[derive(Debug)]
pub(super) struct Line {
    bytes: Vec<u8>,
}

impl Line {
    pub(super) fn begin(mut bytes: Vec<u8>, time: SystemTime) -> Self {
        bytes.clear();
        bytes.extend_from_slice(b"{\"ts\":\"");
        stamp::append(&mut bytes, time);
        bytes.push(b'"');
        Self { bytes }
    }

    /// Adds a text.
    pub(super) fn str(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.name(name);
        self.bytes.push(b'"');
        if value.len() <= VALUE_BYTES_MAX {
            escape(&mut self.bytes, value);
        } else {
            escape(&mut self.bytes, &value[..value.floor_char_boundary(VALUE_BYTES_MAX)]);
            self.bytes.extend_from_slice("…".as_bytes());
        }
        self.bytes.push(b'"');
        self
    }

    /// Adds a text when there is one, else nothing.
    pub(super) fn opt(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.str(name, value),
            None => self,
        }
    }

    /// Adds anything that can be shown as text.
    pub(super) fn show(&mut self, name: &'static str, value: &dyn std::fmt::Display) -> &mut Self {
        self.str(name, &value.to_string())
    }

    /// Adds a whole number.
    pub(super) fn u64(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.name(name);
        self.bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Adds true or false.
    pub(super) fn bool(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.name(name);
        self.bytes.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds a duration in milliseconds, to the microsecond: `"total_ms":12.345`.
    pub(super) fn millis(&mut self, name: &'static str, value: Duration) -> &mut Self {
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.u64(name, micros / 1000);
        let rest = micros % 1000;
        self.bytes.push(b'.');
        for place in [100, 10, 1] {
            let digit = u8::try_from(rest / place % 10).expect("a digit is below ten");
            self.bytes.push(b'0' + digit);
        }
        self
    }

    /// Adds fields that were made before, with the comma in front of them.
    pub(super) fn raw(&mut self, fields: &str) -> &mut Self {
        self.bytes.extend_from_slice(fields.as_bytes());
        self
    }

    /// Adds a number that is text already.
    pub(super) fn number(&mut self, name: &'static str, number: &str) -> &mut Self {
        self.name(name);
        self.raw(number)
    }

    /// Adds a text and a number, `text:7`.
    pub(super) fn numbered(&mut self, name: &'static str, text: &str, number: u64) -> &mut Self {
        self.str(name, text);
        self.bytes.pop();
        self.bytes.push(b':');
        self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.bytes.push(b'"');
        self
    }

    /// Adds 128 bits as 32 hexadecimal digits.
    pub(super) fn hex128(&mut self, name: &'static str, bits: u128) -> &mut Self {
        self.name(name);
        self.hex(&bits.to_be_bytes())
    }

    /// Adds the keyed hash of bytes: 16 hexadecimal digits, which differ by the field too.
    pub(super) fn hash(&mut self, name: &'static str, key: &[u8; 32], bytes: &[u8]) -> &mut Self {
        self.name(name);
        let (mut whole, after) = ([0; HASHED_BYTES], name.len() + 1);
        let length = after + bytes.len();
        let hash = if length <= whole.len() {
            whole[..name.len()].copy_from_slice(name.as_bytes());
            whole[after..length].copy_from_slice(bytes);
            blake3::keyed_hash(key, &whole[..length])
        } else {
            let mut hasher = blake3::Hasher::new_keyed(key);
            hasher.update(name.as_bytes()).update(b"\0").update(bytes).finalize()
        };
        self.hex(&hash.as_bytes()[..8])
    }

    fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.push(b'"');
        for byte in bytes {
            self.bytes.push(HEX[usize::from(byte >> 4)]);
            self.bytes.push(HEX[usize::from(byte & 15)]);
        }
        self.bytes.push(b'"');
        self
    }

    /// How long it is, to come back to with [`Line::cut`].
    pub(super) fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Closes it and gives the whole line, which can be gone on with after [`Line::cut`].
    pub(super) fn closed(&mut self) -> &[u8] {
        self.bytes.extend_from_slice(b"}\n");
        &self.bytes
    }

    /// Takes back what came after a mark.
    pub(super) fn cut(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// Its memory, for another line.
    pub(super) fn into_spare(self) -> Vec<u8> {
        self.bytes
    }

    fn name(&mut self, name: &'static str) {
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }
}

/// Appends the inside of a JSON string, copying stretches that need no escape as a whole.
fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&bytes[copied..place]);
        copied = place + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

const HEX: &[u8; 16] = b"0123456789abcdef";
