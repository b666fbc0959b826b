//! Content and codecs: everything below the CID is written by a stranger.

use bytes::Bytes;
use bytesize::ByteSize;
use http::Method;
use ipfs::dag_pb::{self, Link, Node};
use ipfs::{Block, Cid, Codec};

use crate::content::{Tree, file, folder, symlink};
use crate::fake::{FakeNode, Manner};
use crate::harness::{Gateway, Got, config};

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A UnixFS message: its type, then numbers and bytes by their field.
fn meta(kind: u64, numbers: &[(u64, u64)], data: Option<&[u8]>) -> Vec<u8> {
    let mut out = vec![8];
    varint(&mut out, kind);
    if let Some(data) = data {
        out.push(2 << 3 | 2);
        varint(&mut out, data.len() as u64);
        out.extend_from_slice(data);
    }
    for (field, value) in numbers {
        varint(&mut out, field << 3);
        varint(&mut out, *value);
    }
    out
}

const DIRECTORY: u64 = 1;
const FILE: u64 = 2;
const SHARD: u64 = 5;
const SIZE: u64 = 3;
const BLOCK_SIZE: u64 = 4;
const HASH: u64 = 5;
const FANOUT: u64 = 6;

fn link(name: &str, cid: &Cid) -> Link {
    Link { cid: *cid, name: Bytes::copy_from_slice(name.as_bytes()), tsize: 1 }
}

fn node(links: Vec<Link>, data: Vec<u8>) -> Block {
    let bytes = dag_pb::encode(&Node { links, data: Some(data.into()) });
    Block::of(Codec::DagPb, bytes.into()).expect("small")
}

/// Blocks, the last of which is the root.
fn tree(blocks: Vec<Block>) -> Tree {
    let root = *blocks.last().expect("a root").cid();
    Tree { root, tsize: 0, blocks }
}

fn shard(links: Vec<Link>, fanout: u64, bitmap: &[u8]) -> Block {
    node(links, meta(SHARD, &[(HASH, 0x22), (FANOUT, fanout)], Some(bitmap)))
}

