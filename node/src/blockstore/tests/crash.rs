//! What a kill, a power cut or a rotting disk leaves behind.
//!
//! A kill is played by copying the folder while the store is open: the copy is what another process
//! would find. Rot and torn writes are played on the bytes of the copy.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::*;

/// A checkpoint only when the store is closed, so that a copy made before has to be replayed.
fn open_without_checkpoints(dir: &Path) -> Blockstore {
    let config = Config {
        checkpoint_interval: std::time::Duration::from_secs(3600),
        checkpoint_changes_max: usize::MAX,
        ..config(dir)
    };
    Blockstore::open(config, &Registry::new()).expect("the store opens")
}

/// The folder as a process would find it that was started after a kill.
fn killed(dir: &Path) -> TempDir {
    let copy = folder();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, copy.path().join(name)).expect("copied");
    }
    copy
}

fn last_pack(dir: &Path) -> PathBuf {
    files(dir, "pack").pop().expect("a segment")
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("within the file");
    file.write_all_at(&[byte[0] ^ 0x20], at).expect("written");
}

#[tokio::test]
async fn acknowledged_put_survives_a_kill() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..60, 200_000);
    for (count, block) in (1..).zip(&stored) {
        store.put(block.clone()).await.expect("stored");
        if count % 20 == 0 {
            let copy = killed(dir.path());
            assert_holds(&open(copy.path()), &stored[..count]).await;
        }
    }
}

#[tokio::test]
async fn torn_tail_is_cut_wherever_it_was_torn() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..3, 3_000);
    store.put_many(stored.clone()).await.expect("stored");
    let copy = killed(dir.path());
    drop(store);
    let whole = std::fs::read(last_pack(copy.path())).expect("a segment");
    let record = whole.len() / 3;
    let head = record::bytes(stored[0].cid().multihash(), 0);
    for cut in (0..whole.len()).step_by(97).chain([record, 2 * record, 2 * record + 19]) {
        let torn = killed(copy.path());
        std::fs::write(last_pack(torn.path()), &whole[..cut]).expect("written");
        let store = open(torn.path());
        assert_holds(&store, &stored[..cut / record]).await;
        assert_lacks(&store, &stored[cut / record..]).await;
        store.put_many(stored.clone()).await.expect("stored behind the cut");
        drop(store);
        assert_holds(&open(torn.path()), &stored).await;
    }
    assert!(head < 100, "the cuts fall into heads as well as data");
}

#[tokio::test]
async fn garbage_behind_the_last_record_is_cut() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..3, 3_000);
    store.put_many(stored.clone()).await.expect("stored");
    let copy = killed(dir.path());
    let path = last_pack(copy.path());
    let whole = std::fs::read(&path).expect("a segment");
    for garbage in [vec![0; 5000], vec![0xff; 11], whole[..50].to_vec()] {
        std::fs::write(&path, [&whole[..], &garbage].concat()).expect("written");
        let store = open(copy.path());
        assert_holds(&store, &stored).await;
        assert_eq!(store.stats().blocks, 3);
        drop(store);
        assert_eq!(std::fs::metadata(&path).expect("a file").len(), whole.len() as u64);
    }
}

#[tokio::test]
async fn flipped_bit_is_never_served_and_costs_one_block_at_most() {
    let dir = folder();
    let stored = blocks(0..5, 2_000);
    let store = open(dir.path());
    store.put_many(stored.clone()).await.expect("stored");
    drop(store);
    let bytes = std::fs::metadata(last_pack(dir.path())).expect("a file").len();
    for at in (0..bytes).step_by(61) {
        let rotten = killed(dir.path());
        flip(&last_pack(rotten.path()), at);
        let store = open(rotten.path());
        let mut lost = Vec::new();
        for block in &stored {
            match store.get(block.cid()).await.expect("readable") {
                Some(found) => assert_eq!(&found, block),
                None => lost.push(block.clone()),
            }
        }
        assert!(lost.len() <= 1, "one flip at {at} lost {} blocks", lost.len());
        assert_lacks(&store, &lost).await;
        let rot = store.shared().metrics.reads.at(Read::Rotten).get();
        assert_eq!(rot, lost.len() as u64);
        store.put_many(lost.clone()).await.expect("stored anew");
        assert_holds(&store, &stored).await;
        drop(store);
        assert_holds(&open(rotten.path()), &stored).await;
    }
}

