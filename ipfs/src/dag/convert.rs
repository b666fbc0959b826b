//! Writes the data of a block in another codec.
//!
//! What is written is the one canonical form: maps have their keys in the codec's order, and a map
//! with a key twice is refused.

mod scalar;
mod writer;

use std::borrow::Cow;

use self::writer::Writer;
use super::{DagError, Event, Reader};
use crate::block::Block;
use crate::cid::Codec;
use crate::dag_pb::{self, DagPbError};

/// Most bytes that a block may have in another codec.
pub const CONVERTED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Writes the data of a block in another codec: dag-cbor, dag-json, CBOR or JSON. Plain CBOR and
/// JSON have no links, and JSON has no bytes either; dag-pb is written in its logical form.
///
/// # Errors
/// As [`Reader::new`] and [`Reader::next_event`] for what is read, [`DagError::DagPb`];
/// [`DagError::Codec`], [`DagError::Unwritable`] and [`DagError::TooLarge`] for what is written.
pub fn convert(block: &Block, to: Codec) -> Result<Vec<u8>, DagError> {
    let mut writer = Writer::new(to)?;
    let from = block.cid().codec();
    if from == Codec::DagPb {
        write_dag_pb(block, &mut writer)?;
    } else {
        let mut reader = Reader::new(from, block.data())?;
        while let Some(event) = reader.next_event()? {
            writer.write(&event)?;
        }
    }
    Ok(writer.into_bytes())
}

/// Writes a dag-pb node as the map that it stands for.
fn write_dag_pb(block: &Block, writer: &mut Writer) -> Result<(), DagError> {
    let node = dag_pb::view(block.data())?;
    let key = |key| Event::Key(Cow::Borrowed(key));
    writer.write(&Event::MapStart)?;
    if let Some(data) = node.data() {
        writer.write(&key("Data"))?;
        writer.write(&Event::Bytes(Cow::Borrowed(data)))?;
    }
    writer.write(&key("Links"))?;
    writer.write(&Event::ListStart)?;
    for link in node.links() {
        let name = std::str::from_utf8(link.name);
        let name = name.map_err(|_| DagPbError::Malformed("a name that is not UTF-8"))?;
        let link_events = [
            Event::MapStart,
            key("Hash"),
            Event::Link(link.cid()),
            key("Name"),
            Event::Text(Cow::Borrowed(name)),
            key("Tsize"),
            Event::Int(link.tsize.into()),
            Event::End,
        ];
        link_events.iter().try_for_each(|event| writer.write(event))?;
    }
    writer.write(&Event::End)?;
    writer.write(&Event::End)
}
