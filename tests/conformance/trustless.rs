//! The trustless gateway: blocks and records, which clients verify. A node alone keeps these rules too.

use harness::Answer;
use ipfs::ipns::{Name, Record};

use crate::claims::{Claim, get, prove};
use crate::fixtures::LETTERS;
use crate::records::{RECORD_TYPE, TTL};
use crate::shelf::Shelf;
use crate::world::{GATEWAY, TRUSTLESS, world};

const RAW: &str = "application/vnd.ipld.raw";
const FOREVER: &str = "public, max-age=29030400, immutable";

const BLOCKS: &str = "trustless-gateway/#block-responses-application-vnd-ipld-raw";
const FORMAT: &str = "trustless-gateway/#format-request-query-parameter";
const IPNS: &str = "trustless-gateway/#ipns-record-responses-application-vnd-ipfs-ipns-record";

/// Proves claims of the gateway and of a node alone.
#[track_caller]
pub(crate) fn prove_both(preset: &str, claims: &[Claim]) {
    let world = world();
    prove(&world, world.fleet.gateway.http, preset, claims);
    prove(&world, world.fleet.nodes[0].http, &format!("{preset} of a node"), claims);
}

#[test]
fn trustless_block_gives_blocks_as_they_are() {
    let mut claims = blocks();
    claims.extend(probes());
    claims.extend(ranges());
    prove_both("trustless-block", &claims);
}

fn blocks() -> Vec<Claim> {
    let length = LETTERS.len().to_string();
    vec![
        get(FORMAT, "format=raw is a raw block", "/ipfs/{tree}?format=raw").block("tree"),
        get(BLOCKS, "Accept asks for a raw block", "/ipfs/{tree}").accept(RAW).block("tree"),
        get(BLOCKS, "a block of structured data is not converted", "/ipfs/{dagcbor}?format=raw")
            .block("dagcbor"),
        get(BLOCKS, "a block of CIDv0 is the same block", "/ipfs/{old}?format=raw").block("old"),
        get(FORMAT, "format=raw wins over Accept", "/ipfs/{letters}?format=raw")
            .accept("application/vnd.ipld.car")
            .header("content-type", RAW)
            .block("letters"),
        get(
            "trustless-gateway/#content-type-response-header",
            "types and lengths are exact",
            "/ipfs/{letters}?format=raw",
        )
        .header("content-type", RAW)
        .header("content-length", &length)
        .header("x-content-type-options", "nosniff")
        .and_head(),
        get(
            "trustless-gateway/#content-disposition-response-header",
            "a block is saved, not shown",
            "/ipfs/{letters}?format=raw",
        )
        .has("content-disposition", "attachment; filename=\"{letters}.bin\""),
        get(
            "path-gateway/#content-disposition-response-header",
            "filename names the file",
            "/ipfs/{letters}?format=raw&filename=own.bin",
        )
        .has("content-disposition", "attachment; filename=\"own.bin\""),
        get(
            "trustless-gateway/#etag-response-header",
            "the Etag is the CID and the form",
            "/ipfs/{letters}?format=raw",
        )
        .header("etag", "\"{letters}.raw\"")
        .revalidates(),
        get(
            "path-gateway/#cache-control-response-header",
            "a block never changes",
            "/ipfs/{letters}?format=raw",
        )
        .header("cache-control", FOREVER)
        .header("x-ipfs-path", "/ipfs/{letters}")
        .has("x-ipfs-roots", "{letters}"),
        get(
            "trustless-gateway/#content-location-response-header",
            "Content-Location says what Accept chose",
            "/ipfs/{letters}",
        )
        .accept(RAW)
        .header("content-location", "/ipfs/{letters}?format=raw")
        .has("vary", "ccept"),
    ]
}

fn probes() -> Vec<Claim> {
    let probe = "trustless-gateway/#get-ipfs-bafkqaaa";
    let cached = "trustless-gateway/#cache-control-only-if-cached-request-header";
    vec![
        get(probe, "the empty block is always there", "/ipfs/bafkqaaa?format=raw")
            .body("")
            .and_head(),
        get(probe, "the empty block is there by Accept", "/ipfs/bafkqaaa").accept(RAW).body(""),
        get(BLOCKS, "an identity CID is its own block", "/ipfs/{inline}?format=raw")
            .body(crate::fixtures::INLINE),
        get(cached, "what is not there is not fetched", "/ipfs/{nowhere}?format=raw")
            .with("Cache-Control", "only-if-cached")
            .gives(412),
        get(cached, "what is not there is not fetched for HEAD", "/ipfs/{nowhere}?format=raw")
            .method("HEAD")
            .with("Cache-Control", "only-if-cached")
            .gives(412),
        get(cached, "what is there is served", "/ipfs/{letters}?format=raw")
            .with("Cache-Control", "only-if-cached")
            .block("letters"),
        get(
            "path-gateway/#400-bad-request",
            "what is no CID is the client's mistake",
            "/ipfs/QmNotACid?format=raw",
        )
        .gives(400),
    ]
}

