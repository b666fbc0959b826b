//! What one block of the largest size can make its readers allocate, whatever it holds.
//!
//! Counted by the allocator, per thread, as the sum of all that was asked for: never less than the
//! peak. A link is legal with 8 bytes, so a block has room for 262,143 of them.

use bytes::Bytes;
use ipfs::block::BLOCK_BYTES_MAX;
use ipfs::resolve::Resolve;
use ipfs::trustless::CarOptions;
use ipfs::unixfs::listing::Listing;
use ipfs::unixfs::{Kind, Meta};
use ipfs::walk::{Walk, WalkError};
use ipfs::{Block, Codec, dag};
use tikv_jemalloc_ctl::thread;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The shortest link, to the empty raw block that its CID holds.
const LINK: [u8; 8] = [0x12, 0x06, 0x0a, 0x04, 0x01, 0x55, 0x00, 0x00];

/// A result and the bytes that were allocated for it.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let counter = thread::allocatedp::read().expect("jemalloc counts");
    let before = counter.get();
    let result = work();
    (result, counter.get() - before)
}

/// A node with as many links as there is room for.
fn widest(meta: &Meta) -> Block {
    let meta = meta.encode();
    let data = [&[0x0a, u8::try_from(meta.len()).expect("short")][..], &meta].concat();
    let links = LINK.repeat((BLOCK_BYTES_MAX - data.len()) / LINK.len());
    Block::of(Codec::DagPb, [links, data].concat().into()).expect("within the limit")
}

#[test]
fn listing_keeps_a_block_and_a_place_in_it() {
    let root = widest(&Meta::new(Kind::Directory));
    let (listing, bytes) = allocated(|| Listing::new(&root).expect("a directory"));
    assert!(bytes < 4 * KIB, "{bytes} bytes for a listing that has not begun");
    drop(listing);
}

#[test]
fn name_is_looked_up_without_keeping_the_others() {
    let root = widest(&Meta::new(Kind::Directory));
    let mut resolve = Resolve::new(*root.cid(), vec!["a".to_owned()]);
    let (found, bytes) = allocated(|| resolve.feed(root));
    assert!(found.is_err());
    assert!(bytes < 4 * KIB, "{bytes} bytes for a name that is not there");
}

#[test]
fn walk_reads_no_more_links_than_it_has_room_for() {
    let directory = widest(&Meta::new(Kind::Directory));
    let list =
        [&[0x9a, 0x00, 0x03, 0xff, 0xe0][..], &b"\xd8\x2a\x45\x00\x01\x55\x00\x00".repeat(262_112)]
            .concat();
    let cbor = Block::of(Codec::DagCbor, list.into()).expect("within the limit");
    for root in [directory, cbor] {
        let mut walk = Walk::new(root.cid(), &CarOptions::default());
        let (visit, bytes) = allocated(|| walk.feed(root));
        assert!(matches!(visit, Err(WalkError::TooWide(_))), "{visit:?}");
        // Each of the vectors that the last one grew out of is half of the next.
        assert!(bytes < 24 * MIB, "{bytes} bytes for one block");
    }
}

#[test]
fn sizes_of_parts_are_bounded_by_the_links_of_a_block() {
    let mut message = vec![0x08, 0x02, 0x22, 0xf0, 0xff, 0x7f];
    message.resize(6 + 0x1f_fff0, 1);
    let message = Bytes::from(message);
    let (meta, bytes) = allocated(|| Meta::decode(&message));
    assert!(meta.is_err());
    assert!(bytes < 8 * MIB, "{bytes} bytes for one message");
}

#[test]
fn data_is_read_without_being_kept() {
    let items = vec![0xf6; BLOCK_BYTES_MAX - 5];
    let head = [&[0x9a][..], &u32::try_from(items.len()).expect("below 4 GiB").to_be_bytes()];
    let list = Block::of(Codec::DagCbor, [head.concat(), items].concat().into()).expect("fits");
    let (found, bytes) = allocated(|| dag::lookup(&list, ["2000000", "a"]));
    assert_eq!(found, Ok(dag::Found::Missing { taken: 1 }));
    assert!(bytes < 4 * KIB, "{bytes} bytes for an item of a list");
    let (json, bytes) = allocated(|| dag::convert(&list, Codec::DagJson));
    assert!(json.is_err(), "{:?}", json.map(|json| json.len()));
    // Each of the vectors that the last one grew out of is half of the next.
    assert!(bytes < 40 * MIB, "{bytes} bytes for another codec");
}
