//! The form of a record in a segment.
//!
//! The head has a checksum of its own, so that a reader can step over a record whose data rotted
//! and still trust where the next one begins.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use ipfs::Multihash;
use ipfs::block::BLOCK_BYTES_MAX;

use super::index::Location;

/// What every record begins with.
const MAGIC: [u8; 4] = *b"BFR1";
/// Magic, kind, length of the key, two zeros, length of the data, checksums of data and head.
const HEAD_BYTES: usize = 20;
/// Longest binary multihash: two varints and the longest digest.
const KEY_BYTES_MAX: usize = 2 * 10 + ipfs::cid::DIGEST_BYTES_MAX;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Here is a block.
    Block,
    /// The block at a place, which is the data, is deleted.
    Tombstone,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Block => 1,
            Kind::Tombstone => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Kind::Block, Kind::Tombstone].into_iter().find(|kind| kind.code() == code)
    }
}

/// The bytes of a record from its beginning to the end of its data.
pub(super) fn bytes(key: &Multihash, data_bytes: u32) -> u64 {
    (HEAD_BYTES + key.encoded_len()) as u64 + u64::from(data_bytes)
}

/// Where the data of a record begins.
pub(super) fn data_at(key: &Multihash, at: Location) -> u64 {
    u64::from(at.offset) + (HEAD_BYTES + key.encoded_len()) as u64
}

/// What precedes the data: the head and the key.
pub(super) fn prefix(kind: Kind, key: &[u8], data: &[u8]) -> Vec<u8> {
    let key_bytes = u8::try_from(key.len()).expect("a multihash has fewer than 256 bytes");
    let data_bytes = u32::try_from(data.len()).expect("a block is below the limit");
    let mut out = Vec::with_capacity(HEAD_BYTES + key.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind.code(), key_bytes, 0, 0]);
    out.extend_from_slice(&data_bytes.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(data).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&out), key);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(key);
    out
}

/// The data of a tombstone.
pub(super) fn tombstone(at: Location) -> [u8; 8] {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&at.segment.to_le_bytes());
    data[4..].copy_from_slice(&at.offset.to_le_bytes());
    data
}

/// A record as a scan met it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) offset: u32,
    pub(super) data_bytes: u32,
    /// Whether the data has its checksum.
    pub(super) sound: bool,
    /// The place that a tombstone names.
    pub(super) target: Option<(u32, u32)>,
}

/// Reads the records of a segment from a place on; returns where the last whole one ends.
pub(super) fn scan(
    file: &File,
    from: u64,
    length: u64,
    mut see: impl FnMut(Record),
) -> io::Result<u64> {
    let mut at = from;
    let mut data = Vec::new();
    while at + HEAD_BYTES as u64 <= length {
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, at)?;
        let Some((kind, key_bytes, data_bytes, data_sum, sum)) = parse(&head) else { break };
        let end = at + (HEAD_BYTES + key_bytes) as u64 + u64::from(data_bytes);
        let (true, Ok(offset)) = (end <= length, u32::try_from(at)) else { break };
        let mut key = vec![0; key_bytes];
        file.read_exact_at(&mut key, at + HEAD_BYTES as u64)?;
        if crc32c::crc32c_append(crc32c::crc32c(&head[..16]), &key) != sum {
            break;
        }
        data.resize(data_bytes as usize, 0);
        file.read_exact_at(&mut data, at + (HEAD_BYTES + key_bytes) as u64)?;
        let sound = crc32c::crc32c(&data) == data_sum;
        let target = (kind == Kind::Tombstone && sound).then(|| place(&data)).flatten();
        see(Record { kind, key, offset, data_bytes, sound, target });
        at = end;
    }
    Ok(at)
}

fn parse(head: &[u8; HEAD_BYTES]) -> Option<(Kind, usize, u32, u32, u32)> {
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (key_bytes, data_bytes) = (usize::from(head[5]), word(8));
    let sane = head[..4] == MAGIC
        && head[6..8] == [0, 0]
        && key_bytes <= KEY_BYTES_MAX
        && data_bytes as usize <= BLOCK_BYTES_MAX;
    let kind = Kind::from_code(head[4])?;
    sane.then(|| (kind, key_bytes, data_bytes, word(12), word(16)))
}

fn place(data: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
    Some((word(0)?, word(4)?))
}