fn ranges() -> Vec<Claim> {
    let section = "path-gateway/#range-request-header";
    vec![
        get(section, "a range of a block is its bytes", "/ipfs/{letters}?format=raw")
            .with("Range", "bytes=6-16")
            .gives(206)
            .header("content-type", RAW)
            .header("content-range", "bytes 6-16/27")
            .body(&LETTERS.as_bytes()[6..=16]),
        get(section, "a suffix of a block is its end", "/ipfs/{letters}?format=raw")
            .with("Range", "bytes=-3")
            .gives(206)
            .header("content-range", "bytes 24-26/27")
            .body(&LETTERS.as_bytes()[24..]),
    ]
}

#[test]
fn trustless_hosts_give_nothing_that_has_to_be_believed() {
    let world = world();
    let section = "trustless-gateway/#accept-request-header";
    let claims = [
        get(section, "a file as such is refused", "/ipfs/{letters}")
            .host(TRUSTLESS)
            .gives_between(400, 406),
        get(section, "a folder as such is refused", "/ipfs/{tree}/")
            .host(TRUSTLESS)
            .gives_between(400, 406),
        get(section, "a tar is refused", "/ipfs/{tree}?format=tar")
            .host(TRUSTLESS)
            .gives_between(400, 406),
        get(section, "a block is served", "/ipfs/{letters}")
            .host(TRUSTLESS)
            .accept(RAW)
            .block("letters"),
        get(FORMAT, "a CAR is served", "/ipfs/{letters}?format=car")
            .host(TRUSTLESS)
            .blocks(&["letters"]),
        get(IPNS, "a record is served", "/ipns/{k_tree}?format=ipns-record")
            .host(TRUSTLESS)
            .check("the record", is_tree_record),
    ];
    prove(&world, world.fleet.gateway.http, "trustless hosts", &claims);
}

#[test]
fn trustless_ipns_gives_records_as_they_were_signed() {
    let saved = "trustless-gateway/#content-disposition-response-header";
    let claims = [
        get(IPNS, "format=ipns-record is the record", "/ipns/{k_tree}?format=ipns-record")
            .header("content-type", RECORD_TYPE)
            .check("the record", is_tree_record)
            .and_head(),
        get(IPNS, "Accept asks for the record", "/ipns/{k_tree}")
            .accept(RECORD_TYPE)
            .header("content-type", RECORD_TYPE)
            .check("the record", is_tree_record),
        get(
            IPNS,
            "a record of the second signature alone is served",
            "/ipns/{k_v2}?format=ipns-record",
        )
        .header("content-type", RECORD_TYPE)
        .check("the record", |shelf, answer| answer.body == shelf.record("k_v2").bytes),
        get(
            IPNS,
            "every spelling of a name leads to its record",
            "/ipns/{k_tree_b32}?format=ipns-record",
        )
        .check("the record", is_tree_record),
        get(
            "path-gateway/#cache-control-response-header",
            "a record is kept for its time to live",
            "/ipns/{k_tree}?format=ipns-record",
        )
        .check("a max-age within the record's", has_ttl),
        get(saved, "a record is saved, not shown", "/ipns/{k_tree}?format=ipns-record")
            .has("content-disposition", "attachment; filename=\"{k_tree}.ipns-record\"")
            .header("x-content-type-options", "nosniff"),
        get(
            saved,
            "names beyond ASCII have two forms",
            "/ipns/{k_tree}?format=ipns-record&filename=s%C3%B8t.ipns-record",
        )
        .has(
            "content-disposition",
            "attachment; filename=\"s_t.ipns-record\"; filename*=UTF-8''s%C3%B8t.ipns-record",
        ),
        get(
            "path-gateway/#accept-request-header",
            "a record has no paths below it",
            "/ipns/{k_tree}/docs?format=ipns-record",
        )
        .gives(400),
        get(
            "path-gateway/#400-bad-request",
            "what is no key has no record",
            "/ipns/{letters}?format=ipns-record",
        )
        .gives(400),
    ];
    prove_both("trustless-ipns", &claims);
}

fn is_tree_record(shelf: &Shelf, answer: &Answer) -> bool {
    let name = Name::parse(shelf.word("k_tree")).expect("our own name");
    let is_proven = Record::verify(&name, &answer.body)
        .is_ok_and(|record| record.value() == format!("/ipfs/{}", shelf.word("tree")));
    is_proven && answer.body == shelf.record("k_tree").bytes
}

/// Whether an answer may be kept, but no longer than a record's time to live.
pub(crate) fn has_ttl(_: &Shelf, answer: &Answer) -> bool {
    let said =
        answer.header("cache-control").and_then(|said| said.strip_prefix("public, max-age="));
    let seconds = said.and_then(|said| said.split(',').next()).and_then(|text| text.parse().ok());
    seconds.is_some_and(|seconds: u64| (1..=TTL).contains(&seconds))
}

#[test]
fn subdomain_gateways_send_trustless_requests_on() {
    let world = world();
    let section = "subdomain-gateway/#use-in-interop-with-path-gateway";
    let claims = [get(section, "the form that was asked for is kept", "/ipfs/{tree}?format=raw")
        .host(GATEWAY)
        .gives(301)
        .header("location", "http://{tree}.ipfs.gw.test/?format=raw")];
    prove(&world, world.fleet.gateway.http, "subdomain-ipfs", &claims);
}
