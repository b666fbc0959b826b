//! Content identifiers: which ones are accepted, and how they are written.
//!
//! Accepts CIDv0 and CIDv1 in every multibase, but only with hashes that are safe to rely on. A CID
//! that this module has built can always be verified, so an unknown or weak hash is refused here,
//! before any node is asked.

use std::fmt;
use std::str::FromStr;

use ::cid::CidGeneric;
use ::cid::Version;
pub use multibase::Base;

/// Longest digest that is accepted, identity CIDs included (IPIP-512).
pub const DIGEST_BYTES_MAX: usize = 128;
/// Shortest digest that is accepted, identity CIDs excepted: anything shorter can be forged.
pub const DIGEST_BYTES_MIN: usize = 20;
/// Longest binary CID: four varints and the longest digest. Longer ones are refused unread.
pub const CID_BYTES_MAX: usize = 4 * 10 + DIGEST_BYTES_MAX;
/// Longest text form: the longest binary form in base 2, with its prefix.
const TEXT_BYTES_MAX: usize = CID_BYTES_MAX * 8 + 1;

/// A hash function's code and its digest.
pub type Multihash = multihash::Multihash<DIGEST_BYTES_MAX>;

/// Multicodec codes of the hashes that are accepted.
pub(crate) mod hash_code {
    pub(crate) const IDENTITY: u64 = 0x00;
    pub(crate) const SHA1: u64 = 0x11;
    pub(crate) const SHA2_256: u64 = 0x12;
    pub(crate) const SHA2_512: u64 = 0x13;
    pub(crate) const SHA3_512: u64 = 0x14;
    pub(crate) const SHA3_384: u64 = 0x15;
    pub(crate) const SHA3_256: u64 = 0x16;
    pub(crate) const SHA3_224: u64 = 0x17;
    pub(crate) const SHAKE_256: u64 = 0x19;
    pub(crate) const KECCAK_224: u64 = 0x1a;
    pub(crate) const KECCAK_256: u64 = 0x1b;
    pub(crate) const KECCAK_384: u64 = 0x1c;
    pub(crate) const KECCAK_512: u64 = 0x1d;
    pub(crate) const BLAKE3: u64 = 0x1e;
    pub(crate) const DBL_SHA2_256: u64 = 0x56;
    /// `blake2b-8`; `blake2b-N` is this plus N/8 − 1.
    pub(crate) const BLAKE2B_8: u64 = 0xb201;
    pub(crate) const BLAKE2B_512: u64 = 0xb240;
    /// `blake2s-8`; `blake2s-N` is this plus N/8 − 1.
    pub(crate) const BLAKE2S_8: u64 = 0xb241;
    pub(crate) const BLAKE2S_256: u64 = 0xb260;
}

/// How the bytes of a block are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Bytes without structure.
    Raw,
    /// Protobuf nodes of named links: UnixFS.
    DagPb,
    /// CBOR with links.
    DagCbor,
    /// JSON with links.
    DagJson,
    /// CBOR without links.
    Cbor,
    /// JSON without links.
    Json,
    /// A libp2p public key: the name of an IPNS record.
    Libp2pKey,
    /// Any other; such a block can be fetched and verified but not read.
    Other(u64),
}

impl Codec {
    /// The multicodec code.
    pub fn code(self) -> u64 {
        match self {
            Codec::Raw => 0x55,
            Codec::DagPb => 0x70,
            Codec::DagCbor => 0x71,
            Codec::DagJson => 0x0129,
            Codec::Cbor => 0x51,
            Codec::Json => 0x0200,
            Codec::Libp2pKey => 0x72,
            Codec::Other(code) => code,
        }
    }

    /// Its word in the table of multicodecs; `other` for one that is not listed here.
    pub fn word(self) -> &'static str {
        match self {
            Codec::Raw => "raw",
            Codec::DagPb => "dag-pb",
            Codec::DagCbor => "dag-cbor",
            Codec::DagJson => "dag-json",
            Codec::Cbor => "cbor",
            Codec::Json => "json",
            Codec::Libp2pKey => "libp2p-key",
            Codec::Other(_) => "other",
        }
    }

    /// The codec with this multicodec code.
    pub fn from_code(code: u64) -> Self {
        match code {
            0x55 => Codec::Raw,
            0x70 => Codec::DagPb,
            0x71 => Codec::DagCbor,
            0x0129 => Codec::DagJson,
            0x51 => Codec::Cbor,
            0x0200 => Codec::Json,
            0x72 => Codec::Libp2pKey,
            other => Codec::Other(other),
        }
    }
}

