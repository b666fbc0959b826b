//! The links of a block, whatever its codec.
//!
//! Only links are read, nothing is built, so neither the depth of a block nor the lengths that it
//! declares can cost more than its bytes.

use std::ops::ControlFlow;

use crate::block::Block;
use crate::cid::{Cid, CidError, Codec};
use crate::dag::{DagError, Event, Item, Items, Reader};
use crate::dag_pb::{self, DagPbError};

/// Why the links of a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// No reader for this codec; its multicodec code follows.
    #[error("no links can be read from codec 0x{0:x}")]
    Codec(u64),
    /// A dag-pb block does not parse.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
    /// A block of structured data does not parse.
    #[error(transparent)]
    Dag(#[from] DagError),
    /// A link is not an acceptable CID.
    #[error("a link is not an acceptable CID: {0}")]
    Cid(#[from] CidError),
}

/// Gives the links of a block to `take` in their order, until it breaks off. None is kept: a block
/// of 2 MiB can have a quarter of a million.
///
/// # Errors
/// [`LinksError`], before or after some links were given; a codec without a reader is an error
/// rather than a block without links, since a walk that took it for a leaf would end early and look
/// complete.
pub fn each(block: &Block, mut take: impl FnMut(Cid) -> ControlFlow<()>) -> Result<(), LinksError> {
    match block.cid().codec() {
        Codec::Raw | Codec::Cbor | Codec::Json | Codec::Libp2pKey => Ok(()),
        Codec::DagPb => {
            for link in dag_pb::view(block.data())?.links() {
                if take(link.cid()).is_break() {
                    break;
                }
            }
            Ok(())
        }
        Codec::DagCbor => cbor(block.data(), take),
        Codec::DagJson => json(block.data(), take),
        codec @ Codec::Other(_) => Err(LinksError::Codec(codec.code())),
    }
}

/// The links of a block in their order, for blocks of one's own.
///
/// # Errors
/// As [`each`].
pub fn of(block: &Block) -> Result<Vec<Cid>, LinksError> {
    let mut links = Vec::new();
    each(block, |link| {
        links.push(link);
        ControlFlow::Continue(())
    })?;
    Ok(links)
}

/// Reads the items of a dag-cbor block for their CIDs. Text is not looked at: links are sound even
/// where a name is not UTF-8.
fn cbor(bytes: &[u8], mut take_link: impl FnMut(Cid) -> ControlFlow<()>) -> Result<(), LinksError> {
    let mut items = Items::new(Codec::DagCbor, bytes);
    while let Some(item) = items.next_item()? {
        if let Item::Link(cid) = item
            && take_link(Cid::from_bytes(cid)?).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// Reads the events of a dag-json block for their links.
fn json(bytes: &[u8], mut take_link: impl FnMut(Cid) -> ControlFlow<()>) -> Result<(), LinksError> {
    let mut events = Reader::new(Codec::DagJson, bytes)?;
    while let Some(event) = events.next_event()? {
        if let Event::Link(cid) = event
            && take_link(cid).is_break()
        {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn links(bytes: &[u8]) -> Result<Vec<Cid>, LinksError> {
        let block = Block::of(Codec::DagCbor, Bytes::copy_from_slice(bytes)).expect("small");
        of(&block)
    }

    #[test]
    fn links_of_dag_cbor_are_found_in_order() {
        let cids: Vec<Cid> = ["a", "b"]
            .iter()
            .map(|text| *Block::of(Codec::Raw, Bytes::from(*text)).expect("small").cid())
            .collect();
        // {"a": [link, 1.5], "b": {"c": link}}
        let mut bytes = vec![0xa2, 0x61, b'a', 0x82];
        let link = |cid: &Cid| [&[0xd8, 42, 0x58, 37, 0][..], &cid.to_bytes()].concat();
        bytes.extend(link(&cids[0]));
        bytes.extend([0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0x61, b'b', 0xa1, 0x61, b'c']);
        bytes.extend(link(&cids[1]));
        assert_eq!(links(&bytes).expect("well formed"), cids);
    }

    #[test]
    fn nesting_bombs_and_length_bombs_are_refused() {
        let deep = links(&[0x81; 200_000]);
        assert!(matches!(
            deep,
            Err(LinksError::Dag(DagError::Malformed { what: "nested too deep", .. }))
        ));
        let bomb = [0x9b, 0, 0, 0, 1, 0, 0, 0, 0];
        assert!(matches!(links(&bomb), Err(LinksError::Dag(_))));
        assert!(matches!(links(&[0xbb, 0xff, 0, 0, 0, 0, 0, 0, 0]), Err(LinksError::Dag(_))));
    }

    #[test]
    fn no_link_is_read_behind_the_one_that_is_enough() {
        let inline = [1, 0x55, 0, 0];
        let cbor = [&[0x84][..], &[&[0xd8, 42, 0x45, 0][..], &inline].concat().repeat(4)].concat();
        let link = dag_pb::Link {
            cid: Cid::from_bytes(&inline).expect("an identity CID"),
            name: Bytes::new(),
            tsize: 0,
        };
        let pb = dag_pb::encode(&dag_pb::Node { links: vec![link; 4], data: None });
        for (codec, bytes) in [(Codec::DagCbor, cbor), (Codec::DagPb, pb)] {
            let block = Block::of(codec, bytes.into()).expect("small");
            let mut given = 0;
            let read = each(&block, |_| {
                given += 1;
                if given < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert!(read.is_ok());
            assert_eq!((given, of(&block).expect("well formed").len()), (2, 4));
        }
    }

    #[test]
    fn codec_without_a_reader_is_not_a_leaf() {
        let block = Block::of(Codec::Other(0x78), Bytes::from_static(b"{}")).expect("small");
        assert!(matches!(of(&block), Err(LinksError::Codec(0x78))));
    }

    #[test]
    fn links_of_dag_json_are_found_in_order() {
        let cid = |text: &'static str| *Block::of(Codec::Raw, text.into()).expect("small").cid();
        let (a, b) = (cid("a"), cid("b"));
        let text = format!(r#"{{"x": [{{"/": "{a}"}}, 1], "/": {{"y": {{"/": "{b}"}}}}}}"#);
        let block = Block::of(Codec::DagJson, text.into()).expect("small");
        assert_eq!(of(&block).expect("well formed"), [a, b]);
        let block = Block::of(Codec::DagJson, Bytes::from_static(b"[1, 2")).expect("small");
        assert!(matches!(of(&block), Err(LinksError::Dag(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_scanner(bytes: Vec<u8>) {
            drop(std::hint::black_box(links(&bytes)));
        }
    }
}
