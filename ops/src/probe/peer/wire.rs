//! The few protobuf messages that a probe reads and writes.
//!
//! Fields are read one at a time from the bytes as they came; none is allocated by a length that it
//! claims.

use bytes::{Buf, Bytes};
use ipfs::Cid;

use crate::probe::outcome::{Fault, wrong};

/// Protocols of one peer that are kept.
const PROTOCOLS_MAX: usize = 256;
/// Blocks of one message that are kept.
const BLOCKS_MAX: usize = 64;

/// What identify says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The key, encoded.
    pub(super) key: Bytes,
    /// The program.
    pub(super) agent: String,
    /// What it speaks.
    pub(super) protocols: Vec<String>,
}

/// What a message of bitswap says of a block that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Blocks came.
    Blocks(Vec<Bytes>),
    /// The peer does not have it.
    DontHave,
    /// It is about something else.
    Nothing,
}

/// Reads a message of identify.
///
/// # Errors
/// [`Fault::Wrong`] for what is none.
pub(super) fn identity(message: &Bytes) -> Result<Said, Fault> {
    let mut said = Said::default();
    let text = |bytes: &Bytes| {
        let clean: String = String::from_utf8_lossy(bytes).chars().take(128).collect();
        clean.replace(char::is_control, "")
    };
    each(message, |field, value| match (field, value) {
        (1, Value::Bytes(key)) => said.key = key,
        (3, Value::Bytes(name)) if said.protocols.len() < PROTOCOLS_MAX => {
            said.protocols.push(text(&name));
        }
        (6, Value::Bytes(agent)) => said.agent = text(&agent),
        (_, Value::Bytes(_) | Value::Number(_)) => {}
    })?;
    Ok(said)
}

/// Reads what a message says of a block.
///
/// # Errors
/// [`Fault::Wrong`] for what is no message.
pub(super) fn answer(message: &Bytes, cid: &Cid) -> Result<Answer, Fault> {
    let (mut blocks, mut lacks) = (Vec::new(), false);
    let mut nested = Ok(());
    each(message, |field, value| match (field, value) {
        (2, Value::Bytes(data)) if blocks.len() < BLOCKS_MAX => blocks.push(data),
        (3, Value::Bytes(payload)) if blocks.len() < BLOCKS_MAX => {
            let found = each(&payload, |field, value| match (field, value) {
                (2, Value::Bytes(data)) => blocks.push(data),
                (_, Value::Bytes(_) | Value::Number(_)) => {}
            });
            nested = std::mem::replace(&mut nested, Ok(())).and(found);
        }
        (4, Value::Bytes(presence)) => {
            let (mut is_it, mut kind) = (false, 0);
            let found = each(&presence, |field, value| match (field, value) {
                (1, Value::Bytes(named)) => is_it = named[..] == cid.to_bytes()[..],
                (2, Value::Number(number)) => kind = number,
                (_, Value::Bytes(_) | Value::Number(_)) => {}
            });
            lacks |= is_it && kind == 1;
            nested = std::mem::replace(&mut nested, Ok(())).and(found);
        }
        (_, Value::Bytes(_) | Value::Number(_)) => {}
    })?;
    nested?;
    Ok(match (blocks.is_empty(), lacks) {
        (false, _) => Answer::Blocks(blocks),
        (true, true) => Answer::DontHave,
        (true, false) => Answer::Nothing,
    })
}

/// A message with its length before it: one want of a block, which asks to be told of its absence.
pub(super) fn want(cid: &Cid) -> Vec<u8> {
    let mut entry = Vec::new();
    put(&mut entry, 1, &cid.to_bytes());
    // Priority 1, want type block (0, left out), send DONT_HAVE.
    entry.extend_from_slice(&[2 << 3, 1, 5 << 3, 1]);
    let mut list = Vec::new();
    put(&mut list, 1, &entry);
    // It is all that is wanted.
    list.extend_from_slice(&[2 << 3, 1]);
    let mut message = Vec::new();
    put(&mut message, 1, &list);
    let mut framed = Vec::new();
    varint(&mut framed, message.len());
    framed.extend_from_slice(&message);
    framed
}

fn put(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
}

enum Value {
    Bytes(Bytes),
    Number(u64),
}

/// Gives each field of a message with its number.
fn each(message: &Bytes, mut take: impl FnMut(u64, Value)) -> Result<(), Fault> {
    let mut rest = message.clone();
    while !rest.is_empty() {
        let key = number(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(number(&mut rest)?),
            1 => Value::Bytes(bytes(&mut rest, 8)?),
            2 => {
                let length = number(&mut rest)?;
                Value::Bytes(bytes(&mut rest, length)?)
            }
            5 => Value::Bytes(bytes(&mut rest, 4)?),
            _ => return wrong("a message is no protobuf"),
        };
        take(key >> 3, value);
    }
    Ok(())
}

fn bytes(rest: &mut Bytes, length: u64) -> Result<Bytes, Fault> {
    match usize::try_from(length) {
        Ok(length) if length <= rest.len() => Ok(rest.split_to(length)),
        Ok(_) | Err(_) => wrong("a field is cut short"),
    }
}

fn number(rest: &mut Bytes) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some(&byte) = rest.first() else { return wrong("a number is cut short") };
        rest.advance(1);
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    wrong("a number has no end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::content::nobody_has;

    fn message(parts: &[(u8, &[u8])]) -> Bytes {
        let mut out = Vec::new();
        for (field, bytes) in parts {
            put(&mut out, *field, bytes);
        }
        out.into()
    }

    #[test]
    fn blocks_and_absence_are_read() {
        let cid = nobody_has();
        let payload = message(&[(1, b"prefix"), (2, b"data")]);
        let blocks = answer(&message(&[(3, &payload)]), &cid).expect("a message");
        assert_eq!(blocks, Answer::Blocks(vec![Bytes::from_static(b"data")]));
        let absent = [&message(&[(1, &cid.to_bytes())])[..], &[2 << 3, 1]].concat();
        assert_eq!(answer(&message(&[(4, &absent)]), &cid).expect("it is one"), Answer::DontHave);
        assert_eq!(answer(&message(&[(4, &absent)]), &nobody_has()).expect("one"), Answer::Nothing);
        assert_eq!(answer(&Bytes::new(), &cid).expect("an empty one"), Answer::Nothing);
    }

    #[test]
    fn what_is_no_message_is_refused_and_never_panics() {
        let cid = nobody_has();
        let whole = Bytes::from(want(&cid));
        for cut in 0..whole.len() {
            answer(&whole.slice(cut..), &cid).map(drop).unwrap_or_default();
            identity(&whole.slice(..cut)).map(drop).unwrap_or_default();
        }
        for bad in [&b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..], b"\x0b", b"\x0a\x05a"] {
            assert!(answer(&Bytes::copy_from_slice(bad), &cid).is_err(), "{bad:?}");
        }
        let nested = message(&[(3, b"\x12\x7f")]);
        assert!(answer(&nested, &cid).is_err());
    }

    #[test]
    fn identity_is_read() {
        let said = identity(&message(&[(1, b"key"), (3, b"/a"), (3, b"/b\n"), (6, b"agent")]));
        let said = said.expect("a message");
        assert_eq!((&said.key[..], said.agent.as_str()), (&b"key"[..], "agent"));
        assert_eq!(said.protocols, ["/a", "/b"]);
    }
}