/// Why a CID was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Not a CID at all: the text or the bytes do not parse.
    #[error("not a CID: {0}")]
    Malformed(&'static str),
    /// A hash that is not on the allow-list; its code follows.
    #[error("potentially insecure or unknown hash function 0x{0:x}")]
    HashNotAllowed(u64),
    /// A digest shorter than [`DIGEST_BYTES_MIN`] bytes.
    #[error("digest of {0} bytes is too small: the least is {DIGEST_BYTES_MIN}")]
    DigestTooSmall(usize),
    /// A digest longer than the hash function gives, or than [`DIGEST_BYTES_MAX`].
    #[error("digest of {0} bytes is too long")]
    DigestTooLong(usize),
}

/// A content identifier whose hash is on the allow-list.
///
/// Ordered and compared by version, codec and multihash; caches that must not care for version and
/// codec key by [`Cid::multihash`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(CidGeneric<DIGEST_BYTES_MAX>);

impl Cid {
    /// A CIDv1 of a codec and a multihash.
    ///
    /// # Errors
    /// As [`Cid::parse`], when the multihash is not acceptable.
    pub fn v1(codec: Codec, hash: Multihash) -> Result<Self, CidError> {
        check(&hash)?;
        Ok(Self(CidGeneric::new_v1(codec.code(), hash)))
    }

    /// A CIDv0: dag-pb under sha2-256.
    ///
    /// # Errors
    /// [`CidError::Malformed`] when the multihash is not sha2-256 with 32 bytes.
    pub fn v0(hash: Multihash) -> Result<Self, CidError> {
        CidGeneric::new_v0(hash)
            .map(Self)
            .map_err(|_| CidError::Malformed("a version 0 CID is sha2-256 with 32 bytes"))
    }

    /// The CID of an inline block: at most [`DIGEST_BYTES_MAX`] bytes, carried in the CID itself.
    ///
    /// # Errors
    /// [`CidError::DigestTooLong`].
    pub fn identity(codec: Codec, data: &[u8]) -> Result<Self, CidError> {
        let hash = Multihash::wrap(hash_code::IDENTITY, data)
            .map_err(|_| CidError::DigestTooLong(data.len()))?;
        Ok(Self(CidGeneric::new_v1(codec.code(), hash)))
    }

    /// Reads the text form, in any multibase; `Qm…` is version 0.
    ///
    /// # Errors
    /// [`CidError`], by what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CidError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CidError::Malformed("text too long"));
        }
        if text.len() < 2 {
            return Err(CidError::Malformed("text too short"));
        }
        if text.len() == 46 && text.starts_with("Qm") {
            let bytes =
                Base::Base58Btc.decode(text).map_err(|_| CidError::Malformed("not base58"))?;
            return Self::from_bytes(&bytes);
        }
        let (_, bytes) =
            multibase::decode(text).map_err(|_| CidError::Malformed("not multibase"))?;
        if bytes.first() == Some(&0x12) {
            return Err(CidError::Malformed("a version 0 CID has no multibase prefix"));
        }
        Self::from_bytes(&bytes)
    }

    /// Reads a binary CID that fills the slice.
    ///
    /// # Errors
    /// As [`Cid::read_prefix`]; [`CidError::Malformed`] also when bytes are left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let (cid, used) = Self::read_prefix(bytes)?;
        if used != bytes.len() {
            return Err(CidError::Malformed("bytes after its end"));
        }
        Ok(cid)
    }

    /// Whether [`Cid::from_bytes`] would read these bytes. The two forms that nearly all links have are told
    /// at a glance: folders and files have thousands of links, of which few are followed.
    ///
    /// # Errors
    /// As [`Cid::from_bytes`].
    pub fn check(bytes: &[u8]) -> Result<(), CidError> {
        let is_common = match bytes {
            [0x12, 0x20, digest @ ..] => digest.len() == 32,
            [0x01, 0x55 | 0x70, 0x12, 0x20, digest @ ..] => digest.len() == 32,
            _ => false,
        };
        if is_common { Ok(()) } else { Self::from_bytes(bytes).map(|_| ()) }
    }

    /// Reads a binary CID from the front of a slice; returns it with the bytes that it took.
    ///
    /// # Errors
    /// [`CidError`], by what is wrong with the bytes.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), CidError> {
        if let [0x12, 0x20, rest @ ..] = bytes {
            let digest = rest.get(..32).ok_or(CidError::Malformed("cut short"))?;
            let hash = Multihash::wrap(hash_code::SHA2_256, digest)
                .map_err(|_| CidError::Malformed("digest"))?;
            return Ok((Self::v0(hash)?, 34));
        }
        let (version, rest) = varint(bytes)?;
        if version != 1 {
            return Err(CidError::Malformed("unknown version"));
        }
        let (codec, rest) = varint(rest)?;
        let (hash, rest) = read_multihash(rest)?;
        let cid = Self(CidGeneric::new_v1(codec, hash));
        Ok((cid, bytes.len() - rest.len()))
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The length of the binary form in bytes.
    pub fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    /// How the block below this CID is to be read.
    pub fn codec(&self) -> Codec {
        Codec::from_code(self.0.codec())
    }

    /// The hash function and digest: what caches and stores key by.
    pub fn multihash(&self) -> &Multihash {
        self.0.hash()
    }

    /// Whether this is a version 0 CID.
    pub fn is_v0(&self) -> bool {
        self.0.version() == Version::V0
    }

    /// The same content as version 1.
    #[must_use]
    pub fn to_v1(&self) -> Self {
        Self(CidGeneric::new_v1(self.0.codec(), *self.0.hash()))
    }

    /// The bytes of an identity CID, which is its own block.
    pub fn identity_data(&self) -> Option<&[u8]> {
        let hash = self.0.hash();
        (hash.code() == hash_code::IDENTITY).then(|| hash.digest())
    }

    /// The text form in a chosen base, always as version 1.
    pub fn to_text(&self, base: Base) -> String {
        multibase::encode(base, self.to_v1().to_bytes())
    }
}

