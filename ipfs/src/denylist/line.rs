//! One line of a denylist: a rule and its hints.

use percent_encoding::percent_decode_str;

use crate::cid::{Cid, CidError, Multihash, hash_code, parse_base58_multihash};
use crate::dnslink::Root;
use crate::path::{PathError, segments};

/// Longest reason in bytes; what is longer is cut.
pub const REASON_BYTES_MAX: usize = 256;

/// Why a line was skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// More than [`super::LINE_BYTES_MAX`] bytes.
    #[error("longer than {} bytes", super::LINE_BYTES_MAX)]
    TooLong,
    /// Not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// None of the kinds of rules that are known.
    #[error("not a rule that is known")]
    Unknown,
    /// What follows `/ipfs/` is neither an acceptable CID nor a multihash in base58.
    #[error("invalid CID: {0}")]
    Cid(CidError),
    /// What follows `/ipns/` is neither a key nor a domain name.
    #[error("neither a key nor a domain name")]
    Name,
    /// What follows the root is not a path.
    #[error("invalid path: {0}")]
    Path(#[from] PathError),
    /// A path with an asterisk has more than [`super::PREFIX_BYTES_MAX`] bytes in front of it.
    #[error("more than {} bytes in front of the asterisk", super::PREFIX_BYTES_MAX)]
    PrefixTooLong,
    /// What follows `//` is neither a multihash in base58 nor a sha2-256 digest in hex.
    #[error("neither a multihash nor a sha2-256 digest")]
    DoubleHash,
    /// The list uses more than [`super::HASHES_MAX`] hash functions for double hashes.
    #[error("more than {} hash functions", super::HASHES_MAX)]
    TooManyHashes,
    /// The list has more lines than can be told apart.
    #[error("more than 2^32 lines")]
    TooManyLines,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A root and what is below it.
    Path {
        /// The CID, of which only the multihash counts, or the name.
        root: Root,
        /// The names below it, decoded and joined by `/`, without slashes at either end.
        path: String,
        /// Whether `path` is only how the paths begin that are meant.
        prefix: bool,
    },
    /// A digest of a root and a path.
    DoubleHash {
        /// The digest with its hash function; sha2-256 in the legacy form.
        hash: Multihash,
        /// Whether it was written in hex, as the legacy form is.
        legacy: bool,
    },
}

/// What a line says about its rule, or a header about all rules. Other hints are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// `gateway_status` or `status`: true for 451, false for 410.
    pub legal: Option<bool>,
    /// `reason`, percent-decoded.
    pub reason: Option<String>,
}

impl Hints {
    /// Takes one hint if it is known and its value makes sense.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        match (key, value) {
            ("gateway_status" | "status", "451") => self.legal = Some(true),
            ("gateway_status" | "status", "410") => self.legal = Some(false),
            ("reason", value) if !value.is_empty() => {
                let mut reason = percent_decode_str(value).decode_utf8_lossy().into_owned();
                reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
                self.reason = Some(reason);
            }
            _ => {}
        }
    }
}

/// A rule with its hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whether the rule is an exception: what it matches is allowed.
    pub allow: bool,
    /// What the rule is about.
    pub item: Item,
    /// The hints behind it.
    pub hints: Hints,
}

impl Line {
    /// Reads a line; `None` when it is empty or a comment.
    ///
    /// # Errors
    /// [`LineError`], by what is wrong with the line.
    pub fn parse(text: &str) -> Result<Option<Self>, LineError> {
        let mut fields = text.split_ascii_whitespace();
        let Some(rule) = fields.next().filter(|rule| !rule.starts_with('#')) else {
            return Ok(None);
        };
        let (allow, rule) = match rule.strip_prefix('!') {
            Some(rule) => (true, rule),
            None => (false, rule),
        };
        let item = if let Some(path) = rule.strip_prefix("/ipfs/") {
            parse_path(path, parse_cid)?
        } else if let Some(path) = rule.strip_prefix("/ipns/") {
            parse_path(path, |name| Root::ipns(name).ok_or(LineError::Name))?
        } else if let Some(hash) = rule.strip_prefix("//") {
            parse_double_hash(hash)?
        } else {
            return Err(LineError::Unknown);
        };
        let mut hints = Hints::default();
        for hint in fields {
            if let Some((key, value)) = hint.split_once([':', '=']) {
                hints.set(key, value);
            }
        }
        Ok(Some(Self { allow, item, hints }))
    }
}

fn parse_path(
    path: &str,
    root: impl Fn(&str) -> Result<Root, LineError>,
) -> Result<Item, LineError> {
    let (name, path) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (path, prefix) = match path.strip_suffix('*') {
        Some(path) => (path, true),
        None => (path, false),
    };
    let path = segments(path)?.join("/");
    if prefix && path.len() > super::PREFIX_BYTES_MAX {
        return Err(LineError::PrefixTooLong);
    }
    Ok(Item::Path { root: root(name)?, path, prefix })
}

fn parse_cid(text: &str) -> Result<Root, LineError> {
    let refused = match Cid::parse(text) {
        Ok(cid) => return Ok(Root::Ipfs(cid)),
        Err(refused) => refused,
    };
    let hash = parse_base58_multihash(text).ok_or(LineError::Cid(refused))?;
    Cid::v1(crate::Codec::Raw, hash).map(Root::Ipfs).map_err(LineError::Cid)
}

fn parse_double_hash(text: &str) -> Result<Item, LineError> {
    if let Some(digest) = parse_hex(text) {
        let hash =
            Multihash::wrap(hash_code::SHA2_256, &digest).expect("a sha2-256 digest has 32 bytes");
        return Ok(Item::DoubleHash { hash, legacy: true });
    }
    let hash = parse_base58_multihash(text).ok_or(LineError::DoubleHash)?;
    if hash.code() == hash_code::IDENTITY {
        return Err(LineError::DoubleHash);
    }
    Ok(Item::DoubleHash { hash, legacy: false })
}

/// 64 characters of hex. A multihash in base58 has this form only if each of its characters is one
/// of 21 of the 58, with a chance of less than 2^-93: the two forms can be told apart.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut digest = [0; 32];
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(digest)
}
