//! A block whose bytes are proven to be what its CID names.
//!
//! There is no way to hold a [`Block`] without its hash having been computed, so code that takes a
//! `Block` needs no check of its own and code that renders unproven bytes does not compile.

use bytes::Bytes;
use sha2::Digest;

use crate::cid::{Cid, Codec, DIGEST_BYTES_MAX, Multihash, hash_code};

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
    /// No acceptable CID has this version, codec, hash and length of digest.
    #[error("no acceptable CID has this prefix")]
    Prefix,
}

/// A CID without its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Whether the CID is of version 0.
    pub is_v0: bool,
    /// How the block is to be read.
    pub codec: Codec,
    /// The multicodec code of the hash function.
    pub hash_code: u64,
    /// The length of the digest in bytes.
    pub digest_bytes: usize,
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
        let hash = cid.multihash();
        if digest(hash.code(), hash.digest().len(), &data).as_ref() != Some(hash) {
            return Err(BlockError::Mismatch(cid));
        }
        Ok(Self { cid, data })
    }

    /// Makes a block of bytes that came with all of their CID but the digest, as bitswap sends
    /// them: the digest is computed, so the block is what it is, whoever sent it.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`] before any hashing; [`BlockError::Prefix`] when no acceptable CID
    /// has this prefix.
    pub fn hashed(prefix: &Prefix, data: Bytes) -> Result<Self, BlockError> {
        if data.len() > BLOCK_BYTES_MAX {
            return Err(BlockError::TooLarge(data.len()));
        }
        if prefix.digest_bytes > DIGEST_BYTES_MAX {
            return Err(BlockError::Prefix);
        }
        let hash =
            digest(prefix.hash_code, prefix.digest_bytes, &data).ok_or(BlockError::Prefix)?;
        let cid = if prefix.is_v0 { Cid::v0(hash) } else { Cid::v1(prefix.codec, hash) };
        Ok(Self { cid: cid.map_err(|_| BlockError::Prefix)?, data })
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

/// The digest of `data`, cut to `size` bytes, or `None` for a hash that is not on the allow-list.
pub(crate) fn digest(code: u64, size: usize, data: &[u8]) -> Option<Multihash> {
    use hash_code as c;
    let cut = |digest: &[u8]| Multihash::wrap(code, digest.get(..size)?).ok();
    match code {
        c::IDENTITY if size == data.len() => cut(data),
        c::SHA1 => cut(&sha1::Sha1::digest(data)),
        c::SHA2_256 => cut(&sha2::Sha256::digest(data)),
        c::SHA2_512 => cut(&sha2::Sha512::digest(data)),
        c::DBL_SHA2_256 => cut(&sha2::Sha256::digest(sha2::Sha256::digest(data))),
        c::SHA3_224 => cut(&sha3::Sha3_224::digest(data)),
        c::SHA3_256 => cut(&sha3::Sha3_256::digest(data)),
        c::SHA3_384 => cut(&sha3::Sha3_384::digest(data)),
        c::SHA3_512 => cut(&sha3::Sha3_512::digest(data)),
        c::KECCAK_224 => cut(&sha3::Keccak224::digest(data)),
        c::KECCAK_256 => cut(&sha3::Keccak256::digest(data)),
        c::KECCAK_384 => cut(&sha3::Keccak384::digest(data)),
        c::KECCAK_512 => cut(&sha3::Keccak512::digest(data)),
        c::SHAKE_256 => cut(&shake_256(data, size)),
        c::BLAKE3 => cut(&blake_3(data, size)),
        code @ c::BLAKE2B_8..=c::BLAKE2B_512 => cut(&blake_2b(code, data)),
        code @ c::BLAKE2S_8..=c::BLAKE2S_256 => cut(&blake_2s(code, data)),
        _ => None,
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