impl fmt::Display for Cid {
    /// Version 0 as base58, version 1 as lower-case base32.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_v0() {
            f.write_str(&Base::Base58Btc.encode(self.0.to_bytes()))
        } else {
            f.write_str(&multibase::encode(Base::Base32Lower, self.0.to_bytes()))
        }
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        Self::parse(text)
    }
}

/// Reads a bare multihash in base58, as peer ids are written; `None` also when it is not acceptable.
pub(crate) fn parse_base58_multihash(text: &str) -> Option<Multihash> {
    // Base58 has more than five bits to a character, and takes quadratic time.
    if text.len() > (DIGEST_BYTES_MAX + 20) * 8 / 5 {
        return None;
    }
    let bytes = Base::Base58Btc.decode(text).ok()?;
    let (hash, rest) = read_multihash(&bytes).ok()?;
    rest.is_empty().then_some(hash)
}

/// Reads a minimal varint from the front of a slice.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), CidError> {
    unsigned_varint::decode::u64(bytes).map_err(|_| CidError::Malformed("varint"))
}

/// Reads a multihash from the front of a slice and checks it against the allow-list.
fn read_multihash(bytes: &[u8]) -> Result<(Multihash, &[u8]), CidError> {
    let (code, rest) = varint(bytes)?;
    let (size, rest) = varint(rest)?;
    let size = usize::try_from(size).map_err(|_| CidError::DigestTooLong(usize::MAX))?;
    if size > DIGEST_BYTES_MAX {
        return Err(CidError::DigestTooLong(size));
    }
    let digest = rest.get(..size).ok_or(CidError::Malformed("cut short"))?;
    let hash = Multihash::wrap(code, digest).map_err(|_| CidError::DigestTooLong(size))?;
    check(&hash)?;
    Ok((hash, &rest[size..]))
}

/// Longest digest that a hash function gives, or `None` when it is not on the allow-list.
fn digest_bytes_of(code: u64) -> Option<usize> {
    use hash_code as c;
    match code {
        c::IDENTITY | c::SHAKE_256 | c::BLAKE3 => Some(DIGEST_BYTES_MAX),
        c::SHA1 => Some(20),
        c::SHA2_256 | c::SHA3_256 | c::KECCAK_256 | c::DBL_SHA2_256 => Some(32),
        c::SHA3_224 | c::KECCAK_224 => Some(28),
        c::SHA3_384 | c::KECCAK_384 => Some(48),
        c::SHA2_512 | c::SHA3_512 | c::KECCAK_512 => Some(64),
        c::BLAKE2B_8..=c::BLAKE2B_512 => usize::try_from(code - c::BLAKE2B_8 + 1).ok(),
        c::BLAKE2S_8..=c::BLAKE2S_256 => usize::try_from(code - c::BLAKE2S_8 + 1).ok(),
        _ => None,
    }
}

/// Refuses hashes that cannot be relied on.
fn check(hash: &Multihash) -> Result<(), CidError> {
    let size = hash.digest().len();
    let longest = digest_bytes_of(hash.code()).ok_or(CidError::HashNotAllowed(hash.code()))?;
    if size > longest {
        return Err(CidError::DigestTooLong(size));
    }
    if size < DIGEST_BYTES_MIN && hash.code() != hash_code::IDENTITY {
        return Err(CidError::DigestTooSmall(size));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
