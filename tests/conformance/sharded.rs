//! A folder so large that it is a HAMT, with files of several blocks; and claims about CARs of it.

use harness::Answer;
use ipfs::{Block, Cid, dag_pb};

use crate::archives;
use crate::claims::{Claim, get};
use crate::shelf::{Made, Shelf};

/// How many entries it takes, with names this long.
const ENTRIES: usize = 2000;
/// The entry that claims ask for.
const ASKED: usize = 7;

fn entry(index: usize) -> String {
    format!("{index:04}-{}.txt", "long".repeat(32))
}

/// Makes `{hamt}`, `{entry}`, and `{shard}`, which links to the entry.
pub(crate) fn make(shelf: &mut Shelf, file: Made) {
    let names: Vec<String> = (0..ENTRIES).map(entry).collect();
    let entries: Vec<(&str, Made)> = names.iter().map(|name| (name.as_str(), file)).collect();
    let hamt = shelf.folder("hamt", &entries);
    shelf.name("entry", &entry(ASKED));
    let holds = |block: &&Block| links(block).iter().any(|(name, _)| name.ends_with(&entry(ASKED)));
    let shard = shelf.blocks().find(holds).expect("something links to the entry");
    let (shard, above) =
        (*shard.cid(), links(shelf.blocks().find(|b| *b.cid() == hamt.cid).expect("made")));
    assert!(above.iter().any(|(_, cid)| *cid == shard), "two levels of shards");
    shelf.name("shard", &shard.to_string());
}

/// The links of a dag-pb block; none of any other.
fn links(block: &Block) -> Vec<(String, Cid)> {
    let node = dag_pb::decode(block.data()).unwrap_or_default();
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    node.links.into_iter().map(|link| (text(&link.name), link.cid)).collect()
}

/// The root and every shard below it, depth first; names of shards are slots alone.
fn shards(shelf: &Shelf, cid: &Cid, found: &mut Vec<String>) {
    found.push(cid.to_string());
    let shard = shelf.blocks().find(|block| block.cid() == cid).expect("it was made");
    for (_, below) in links(shard).iter().filter(|(name, _)| name.len() == 2) {
        shards(shelf, below, found);
    }
}

fn is_enumeration(shelf: &Shelf, answer: &Answer) -> bool {
    let mut due = Vec::new();
    shards(shelf, &Cid::parse(shelf.word("hamt")).expect("our own CID"), &mut due);
    due.len() > 100 && archives::blocks(&answer.body).is_ok_and(|got| got == due)
}

pub(crate) fn claims() -> Vec<Claim> {
    let scope = "trustless-gateway/#dag-scope-request-query-parameter";
    let file = ["hamt", "shard", "chunked", "chunked_0", "chunked_1", "chunked_2"];
    vec![
        get(scope, "a path through a HAMT has the shards on it", "/ipfs/{hamt}/{entry}?format=car")
            .blocks(&file),
        get(
            scope,
            "block is the root of what the path ends at",
            "/ipfs/{hamt}/{entry}?format=car&dag-scope=block",
        )
        .blocks(&file[..3]),
        get(
            scope,
            "entity of a HAMT is every shard and nothing below",
            "/ipfs/{hamt}?format=car&dag-scope=entity",
        )
        .check("the root and its shards, in order,", is_enumeration),
    ]
}