#[tokio::test]
async fn flipped_bit_in_what_is_replayed_costs_what_it_must() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..3, 1_000);
    store.put_many(stored.clone()).await.expect("stored");
    let copy = killed(dir.path());
    let bytes = std::fs::metadata(last_pack(copy.path())).expect("a file").len();
    for at in (0..bytes).step_by(13) {
        let rotten = killed(copy.path());
        flip(&last_pack(rotten.path()), at);
        let store = open(rotten.path());
        for block in &stored {
            let found = store.get(block.cid()).await.expect("readable");
            assert!(found.is_none_or(|found| found == *block));
        }
        store.put_many(stored.clone()).await.expect("stored anew");
        drop(store);
        assert_holds(&open(rotten.path()), &stored).await;
    }
}

#[tokio::test]
async fn vanished_segment_costs_its_blocks_and_no_more() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..20, 500_000);
    for block in &stored {
        store.put(block.clone()).await.expect("stored");
    }
    drop(store);
    std::fs::remove_file(&files(dir.path(), "pack")[0]).expect("removed");
    let store = open(dir.path());
    let known: Vec<Block> =
        stored.iter().filter(|block| store.has(block.cid().multihash())).cloned().collect();
    assert!((10..=12).contains(&known.len()), "{} are left of 20", known.len());
    assert_holds(&store, &known).await;
    store.put_many(stored.clone()).await.expect("stored anew");
    assert_holds(&store, &stored).await;
}

#[tokio::test]
async fn kill_during_an_import_leaves_all_of_it_or_nothing() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let before = blocks(100..103, 1_000);
    store.put_many(before.clone()).await.expect("stored");
    let stored = blocks(0..20, 500_000);
    let mut import = store.import();
    for block in &stored {
        import.put(block.clone()).await.expect("taken");
    }
    let during = killed(dir.path());
    import.commit().await.expect("committed");
    let after = killed(dir.path());
    let store = open(during.path());
    assert_lacks(&store, &stored).await;
    assert_holds(&store, &before).await;
    assert!(files(during.path(), "import").is_empty());
    let store = open(after.path());
    assert_holds(&store, &stored).await;
    assert_holds(&store, &before).await;
}

#[tokio::test]
async fn kill_between_the_commit_of_an_import_and_its_new_names_leaves_all_of_it() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..20, 500_000);
    let mut import = store.import();
    for block in &stored {
        import.put(block.clone()).await.expect("taken");
    }
    import.commit().await.expect("committed");
    let copy = killed(dir.path());
    for path in files(copy.path(), "pack") {
        std::fs::rename(&path, path.with_extension("import")).expect("renamed back");
    }
    let store = open(copy.path());
    assert_holds(&store, &stored).await;
    assert!(files(copy.path(), "import").is_empty());
}

#[tokio::test]
async fn lost_index_is_made_anew_from_the_segments() {
    let dir = folder();
    let store = open(dir.path());
    let stored = blocks(0..20, 500_000);
    let gone: Vec<Multihash> = stored[..5].iter().map(|block| *block.cid().multihash()).collect();
    store.put_many(stored[..10].to_vec()).await.expect("stored");
    let mut import = store.import();
    for block in &stored[10..] {
        import.put(block.clone()).await.expect("taken");
    }
    import.commit().await.expect("committed");
    store.delete(&gone).await.expect("deleted");
    drop(store);
    for damage in ["removed", "emptied", "overwritten"] {
        let copy = killed(dir.path());
        let index = copy.path().join("index.redb");
        match damage {
            "removed" => std::fs::remove_file(&index).expect("removed"),
            "emptied" => std::fs::write(&index, b"").expect("written"),
            _ => std::fs::write(&index, [0x55; 10_000]).expect("written"),
        }
        let store = open(copy.path());
        assert_holds(&store, &stored[5..]).await;
        assert_lacks(&store, &stored[..5]).await;
        assert_eq!(store.stats().blocks, 15, "{damage}");
    }
}

#[tokio::test]
async fn delete_survives_a_kill() {
    let dir = folder();
    let store = open_without_checkpoints(dir.path());
    let stored = blocks(0..4, 100_000);
    store.put_many(stored.clone()).await.expect("stored");
    store.delete(&[*stored[1].cid().multihash()]).await.expect("deleted");
    let copy = killed(dir.path());
    let store = open(copy.path());
    assert_lacks(&store, &stored[1..2]).await;
    assert_holds(&store, &[&stored[..1], &stored[2..]].concat()).await;
}
