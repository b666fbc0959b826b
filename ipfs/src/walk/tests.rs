//! Claims about walks, on DAGs small enough to check by eye.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::dag_pb::{Link, Node};

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
        }
        Ok(visits)
    }

    fn content(&self, root: &Cid, bytes: Option<EntityBytes>) -> Result<Vec<u8>, WalkError> {
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
    let visits = shelf.run(Walk::file(&root, bytes(4, 5))).expect("a sound file");
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
    assert!(matches!(shelf.content(&root, None), Err(WalkError::SizeMismatch(_))));
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
    assert!(visits.len() <= 9 * 174);
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

proptest! {
    #[test]
    fn every_range_of_every_layout_is_that_range(
        sizes in prop::collection::vec(0usize..5, 1..20),
        width in 2usize..4,
        from in 0i64..60,
        to in 0i64..60,
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
        let range = EntityBytes { from, to: Some(to) };
        match (range.within(whole.len() as u64), shelf.content(&level[0].0, Some(range))) {
            (Ok(range), Ok(content)) => {
                let index = |at: u64| usize::try_from(at).expect("small");
                prop_assert_eq!(&content[..], &whole[index(range.start)..index(range.end)]);
            }
            (Err(_), Err(WalkError::Range(_))) => {}
            (expected, got) => prop_assert!(false, "{expected:?} but {got:?}"),
        }
    }
}
