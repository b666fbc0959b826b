//! A block whose bytes are proven to be what its CID names.
//!
//! There is no way to hold a [`Block`] without its hash having been computed, so code that takes a
//! `Block` needs no check of its own and code that renders unproven bytes does not compile.

use bytes::Bytes;
use sha2::Digest;

use crate::cid::{Cid, Codec, Multihash, hash_code};

/// Largest block that is read, stored or served, in bytes.
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Why bytes did not become a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// More than [`BLOCK_BYTES_MAX`] bytes; their number follows.
    #[error("block of {0} bytes is over the limit of {BLOCK_BYTES_MAX}")]
    TooLarge(usize),
    /// The bytes are not what the CID names.
    #[error("bytes do not hash to {0}")]
    Mismatch(Cid),
}

/// Bytes that hash to their CID. Cloning is cheap: the bytes are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Bytes,
}

impl Block {
    /// Proves that `data` is what `cid` names.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`] before any hashing, [`BlockError::Mismatch`] after.
    pub fn verify(cid: Cid, data: Bytes) -> Result<Self, BlockError> {
        if data.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge(data.len()));
        }
        if !hashes_to(cid.multihash(), &data) {
            return Err(BlockError::Mismatch(cid));
        }
        Ok(Self { cid, data })
    }

    /// Makes a block of bytes that are ours, under CIDv1 and sha2-256.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`].
    pub fn of(codec: Codec, data: Bytes) -> Result<Self, BlockError> {
        if data.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge(data.len()));
        }
        let hash = Multihash::wrap(hash_code::SHA2_256, &sha2::Sha256::digest(&data))
            .expect("a sha2-256 digest has 32 bytes");
        let cid = Cid::v1(codec, hash).expect("sha2-256 is on the allow-list");
        Ok(Self { cid, data })
    }

    /// The block that an identity CID carries in itself, or `None` for any other CID.
    pub fn inline(cid: Cid) -> Option<Self> {
        let data = Bytes::copy_from_slice(cid.identity_data()?);
        Some(Self { cid, data })
    }

    /// The same block under another CID of the same multihash: another version or codec.
    ///
    /// Returns `None` when the multihashes differ. Costs no hashing, which is why caches keyed by
    /// multihash can answer for every CID of a block.
    pub fn under(&self, cid: Cid) -> Option<Self> {
        (cid.multihash() == self.cid.multihash()).then(|| Self { cid, data: self.data.clone() })
    }

    /// The CID that these bytes were proven against.
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The proven bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The proven bytes, without a copy.
    pub fn into_data(self) -> Bytes {
        self.data
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.data.len())
    }
}

/// Whether `data` has this digest. A digest shorter than its function's compares as a prefix.
fn hashes_to(hash: &Multihash, data: &[u8]) -> bool {
    use hash_code as c;
    let want = hash.digest();
    match hash.code() {
        c::IDENTITY => data == want,
        c::SHA1 => sha1::Sha1::digest(data).starts_with(want),
        c::SHA2_256 => sha2::Sha256::digest(data).starts_with(want),
        c::SHA2_512 => sha2::Sha512::digest(data).starts_with(want),
        c::DBL_SHA2_256 => sha2::Sha256::digest(sha2::Sha256::digest(data)).starts_with(want),
        c::SHA3_224 => sha3::Sha3_224::digest(data).starts_with(want),
        c::SHA3_256 => sha3::Sha3_256::digest(data).starts_with(want),
        c::SHA3_384 => sha3::Sha3_384::digest(data).starts_with(want),
        c::SHA3_512 => sha3::Sha3_512::digest(data).starts_with(want),
        c::KECCAK_224 => sha3::Keccak224::digest(data).starts_with(want),
        c::KECCAK_256 => sha3::Keccak256::digest(data).starts_with(want),
        c::KECCAK_384 => sha3::Keccak384::digest(data).starts_with(want),
        c::KECCAK_512 => sha3::Keccak512::digest(data).starts_with(want),
        c::SHAKE_256 => shake_256(data, want.len()) == want,
        c::BLAKE3 => blake_3(data, want.len()) == want,
        code @ c::BLAKE2B_8..=c::BLAKE2B_512 => blake_2b(code, data).starts_with(want),
        code @ c::BLAKE2S_8..=c::BLAKE2S_256 => blake_2s(code, data).starts_with(want),
        _ => false,
    }
}

fn shake_256(data: &[u8], size: usize) -> Vec<u8> {
    use sha3::digest::{ExtendableOutput, Update, XofReader};
    let mut hasher = sha3::Shake256::default();
    hasher.update(data);
    let mut out = vec![0; size];
    hasher.finalize_xof().read(&mut out);
    out
}

fn blake_3(data: &[u8], size: usize) -> Vec<u8> {
    let mut out = vec![0; size];
    blake3::Hasher::new().update(data).finalize_xof().fill(&mut out);
    out
}

fn blake_2b(code: u64, data: &[u8]) -> Vec<u8> {
    let size = usize::try_from(code - hash_code::BLAKE2B_8 + 1).unwrap_or(64);
    blake2b_simd::Params::new().hash_length(size).hash(data).as_bytes().to_vec()
}

fn blake_2s(code: u64, data: &[u8]) -> Vec<u8> {
    let size = usize::try_from(code - hash_code::BLAKE2S_8 + 1).unwrap_or(32);
    blake2s_simd::Params::new().hash_length(size).hash(data).as_bytes().to_vec()
}

#[cfg(test)]
mod tests;
