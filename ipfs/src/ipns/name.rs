//! Names: the multihash of a public key.
//!
//! Only the two forms that peers have are accepted, since a record can be proven against no other:
//! sha2-256 of the key, or the key itself when it is short.

use std::fmt;
use std::str::FromStr;

use multibase::Base;

use crate::cid::{Cid, CidError, Codec, DIGEST_BYTES_MAX, Multihash, hash_code};

/// Longest bare peer ID: the longest digest and two bytes before it, in base 58.
const PEER_ID_BYTES_MAX: usize = (DIGEST_BYTES_MAX + 3) * 138 / 100 + 1;

/// Why text is not an IPNS name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Neither a CID nor a peer ID.
    #[error("not an IPNS name: {0}")]
    Cid(#[from] CidError),
    /// A CID of something other than a key; its multicodec code follows.
    #[error("a CID with codec 0x{0:x} names content, not a key")]
    Codec(u64),
    /// A hash that keys are not named by; its multicodec code follows.
    #[error("keys are not named by hash function 0x{0:x}")]
    Hash(u64),
}

/// The name of a key, and so of what the key's owner last said.
///
/// Copying is cheap. Every spelling of a name is the same `Name`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Cid);

impl Name {
    /// Reads a CIDv1 with codec libp2p-key in any multibase, or a bare peer ID in base 58. A CID
    /// with codec dag-pb is read as the key of the same hash, as gateways do for names that were
    /// written before keys had a codec.
    ///
    /// # Errors
    /// [`NameError`], by what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if Self::is_peer_id(text) {
            return Self::from_multihash_bytes(&base58(text)?);
        }
        Self::from_cid(&Cid::parse(text)?)
    }

    /// The name with this CID, whose codec is libp2p-key or dag-pb.
    ///
    /// # Errors
    /// [`NameError::Codec`] and [`NameError::Hash`].
    pub fn from_cid(cid: &Cid) -> Result<Self, NameError> {
        match cid.codec() {
            Codec::Libp2pKey | Codec::DagPb => Self::from_multihash(cid.multihash()),
            codec @ (Codec::Raw
            | Codec::DagCbor
            | Codec::DagJson
            | Codec::Cbor
            | Codec::Json
            | Codec::Other(_)) => Err(NameError::Codec(codec.code())),
        }
    }

    /// The name with this multihash in binary, as routing keys and peer IDs hold it.
    ///
    /// # Errors
    /// [`NameError::Cid`] and [`NameError::Hash`].
    pub fn from_multihash_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        let cid = [&[1, 0x72], bytes].concat();
        Self::from_cid(&Cid::from_bytes(&cid)?)
    }

    /// The name of a key, in its protobuf form: keys of up to 42 bytes are their own name.
    pub fn of_key(encoded: &[u8]) -> Self {
        use sha2::Digest;
        let hash = if encoded.len() <= INLINE_BYTES_MAX {
            Multihash::wrap(hash_code::IDENTITY, encoded)
        } else {
            Multihash::wrap(hash_code::SHA2_256, &sha2::Sha256::digest(encoded))
        };
        let hash = hash.expect("neither 42 bytes nor a digest of 32 are too long");
        Self(Cid::v1(Codec::Libp2pKey, hash).expect("both functions are on the allow-list"))
    }

    /// Whether text starts as a bare peer ID does. A gateway sends such a name elsewhere: it is
    /// not a CID, and its letters have a case that host names do not keep.
    pub fn is_peer_id(text: &str) -> bool {
        text.starts_with("Qm") || text.starts_with('1')
    }

    /// The name as a CID with codec libp2p-key.
    pub fn cid(&self) -> Cid {
        self.0
    }

    /// The key's multihash.
    pub fn multihash(&self) -> &Multihash {
        self.0.multihash()
    }

    /// The key that the name holds in itself, in its protobuf form, if it is short enough for that.
    pub fn inline_key(&self) -> Option<&[u8]> {
        self.0.identity_data()
    }

    /// Whether this is the name of a key in its protobuf form.
    pub(super) fn is_of(&self, encoded: &[u8]) -> bool {
        use sha2::Digest;
        match self.inline_key() {
            Some(key) => key == encoded,
            None => self.multihash().digest() == &sha2::Sha256::digest(encoded)[..],
        }
    }

    fn from_multihash(hash: &Multihash) -> Result<Self, NameError> {
        let is_key = match hash.code() {
            hash_code::IDENTITY => !hash.digest().is_empty(),
            hash_code::SHA2_256 => hash.digest().len() == 32,
            _ => false,
        };
        if !is_key {
            return Err(NameError::Hash(hash.code()));
        }
        Ok(Self(Cid::v1(Codec::Libp2pKey, *hash)?))
    }
}

