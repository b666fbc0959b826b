//! Claims about paths through plain directories; HAMT directories are tested where they are built.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::dag_pb::{Link, Node};

fn node(meta: &Meta, entries: &[(&str, Cid)]) -> Block {
    let links = entries
        .iter()
        .map(|(name, cid)| Link { cid: *cid, name: name.as_bytes().to_vec().into(), tsize: 1 })
        .collect();
    let node = Node { links, data: Some(meta.encode().into()) };
    Block::of(Codec::DagPb, dag_pb::encode(&node).into()).expect("a small block")
}

/// root/{a → directory/{file → raw, link → symlink}}
fn tree() -> (Cid, BTreeMap<Cid, Block>) {
    let file = Block::of(Codec::Raw, Bytes::from_static(b"hello")).expect("small");
    let link = node(&Meta { data: Bytes::from_static(b"file"), ..Meta::new(Kind::Symlink) }, &[]);
    let plain = Meta::new(Kind::Directory);
    let inner = node(&plain, &[("file", *file.cid()), ("link", *link.cid())]);
    let root = node(&plain, &[("a", *inner.cid())]);
    let cid = *root.cid();
    (cid, [file, link, inner, root].into_iter().map(|block| (*block.cid(), block)).collect())
}

fn resolve(path: &str) -> Result<Terminal, ResolveError> {
    let (root, blocks) = tree();
    let segments = crate::path::segments(path).expect("a valid path");
    let mut resolve = Resolve::new(root, segments);
    loop {
        if let Some(terminal) = resolve.feed(blocks[&resolve.need()].clone())? {
            return Ok(terminal);
        }
    }
}

#[test]
fn path_ends_at_what_it_names() {
    let file = resolve("/a/file").expect("a file");
    assert_eq!(file.kind, TerminalKind::File { size: 5 });
    assert_eq!(file.roots.len(), 3);
    assert_eq!(file.roots.last(), Some(file.block.cid()));
    assert_eq!(resolve("").expect("the root").kind, TerminalKind::Directory);
    let link = resolve("/a/link").expect("a symlink");
    assert_eq!(link.kind, TerminalKind::Symlink("file".to_owned()));
}

#[test]
fn missing_name_is_told_with_the_directory_that_lacks_it() {
    let error = resolve("/a/nothing").expect_err("no such name");
    assert!(matches!(error, ResolveError::NotFound { name, .. } if name == "nothing"));
}

#[test]
fn names_below_a_file_are_refused() {
    assert!(matches!(resolve("/a/file/x"), Err(ResolveError::NotADirectory { .. })));
    assert!(matches!(resolve("/a/link/x"), Err(ResolveError::NotADirectory { .. })));
}

#[test]
fn last_block_is_announced() {
    let (root, blocks) = tree();
    let mut resolve = Resolve::new(root, vec!["a".to_owned()]);
    assert!(!resolve.is_last());
    resolve.feed(blocks[&root].clone()).expect("the root");
    assert!(resolve.is_last());
}

#[test]
fn block_that_was_not_asked_for_is_refused() {
    let (root, blocks) = tree();
    let other = blocks.values().find(|block| *block.cid() != root).expect("another block");
    let mut resolve = Resolve::new(root, Vec::new());
    assert!(matches!(resolve.feed(other.clone()), Err(ResolveError::NotAskedFor(_))));
}

#[test]
fn size_of_a_file_is_what_a_walk_of_it_reads() {
    let leaf = Block::of(Codec::Raw, Bytes::from_static(b"abcd")).expect("small");
    let kind = |meta: &Meta, entries: &[(&str, Cid)]| {
        let block = node(meta, entries);
        let mut resolve = Resolve::new(*block.cid(), Vec::new());
        resolve.feed(block).map(|terminal| terminal.expect("no names are left").kind)
    };
    let unsaid = Meta { blocksizes: vec![4], ..Meta::new(Kind::File) };
    let size = kind(&unsaid, &[("", *leaf.cid())]).expect("a sound file");
    assert_eq!(size, TerminalKind::File { size: 4 });
    let absurd = Meta { filesize: Some(1 << 63), ..Meta::new(Kind::File) };
    assert!(matches!(kind(&absurd, &[]), Err(ResolveError::Unixfs { .. })));
}

