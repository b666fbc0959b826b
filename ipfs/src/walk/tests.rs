//! Claims about walks, on DAGs small enough to check by eye.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dag_pb::{self, Link, Node};
use crate::unixfs::{Meta, hamt};

/// Blocks by CID, as a driver would have them.
#[derive(Default)]
struct Shelf(BTreeMap<Cid, Block>);

impl Shelf {
    fn put(&mut self, codec: Codec, data: &[u8]) -> Cid {
        let block = Block::of(codec, Bytes::copy_from_slice(data)).expect("a small block");
        let cid = *block.cid();
        self.0.insert(cid, block);
        cid
    }

    fn leaf(&mut self, data: &[u8]) -> Cid {
        self.put(Codec::Raw, data)
    }

    /// A file node over parts and the sizes that it claims for them.
    fn file(&mut self, parts: &[(Cid, u64)]) -> Cid {
        let meta = Meta {
            filesize: Some(parts.iter().map(|(_, size)| size).sum()),
            blocksizes: parts.iter().map(|(_, size)| *size).collect(),
            ..Meta::new(Kind::File)
        };
        let links = parts
            .iter()
            .map(|(cid, size)| Link { cid: *cid, name: Bytes::new(), tsize: *size })
            .collect();
        let node = Node { links, data: Some(meta.encode().into()) };
        self.put(Codec::DagPb, &dag_pb::encode(&node))
    }

    fn directory(&mut self, entries: &[(&str, Cid)]) -> Cid {
        let links = entries
            .iter()
            .map(|(name, cid)| Link { cid: *cid, name: name.as_bytes().to_vec().into(), tsize: 1 })
            .collect();
        let node = Node { links, data: Some(Meta::new(Kind::Directory).encode().into()) };
        self.put(Codec::DagPb, &dag_pb::encode(&node))
    }

    fn run(&self, mut walk: Walk) -> Result<Vec<Visit>, WalkError> {
        let mut visits = Vec::new();
        while let Some(cid) = walk.front() {
            visits.push(walk.feed(self.0[&cid].clone())?);
            assert!(visits.len() < 1 << 18, "no DAG here has so many blocks in it");
        }
        Ok(visits)
    }

    fn content(&self, root: &Cid, bytes: Option<Range<u64>>) -> Result<Vec<u8>, WalkError> {
        let visits = self.run(Walk::file(root, bytes))?;
        Ok(visits.iter().flat_map(|visit| visit.content.to_vec()).collect())
    }
}

fn bytes(from: i64, to: i64) -> Option<EntityBytes> {
    Some(EntityBytes { from, to: Some(to) })
}

/// `abcd` `ef` | `abcd`, in two levels, the first leaf twice.
fn small_file(shelf: &mut Shelf) -> Cid {
    let (abcd, ef) = (shelf.leaf(b"abcd"), shelf.leaf(b"ef"));
    let left = shelf.file(&[(abcd, 4), (ef, 2)]);
    let right = shelf.file(&[(abcd, 4)]);
    shelf.file(&[(left, 6), (right, 4)])
}

#[test]
fn file_is_read_in_order() {
    let mut shelf = Shelf::default();
    let root = small_file(&mut shelf);
    assert_eq!(shelf.content(&root, None).expect("a sound file"), b"abcdefabcd");
}

#[test]
fn range_touches_only_the_leaves_it_needs() {
    let mut shelf = Shelf::default();
    let root = small_file(&mut shelf);
    let visits = shelf.run(Walk::file(&root, Some(4..6))).expect("a sound file");
    let content: Vec<u8> = visits.iter().flat_map(|visit| visit.content.to_vec()).collect();
    assert_eq!(content, b"ef");
    assert_eq!(visits.len(), 3, "root, left node and one leaf");
}

#[test]
fn duplicates_are_walked_once_unless_wanted() {
    let mut shelf = Shelf::default();
    let root = small_file(&mut shelf);
    let count = |dups| {
        let options = CarOptions { dups, ..CarOptions::default() };
        let visits = shelf.run(Walk::new(&root, &options)).expect("a sound DAG");
        visits.iter().filter(|visit| visit.fresh).count()
    };
    assert_eq!(count(true), 6);
    assert_eq!(count(false), 5);
}

