//! dag-pb nodes: a list of named links and some bytes.
//!
//! A hand-written reader, because the codec is two small protobuf messages with stricter rules than
//! protobuf has: one canonical form, nothing unknown, links never split by data. Names and data are
//! slices of the block, so reading a node copies no content. What strangers wrote is read by [`view`],
//! which keeps no links, and which counts no references: threads that look for names in one hot folder
//! would wait for each other at its counter.

use bytes::Bytes;

use crate::cid::{Cid, CidError};

/// A reference to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it refers to.
    pub cid: Cid,
    /// Its name, usually UTF-8; empty inside files.
    pub name: Bytes,
    /// How many bytes the whole DAG below it has, by the word of whoever made it.
    pub tsize: u64,
}

/// A dag-pb node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Links in their stored order.
    pub links: Vec<Link>,
    /// The node's own bytes; in UnixFS, the metadata message.
    pub data: Option<Bytes>,
}

/// Why a block is not dag-pb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DagPbError {
    /// The protobuf framing is broken.
    #[error("malformed dag-pb: {0}")]
    Malformed(&'static str),
    /// A link's hash is not an acceptable CID.
    #[error("link {index} is not an acceptable CID: {source}")]
    Link {
        /// Which link, from 0.
        index: usize,
        /// What is wrong with it.
        source: CidError,
    },
}

/// A node that was read through once and found well formed, and whose links are read again one by
/// one: they take many times the room of the bytes that they are made of.
#[derive(Debug, Clone)]
pub struct View {
    block: Bytes,
    data: Option<Bytes>,
    links: usize,
}

impl View {
    /// The node's own bytes; in UnixFS, the metadata message.
    pub fn data(&self) -> Option<&Bytes> {
        self.data.as_ref()
    }

    /// How many links the node has.
    pub fn link_count(&self) -> usize {
        self.links
    }

    /// The links in their stored order.
    pub fn links(&self) -> Links<'_> {
        self.links_from(0)
    }

    /// The links from a place on, which [`Links::place`] of this node gave.
    pub fn links_from(&self, place: usize) -> Links<'_> {
        Links { fields: Fields { whole: &self.block, at: place } }
    }
}

/// A link as it lies in its block: who looks for one of many reads no CID but its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkView<'a> {
    hash: &'a [u8],
    /// Its name, usually UTF-8; empty inside files.
    pub name: &'a [u8],
    /// See [`Link::tsize`].
    pub tsize: u64,
}

impl LinkView<'_> {
    /// What it refers to.
    pub fn cid(&self) -> Cid {
        Cid::from_bytes(self.hash).expect("checked by `view`")
    }
}

/// The links of a node, one by one.
#[derive(Debug)]
pub struct Links<'a> {
    fields: Fields<'a>,
}

impl Links<'_> {
    /// Where [`View::links_from`] goes on after the last link that was given.
    pub fn place(&self) -> usize {
        self.fields.at
    }
}

impl<'a> Iterator for Links<'a> {
    type Item = LinkView<'a>;

    fn next(&mut self) -> Option<LinkView<'a>> {
        while let Some((field, value)) = self.fields.next().expect("checked by `view`") {
            if field == 2 {
                let link = value.bytes().and_then(read_link);
                return Some(link.expect("checked by `view`"));
            }
        }
        None
    }
}

/// Reads a node without keeping its links.
///
/// # Errors
/// [`DagPbError`] for anything but the one canonical form that the codec allows.
pub fn view(block: &Bytes) -> Result<View, DagPbError> {
    let mut fields = Fields { whole: block, at: 0 };
    let mut view = View { block: block.clone(), data: None, links: 0 };
    let mut links_done = false;
    while let Some((field, value)) = fields.next()? {
        match field {
            2 if links_done => return Err(DagPbError::Malformed("links split by data")),
            2 => {
                let link = read_link(value.bytes()?)?;
                let index = view.links;
                Cid::check(link.hash).map_err(|source| DagPbError::Link { index, source })?;
                view.links += 1;
            }
            1 if view.data.is_some() => return Err(DagPbError::Malformed("data twice")),
            1 => {
                view.data = Some(block.slice_ref(value.bytes()?));
                links_done = view.links > 0;
            }
            _ => return Err(DagPbError::Malformed("an unknown field")),
        }
    }
    Ok(view)
}

/// Reads a node with all of its links, for small ones: a block of 2 MiB can have links of 50 MiB.
///
/// # Errors
/// As [`view`].
pub fn decode(block: &Bytes) -> Result<Node, DagPbError> {
    let view = view(block)?;
    let owned = |link: LinkView<'_>| Link {
        cid: link.cid(),
        name: block.slice_ref(link.name),
        tsize: link.tsize,
    };
    Ok(Node { links: view.links().map(owned).collect(), data: view.data })
}

/// Reads a link but for its hash.
fn read_link(bytes: &[u8]) -> Result<LinkView<'_>, DagPbError> {
    let mut fields = Fields { whole: bytes, at: 0 };
    let (mut hash, mut name, mut tsize) = (None, None, None);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 if hash.is_none() && name.is_none() && tsize.is_none() => hash = Some(value.bytes()?),
            2 if name.is_none() && tsize.is_none() => name = Some(value.bytes()?),
            3 if tsize.is_none() => tsize = Some(value.number()?),
            _ => return Err(DagPbError::Malformed("a link's fields are out of order")),
        }
    }
    Ok(LinkView {
        hash: hash.ok_or(DagPbError::Malformed("a link without a hash"))?,
        name: name.unwrap_or_default(),
        tsize: tsize.unwrap_or(0),
    })
}

/// Writes a node in its canonical form: links, each with all three fields, then data.
pub fn encode(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    for link in &node.links {
        let cid = link.cid.to_bytes();
        let mut inner = Vec::with_capacity(cid.len() + link.name.len() + 16);
        write_bytes(&mut inner, 1, &cid);
        write_bytes(&mut inner, 2, &link.name);
        write_number(&mut inner, 3, link.tsize);
        write_bytes(&mut out, 2, &inner);
    }
    if let Some(data) = &node.data {
        write_bytes(&mut out, 1, data);
    }
    out
}

/// Writes a length-delimited protobuf field.
pub(crate) fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a varint protobuf field.
pub(crate) fn write_number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    write_varint(out, value);
}

pub(crate) fn write_varint(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(unsigned_varint::encode::u64(
        value,
        &mut unsigned_varint::encode::u64_buffer(),
    ));
}

/// The value of a protobuf field.
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Fixed-width fields, which only UnixFS times use.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], DagPbError> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) | Value::Fixed32(_) => Err(DagPbError::Malformed("a wrong wire type")),
        }
    }

    pub(crate) fn number(self) -> Result<u64, DagPbError> {
        match self {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) | Value::Fixed32(_) => Err(DagPbError::Malformed("a wrong wire type")),
        }
    }
}

/// Reads the fields of one protobuf message without copying.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Fields<'a> {
    /// The next field: its number and value; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, DagPbError> {
        if self.at == self.whole.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?;
                let bytes = bytes.try_into().expect("four bytes");
                Value::Fixed32(u32::from_le_bytes(bytes))
            }
            _ => return Err(DagPbError::Malformed("an unknown wire type")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DagPbError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let end = end.filter(|end| *end <= self.whole.len());
        let end = end.ok_or(DagPbError::Malformed("a length beyond the block"))?;
        let bytes = &self.whole[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, DagPbError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.whole.get(self.at).ok_or(DagPbError::Malformed("cut short"))?;
            self.at += 1;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DagPbError::Malformed("a varint of more than 64 bits"))
    }
}

#[cfg(test)]
mod tests;
