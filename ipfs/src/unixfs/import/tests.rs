//! Claims about imports; their CIDs are tested against a table in `tests/cid_profiles.rs`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::resolve::Resolve;
use crate::walk::Walk;

/// Reads a file back from the blocks of its import.
fn read(root: &Cid, blocks: &[Block]) -> Vec<u8> {
    let blocks: BTreeMap<Cid, Block> =
        blocks.iter().map(|block| (*block.cid(), block.clone())).collect();
    let mut walk = Walk::file(root, None);
    let mut content = Vec::new();
    while let Some(cid) = walk.front() {
        content.extend(walk.feed(blocks[&cid].clone()).expect("a sound file").content);
    }
    content
}

fn import(profile: Profile, bytes: &[u8], piece: usize) -> (Cid, Vec<Block>) {
    let mut import = FileImport::new(profile);
    let mut blocks = Vec::new();
    for bytes in bytes.chunks(piece) {
        blocks.extend(import.push(Bytes::copy_from_slice(bytes)));
    }
    let imported = import.finish();
    blocks.extend(imported.blocks);
    (imported.cid, blocks)
}

#[test]
fn parents_come_after_what_they_link_to() {
    let bytes: Vec<u8> = (0..50_000_000u32).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let (root, blocks) = import(Profile::V0of2015, &bytes, 1 << 20);
    let mut given = std::collections::BTreeSet::new();
    for block in &blocks {
        for link in crate::links::of(block).expect("our own block") {
            assert!(given.contains(&link), "{link} is linked before it is given");
        }
        given.insert(*block.cid());
    }
    assert_eq!(blocks.last().map(|block| *block.cid()), Some(root));
    assert_eq!(read(&root, &blocks), bytes);
}

#[test]
fn cid_does_not_depend_on_the_pieces() {
    let bytes = vec![7u8; 3_000_001];
    for profile in Profile::ALL {
        let (whole, _) = import(profile, &bytes, bytes.len());
        for piece in [1000, 262_144, 1_048_576, 1_500_000] {
            assert_eq!(import(profile, &bytes, piece).0, whole, "pieces of {piece}");
        }
    }
}

#[test]
fn every_entry_of_a_hamt_is_found_and_no_other() {
    let leaf = Profile::V1of2025.leaf(Bytes::from_static(b"x"));
    let mut directory = DirectoryImport::new(Profile::V1of2025);
    for i in 0..6000 {
        let name = format!("an entry with a rather long name, number {i}");
        directory.add(Entry { name, cid: leaf.cid, tsize: 1 });
    }
    let imported = directory.finish().expect("no two hashes are the same");
    let mut blocks: BTreeMap<Cid, Block> =
        imported.blocks.iter().map(|block| (*block.cid(), block.clone())).collect();
    assert!(blocks.len() > 200, "a HAMT of {} shards", blocks.len());
    blocks.insert(leaf.cid, leaf.block);
    let find = |name: String| {
        let mut resolve = Resolve::new(imported.cid, vec![name]);
        loop {
            match resolve.feed(blocks[&resolve.need()].clone()) {
                Ok(Some(terminal)) => return Some(terminal),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    };
    for i in (0..6000).step_by(17) {
        let terminal = find(format!("an entry with a rather long name, number {i}"));
        assert_eq!(terminal.expect("an entry").roots, [imported.cid, leaf.cid]);
    }
    assert!(find("an entry with a rather long name, number 6000".to_owned()).is_none());
}

#[test]
fn names_with_the_same_hash_are_refused_and_none_is_lost() {
    // 32 bytes each, the second half of one chosen so that the hash is where the other's is.
    let names =
        ["iK2ZWeqhFWCEPyYngFb51yBMWXaSCrUZ", "QyE5zYQVP6wp4f7G# oJ\u{11}q6q#+\u{1}\u{2}NTir"];
    let leaf = Profile::V1of2025.leaf(Bytes::from_static(b"x"));
    let import = |others: usize| {
        let mut directory = DirectoryImport::new(Profile::V1of2025);
        let others = (0..others).map(|i| format!("an entry with a rather long name, number {i}"));
        for name in others.chain(names.map(str::to_owned)) {
            directory.add(Entry { name, cid: leaf.cid, tsize: 1 });
        }
        directory.finish()
    };
    let small = import(0).expect("one block tells names apart by themselves");
    let node = dag_pb::decode(small.blocks[0].data()).expect("our own node");
    assert_eq!(node.links.len(), 2);
    let [second, first] = names.map(str::to_owned);
    assert_eq!(import(6000).expect_err("a HAMT cannot"), Collision { first, second });
}

#[test]
fn layout_without_leaves_is_an_empty_file() {
    for profile in Profile::ALL {
        let imported = Layout::new(profile).finish();
        let (cid, blocks) = import(profile, b"", 1);
        assert_eq!((imported.cid, imported.blocks), (cid, blocks));
    }
}

#[test]
fn profile_names_are_read_back() {
    for profile in Profile::ALL {
        assert_eq!(Profile::from_name(profile.name()), Some(profile));
    }
    assert_eq!(Profile::from_name("unixfs-v2"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_file_reads_back(size in 0usize..3_000_000, piece in 1000usize..2_000_000) {
        let bytes: Vec<u8> = (0..size).map(|i| (i % 241).to_le_bytes()[0]).collect();
        for profile in Profile::ALL {
            let (root, blocks) = import(profile, &bytes, piece);
            prop_assert_eq!(&read(&root, &blocks), &bytes);
        }
    }
}
