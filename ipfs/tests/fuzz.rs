//! The corpora of the fuzzer, replayed, and some thousand mutations of them.
//!
//! The same claims as `ipfs/fuzz`, on any compiler and in seconds. Mutations follow a seed that a
//! failure prints; `BIFROST_SEED` runs that one again.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

/// Mutations of each target.
const MUTATIONS: u64 = 20_000;
/// Longest mutation.
const BYTES_MAX: usize = 4096;

/// A row of numbers that a seed decides (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }
}

fn seed() -> u64 {
    match std::env::var("BIFROST_SEED") {
        Ok(seed) => seed.parse().expect("BIFROST_SEED is a number"),
        Err(_) => 0x5EED,
    }
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut found: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the corpus can be read").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("it can be read")))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

/// One to four small changes, as the fuzzer makes them.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at.min(bytes.len()), numbers.next().to_le_bytes()[0]),
            4 if !bytes.is_empty() => drop(bytes.remove(at)),
            5 => {
                let from = numbers.below(other.len());
                let to = from + numbers.below(other.len() - from + 1);
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let end = at + numbers.below(bytes.len() - at + 1);
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes.truncate(BYTES_MAX);
}

fn replay(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    for (path, bytes) in &corpus {
        assert!(catch_unwind(|| target(bytes)).is_ok(), "{path} breaks a claim");
    }
    let seed = seed();
    let mut numbers = Numbers(seed | 1);
    for round in 0..MUTATIONS {
        let mut bytes = corpus[numbers.below(corpus.len())].1.clone();
        let other = &corpus[numbers.below(corpus.len())].1;
        mutate(&mut bytes, other, &mut numbers);
        let held = catch_unwind(|| target(&bytes)).is_ok();
        assert!(held, "seed {seed}, round {round}: {bytes:02x?} breaks a claim");
    }
}

#[test]
fn cids_hold_their_claims() {
    replay("cid", targets::cid);
}

#[test]
fn cars_hold_their_claims() {
    replay("car", targets::car);
}

#[test]
fn answers_hold_their_claims() {
    replay("answer", targets::answer);
}

#[test]
fn dag_pb_holds_its_claims() {
    replay("dag_pb", targets::dag_pb);
}

#[test]
fn unixfs_holds_its_claims() {
    replay("unixfs", targets::unixfs);
}

#[test]
fn links_hold_their_claims() {
    replay("links", targets::links);
}

#[test]
fn words_hold_their_claims() {
    replay("words", targets::words);
}

#[test]
fn dags_hold_their_claims() {
    replay("dag", targets::dag);
}

#[test]
fn redirects_hold_their_claims() {
    replay("redirects", targets::redirects);
}

#[test]
fn dnslinks_hold_their_claims() {
    replay("dnslink", targets::dnslink);
}

#[test]
fn denylists_hold_their_claims() {
    replay("denylist", targets::denylist);
}

#[test]
fn ipns_holds_its_claims() {
    replay("ipns", targets::ipns);
}

#[test]
fn dag_cbor_holds_its_claims() {
    replay("dag_cbor", targets::dag_cbor);
}

#[test]
fn dag_json_holds_its_claims() {
    replay("dag_json", targets::dag_json);
}
