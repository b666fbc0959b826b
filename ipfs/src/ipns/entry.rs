//! A record as it is written: a protobuf message around a signed dag-cbor document.
//!
//! The document is what counts. The message repeats its values for readers older than version 2 of
//! the signature, and those copies prove nothing.

use bytes::Bytes;

use super::record::RecordError;
use crate::cid::Codec;
use crate::dag::{Event, Reader};

/// The protobuf message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) value: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) signature_v1: Option<Bytes>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) validity_type: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(super) validity: Option<Bytes>,
    #[prost(uint64, optional, tag = "5")]
    pub(super) sequence: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    pub(super) ttl: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(super) public_key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub(super) signature_v2: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "9")]
    pub(super) data: Option<Bytes>,
}

/// The dag-cbor document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) value: Vec<u8>,
    pub(super) validity: Vec<u8>,
    pub(super) validity_type: u64,
    pub(super) sequence: u64,
    pub(super) ttl: u64,
}

impl Document {
    /// Reads a document; fields of other names are left to whoever wrote them.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut events = Reader::new(Codec::DagCbor, bytes)?;
        let (mut value, mut validity) = (None, None);
        let (mut validity_type, mut sequence, mut ttl) = (None, None, None);
        if events.next_event()? != Some(Event::MapStart) {
            return Err(RecordError::Document("not a map"));
        }
        while let Some(Event::Key(key)) = events.next_event()? {
            match &*key {
                "Value" => once(&mut value, blob(&mut events)?)?,
                "Validity" => once(&mut validity, blob(&mut events)?)?,
                "ValidityType" => once(&mut validity_type, number(&mut events)?)?,
                "Sequence" => once(&mut sequence, number(&mut events)?)?,
                "TTL" => once(&mut ttl, number(&mut events)?)?,
                _ => events.skip()?,
            }
        }
        if events.next_event()?.is_some() {
            return Err(RecordError::Document("something behind the map"));
        }
        let missing = RecordError::Document("a field is missing");
        let (Some(value), Some(validity), Some(validity_type), Some(sequence), Some(ttl)) =
            (value, validity, validity_type, sequence, ttl)
        else {
            return Err(missing);
        };
        Ok(Self { value, validity, validity_type, sequence, ttl })
    }

    /// Writes the document in its one canonical form: shorter keys first.
    pub(super) fn write(&self) -> Vec<u8> {
        use crate::dag::write_cbor_head as head;
        let mut out = Vec::new();
        let text = |out: &mut Vec<u8>, major: u8, bytes: &[u8]| {
            head(out, major, bytes.len() as u64);
            out.extend_from_slice(bytes);
        };
        head(&mut out, 5, 5);
        text(&mut out, 3, b"TTL");
        head(&mut out, 0, self.ttl);
        text(&mut out, 3, b"Value");
        text(&mut out, 2, &self.value);
        text(&mut out, 3, b"Sequence");
        head(&mut out, 0, self.sequence);
        text(&mut out, 3, b"Validity");
        text(&mut out, 2, &self.validity);
        text(&mut out, 3, b"ValidityType");
        head(&mut out, 0, self.validity_type);
        out
    }

    /// Whether the copies in a message say the same; a copy that is not there says zero or
    /// nothing, as protobuf has it.
    pub(super) fn is_repeated_by(&self, entry: &Entry) -> bool {
        let bytes = |field: &Option<Bytes>| field.clone().unwrap_or_default();
        bytes(&entry.value) == self.value
            && bytes(&entry.validity) == self.validity
            && entry.validity_type.unwrap_or_default() == self.validity_type
            && entry.sequence.unwrap_or_default() == self.sequence
            && entry.ttl.unwrap_or_default() == self.ttl
    }
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), RecordError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(RecordError::Document("a field twice")),
    }
}

fn blob(events: &mut Reader) -> Result<Vec<u8>, RecordError> {
    match events.next_event()? {
        Some(Event::Bytes(bytes)) => Ok(bytes.into_owned()),
        _ => Err(RecordError::Document("a field is not bytes")),
    }
}

fn number(events: &mut Reader) -> Result<u64, RecordError> {
    let number = match events.next_event()? {
        Some(Event::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    number.ok_or(RecordError::Document("a field is not a whole number of 64 bits"))
}