#[test]
fn node_met_partly_first_is_walked_again() {
    let mut shelf = Shelf::default();
    let (ab, cd) = (shelf.leaf(b"ab"), shelf.leaf(b"cd"));
    let node = shelf.file(&[(ab, 2), (cd, 2)]);
    let root = shelf.file(&[(node, 4), (node, 4)]);
    let options =
        CarOptions { scope: DagScope::Entity, bytes: bytes(2, 7), ..CarOptions::default() };
    let visits = shelf.run(Walk::new(&root, &options)).expect("a sound file");
    let sent: Vec<Cid> =
        visits.iter().filter(|visit| visit.fresh).map(|visit| *visit.block.cid()).collect();
    assert_eq!(sent, [root, node, cd, ab]);
}

#[test]
fn scope_block_is_one_block_and_entity_of_a_directory_is_its_listing() {
    let mut shelf = Shelf::default();
    let file = small_file(&mut shelf);
    let directory = shelf.directory(&[("file", file)]);
    for scope in [DagScope::Block, DagScope::Entity] {
        let options = CarOptions { scope, ..CarOptions::default() };
        assert_eq!(shelf.run(Walk::new(&directory, &options)).expect("sound").len(), 1);
    }
    let all = shelf.run(Walk::new(&directory, &CarOptions::default())).expect("sound");
    assert_eq!(all.iter().filter(|visit| visit.fresh).count(), 6);
}

#[test]
fn range_of_what_is_no_file_is_ignored() {
    let mut shelf = Shelf::default();
    let directory = shelf.directory(&[]);
    let cbor = shelf.put(Codec::DagCbor, &[0xa0]);
    let options =
        CarOptions { scope: DagScope::Entity, bytes: bytes(5, 9), ..CarOptions::default() };
    for root in [directory, cbor] {
        assert_eq!(shelf.run(Walk::new(&root, &options)).expect("one block").len(), 1);
    }
}

#[test]
fn early_blocks_widen_the_view_and_keep_the_order() {
    let mut shelf = Shelf::default();
    let root = small_file(&mut shelf);
    let expected = shelf.content(&root, None).expect("sound");
    let mut walk = Walk::file(&root, None);
    walk.feed(shelf.0[&root].clone()).expect("the root");
    let nodes: Vec<Cid> = walk.wanted(10).collect();
    assert_eq!(nodes.len(), 2);
    walk.expand(&shelf.0[&nodes[1]]);
    assert_eq!(walk.wanted(10).count(), 3, "the second node shows its leaf");
    let mut content = Vec::new();
    while let Some(cid) = walk.front() {
        content.extend(walk.feed(shelf.0[&cid].clone()).expect("sound").content);
    }
    assert_eq!(content, expected);
}

#[test]
fn lying_sizes_are_caught_where_the_lie_shows() {
    let mut shelf = Shelf::default();
    let leaf = shelf.leaf(b"abcd");
    let root = shelf.file(&[(leaf, 4), (leaf, 5)]);
    let mut walk = Walk::file(&root, None);
    walk.feed(shelf.0[&root].clone()).expect("the root is consistent in itself");
    walk.feed(shelf.0[&leaf].clone()).expect("the first leaf is as long as claimed");
    assert!(matches!(
        walk.feed(shelf.0[&leaf].clone()),
        Err(WalkError::SizeMismatch(cid)) if cid == leaf
    ));
    let overflow = shelf.directory(&[]);
    let parts = [(leaf, u64::MAX), (overflow, 2)];
    let meta = Meta {
        filesize: Some(1),
        blocksizes: parts.iter().map(|(_, size)| *size).collect(),
        ..Meta::new(Kind::File)
    };
    let links =
        parts.iter().map(|(cid, _)| Link { cid: *cid, name: Bytes::new(), tsize: 0 }).collect();
    let node = Node { links, data: Some(meta.encode().into()) };
    let root = shelf.put(Codec::DagPb, &dag_pb::encode(&node));
    assert!(matches!(shelf.content(&root, None), Err(WalkError::Unixfs { .. })));
}

#[test]
fn directory_below_a_file_is_refused() {
    let mut shelf = Shelf::default();
    let directory = shelf.directory(&[]);
    let root = shelf.file(&[(directory, 0), (directory, 4)]);
    assert!(matches!(shelf.content(&root, None), Err(WalkError::NotAFilePart(_))));
}

