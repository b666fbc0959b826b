//! Bad imports are refused whole: nothing is stored, and the node goes on.

use harness::{Answer, Fleet, FleetPlan, bytes_of_seed, http};
use ipfs::{Block, Cid, Codec, car};

const CAR: &str = "application/vnd.ipld.car";

fn block(seed: u64) -> Block {
    Block::of(Codec::Raw, bytes_of_seed(seed, 1000).into()).expect("the block is small")
}

fn section(cid: &Cid, bytes: &[u8]) -> Vec<u8> {
    [car::section_prefix(cid, bytes.len()), bytes.to_vec()].concat()
}

fn car_of(roots: &[Cid], sections: &[Vec<u8>]) -> Vec<u8> {
    [car::header(roots), sections.concat()].concat()
}

/// What is wrong with an archive, and its bytes. Each begins with a good block, which must not stay.
fn bad_archives(good: &Block) -> Vec<(&'static str, Vec<u8>)> {
    let roots = [*good.cid()];
    let first = section(good.cid(), good.data());
    let other = block(2);
    let wrong = bytes_of_seed(3, 1000);
    let oversized = vec![7; (2 << 20) + 1];
    let whole = car_of(&roots, &[first.clone(), section(other.cid(), other.data())]);
    // CIDv1, raw, murmur3 with eight bytes.
    let unknown_hash = [&[1, 0x55, 0x22, 8][..], &[9; 8]].concat();
    let unknown_hash =
        [&[u8::try_from(unknown_hash.len()).expect("short")][..], &unknown_hash].concat();
    vec![
        ("a wrong hash", car_of(&roots, &[first.clone(), section(other.cid(), &wrong)])),
        ("cut in a block", whole[..whole.len() - 10].to_vec()),
        ("cut in a length", [&whole[..], &[0x80]].concat()),
        ("an oversized block", car_of(&roots, &[first.clone(), section(other.cid(), &oversized)])),
        ("an unknown hash", car_of(&roots, &[first.clone(), unknown_hash])),
        (
            "an endless length",
            [&car_of(&roots, std::slice::from_ref(&first))[..], &[0xff; 12]].concat(),
        ),
        ("no header", first),
        ("nothing", Vec::new()),
        ("text", b"this is not an archive, whatever its name says".to_vec()),
    ]
}

fn assert_refused(what: &str, answer: &Answer) {
    let text = answer.text();
    let last: serde_json::Value =
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
    assert!(last["error"].is_string(), "{what}: {} {text}", answer.status());
    assert!(last["roots"].is_null(), "{what}: {text}");
}

#[test]
fn a_bad_archive_is_refused_whole() {
    let mut fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    let good = block(1);
    for (what, bytes) in bad_archives(&good) {
        let answer = http::post(fleet.nodes[0].admin, "/import", CAR, &bytes);
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}\n{}", fleet.logs()));
        assert_refused(what, &answer);
        let kept = fleet.nodes[0].has(&good.cid().to_string()).expect("the node answers");
        assert!(!kept, "{what}: its first block stayed");
    }

    let archive = car_of(&[*good.cid()], &[section(good.cid(), good.data())]);
    let root = fleet.nodes[0].import(CAR, &archive).expect("a good archive is taken");
    assert_eq!(root, good.cid().to_string());
    assert!(fleet.nodes[0].process().is_alive());
}

#[test]
fn content_that_is_malformed_below_a_right_hash_is_bad_content() {
    let fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    // Bytes that are no dag-pb, under a CID that says that they are.
    let malformed = Block::of(Codec::DagPb, bytes_of_seed(4, 100).into()).expect("small");
    let archive = car_of(&[*malformed.cid()], &[section(malformed.cid(), malformed.data())]);
    let root = fleet.nodes[0].import(CAR, &archive).expect("the hash is right");

    let answer = fleet.get(&format!("/ipfs/{root}"));

    assert_eq!(answer.status(), 500, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
