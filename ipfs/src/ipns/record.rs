//! Records: what a key's owner says that its name stands for, until when, and how it is proven.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use libp2p_identity::{Keypair, PublicKey};
use prost::Message;

use super::entry::{Document, Entry};
use super::{Name, time};
use crate::cid::Cid;
use crate::dag::DagError;

/// Longest record that is read or written, in bytes.
pub const RECORD_BYTES_MAX: usize = 10 * 1024;
/// Longest time that a record is said to be worth keeping, whatever it says itself.
pub const TTL_MAX: Duration = Duration::from_secs(365 * 86_400);

/// What is signed is this and the document.
const SIGNED_PREFIX: &[u8] = b"ipns-signature:";
/// What a record without a value stands for: nothing, in a CID of its own.
const EMPTY: &str = "/ipfs/bafkqaaa";

/// Why a record was refused or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More than [`RECORD_BYTES_MAX`] bytes; their number follows.
    #[error("record of {0} bytes is over the limit of {RECORD_BYTES_MAX}")]
    TooLarge(usize),
    /// Not a protobuf message of a record.
    #[error("record is malformed")]
    Malformed,
    /// No signature of version 2, or nothing that it is of.
    #[error("record has no signature of version 2")]
    Unsigned,
    /// Neither the record nor the name holds a key.
    #[error("record has no public key")]
    NoKey,
    /// The public key cannot be read, or is of an unknown kind.
    #[error("public key is malformed")]
    Key,
    /// The public key is another name's.
    #[error("public key is not that of {0}")]
    OtherKey(Name),
    /// The signed document is not dag-cbor.
    #[error("signed document is malformed: {0}")]
    Dag(#[from] DagError),
    /// The signed document is not that of a record.
    #[error("signed document is malformed: {0}")]
    Document(&'static str),
    /// The signature is not the key's.
    #[error("signature is invalid")]
    Signature,
    /// The unsigned copies say something else than the signed document.
    #[error("record says other things than its signed document")]
    Copies,
    /// A kind of validity that nobody has defined; its number follows.
    #[error("unknown validity type {0}")]
    ValidityType(u64),
    /// The end of the validity is not a time.
    #[error("validity is not a time")]
    Validity,
    /// The value is not a path below `/ipfs/` or `/ipns/`.
    #[error("value is not a content path")]
    Value,
    /// The key could not sign.
    #[error("key could not sign")]
    Sign,
}

/// A record that was proven. It may have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    name: Name,
    value: String,
    sequence: u64,
    validity: SystemTime,
    ttl: Duration,
    bytes: Bytes,
}

impl Record {
    /// Proves that a name's key said what is in a record, in the order and by the rules of the
    /// IPNS specification. Whether it says it still, [`Record::is_valid_at`] tells.
    ///
    /// Signatures of version 1 are ignored: they do not cover all that a record says. An empty
    /// value is read as that of the empty block, and a binary CID as the path of that CID.
    ///
    /// # Errors
    /// [`RecordError`] for the first rule that the record breaks.
    pub fn verify(name: &Name, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        // A copy, since a slice would hold on to all of the message that it came in.
        let bytes = Bytes::copy_from_slice(bytes);
        let entry = Entry::decode(bytes.clone()).map_err(|_| RecordError::Malformed)?;
        let signature = some(&entry.signature_v2).ok_or(RecordError::Unsigned)?;
        let data = some(&entry.data).ok_or(RecordError::Unsigned)?;
        let key = public_key(name, &entry)?;
        let document = Document::read(data)?;
        if !key.verify(&[SIGNED_PREFIX, data].concat(), signature) {
            return Err(RecordError::Signature);
        }
        let has_copies = some(&entry.signature_v1).is_some() || some(&entry.value).is_some();
        if has_copies && !document.is_repeated_by(&entry) {
            return Err(RecordError::Copies);
        }
        if document.validity_type != 0 {
            return Err(RecordError::ValidityType(document.validity_type));
        }
        Ok(Self {
            name: *name,
            value: path(&document.value).ok_or(RecordError::Value)?,
            sequence: document.sequence,
            validity: time::parse(&document.validity).ok_or(RecordError::Validity)?,
            ttl: Duration::from_nanos(document.ttl).min(TTL_MAX),
            bytes,
        })
    }