/// Longest key that is its own name, in bytes of its protobuf form.
const INLINE_BYTES_MAX: usize = 42;

fn base58(text: &str) -> Result<Vec<u8>, CidError> {
    if text.len() > PEER_ID_BYTES_MAX {
        return Err(CidError::Malformed("text too long"));
    }
    Base::Base58Btc.decode(text).map_err(|_| CidError::Malformed("not base58"))
}

impl fmt::Display for Name {
    /// The CID in lower-case base 36, which fits into a DNS label.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text(Base::Base36Lower))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASHED: &str = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";

    fn inline() -> Name {
        Name::of_key(&[&[8, 1, 0x12, 0x20][..], &[7; 32]].concat())
    }

    fn hashed() -> Name {
        Name::parse(HASHED).expect("a peer ID")
    }

    #[test]
    fn every_spelling_is_the_same_name() {
        for name in [inline(), hashed()] {
            let bases = [
                Base::Base36Lower,
                Base::Base36Upper,
                Base::Base32Lower,
                Base::Base58Btc,
                Base::Base16Lower,
                Base::Base64Url,
            ];
            for base in bases {
                let text = name.cid().to_text(base);
                assert_eq!(Name::parse(&text), Ok(name), "{text}");
                assert!(!Name::is_peer_id(&text));
            }
            let peer_id = Base::Base58Btc.encode(name.multihash().to_bytes());
            assert!(Name::is_peer_id(&peer_id));
            assert_eq!(Name::parse(&peer_id), Ok(name));
            let dag_pb = Cid::v1(Codec::DagPb, *name.multihash()).expect("a CID");
            assert_eq!(Name::parse(&dag_pb.to_string()), Ok(name));
            assert_eq!(Name::parse(&name.to_string()), Ok(name));
        }
    }

    #[test]
    fn names_are_written_in_base_36() {
        assert!(inline().to_string().starts_with("k51qzi5uqu5d"));
        assert_eq!(inline().cid().codec(), Codec::Libp2pKey);
        assert!(hashed().to_string().starts_with("k2k4r8"));
        assert!(Base::Base58Btc.encode(inline().multihash().to_bytes()).starts_with("12D3Koo"));
    }

    #[test]
    fn what_names_no_key_is_refused() {
        let raw = Cid::v1(Codec::Raw, *hashed().multihash()).expect("a CID").to_string();
        assert_eq!(Name::parse(&raw), Err(NameError::Codec(0x55)));
        let sha512 = Multihash::wrap(hash_code::SHA2_512, &[1; 64]).expect("64 bytes");
        let sha512 = Cid::v1(Codec::Libp2pKey, sha512).expect("a CID").to_string();
        assert_eq!(Name::parse(&sha512), Err(NameError::Hash(hash_code::SHA2_512)));
        let empty = Cid::identity(Codec::Libp2pKey, &[]).expect("a CID").to_string();
        assert_eq!(Name::parse(&empty), Err(NameError::Hash(hash_code::IDENTITY)));
        let long = "1".repeat(1_000_000);
        for text in ["", "1", "Qm", "example.com", "k51", "QmInvalid0", &long, &HASHED[..45]] {
            assert!(Name::parse(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn longest_inline_key_has_a_peer_id() {
        let cid = Cid::identity(Codec::Libp2pKey, &[0xff; DIGEST_BYTES_MAX]).expect("a CID");
        let name = Name::from_cid(&cid).expect("a name");
        let peer_id = Base::Base58Btc.encode(name.multihash().to_bytes());
        assert_eq!(Name::parse(&peer_id), Ok(name));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,80}", base58 in "(Qm|1)[1-9A-Za-z]{0,200}") {
            std::hint::black_box(Name::parse(&text).is_ok());
            if let Ok(name) = Name::parse(&base58) {
                prop_assert_eq!(Name::parse(&name.to_string()), Ok(name));
            }
        }
    }
}
