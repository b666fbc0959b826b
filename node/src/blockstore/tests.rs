//! The store under ordinary use, and after what can happen to a disk and a process.

use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use bytesize::ByteSize;
use ipfs::Codec;
use tempfile::TempDir;

use super::*;

mod crash;

/// A block that only this number gives; equal numbers give equal blocks.
fn block(seed: u64, bytes: usize) -> Block {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut data = Vec::with_capacity(bytes + 8);
    data.extend_from_slice(&seed.to_le_bytes());
    while data.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    Block::of(Codec::Raw, Bytes::from(data)).expect("below the limit")
}

fn blocks(seeds: std::ops::Range<u64>, bytes: usize) -> Vec<Block> {
    seeds.map(|seed| block(seed, bytes)).collect()
}

fn config(dir: &Path) -> Config {
    Config {
        dir: dir.to_owned(),
        segment_bytes: ByteSize::mib(4),
        free_min: ByteSize(0),
        ..Config::default()
    }
}

fn open(dir: &Path) -> Blockstore {
    Blockstore::open(config(dir), &Registry::new()).expect("the store opens")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Files of the store with an extension.
fn files(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

async fn assert_holds(store: &Blockstore, expected: &[Block]) {
    for block in expected {
        assert!(store.has(block.cid().multihash()), "{block:?} is not known");
        let found = store.get(block.cid()).await.expect("readable");
        assert_eq!(found.as_ref(), Some(block));
    }
}

async fn assert_lacks(store: &Blockstore, absent: &[Block]) {
    for block in absent {
        assert!(!store.has(block.cid().multihash()), "{block:?} is known");
        assert_eq!(store.get(block.cid()).await.expect("readable"), None);
    }
}

#[tokio::test]
async fn what_was_put_is_found_now_and_after_reopening() {
    let dir = folder();
    let stored = blocks(0..50, 10_000);
    let store = open(dir.path());
    assert_eq!(store.put_many(stored[..30].to_vec()).await.expect("stored"), 30);
    assert_eq!(store.keep(stored[30..].to_vec()).await.expect("stored"), 20);
    assert_holds(&store, &stored).await;
    let stats = store.stats();
    drop(store);
    let store = open(dir.path());
    assert_holds(&store, &stored).await;
    assert_lacks(&store, &blocks(50..60, 10_000)).await;
    assert_eq!(store.stats(), stats);
    assert_eq!(stats.blocks, 50);
}

#[tokio::test]
async fn blocks_of_every_size_come_back_whole() {
    let dir = folder();
    let sizes = [8, 9, 4095, 4096, 4097, 262_144, 2 * 1024 * 1024 - 8];
    let stored: Vec<Block> = (0..).zip(sizes).map(|(seed, size)| block(seed, size)).collect();
    let empty = Block::of(Codec::Raw, Bytes::new()).expect("below the limit");
    let stored = [stored, vec![empty]].concat();
    let store = open(dir.path());
    store.put_many(stored.clone()).await.expect("stored");
    assert_holds(&store, &stored).await;
    drop(store);
    assert_holds(&open(dir.path()), &stored).await;
}

#[tokio::test]
async fn block_is_found_under_every_cid_of_its_multihash() {
    let dir = folder();
    let store = open(dir.path());
    let stored = block(1, 100);
    store.put(stored.clone()).await.expect("stored");
    let other = Cid::v1(Codec::DagCbor, *stored.cid().multihash()).expect("a CID");
    let found = store.get(&other).await.expect("readable").expect("there");
    assert_eq!((found.cid(), found.data()), (&other, stored.data()));
}

#[tokio::test]
async fn inline_block_is_answered_without_being_stored() {
    let dir = folder();
    let store = open(dir.path());
    let cid = Cid::identity(Codec::Raw, b"hello").expect("short");
    let found = store.get(&cid).await.expect("readable").expect("inline");
    assert_eq!(found.data().as_ref(), b"hello");
    assert!(!store.put(found).await.expect("taken"));
    assert!(store.has(cid.multihash()));
    assert_eq!(store.size_of(cid.multihash()), Some(5));
    assert_eq!(store.stats().blocks, 0);
}

#[tokio::test]
async fn block_is_written_once() {
    let dir = folder();
    let store = open(dir.path());
    let held = block(1, 100_000);
    assert!(store.put(held.clone()).await.expect("stored"));
    assert!(!store.put(held.clone()).await.expect("stored"));
    let again = vec![held.clone(), block(2, 10), held.clone(), block(2, 10)];
    assert_eq!(store.put_many(again).await.expect("stored"), 1);
    let mut import = store.import();
    assert!(!import.put(held.clone()).await.expect("taken"));
    import.commit().await.expect("committed");
    assert_eq!(store.stats().blocks, 2);
    drop(store);
    let bytes: u64 = files(dir.path(), "pack")
        .iter()
        .map(|path| std::fs::metadata(path).expect("a file").len())
        .sum();
    assert!(bytes < 101_000, "{bytes} bytes for one block of 100 000 and one of 10");
}

#[tokio::test]
async fn many_are_read_in_the_order_that_was_asked() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..100, 40_000);
    store.put_many(stored.clone()).await.expect("stored");
    let inline = Cid::identity(Codec::Raw, b"in between").expect("short");
    let mut asked: Vec<Cid> = stored.iter().rev().map(|block| *block.cid()).collect();
    asked.insert(10, *block(1000, 10).cid());
    asked.insert(20, inline);
    let found = store.get_many(&asked).await.expect("readable");
    assert_eq!(found.len(), asked.len());
    for (index, (cid, found)) in asked.iter().zip(&found).enumerate() {
        assert_eq!(found.as_ref().map(|block| *block.cid()), (index != 10).then_some(*cid));
    }
}