#[test]
fn depth_bomb_is_refused_not_cut() {
    let mut shelf = Shelf::default();
    let mut below = shelf.leaf(b"x");
    for _ in 0..1100 {
        below = shelf.directory(&[("a", below)]);
    }
    let walk = Walk::new(&below, &CarOptions::default());
    assert!(matches!(shelf.run(walk), Err(WalkError::TooDeep(_))));
    let mut file = shelf.leaf(b"x");
    for _ in 0..70 {
        file = shelf.file(&[(file, 1)]);
    }
    assert!(matches!(shelf.content(&file, None), Err(WalkError::TooDeep(_))));
}

#[test]
fn diamond_bomb_sends_each_block_once() {
    let mut shelf = Shelf::default();
    let mut below = shelf.leaf(b"x");
    for _ in 0..8 {
        below = shelf.directory(&[("a", below); 174]);
    }
    let visits = shelf.run(Walk::new(&below, &CarOptions::default())).expect("bounded");
    assert_eq!(visits.iter().filter(|visit| visit.fresh).count(), 9);
    assert_eq!(visits.len(), 9);
}

#[test]
fn wide_bomb_is_refused_in_bounded_memory() {
    let mut shelf = Shelf::default();
    let mut below = shelf.leaf(b"x");
    for _ in 0..6 {
        let entries: Vec<(&str, Cid)> = (0..30_000).map(|_| ("a", below)).collect();
        below = shelf.directory(&entries);
    }
    let options = CarOptions { dups: true, ..CarOptions::default() };
    assert!(matches!(shelf.run(Walk::new(&below, &options)), Err(WalkError::TooWide(_))));
}

#[test]
fn parts_without_bytes_are_not_walked() {
    let mut shelf = Shelf::default();
    let (a, b, empty) = (shelf.leaf(b"a"), shelf.leaf(b"b"), shelf.leaf(b""));
    let mut nothing = shelf.file(&[(empty, 0), (empty, 0)]);
    for _ in 0..61 {
        nothing = shelf.file(&[(nothing, 0), (nothing, 0)]);
    }
    let root = shelf.file(&[(a, 1), (nothing, 0), (b, 1)]);
    let visits = shelf.run(Walk::file(&root, None)).expect("a sound file");
    assert_eq!(visits.len(), 3);
    assert_eq!(shelf.content(&nothing, None).expect("an empty file"), b"");
    assert_eq!(shelf.content(&empty, None).expect("an empty file"), b"");
}

/// A directory whose links hold their blocks, which have no bytes.
fn wide_directory(shelf: &mut Shelf, name: &str, count: usize) -> Cid {
    let inline = Cid::from_bytes(&[1, 0x55, 0, 0]).expect("an identity CID");
    shelf.0.insert(inline, Block::inline(inline).expect("an identity CID"));
    shelf.directory(&vec![(name, inline); count])
}

#[test]
fn widest_block_is_walked_in_time_linear_in_its_links() {
    let mut shelf = Shelf::default();
    let count = FRONTIER_BLOCKS_MAX - 1;
    let root = wide_directory(&mut shelf, "", count);
    let visits = shelf.run(Walk::new(&root, &CarOptions::default())).expect("within the bound");
    assert_eq!(visits.len(), count + 1);
}

#[test]
fn repeated_block_is_asked_for_once() {
    let mut shelf = Shelf::default();
    let leaf = shelf.leaf(b"x");
    let wide = shelf.directory(&vec![("", leaf); 40_000]);
    let root = shelf.directory(&vec![("", wide); 40_000]);
    let visits = shelf.run(Walk::new(&root, &CarOptions::default())).expect("a sound DAG");
    assert_eq!(visits.len(), 3);
}

#[test]
fn block_read_two_ways_is_sent_and_followed_each_way() {
    let mut shelf = Shelf::default();
    let leaf = shelf.leaf(b"x");
    let node = shelf.directory(&[("x", leaf)]);
    let raw = shelf.leaf(&shelf.0[&node].data().clone());
    let json = shelf.put(Codec::Json, &shelf.0[&node].data().clone());
    let v0 = Cid::v0(*node.multihash()).expect("sha2-256");
    shelf.0.insert(v0, shelf.0[&node].under(v0).expect("the same multihash"));
    for [one, other] in [[raw, node], [node, raw], [json, v0], [v0, json]] {
        let root = shelf.directory(&[("a", one), ("b", other)]);
        let visits = shelf.run(Walk::new(&root, &CarOptions::default())).expect("a sound DAG");
        let mut sent: Vec<Cid> =
            visits.iter().filter(|visit| visit.fresh).map(|visit| *visit.block.cid()).collect();
        let mut expected = [root, one, other, leaf];
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected);
    }
}

