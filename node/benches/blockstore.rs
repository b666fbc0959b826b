//! Measures the blockstore beside a folder of files that are synced one by one.
//!
//! Both run on the same disk in the same run, so that their ratio means something where the figures
//! alone do not. `BIFROST_BENCH_DIR` chooses the disk; the default is where temporary files go.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipfs::{Block, Codec};
use node::blockstore::{Blockstore, Config};
use telemetry::metrics::Registry;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Blocks put by one durable call.
const BATCH: usize = 16;
const SIZES: [usize; 2] = [256 * 1024, 1024 * 1024];
static SEED: AtomicU64 = AtomicU64::new(1);

fn block(bytes: usize) -> Block {
    let mut state = SEED.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut data = Vec::with_capacity(bytes);
    while data.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    Block::of(Codec::Raw, Bytes::from(data)).expect("below the limit")
}

fn blocks(bytes: usize) -> Vec<Block> {
    (0..BATCH).map(|_| block(bytes)).collect()
}

fn folder() -> TempDir {
    match std::env::var_os("BIFROST_BENCH_DIR") {
        Some(dir) => TempDir::new_in(dir).expect("a folder"),
        None => TempDir::new().expect("a folder"),
    }
}

fn store(dir: &Path) -> Blockstore {
    let config = Config { dir: dir.to_owned(), ..Config::default() };
    Blockstore::open(config, &Registry::new()).expect("the store opens")
}

/// The baseline: one file a block, written under another name, synced and renamed.
fn put_file(dir: &Path, block: &Block) {
    let (path, part) = (file_of(dir, block), file_of(dir, block).with_extension("part"));
    let mut file = std::fs::File::create(&part).expect("a file");
    file.write_all(block.data()).expect("written");
    file.sync_data().expect("synced");
    std::fs::rename(part, path).expect("renamed");
}

fn file_of(dir: &Path, block: &Block) -> PathBuf {
    dir.join(block.cid().to_string())
}

/// Times only `work`, on input that is made for each round.
fn timed(
    rounds: u64,
    mut input: impl FnMut() -> Vec<Block>,
    mut work: impl FnMut(Vec<Block>),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let blocks = input();
        let began = Instant::now();
        work(blocks);
        total += began.elapsed();
    }
    total
}

fn put(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("put");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for size in SIZES {
        group.throughput(Throughput::Bytes((size * BATCH) as u64));
        let dir = folder();
        let store = store(dir.path());
        group.bench_function(BenchmarkId::new("store, durable", size), |b| {
            b.iter_custom(|rounds| {
                timed(
                    rounds,
                    || blocks(size),
                    |blocks| {
                        runtime.block_on(store.put_many(blocks)).expect("stored");
                    },
                )
            });
        });
        group.bench_function(BenchmarkId::new("store, written behind", size), |b| {
            b.iter_custom(|rounds| {
                timed(
                    rounds,
                    || blocks(size),
                    |blocks| {
                        runtime.block_on(store.keep(blocks)).expect("stored");
                    },
                )
            });
        });
        group.bench_function(BenchmarkId::new("store, import", size), |b| {
            b.iter_custom(|rounds| {
                timed(
                    rounds,
                    || blocks(size),
                    |blocks| {
                        runtime.block_on(async {
                            let mut import = store.import();
                            for block in blocks {
                                import.put(block).await.expect("taken");
                            }
                            import.commit().await.expect("committed");
                        });
                    },
                )
            });
        });
        let files = folder();
        group.bench_function(BenchmarkId::new("files with fsync", size), |b| {
            b.iter_custom(|rounds| {
                timed(
                    rounds,
                    || blocks(size),
                    |blocks| {
                        for block in &blocks {
                            put_file(files.path(), block);
                        }
                    },
                )
            });
        });
    }
    group.finish();
}

fn get(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("get");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    for size in SIZES {
        group.throughput(Throughput::Bytes((size * BATCH) as u64));
        let (dir, files) = (folder(), folder());
        let store = store(dir.path());
        let stored = blocks(size);
        runtime.block_on(store.put_many(stored.clone())).expect("stored");
        stored.iter().for_each(|block| put_file(files.path(), block));
        let cids: Vec<_> = stored.iter().map(|block| *block.cid()).collect();
        group.bench_function(BenchmarkId::new("store, one by one", size), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    for cid in &cids {
                        store.get(cid).await.expect("readable").expect("there");
                    }
                });
            });
        });
        group.bench_function(BenchmarkId::new("store, together", size), |b| {
            b.iter(|| runtime.block_on(store.get_many(&cids)).expect("readable"));
        });
        group.bench_function(BenchmarkId::new("files, verified", size), |b| {
            b.iter(|| {
                for block in &stored {
                    let data = std::fs::read(file_of(files.path(), block)).expect("there");
                    Block::verify(*block.cid(), Bytes::from(data)).expect("sound");
                }
            });
        });
    }
    group.finish();
}

fn has(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("has");
    let (dir, files) = (folder(), folder());
    let store = store(dir.path());
    let (stored, absent) = (block(1000), block(1000));
    runtime.block_on(store.put(stored.clone())).expect("stored");
    put_file(files.path(), &stored);
    for (name, asked) in [("there", &stored), ("absent", &absent)] {
        group.bench_function(BenchmarkId::new("store", name), |b| {
            b.iter(|| store.has(asked.cid().multihash()));
        });
        group.bench_function(BenchmarkId::new("files", name), |b| {
            b.iter(|| file_of(files.path(), asked).exists());
        });
    }
    group.finish();
}

criterion_group!(benches, put, get, has);
criterion_main!(benches);
