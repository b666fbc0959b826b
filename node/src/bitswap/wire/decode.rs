//! Bytes to messages, and bytes of blocks to proven blocks.
//!
//! A message is refused whole only when it is not protobuf. What is well-formed but not acceptable
//! (an unknown hash, a CID too long, an entry too many) is left out and counted, so that one odd entry
//! does not lose its neighbours.

use bytes::Bytes;
use ipfs::block::Prefix;
use ipfs::cid::{CID_BYTES_MAX, CidError, Codec};
use ipfs::{Block, Cid};

use super::fields::{Fields, Value, to_int32};
use super::{
    BLOCKS_MAX, CANCELS_MAX, MESSAGE_BYTES_MAX, PRESENCES_MAX, Presence, Received, WANTS_MAX,
    WantEntry, WantType, WireError,
};

/// Code of sha2-256, the one hash function of version 0 CIDs.
const SHA2_256: u64 = 0x12;
/// Blocks up to this size are copied out of their message, so that a block that is kept does not
/// keep a message of thousands of times its size.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Decodes a message without its length prefix and proves its blocks.
///
/// Costs one hash over the blocks' bytes: to be called off the task that drives the network.
///
/// # Errors
/// [`WireError`] when the bytes are not one bounded protobuf message.
pub fn decode(message: Bytes) -> Result<Received, WireError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(WireError::TooLong);
    }
    let mut received = Received::default();
    let mut cancels = 0;
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(list)) => read_wantlist(&mut received, list, &mut cancels)?,
            (2, Value::Bytes(data)) => add_block(&mut received, &V0, data),
            (3, Value::Bytes(payload)) => read_payload(&mut received, payload)?,
            (4, Value::Bytes(presence)) => read_presence(&mut received, presence)?,
            (_, Value::Varint(_) | Value::Bytes(_) | Value::Fixed) => {}
        }
    }
    Ok(received)
}

fn read_wantlist(into: &mut Received, list: Bytes, cancels: &mut usize) -> Result<(), WireError> {
    let mut fields = Fields(list);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(entry)) => read_entry(into, entry, cancels)?,
            (2, Value::Varint(number)) => into.full = number != 0,
            (_, Value::Varint(_) | Value::Bytes(_) | Value::Fixed) => {}
        }
    }
    Ok(())
}

fn read_entry(into: &mut Received, entry: Bytes, cancels: &mut usize) -> Result<(), WireError> {
    let (mut cid, mut priority, mut cancel) = (Bytes::new(), 0, false);
    let (mut want_type, mut send_dont_have) = (WantType::Block, false);
    let mut fields = Fields(entry);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => cid = bytes,
            (2, Value::Varint(number)) => priority = to_int32(number),
            (3, Value::Varint(number)) => cancel = number != 0,
            (4, Value::Varint(1)) => want_type = WantType::Have,
            (4, Value::Varint(_)) => want_type = WantType::Block,
            (5, Value::Varint(number)) => send_dont_have = number != 0,
            (_, Value::Varint(_) | Value::Bytes(_) | Value::Fixed) => {}
        }
    }
    let room =
        if cancel { *cancels < CANCELS_MAX } else { into.wants.len() - *cancels < WANTS_MAX };
    if !room {
        into.dropped.over_bounds += 1;
        return Ok(());
    }
    if let Some(cid) = read_cid(into, &cid) {
        *cancels += usize::from(cancel);
        into.wants.push(WantEntry { cid, priority, cancel, want_type, send_dont_have });
    }
    Ok(())
}

fn read_presence(into: &mut Received, presence: Bytes) -> Result<(), WireError> {
    if into.presences.len() >= PRESENCES_MAX {
        into.dropped.over_bounds += 1;
        return Ok(());
    }
    let (mut cid, mut kind) = (Bytes::new(), Presence::Have);
    let mut fields = Fields(presence);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => cid = bytes,
            (2, Value::Varint(1)) => kind = Presence::DontHave,
            (_, Value::Varint(_) | Value::Bytes(_) | Value::Fixed) => {}
        }
    }
    if let Some(cid) = read_cid(into, &cid) {
        into.presences.push((cid, kind));
    }
    Ok(())
}

fn read_payload(into: &mut Received, payload: Bytes) -> Result<(), WireError> {
    let (mut prefix, mut data) = (Bytes::new(), Bytes::new());
    let mut fields = Fields(payload);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => prefix = bytes,
            (2, Value::Bytes(bytes)) => data = bytes,
            (_, Value::Varint(_) | Value::Bytes(_) | Value::Fixed) => {}
        }
    }
    match read_prefix(&prefix) {
        Some(prefix) => add_block(into, &prefix, data),
        None => into.dropped.malformed += 1,
    }
    Ok(())
}

/// Reads a CID that may be refused, counting why.
fn read_cid(into: &mut Received, bytes: &[u8]) -> Option<Cid> {
    if bytes.len() > CID_BYTES_MAX {
        into.dropped.malformed += 1;
        return None;
    }
    match Cid::from_bytes(bytes) {
        Ok(cid) => Some(cid),
        Err(CidError::HashNotAllowed(_)) => {
            into.dropped.unknown_hashes += 1;
            None
        }
        Err(CidError::Malformed(_) | CidError::DigestTooSmall(_) | CidError::DigestTooLong(_)) => {
            into.dropped.malformed += 1;
            None
        }
    }
}

fn add_block(into: &mut Received, prefix: &Prefix, data: Bytes) {
    if into.blocks.len() >= BLOCKS_MAX {
        into.dropped.over_bounds += 1;
        return;
    }
    if data.len() > ipfs::block::BLOCK_BYTES_MAX {
        into.dropped.malformed += 1;
        return;
    }
    let data = if data.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&data) } else { data };
    match Block::hashed(prefix, data).ok() {
        Some(block) => into.blocks.push(block),
        None => into.dropped.unknown_hashes += 1,
    }
}

/// What blocks of bitswap 1.0 are.
const V0: Prefix =
    Prefix { is_v0: true, codec: Codec::DagPb, hash_code: SHA2_256, digest_bytes: 32 };

/// Reads the CID prefix of a block, which is all of its CID but the digest.
fn read_prefix(bytes: &[u8]) -> Option<Prefix> {
    let (version, rest) = unsigned_varint::decode::u64(bytes).ok()?;
    let (codec, rest) = unsigned_varint::decode::u64(rest).ok()?;
    let (hash_code, rest) = unsigned_varint::decode::u64(rest).ok()?;
    let (digest_bytes, rest) = unsigned_varint::decode::usize(rest).ok()?;
    let codec = Codec::from_code(codec);
    let prefix = Prefix { is_v0: version == 0, codec, hash_code, digest_bytes };
    (version <= 1 && rest.is_empty() && (version == 1 || prefix == V0)).then_some(prefix)
}