/// Asks for a tree as a page, for a name below it and for its listing, and checks that the gateway
/// goes on.
async fn refused(what: &str, tree: &Tree, paths: &[&str], status: u16) {
    let fake = FakeNode::start(&[tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    for path in paths {
        let got = gateway.get(&format!("/ipfs/{}{path}", tree.root)).await;
        assert_eq!(got.status.as_u16(), status, "{what} {path}: {}", got.text());
        assert_eq!(got.header("cache-control"), "no-store", "{what} {path}");
    }
    goes_on(&gateway).await;
}

async fn goes_on(gateway: &Gateway) {
    assert_eq!(gateway.get("/ipfs/bafkqaaa?format=raw").await.status.as_u16(), 200);
    assert_eq!(gateway.metric("bifrost_gateway_request_panics_total", ""), 0);
}

/// A1: fanouts that no shard may have.
#[tokio::test]
async fn fanouts_out_of_bounds_are_malformed() {
    for fanout in [0, 7, 12, 1025, 2048, 1 << 31, 1 << 63, u64::MAX] {
        let tree = tree(vec![shard(Vec::new(), fanout, &[0xff; 32])]);
        refused(&format!("fanout {fanout}"), &tree, &["/", "/a"], 500).await;
    }
}

/// A2: bitmaps and links that do not fit each other.
#[tokio::test]
async fn shards_that_contradict_themselves_are_malformed() {
    let leaf = file(b"x");
    let one = |name: &str| vec![link(name, &leaf.root)];
    let no_data = meta(SHARD, &[(HASH, 0x22), (FANOUT, 256)], None);
    for (what, block) in [
        ("a bitmap wider than the fanout", shard(one("00a"), 256, &[0xff; 128])),
        ("more bits than links", shard(one("00a"), 256, &[0xff; 32])),
        ("a name shorter than its prefix", shard(one("A"), 256, &[1])),
        ("no bitmap", node(one("00a"), no_data)),
    ] {
        let mut blocks = leaf.blocks.clone();
        blocks.push(block);
        refused(what, &tree(blocks), &["/", "/a"], 500).await;
    }
}

/// A3: shards in shards beyond the bits of the hash.
#[tokio::test]
async fn chain_of_shards_ends_where_the_hash_does() {
    let mut blocks = vec![shard(Vec::new(), 256, &[])];
    for _ in 0..64 {
        let child = *blocks.last().expect("one").cid();
        // Every place leads on to the same shard.
        let links = (0..256).map(|place| link(&format!("{place:02X}"), &child)).collect();
        blocks.push(shard(links, 256, &[0xff; 32]));
    }
    let tree = tree(blocks);
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let got = gateway.get(&format!("/ipfs/{}/name", tree.root)).await;
    assert_eq!(got.status.as_u16(), 500, "{}", got.text());
    assert!(fake.requests() <= 10, "{} fetches", fake.requests());
    goes_on(&gateway).await;
}

/// A4: a chain of nodes deeper than any walk goes.
#[tokio::test]
async fn depth_bomb_is_cut_and_not_ended() {
    let mut blocks = vec![node(Vec::new(), meta(DIRECTORY, &[], None))];
    for _ in 0..3000 {
        let child = *blocks.last().expect("one").cid();
        blocks.push(node(vec![link("a", &child)], meta(DIRECTORY, &[], None)));
    }
    let tree = tree(blocks);
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    for format in ["car", "tar"] {
        let got = gateway.get(&format!("/ipfs/{}?format={format}", tree.root)).await;
        assert!(!got.whole || got.status.as_u16() == 500, "{format}: {}", got.status);
    }
    assert!(fake.requests() < 1500, "{} fetches", fake.requests());
    goes_on(&gateway).await;
}

/// A5: nodes that link to the same child again and again.
#[tokio::test]
async fn diamond_is_walked_once_or_within_its_bound() {
    let leaf = Block::of(Codec::Raw, Bytes::from(vec![7; 1000])).expect("small");
    let mut blocks = vec![leaf];
    let mut size = 1000_u64;
    // Six levels are 27 petabytes of one leaf.
    for _ in 0..6 {
        let child = *blocks.last().expect("one").cid();
        let sizes: Vec<_> = (0..174).map(|_| (BLOCK_SIZE, size)).collect();
        let children = vec![link("", &child); 174];
        size = size.saturating_mul(174);
        let numbers = [&[(SIZE, size)][..], &sizes].concat();
        blocks.push(node(children, meta(FILE, &numbers, None)));
    }
    let tree = tree(blocks);
    let fake = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&fake]);
    config.render.stream_bytes_max = ByteSize::mib(2);
    config.render.file_bytes_max = ByteSize::gib(1);
    let gateway = Gateway::start(config).await;
    let ask = async |query: &str| gateway.get(&format!("/ipfs/{}{query}", tree.root)).await;
    let once = ask("?format=car&car-dups=n").await;
    assert!(once.whole && once.body.len() < 200_000, "{} {}", once.status, once.text());
    let again = ask("?format=car&car-dups=y").await;
    assert!(!again.whole && again.body.len() <= 2 << 20, "{}", again.body.len());
    let archive = ask("?format=tar").await;
    assert!(!archive.whole && archive.body.len() <= 2 << 20, "{}", archive.body.len());
    assert_eq!(ask("").await.status.as_u16(), 410, "larger than files that are served");
    goes_on(&gateway).await;
}

/// A7: sizes that are not those of the children.
#[tokio::test]
async fn lying_sizes_are_refused_or_cut() {
    let leaf = Block::of(Codec::Raw, Bytes::from(vec![7; 300_000])).expect("small");
    let child = *leaf.cid();
    let of = |numbers: &[(u64, u64)], links: usize| {
        let root = node(vec![link("", &child); links], meta(FILE, numbers, None));
        tree(vec![leaf.clone(), root])
    };
    for (what, tree) in [
        ("more sizes than links", of(&[(SIZE, 20), (BLOCK_SIZE, 10), (BLOCK_SIZE, 10)], 1)),
        ("no sizes", of(&[(SIZE, 10)], 1)),
        ("a sum that is none", of(&[(SIZE, 1 << 63), (BLOCK_SIZE, 10)], 1)),
        ("a child larger than it is said", of(&[(SIZE, 10), (BLOCK_SIZE, 10)], 1)),
        ("a child smaller than it is said", of(&[(SIZE, 1 << 40), (BLOCK_SIZE, 1 << 40)], 1)),
    ] {
        let fake = FakeNode::start(&[&tree]).await;
        let gateway = Gateway::of(&[&fake]).await;
        for query in ["?filename=a.bin", "?format=tar"] {
            let got: Got = gateway.get(&format!("/ipfs/{}{query}", tree.root)).await;
            assert!(!got.whole || got.status.as_u16() == 500, "{what}{query}: {}", got.status);
        }
        goes_on(&gateway).await;
    }
}