#[test]
fn order_of_arrival_does_not_make_a_dag_too_wide() {
    let mut shelf = Shelf::default();
    let front = wide_directory(&mut shelf, "", 100_000);
    let early = wide_directory(&mut shelf, "", 40_000);
    let root = shelf.directory(&[("front", front), ("early", early)]);
    let mut walk = Walk::new(&root, &CarOptions::default());
    walk.feed(shelf.0[&root].clone()).expect("the root");
    walk.expand(&shelf.0[&early]);
    assert_eq!(shelf.run(walk).expect("within the bound").len(), 140_002);
}

#[test]
fn range_past_the_signed_numbers_is_that_range() {
    let mut shelf = Shelf::default();
    let (far, last) = (shelf.leaf(b"far"), shelf.leaf(b"last"));
    let root = shelf.file(&[(far, 1 << 63), (last, 4)]);
    let range = (1 << 63)..(1 << 63) + 2;
    assert_eq!(shelf.content(&root, Some(range)).expect("sound where it is read"), b"la");
    assert!(matches!(shelf.content(&root, Some(u64::MAX - 1..u64::MAX)), Err(WalkError::Range(_))));
}

#[test]
fn shards_deeper_than_the_hash_and_empty_ones_are_refused() {
    let mut shelf = Shelf::default();
    let mut shard = |children: &[Cid]| {
        let meta = Meta {
            data: Bytes::copy_from_slice(&[u8::try_from(children.len()).expect("at most one")]),
            hash_type: Some(hamt::MURMUR3_X64_64),
            fanout: Some(8),
            ..Meta::new(Kind::HamtShard)
        };
        let link = |cid: &Cid| Link { cid: *cid, name: Bytes::from_static(b"0"), tsize: 0 };
        let links = children.iter().map(link).collect();
        let node = Node { links, data: Some(meta.encode().into()) };
        shelf.put(Codec::DagPb, &dag_pb::encode(&node))
    };
    let empty = shard(&[]);
    let mut deep = empty;
    for _ in 0..22 {
        deep = shard(&[deep]);
    }
    let above_empty = shard(&[empty]);
    let options = CarOptions { scope: DagScope::Entity, ..CarOptions::default() };
    let walk = |root: &Cid| shelf.run(Walk::new(root, &options)).map(|visits| visits.len());
    assert!(matches!(walk(&empty), Ok(1)));
    let refused = walk(&above_empty).expect_err("it leads to nothing");
    assert!(matches!(refused, WalkError::Unixfs { source: UnixfsError::Hamt(_), .. }));
    let refused = walk(&deep).expect_err("the hash has no bits for it");
    assert!(matches!(refused, WalkError::Unixfs { source: UnixfsError::TooDeep, .. }));
}

proptest! {
    #[test]
    fn every_range_of_every_layout_is_that_range(
        sizes in prop::collection::vec(0usize..5, 1..20),
        width in 2usize..4,
        from in 0u64..60,
        length in 1u64..60,
    ) {
        let mut shelf = Shelf::default();
        let mut whole = Vec::new();
        let mut level: Vec<(Cid, u64)> = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let data = vec![u8::try_from(index).expect("few leaves"); *size];
            whole.extend_from_slice(&data);
            level.push((shelf.leaf(&data), *size as u64));
        }
        while level.len() > 1 {
            level = level
                .chunks(width)
                .map(|parts| {
                    let size = parts.iter().map(|(_, size)| size).sum();
                    (shelf.file(parts), size)
                })
                .collect();
        }
        let range = from..from + length;
        let size = whole.len() as u64;
        match shelf.content(&level[0].0, Some(range.clone())) {
            Ok(content) => {
                let index = |at: u64| usize::try_from(at.min(size)).expect("small");
                prop_assert_eq!(&content[..], &whole[index(range.start)..index(range.end)]);
            }
            Err(WalkError::Range(_)) => prop_assert!(from >= size && (from, size) != (0, 0)),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