#[tokio::test]
async fn puts_at_the_same_time_share_their_syncs_and_are_all_there() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..300, 5_000);
    let puts = stored.iter().map(|block| store.put(block.clone()));
    for put in futures::future::join_all(puts).await {
        assert!(put.expect("stored"));
    }
    assert_holds(&store, &stored).await;
    let count = store.shared().metrics.put_seconds.count();
    assert!(count < 150, "{count} batches for 300 puts");
}

#[tokio::test]
async fn full_segments_are_followed_by_others() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..40, 500_000);
    for block in &stored {
        store.put(block.clone()).await.expect("stored");
    }
    assert_eq!(files(dir.path(), "pack").len(), 5);
    drop(store);
    assert_holds(&open(dir.path()), &stored).await;
}

#[tokio::test]
async fn few_files_are_held_open() {
    let dir = folder();
    let config = Config { open_segments_max: 2, ..config(dir.path()) };
    let store = Blockstore::open(config, &Registry::new()).expect("the store opens");
    let stored = blocks(0..40, 500_000);
    store.put_many(stored.clone()).await.expect("stored");
    for block in blocks(40..80, 500_000) {
        store.put(block).await.expect("stored");
    }
    assert_holds(&store, &stored).await;
}

#[tokio::test]
async fn deleted_block_is_gone_for_good_and_gives_its_room_back() {
    use std::os::unix::fs::MetadataExt;
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..4, 1_000_000);
    store.put_many(stored.clone()).await.expect("stored");
    let room = || {
        let files = files(dir.path(), "pack");
        files
            .iter()
            .map(|path| std::fs::metadata(path).expect("a file").blocks() * 512)
            .sum::<u64>()
    };
    let before = room();
    let (gone, kept) = (&stored[..2], &stored[2..]);
    let hashes: Vec<Multihash> = gone.iter().map(|block| *block.cid().multihash()).collect();
    assert_eq!(store.delete(&hashes).await.expect("deleted"), 2);
    assert_eq!(store.delete(&hashes).await.expect("nothing to delete"), 0);
    assert_lacks(&store, gone).await;
    assert_holds(&store, kept).await;
    let freed = before - room();
    assert!(freed > 1_900_000, "{freed} bytes were given back");
    drop(store);
    let store = open(dir.path());
    assert_lacks(&store, gone).await;
    assert_holds(&store, kept).await;
    store.put_many(gone.to_vec()).await.expect("stored again");
    assert_holds(&store, &stored).await;
}