/// A8, A9: data that declares or nests more than it has.
#[tokio::test]
async fn bombs_of_data_are_malformed() {
    let nested = [0x81; 200_000];
    let lists = vec![b'['; 100_000];
    let declares = [0x9b, 0, 0, 0, 0, 0x40, 0, 0, 0];
    let maps = [0xbb, 0, 0, 0, 0, 0x40, 0, 0, 0].repeat(10);
    for (codec, bytes) in [
        (Codec::DagCbor, &nested[..]),
        (Codec::DagCbor, &declares),
        (Codec::DagCbor, &maps),
        (Codec::DagJson, &lists),
        (Codec::Json, &lists),
        (Codec::Cbor, &nested),
    ] {
        let block = Block::of(codec, Bytes::copy_from_slice(bytes)).expect("small");
        let tree = tree(vec![block]);
        let fake = FakeNode::start(&[&tree]).await;
        let mut config = config(&[&fake]);
        config.render.convert_codecs = true;
        let gateway = Gateway::start(config).await;
        let html = [("accept", "text/html")];
        let path = format!("/ipfs/{}", tree.root);
        let drawn = gateway.ask(Method::GET, &path, &html).await;
        assert_eq!(drawn.status.as_u16(), 500, "{codec:?}");
        // A list has no such name, which may be seen before the rest is.
        let below = gateway.get(&format!("{path}/a")).await;
        assert!(matches!(below.status.as_u16(), 404 | 500), "{codec:?}: {}", below.status);
        let other = if codec == Codec::DagCbor { "dag-json" } else { "dag-cbor" };
        let got = gateway.get(&format!("{path}?format={other}")).await;
        assert!(matches!(got.status.as_u16(), 406 | 500), "{codec:?}: {}", got.status);
        goes_on(&gateway).await;
    }
}

/// A10: the forms of bytes and links in dag-json.
#[tokio::test]
async fn forms_of_dag_json_that_are_none_are_malformed() {
    for text in [r#"{"/":"not a cid"}"#, r#"{"/":{"bytes":"!!"}}"#, r#"{"a":1}}"#, "{", "nul"] {
        let block = Block::of(Codec::DagJson, Bytes::from(text)).expect("small");
        let tree = tree(vec![block]);
        let fake = FakeNode::start(&[&tree]).await;
        let mut config = config(&[&fake]);
        config.render.convert_codecs = true;
        let gateway = Gateway::start(config).await;
        let got = gateway.get(&format!("/ipfs/{}?format=dag-cbor", tree.root)).await;
        assert_eq!(got.status.as_u16(), 500, "{text}: {}", got.text());
        goes_on(&gateway).await;
    }
}

/// A11: dag-pb that is none.
#[tokio::test]
async fn malformed_dag_pb_is_told() {
    let overflow = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let groups = [0x0b; 10_000];
    let behind = [0x0a, 0x02, 0x08, 0x01, 0x12, 0x00];
    let field = [0x22, 0x01, 0x00];
    for bytes in [&overflow[..], &groups, &behind, &field, &[0x0a], &[0xff; 64]] {
        let block = Block::of(Codec::DagPb, Bytes::copy_from_slice(bytes)).expect("small");
        refused("dag-pb", &tree(vec![block]), &["", "/a"], 500).await;
    }
}