    /// The name that the record is of.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What the name stands for: a path below `/ipfs/` or `/ipns/`, not checked beyond that.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The version of the record; a later one has a higher number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When the record ends to be valid.
    pub fn validity(&self) -> SystemTime {
        self.validity
    }

    /// Whether the record is valid at a time.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        now < self.validity
    }

    /// How long the record may be kept before it is worth looking for a later one; at most
    /// [`TTL_MAX`]. It may end before.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long it may be kept from `now` on: its time to live, and no longer than it is valid.
    pub fn keep_for(&self, now: SystemTime) -> Duration {
        self.ttl().min(self.validity().duration_since(now).unwrap_or_default())
    }

    /// The record as it was received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether this record takes the place of another one of the same name: it has a higher
    /// sequence number, or the same one and is valid for longer.
    pub fn supersedes(&self, other: &Self) -> bool {
        (self.sequence, self.validity) > (other.sequence, other.validity)
    }
}

/// Makes a record with both signatures, which every reader of IPNS understands.
///
/// # Errors
/// [`RecordError::Value`] for a value that is not a path below `/ipfs/` or `/ipns/`,
/// [`RecordError::Validity`] for a time before the year 0 or after the year 9999,
/// [`RecordError::TooLarge`] and [`RecordError::Sign`].
pub fn create(
    key: &Keypair,
    value: &str,
    sequence: u64,
    validity: SystemTime,
    ttl: Duration,
) -> Result<Bytes, RecordError> {
    if !is_path(value) {
        return Err(RecordError::Value);
    }
    let validity = time::format(validity).ok_or(RecordError::Validity)?;
    let document = Document {
        value: value.as_bytes().to_vec(),
        validity: validity.into_bytes(),
        validity_type: 0,
        sequence,
        ttl: u64::try_from(ttl.min(TTL_MAX).as_nanos()).expect("a year is below 2^64 ns"),
    };
    let record = Bytes::from(sign(key, &document)?.encode_to_vec());
    if record.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge(record.len()));
    }
    Ok(record)
}

/// The signed message of a document.
pub(super) fn sign(key: &Keypair, document: &Document) -> Result<Entry, RecordError> {
    let sign = |parts: &[&[u8]]| {
        let signature = key.sign(&parts.concat()).map_err(|_| RecordError::Sign)?;
        Ok::<_, RecordError>(Some(Bytes::from(signature)))
    };
    let data = document.write();
    let public_key = key.public().encode_protobuf();
    let is_inline = Name::of_key(&public_key).inline_key().is_some();
    Ok(Entry {
        // What version 1 signs ends in the name of the validity type: its number is not what older
        // readers expect there.
        signature_v1: sign(&[&document.value, &document.validity, b"EOL"])?,
        signature_v2: sign(&[SIGNED_PREFIX, &data])?,
        value: Some(document.value.clone().into()),
        validity_type: Some(document.validity_type),
        validity: Some(document.validity.clone().into()),
        sequence: Some(document.sequence),
        ttl: Some(document.ttl),
        public_key: (!is_inline).then(|| public_key.into()),
        data: Some(data.into()),
    })
}

/// A field that is there and not empty.
fn some(field: &Option<Bytes>) -> Option<&[u8]> {
    field.as_deref().filter(|bytes| !bytes.is_empty())
}

/// The key that a record is to be proven by: its own, or the one in the name.
fn public_key(name: &Name, entry: &Entry) -> Result<PublicKey, RecordError> {
    let encoded = some(&entry.public_key).or(name.inline_key()).ok_or(RecordError::NoKey)?;
    let key = PublicKey::try_decode_protobuf(encoded).map_err(|_| RecordError::Key)?;
    if name.is_of(encoded) { Ok(key) } else { Err(RecordError::OtherKey(*name)) }
}

/// The path that a value says.
fn path(value: &[u8]) -> Option<String> {
    match value {
        [] => Some(EMPTY.to_owned()),
        [b'/', ..] => {
            std::str::from_utf8(value).ok().filter(|path| is_path(path)).map(String::from)
        }
        _ => Some(format!("/ipfs/{}", Cid::from_bytes(value).ok()?)),
    }
}

fn is_path(value: &str) -> bool {
    let below = value.strip_prefix("/ipfs/").or_else(|| value.strip_prefix("/ipns/"));
    below.is_some_and(|below| !below.is_empty() && !below.starts_with('/'))
}

#[cfg(test)]
mod tests;