#[test]
fn shard_of_another_codec_is_refused() {
    let shard = Meta { hash_type: Some(0x22), fanout: Some(8), ..Meta::new(Kind::HamtShard) };
    let empty = node(&shard, &[]);
    let raw = Block::of(Codec::Raw, empty.into_data()).expect("small");
    let slots: Vec<String> = (0..8).map(|slot| slot.to_string()).collect();
    let entries: Vec<(&str, Cid)> = slots.iter().map(|slot| (&slot[..], *raw.cid())).collect();
    let root = node(&Meta { data: Bytes::from_static(&[0xff]), ..shard }, &entries);
    let mut resolve = Resolve::new(*root.cid(), vec!["a".to_owned()]);
    resolve.feed(root).expect("the root");
    assert!(matches!(
        resolve.feed(raw),
        Err(ResolveError::Unixfs { source: UnixfsError::NotADirectory(_), .. })
    ));
}

/// A block of dag-json with `a` → `b` → link to `{"c": "text", "d": [link to raw]}` in dag-cbor.
fn data() -> Vec<Block> {
    let raw = Block::of(Codec::Raw, Bytes::from_static(b"hello")).expect("small");
    let json = format!(r#"{{"c":"text","d":[{{"/":"{}"}}]}}"#, raw.cid());
    let inner = Block::of(Codec::DagJson, json.into()).expect("small");
    let cbor = dag::convert(&inner, Codec::DagCbor).expect("sound");
    let inner = Block::of(Codec::DagCbor, cbor.into()).expect("small");
    let json = format!(r#"{{"a":{{"b":{{"/":"{}"}}}},"e":1}}"#, inner.cid());
    let outer = Block::of(Codec::DagJson, json.into()).expect("small");
    vec![outer, inner, raw]
}

fn resolve_in(blocks: &[Block], path: &str) -> Result<Terminal, ResolveError> {
    let segments = crate::path::segments(path).expect("a valid path");
    let mut resolve = Resolve::new(*blocks[0].cid(), segments);
    loop {
        let need = resolve.need();
        let block = blocks.iter().find(|block| *block.cid() == need).expect("of these blocks");
        if let Some(terminal) = resolve.feed(block.clone())? {
            return Ok(terminal);
        }
    }
}

#[test]
fn names_lead_through_data_to_links() {
    let blocks = data();
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let whole = resolve_in(&blocks, "").expect("the root");
    assert_eq!((whole.kind, whole.roots), (TerminalKind::Other(Codec::DagJson), vec![cids[0]]));
    let inner = resolve_in(&blocks, "/a/b").expect("a link");
    assert_eq!(inner.kind, TerminalKind::Other(Codec::DagCbor));
    assert_eq!(inner.roots, cids[..2]);
    let raw = resolve_in(&blocks, "/a/b/d/0").expect("links of links");
    assert_eq!((raw.kind, raw.roots), (TerminalKind::File { size: 5 }, cids));
}

#[test]
fn value_inside_of_a_block_is_a_remainder() {
    let blocks = data();
    for (path, at, rest) in [("/a", 0, "a"), ("/e", 0, "e"), ("/a/b/c", 1, "c"), ("/a/b/d", 1, "d")]
    {
        let error = resolve_in(&blocks, path).expect_err("no block of its own");
        assert!(
            matches!(&error, ResolveError::Remainder { cid, remainder }
                if cid == blocks[at].cid() && remainder == rest),
            "{path}: {error}"
        );
    }
    let plain = Block::of(Codec::Json, Bytes::from_static(br#"{"a":{"/":"x"}}"#)).expect("small");
    let error = resolve_in(&[plain], "/a/%2F").expect_err("names are split by slashes");
    assert!(matches!(&error, ResolveError::Remainder { remainder, .. } if remainder == "a"));
}

#[test]
fn name_that_data_lacks_is_told() {
    let blocks = data();
    for (path, lacking) in [
        ("/x", "x"),
        ("/a/x/y", "x"),
        ("/e/x", "x"),
        ("/a/b/c/x", "x"),
        ("/a/b/d/1", "1"),
        ("/a/b/d/00", "00"),
        ("/a/b/d/x", "x"),
    ] {
        let error = resolve_in(&blocks, path).expect_err("no such name");
        assert!(
            matches!(&error, ResolveError::NotFound { name, .. } if name == lacking),
            "{path}: {error}"
        );
    }
    let broken = Block::of(Codec::DagCbor, Bytes::from_static(&[0xa1])).expect("small");
    assert!(matches!(resolve_in(&[broken], "/a"), Err(ResolveError::Dag { .. })));
}

#[test]
fn block_that_is_a_link_has_no_names() {
    let blocks = data();
    let json = format!(r#"{{"/":"{}"}}"#, blocks[0].cid());
    let link = Block::of(Codec::DagJson, json.into()).expect("small");
    assert!(matches!(
        resolve_in(std::slice::from_ref(&link), "/a"),
        Err(ResolveError::NotFound { .. })
    ));
    assert_eq!(resolve_in(&[link], "").expect("itself").kind, TerminalKind::Other(Codec::DagJson));
}
