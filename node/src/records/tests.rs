//! The store of records on a real disk.

use std::time::{Duration, UNIX_EPOCH};

use ipfs::ipns::create;
use libp2p_identity::Keypair;
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// The time of every test.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

struct World {
    folder: TempDir,
    records: Records,
}

impl World {
    fn new(records_max: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let records = open(&folder, records_max);
        Self { folder, records }
    }

    async fn put(&self, key: &Keypair, sequence: u64, hours: u32) -> Result<Put, PutError> {
        let record = record(key, sequence, now() + HOUR * hours);
        self.records.put(&name(key), record, now()).await.map(|(put, _)| put)
    }

    async fn sequence(&self, key: &Keypair, at: SystemTime) -> Option<u64> {
        let got = self.records.get(&name(key), at).await.expect("the disk is well");
        got.map(|record| record.sequence())
    }

    fn reads(&self, outcome: Read) -> u64 {
        self.records.inner.metrics.reads.at(outcome).get()
    }
}

fn open(folder: &TempDir, records_max: u64) -> Records {
    let config = Config { records_max };
    Records::open(folder.path(), &config, &Registry::new()).expect("it can be opened")
}

fn key() -> Keypair {
    Keypair::generate_ed25519()
}

fn name(key: &Keypair) -> Name {
    Name::of_key(&key.public().encode_protobuf())
}

fn record(key: &Keypair, sequence: u64, validity: SystemTime) -> Bytes {
    create(key, "/ipfs/bafkqaaa", sequence, validity, HOUR).expect("it can be signed")
}

#[tokio::test]
async fn a_record_is_given_until_it_expires() {
    let (world, key) = (World::new(10), key());
    assert_eq!(world.sequence(&key, now()).await, None);
    assert_eq!(world.put(&key, 1, 1).await.expect("it is taken"), Put::Stored);
    assert_eq!(world.sequence(&key, now()).await, Some(1));
    assert_eq!(world.sequence(&key, now() + HOUR).await, None);
    assert_eq!([Read::Miss, Read::Hit, Read::Expired].map(|read| world.reads(read)), [1, 1, 1]);
}

#[tokio::test]
async fn records_are_there_after_a_restart() {
    let (world, key) = (World::new(10), key());
    world.put(&key, 3, 1).await.expect("it is taken");
    drop(world.records);
    let records = open(&world.folder, 10);
    assert_eq!(records.inner.metrics.stored.get(), 1);
    let world = World { records, ..world };
    assert_eq!(world.sequence(&key, now()).await, Some(3));
}

#[tokio::test]
async fn only_what_supersedes_takes_the_place_of_a_record() {
    let (world, key) = (World::new(10), key());
    let same = record(&key, 5, now() + HOUR);
    for expected in [Put::Stored, Put::Held] {
        let put = world.records.put(&name(&key), same.clone(), now()).await;
        assert_eq!(put.expect("it is taken").0, expected);
    }
    for (sequence, hours) in [(4, 9), (5, 1)] {
        let put = world.put(&key, sequence, hours).await;
        let refused = matches!(put, Ok(Put::Held) | Err(PutError::Superseded { stored: 5, .. }));
        assert!(refused, "{sequence}: {put:?}");
    }
    assert_eq!(world.put(&key, 5, 2).await.expect("it is valid for longer"), Put::Stored);
    assert_eq!(world.put(&key, 6, 1).await.expect("its sequence is higher"), Put::Stored);
    assert_eq!(world.sequence(&key, now()).await, Some(6));
    assert_eq!(world.records.inner.metrics.stored.get(), 1);
}

#[tokio::test]
async fn what_proves_nothing_or_has_expired_is_refused() {
    let (world, key, other) = (World::new(10), key(), key());
    let good = record(&key, 1, now() + HOUR);
    let mut forged = good.to_vec();
    *forged.last_mut().expect("bytes") ^= 1;
    for bytes in [Bytes::new(), Bytes::from(forged), Bytes::from(vec![0; 10 * 1024 + 1])] {
        let put = world.records.put(&name(&key), bytes, now()).await;
        assert!(matches!(put, Err(PutError::Record(_))), "{put:?}");
    }
    let put = world.records.put(&name(&other), good, now()).await;
    assert!(matches!(put, Err(PutError::Record(_))), "{put:?}");
    let put = world.put(&key, 1, 0).await;
    assert!(matches!(put, Err(PutError::Expired)), "{put:?}");
    assert_eq!(world.records.inner.metrics.puts.at(Write::Bad).get(), 5);
    assert_eq!(world.sequence(&key, now()).await, None);
}

#[tokio::test]
async fn a_full_store_refuses_names_until_a_record_expires() {
    let world = World::new(2);
    let keys = [key(), key(), key()];
    world.put(&keys[0], 1, 1).await.expect("there is room");
    world.put(&keys[1], 1, 5).await.expect("there is room");
    let put = world.put(&keys[2], 1, 5).await;
    assert!(matches!(put, Err(PutError::Full(2))), "{put:?}");
    assert_eq!(world.put(&keys[1], 2, 5).await.expect("its place is its own"), Put::Stored);

    let later = now() + HOUR;
    let record = record(&keys[2], 1, later + HOUR);
    let put = world.records.put(&name(&keys[2]), record, later).await;
    assert_eq!(put.expect("one has expired").0, Put::Stored);
    assert_eq!(world.sequence(&keys[1], later).await, Some(2));
    let metrics = &world.records.inner.metrics;
    assert_eq!((metrics.dropped.get(), metrics.stored.get()), (1, 2));
    assert_eq!(metrics.puts.at(Write::Full).get(), 1);
}

#[tokio::test]
async fn a_record_that_was_replaced_does_not_go_with_the_end_of_the_old_one() {
    let (world, key, other) = (World::new(10), key(), key());
    world.put(&key, 1, 1).await.expect("it is taken");
    world.put(&key, 2, 9).await.expect("it is taken");
    let later = now() + HOUR * 2;
    let record = record(&other, 1, later + HOUR);
    world.records.put(&name(&other), record, later).await.expect("it is taken");
    assert_eq!(world.sequence(&key, later).await, Some(2));
    assert_eq!(world.records.inner.metrics.dropped.get(), 0);
}

#[tokio::test]
async fn an_older_sequence_is_taken_once_the_newer_record_has_expired() {
    let (world, key) = (World::new(10), key());
    world.put(&key, 7, 1).await.expect("it is taken");
    let later = now() + HOUR;
    let record = record(&key, 6, later + HOUR);
    let put = world.records.put(&name(&key), record, later).await;
    assert_eq!(put.expect("nothing newer is valid").0, Put::Stored);
    assert_eq!(world.sequence(&key, later).await, Some(6));
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join(FILE), "x".repeat(10_000)).expect("it can be written");
    let opened = Records::open(folder.path(), &Config::default(), &Registry::new());
    let error = opened.expect_err("it is no database").to_string();
    assert!(error.contains("records.redb") && error.contains("move it away"), "{error}");
}
