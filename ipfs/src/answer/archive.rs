//! Which blocks a CAR holds, and whether they are what their CIDs name, without holding one.
//!
//! A block is hashed as it streams where its hash is SHA-256, as nearly all are; of others it is
//! counted that they were not proven. Two archives hold the same blocks when the sums of the hashes
//! of their CIDs are the same, in whatever order they came.

use sha2::{Digest as _, Sha256};

use super::body::SHA2_256;
use crate::car::{HEADER_BYTES_MAX, SECTION_BYTES_MAX};
use crate::cid::{CID_BYTES_MAX, Cid};

/// Longest varint of a length.
const LENGTH_BYTES_MAX: usize = 9;

/// What is known of an archive's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocks {
    /// How many there are.
    pub count: u64,
    /// The sum of the hashes of their CIDs.
    pub set: [u64; 4],
    /// How many are not what their CID names.
    pub wrong: u64,
    /// How many were not proven, since their hash is another one.
    pub unproven: u64,
    /// Whether it is no archive, or does not end where a section does.
    pub is_malformed: bool,
}

/// Reads an archive as it streams.
#[derive(Debug)]
pub(super) struct Archive {
    state: State,
    prove: bool,
    held: Vec<u8>,
    blocks: Blocks,
}

#[derive(Debug)]
enum State {
    /// Within the length of the header.
    HeaderLength,
    /// Within the header; bytes left.
    Header(u64),
    /// Between sections, or within the length of one.
    Length,
    /// Within the CID of a section; bytes left of the section.
    Cid(u64),
    /// Within a block; bytes left, and what it has to hash to.
    Block(u64, Option<Box<Proof>>),
    /// Nothing more can be read.
    Malformed,
}

#[derive(Debug)]
struct Proof {
    hash: Sha256,
    digest: [u8; 32],
}

impl Archive {
    pub(super) fn new(prove: bool) -> Self {
        let blocks = Blocks::default();
        Self { state: State::HeaderLength, prove, held: Vec::new(), blocks }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::HeaderLength | State::Length => self.length(bytes),
                State::Header(left) => {
                    let (skipped, rest) = split(bytes, *left);
                    *left -= skipped.len() as u64;
                    if *left == 0 {
                        self.state = State::Length;
                    }
                    rest
                }
                State::Cid(_) => self.cid(bytes),
                State::Block(left, proof) => {
                    let (data, rest) = split(bytes, *left);
                    *left -= data.len() as u64;
                    if let Some(proof) = proof {
                        proof.hash.update(data);
                    }
                    if *left == 0 {
                        self.end_block();
                    }
                    rest
                }
                State::Malformed => return,
            };
        }
    }

    pub(super) fn finish(mut self) -> Blocks {
        let between = matches!(self.state, State::Length) && self.held.is_empty();
        self.blocks.is_malformed = !between;
        self.blocks
    }

    /// Reads on in a length; returns what follows.
    fn length<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.held.push(bytes[0]);
        if bytes[0] & 0x80 == 0 {
            let length = unsigned_varint::decode::u64(&self.held).map(|(length, _)| length);
            self.held.clear();
            let is_header = matches!(self.state, State::HeaderLength);
            let longest = if is_header { HEADER_BYTES_MAX } else { SECTION_BYTES_MAX };
            self.state = match length {
                Ok(length) if length == 0 || length > longest as u64 => State::Malformed,
                Ok(length) if is_header => State::Header(length),
                Ok(length) => State::Cid(length),
                Err(_) => State::Malformed,
            };
        } else if self.held.len() >= LENGTH_BYTES_MAX {
            self.state = State::Malformed;
        }
        &bytes[1..]
    }

    /// Reads on in a CID; returns what follows.
    fn cid<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let State::Cid(section) = self.state else { return bytes };
        // As much of the section as a CID can have, which may be some of the block as well.
        let wanted = section.min(CID_BYTES_MAX as u64) - self.held.len() as u64;
        let (held, rest) = split(bytes, wanted);
        self.held.extend_from_slice(held);
        let is_all = held.len() as u64 == wanted;
        match Cid::read_prefix(&self.held) {
            Ok((cid, used)) => {
                let data = self.held.split_off(used);
                self.held.clear();
                self.begin_block(&cid, section - used as u64);
                self.update(&data);
                if section == used as u64 {
                    self.end_block();
                }
            }
            Err(_) if is_all => self.state = State::Malformed,
            Err(_) => {}
        }
        rest
    }

    fn begin_block(&mut self, cid: &Cid, left: u64) {
        self.blocks.count += 1;
        let hash: [u8; 32] = Sha256::digest(cid.to_bytes()).into();
        for (sum, part) in self.blocks.set.iter_mut().zip(hash.chunks_exact(8)) {
            let part = u64::from_le_bytes(part.try_into().expect("eight bytes"));
            *sum = sum.wrapping_add(part);
        }
        let expected: Option<[u8; 32]> = match cid.multihash().code() {
            SHA2_256 => cid.multihash().digest().try_into().ok(),
            _ => None,
        };
        let proof = expected.filter(|_| self.prove).map(|digest| {
            let hash = Sha256::new();
            Box::new(Proof { hash, digest })
        });
        self.blocks.unproven += u64::from(self.prove && proof.is_none());
        self.state = State::Block(left, proof);
    }

    fn end_block(&mut self) {
        if let State::Block(_, proof) = std::mem::replace(&mut self.state, State::Length)
            && let Some(proof) = proof
        {
            let hash: [u8; 32] = proof.hash.finalize().into();
            self.blocks.wrong += u64::from(hash != proof.digest);
        }
    }
}

/// The bytes up to a number of them, and the rest.
fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len())))
}