/// A14, A15, A16: CIDs that are not acceptable cost no request to a node.
#[tokio::test]
async fn cids_that_are_none_are_refused_before_anybody_is_asked() {
    let fake = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let raw = |hash: &str, digest: usize| format!("f0155{hash}{}", "5a".repeat(digest));
    for cid in [
        raw("2208", 8),
        raw("d50110", 16),
        raw("1210", 16),
        raw("ffff0320", 32),
        raw("1820", 32),
        raw("008101", 129),
        format!("f02{}", "55".repeat(34)),
        "QmInvalidCID".to_owned(),
        "%51m".to_owned(),
        "b".repeat(7_000),
        "b".to_owned(),
        "zzzz".to_owned(),
        format!("{}aa", raw("1220", 32)),
    ] {
        let got = gateway.get(&format!("/ipfs/{cid}")).await;
        assert_eq!(got.status.as_u16(), 400, "{cid:.80}: {}", got.text());
    }
    assert_eq!(gateway.get(&format!("/ipfs/{}", raw("008001", 128))).await.status.as_u16(), 200);
    // An identity CID in an identity CID leads nowhere further.
    let inner = Cid::identity(Codec::Raw, b"x").expect("short");
    let outer = node(vec![link("a", &inner)], meta(DIRECTORY, &[], None));
    let outer = Cid::identity(Codec::DagPb, outer.data()).expect("short");
    assert_eq!(gateway.get(&format!("/ipfs/{outer}/a")).await.text(), "x");
    assert_eq!(fake.requests(), 0);
    goes_on(&gateway).await;
}

/// A17: a block without an end.
#[tokio::test]
async fn endless_block_is_read_no_further_than_a_block_goes() {
    let tree = file(b"x");
    let fake = FakeNode::start(&[&tree]).await;
    fake.behave(Manner::Huge);
    let gateway = Gateway::of(&[&fake]).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", tree.root)).await.status.as_u16(), 502);
    goes_on(&gateway).await;
}

/// A18: as many links as a block holds.
#[tokio::test]
async fn folder_of_one_full_block_is_listed_whole() {
    let leaf = Cid::identity(Codec::Raw, b"").expect("short");
    let links: Vec<Link> = (0..70_000).map(|i| link(&format!("e{i:06}"), &leaf)).collect();
    let tree = tree(vec![node(links, meta(DIRECTORY, &[], None))]);
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let got = gateway.get(&format!("/ipfs/{}/", tree.root)).await;
    assert!(got.whole);
    assert_eq!(got.text().matches("ipfs-hash").count(), 70_000);
    assert_eq!(fake.requests(), 1, "nothing below an entry is fetched");
}

/// A19: names that would leave their folder, or their line.
#[tokio::test]
async fn hostile_names_are_listed_as_text() {
    let long = "x".repeat(300);
    let names = ["../x", "/abs", "a/../../b", ".", "..", "", "\u{1b}[31m", "a\nb", long.as_str()];
    let entries: Vec<_> = names.iter().map(|name| (*name, file(b"x"))).collect();
    let tree = folder(&entries);
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let got = gateway.get(&format!("/ipfs/{}/", tree.root)).await;
    assert_eq!((got.status.as_u16(), got.whole), (200, true));
    assert!(!got.text().contains("href=\"../"), "{}", got.text());
    let got = gateway.get(&format!("/ipfs/{}/../x", tree.root)).await;
    assert_eq!(got.status.as_u16(), 400);
    goes_on(&gateway).await;
}

/// A20: symbolic links are shown, and never followed.
#[tokio::test]
async fn symbolic_links_are_never_followed() {
    let targets = ["loop", "/etc/passwd", "../../../etc/passwd", "sub/../loop"];
    for target in targets {
        let tree = folder(&[("loop", symlink(target)), ("sub", folder(&[("x", file(b"x"))]))]);
        let fake = FakeNode::start(&[&tree]).await;
        let gateway = Gateway::of(&[&fake]).await;
        let got = gateway.get(&format!("/ipfs/{}/loop", tree.root)).await;
        assert_eq!((got.status.as_u16(), got.text().as_str()), (200, target));
        let got = gateway.get(&format!("/ipfs/{}/loop/x", tree.root)).await;
        assert_eq!(got.status.as_u16(), 404);
    }
}

/// A21: times that no clock has.
#[tokio::test]
async fn times_out_of_bounds_are_left_out() {
    // Mode, and a time with negative seconds and nanoseconds beyond a second.
    let mut data = meta(FILE, &[(7, u64::MAX)], Some(b"x"));
    let time = [
        0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x15, 255, 255, 255, 255,
    ];
    data.push(8 << 3 | 2);
    data.push(time.len() as u8);
    data.extend_from_slice(&time);
    let tree = tree(vec![node(Vec::new(), data)]);
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let got = gateway.get(&format!("/ipfs/{}", tree.root)).await;
    assert!(got.header("last-modified").is_empty(), "{}", got.header("last-modified"));
    goes_on(&gateway).await;
}
