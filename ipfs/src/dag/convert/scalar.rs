//! Values without parts, as CBOR and as JSON.

use std::io::Write;

use multibase::Base;

use crate::cid::Codec;
use crate::dag::cbor::write_head;
use crate::dag::json::INTS;
use crate::dag::{DagError, Event, name};

/// Writes a value as CBOR, with a link if that is dag-cbor.
pub(super) fn cbor(out: &mut Vec<u8>, codec: Codec, scalar: &Event) -> Result<(), DagError> {
    let is_dag = codec == Codec::DagCbor;
    match scalar {
        Event::Null => out.push(0xf6),
        Event::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Event::Int(value) if INTS.contains(value) => {
            let (major, value) = if *value < 0 { (1, -1 - value) } else { (0, *value) };
            write_head(out, major, value as u64);
        }
        Event::Float(value) if value.is_finite() || !is_dag => {
            out.push(0xfb);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Event::Text(text) => blob(out, 3, text.as_bytes()),
        Event::Bytes(bytes) => blob(out, 2, bytes),
        Event::Link(cid) if is_dag => {
            out.extend_from_slice(&[0xd8, 42]);
            blob(out, 2, &[&[0], &cid.to_bytes()[..]].concat());
        }
        Event::Link(_) => return Err(unwritable(codec, "a link")),
        Event::Int(_) | Event::Float(_) => return Err(unwritable(codec, "such a number")),
        Event::ListStart | Event::MapStart | Event::Key(_) | Event::End => {}
    }
    Ok(())
}

fn blob(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    write_head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a value as JSON, with links and bytes if that is dag-json.
pub(super) fn json(out: &mut Vec<u8>, codec: Codec, scalar: &Event) -> Result<(), DagError> {
    let is_dag = codec == Codec::DagJson;
    // Straight into what is written: a block can have two million values.
    let written = match scalar {
        Event::Null => out.write_all(b"null"),
        Event::Bool(value) => write!(out, "{value}"),
        Event::Int(value) if INTS.contains(value) => write!(out, "{value}"),
        // This form has a point or an exponent even if the number is whole.
        Event::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        Event::Text(text) => {
            quote(out, text);
            Ok(())
        }
        Event::Bytes(bytes) if is_dag => {
            write!(out, r#"{{"/":{{"bytes":"{}"}}}}"#, Base::Base64.encode(bytes))
        }
        Event::Link(cid) if is_dag => write!(out, r#"{{"/":"{cid}"}}"#),
        Event::Bytes(_) => return Err(unwritable(codec, "bytes")),
        Event::Link(_) => return Err(unwritable(codec, "a link")),
        Event::Int(_) | Event::Float(_) => return Err(unwritable(codec, "such a number")),
        Event::ListStart | Event::MapStart | Event::Key(_) | Event::End => Ok(()),
    };
    written.expect("memory takes every byte");
    Ok(())
}

pub(super) fn unwritable(codec: Codec, what: &'static str) -> DagError {
    DagError::Unwritable { codec: name(codec), what }
}

/// Writes text in quotes.
pub(super) fn quote(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
