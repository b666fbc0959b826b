//! The links of a block, whatever its codec.
//!
//! Only links are read, nothing is built: a dag-cbor block is scanned with a counter per open
//! list, so neither its depth nor the lengths that it declares can cost more than its bytes.

use std::ops::ControlFlow;

use crate::block::Block;
use crate::cid::{Cid, CidError, Codec};
use crate::dag_pb::{self, DagPbError};

/// Deepest nesting of lists and maps in a dag-cbor block.
pub const CBOR_DEPTH_MAX: usize = 256;

/// Why the links of a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// No reader for this codec; its multicodec code follows.
    #[error("no links can be read from codec 0x{0:x}")]
    Codec(u64),
    /// A dag-pb block does not parse.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
    /// A dag-cbor block does not parse.
    #[error("malformed dag-cbor: {0}")]
    Cbor(&'static str),
    /// A link is not an acceptable CID.
    #[error("a link is not an acceptable CID: {0}")]
    Cid(#[from] CidError),
}

/// Gives the links of a block to `take` in their order, until it breaks off. None is kept: a block
/// of 2 MiB can have a quarter of a million.
///
/// # Errors
/// [`LinksError`], before or after some links were given; a codec without a reader is an error rather than a block without links, since a
/// walk that took it for a leaf would end early and look complete.
pub fn each(block: &Block, mut take: impl FnMut(Cid) -> ControlFlow<()>) -> Result<(), LinksError> {
    match block.cid().codec() {
        Codec::Raw | Codec::Cbor | Codec::Json | Codec::Libp2pKey => Ok(()),
        Codec::DagPb => {
            for link in dag_pb::view(block.data())?.links() {
                if take(link.cid).is_break() {
                    break;
                }
            }
            Ok(())
        }
        Codec::DagCbor => cbor(block.data(), take),
        codec @ (Codec::DagJson | Codec::Other(_)) => Err(LinksError::Codec(codec.code())),
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

/// Scans one dag-cbor item for CIDs.
fn cbor(
    mut bytes: &[u8],
    mut take_link: impl FnMut(Cid) -> ControlFlow<()>,
) -> Result<(), LinksError> {
    // How many items are left in each open list or map, outermost first.
    let mut open: Vec<u64> = vec![1];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let (major, value) = head(&mut bytes)?;
        match major {
            0 | 1 | 7 => {}
            2 | 3 => {
                take(&mut bytes, value)?;
            }
            4 | 5 => {
                let items = if major == 4 { Some(value) } else { value.checked_mul(2) };
                // An item has at least a byte, so a longer list than there are bytes is a lie.
                let items = items.filter(|items| *items <= bytes.len() as u64);
                open.push(items.ok_or(LinksError::Cbor("a list is longer than the block"))?);
                if open.len() > CBOR_DEPTH_MAX {
                    return Err(LinksError::Cbor("nested too deep"));
                }
            }
            6 if value == 42 => {
                if take_link(link(&mut bytes)?).is_break() {
                    return Ok(());
                }
            }
            _ => return Err(LinksError::Cbor("a tag that is not a link")),
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err(LinksError::Cbor("bytes behind the item")) }
}

fn link(bytes: &mut &[u8]) -> Result<Cid, LinksError> {
    let (major, length) = head(bytes)?;
    if major != 2 {
        return Err(LinksError::Cbor("a link is not bytes"));
    }
    match take(bytes, length)? {
        [0, cid @ ..] => Ok(Cid::from_bytes(cid)?),
        _ => Err(LinksError::Cbor("a link has no identity prefix")),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], LinksError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (taken, rest) = bytes.split_at_checked(count).ok_or(LinksError::Cbor("cut short"))?;
    *bytes = rest;
    Ok(taken)
}

/// Reads the head of an item: its major type and its value.
fn head(bytes: &mut &[u8]) -> Result<(u8, u64), LinksError> {
    let first = take(bytes, 1)?[0];
    let width = match first & 0x1f {
        small @ 0..24 => return Ok((first >> 5, u64::from(small))),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return Err(LinksError::Cbor("indefinite length")),
    };
    let value = take(bytes, width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Ok((first >> 5, value))
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
        assert!(matches!(links(&[0x81; 200_000]), Err(LinksError::Cbor("nested too deep"))));
        let bomb = [0x9b, 0, 0, 0, 1, 0, 0, 0, 0];
        assert!(matches!(links(&bomb), Err(LinksError::Cbor(_))));
        assert!(matches!(links(&[0xbb, 0xff, 0, 0, 0, 0, 0, 0, 0]), Err(LinksError::Cbor(_))));
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
        let block = Block::of(Codec::DagJson, Bytes::from_static(b"{}")).expect("small");
        assert!(matches!(of(&block), Err(LinksError::Codec(0x0129))));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_scanner(bytes: Vec<u8>) {
            drop(std::hint::black_box(links(&bytes)));
        }
    }
}
