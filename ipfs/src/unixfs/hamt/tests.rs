//! Claims about HAMT shards, mostly hostile ones.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::dag_pb::{self, Link, Node};
use crate::{Block, Codec};

fn link(name: &str) -> Link {
    let block = Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small");
    Link { cid: *block.cid(), name: Bytes::copy_from_slice(name.as_bytes()), tsize: 0 }
}

fn shard(fanout: u64, bitfield: &[u8], names: &[&str]) -> (View, Meta) {
    let meta = Meta {
        data: Bytes::copy_from_slice(bitfield),
        hash_type: Some(MURMUR3_X64_64),
        fanout: Some(fanout),
        ..Meta::new(Kind::HamtShard)
    };
    let node = Node { links: names.iter().map(|name| link(name)).collect(), data: None };
    (dag_pb::view(&dag_pb::encode(&node).into()).expect("our own node"), meta)
}

#[test]
fn fanouts_that_the_format_forbids_are_refused() {
    for fanout in [0, 1, 4, 7, 12, 1025, 2048, 1 << 31, 1 << 63, u64::MAX] {
        let (node, meta) = shard(fanout, &[], &[]);
        assert_eq!(geometry(&node, &meta, 0), Err(UnixfsError::Hamt("bad fanout")), "{fanout}");
    }
    for fanout in [8, 16, 256, 1024] {
        let (node, meta) = shard(fanout, &[], &[]);
        assert!(geometry(&node, &meta, 0).is_ok(), "{fanout}");
    }
}

#[test]
fn shard_that_contradicts_itself_is_refused() {
    let wide = shard(256, &[0xff; 128], &["00a"]);
    let more_bits = shard(256, &[3], &["00a"]);
    let more_links = shard(256, &[1], &["00a", "01b"]);
    let short_name = shard(256, &[1], &["0"]);
    for (node, meta) in [wide, more_bits, more_links, short_name] {
        assert!(geometry(&node, &meta, 0).is_err());
        assert!(Lookup::new(b"a").step(&node, &meta).is_err());
    }
    let (node, meta) = shard(256, &[1], &["00a"]);
    for broken in [
        Meta { hash_type: Some(0x12), ..meta.clone() },
        Meta { hash_type: None, ..meta.clone() },
        Meta { fanout: None, ..meta.clone() },
        Meta { kind: Kind::Directory, ..meta },
    ] {
        assert!(geometry(&node, &broken, 0).is_err());
    }
}

#[test]
fn empty_shard_is_a_root_or_nothing() {
    let (node, meta) = shard(8, &[], &[]);
    assert!(geometry(&node, &meta, 0).is_ok());
    let refused = Err(UnixfsError::Hamt("an empty shard below another"));
    assert_eq!(geometry(&node, &meta, 3), refused);
}

#[test]
fn lookup_ends_with_the_bits_of_the_hash() {
    let name = b"anything";
    let hash = murmur3_x64_64(name);
    let mut lookup = Lookup::new(name);
    for level in 0..8 {
        let slot = (hash << (8 * level)) >> 56;
        let (node, meta) = shard(256, &[1], &[&format!("{slot:02X}")]);
        assert!(matches!(lookup.step(&node, &meta), Ok(HamtStep::Descend(_))), "level {level}");
    }
    let (node, meta) = shard(256, &[1], &["00"]);
    assert_eq!(lookup.step(&node, &meta), Err(UnixfsError::TooDeep));
}

#[test]
fn other_name_in_the_slot_is_missing() {
    let slot = murmur3_x64_64(b"wanted") >> 56;
    let (node, meta) = shard(256, &[1], &[&format!("{slot:02X}other")]);
    assert_eq!(Lookup::new(b"wanted").step(&node, &meta), Ok(HamtStep::Missing));
    let (node, meta) = shard(256, &[1], &[&format!("{slot:02X}wanted")]);
    assert!(matches!(Lookup::new(b"wanted").step(&node, &meta), Ok(HamtStep::Found(_))));
}

#[test]
fn murmur_is_the_published_one() {
    // First halves of MurmurHash3_x64_128 with seed 0.
    assert_eq!(murmur3_x64_64(b""), 0);
    assert_eq!(murmur3_x64_64(b"hello"), 0xcbd8_a7b3_41bd_9b02);
    assert_eq!(
        murmur3_x64_64(b"The quick brown fox jumps over the lazy dog"),
        0xe34b_bc7b_bc07_1b6c
    );
}

proptest! {
    #[test]
    fn no_shard_breaks_the_lookup(
        fanout: u64,
        bitfield in prop::collection::vec(any::<u8>(), 0..140),
        names in prop::collection::vec(".{0,6}", 0..12),
        name: Vec<u8>,
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for fanout in [fanout, 8, 256, 1024] {
            let (node, meta) = shard(fanout, &bitfield, &names);
            std::hint::black_box(Lookup::new(&name).step(&node, &meta).is_ok());
        }
    }
}