#[tokio::test]
async fn import_is_seen_only_once_it_is_committed() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..30, 500_000);
    let mut import = store.import();
    for block in &stored {
        assert!(import.put(block.clone()).await.expect("taken"));
        assert!(!import.put(block.clone()).await.expect("taken once"));
    }
    assert_lacks(&store, &stored).await;
    let committed = import.commit().await.expect("committed");
    let bytes = stored.iter().map(|block| block.data().len() as u64).sum();
    assert_eq!(committed, Committed { blocks: 30, bytes });
    assert_holds(&store, &stored).await;
    assert!(files(dir.path(), "import").is_empty());
    drop(store);
    let store = open(dir.path());
    assert_holds(&store, &stored).await;
    assert_eq!(store.stats().blocks, 30);
}

#[tokio::test]
async fn aborted_import_leaves_nothing() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..30, 500_000);
    let mut import = store.import();
    for block in &stored {
        import.put(block.clone()).await.expect("taken");
    }
    assert!(!files(dir.path(), "import").is_empty());
    drop(import);
    assert!(files(dir.path(), "import").is_empty());
    assert_lacks(&store, &stored).await;
    drop(store);
    assert_lacks(&open(dir.path()), &stored).await;
}

#[tokio::test]
async fn full_disk_stops_writes_and_not_reads_and_passes_without_a_restart() {
    let dir = folder();
    let store = open(dir.path());
    let (held, late) = (blocks(0..4, 100_000), blocks(4..8, 100_000));
    store.put_many(held.clone()).await.expect("stored");
    let room = &store.shared().segments.room;
    room.store(150_000, Ordering::SeqCst);
    let full = store.put_many(late.clone()).await;
    assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
    let mut import = store.import();
    let mut imported = Ok(true);
    for block in &late {
        imported = imported.and(import.put(block.clone()).await);
    }
    let imported = imported.map(|_| ());
    let full = match imported {
        Ok(()) => import.commit().await.map(|_| ()),
        Err(error) => {
            drop(import);
            Err(error)
        }
    };
    assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
    assert!(files(dir.path(), "import").is_empty());
    assert_holds(&store, &held).await;
    assert_lacks(&store, &late).await;
    room.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(store.put_many(late.clone()).await.expect("there is room again"), 4);
    assert_holds(&store, &[held.clone(), late.clone()].concat()).await;
    drop(store);
    assert_holds(&open(dir.path()), &[held, late].concat()).await;
}

#[tokio::test]
async fn floor_of_free_space_is_kept() {
    let dir = folder();
    let config = Config { free_min: ByteSize(u64::MAX / 2), ..config(dir.path()) };
    let registry = Registry::new();
    let store = Blockstore::open(config, &registry).expect("the store opens");
    let full = store.put(block(1, 10)).await;
    assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
    let metrics = &store.shared().metrics;
    assert_eq!(metrics.writes.at(Write::Full).get(), 1);
    let (free, floor) = (metrics.free_bytes.get(), metrics.free_min_bytes.get());
    assert!(0 < free && free < floor, "{free} bytes are free, {floor} have to be");
}

#[tokio::test]
async fn second_process_is_told_that_the_store_is_in_use() {
    let dir = folder();
    let first = open(dir.path());
    let second = Blockstore::open(config(dir.path()), &Registry::new());
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn dropped_put_does_no_harm() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..20, 50_000);
    for block in &stored[..10] {
        let mut put = Box::pin(store.put(block.clone()));
        assert!(futures::poll!(&mut put).is_pending());
    }
    store.put_many(stored[10..].to_vec()).await.expect("stored");
    store.flush().await.expect("durable");
    assert_holds(&store, &stored).await;
}
