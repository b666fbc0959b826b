//! Content at `/ipns/{name}`: what the name's record says, if it is proven.

use crate::claims::{Claim, get, prove};
use crate::fixtures::{INDEX, LETTERS};
use crate::trustless::has_ttl;
use crate::world::world;

const IPNS: &str = "path-gateway/#get-ipns-name-path-params";
const BROKEN: &str = "path-gateway/#500-internal-server-error";

#[test]
fn path_ipns_follows_proven_records_only() {
    let world = world();
    let mut claims = values();
    claims.extend(refusals());
    prove(&world, world.fleet.gateway.http, "path-ipns", &claims);
}

fn values() -> Vec<Claim> {
    let cached = "path-gateway/#cache-control-response-header";
    vec![
        get(IPNS, "a name stands for its value", "/ipns/{k_tree}/letters.txt")
            .body(LETTERS)
            .and_head(),
        get(IPNS, "a value may have a path", "/ipns/{k_docs}/index.html").body(INDEX),
        get(IPNS, "a value may be a name", "/ipns/{k_chain}/letters.txt").body(LETTERS),
        get(IPNS, "a folder behind a name has its index", "/ipns/{k_tree}/docs/").body(INDEX),
        get(
            "path-gateway/#use-in-directory-url-normalization",
            "a folder behind a name has a slash",
            "/ipns/{k_tree}/docs",
        )
        .gives(301)
        .header("location", "/ipns/{k_tree}/docs/"),
        get(
            cached,
            "what a name stands for is kept for its time to live",
            "/ipns/{k_tree}/letters.txt",
        )
        .check("a max-age within the record's", has_ttl)
        .lacks("cache-control", "immutable")
        .header("etag", "\"{letters}\"")
        .revalidates(),
        get(cached, "so is a listing", "/ipns/{k_tree}/")
            .lacks("cache-control", "immutable")
            .revalidates(),
        get(
            "path-gateway/#x-ipfs-path-response-header",
            "the path has the name, the roots have CIDs",
            "/ipns/{k_tree}/docs/",
        )
        .header("x-ipfs-path", "/ipns/{k_tree}/docs/")
        .header("x-ipfs-roots", "{tree},{docs}"),
        get(IPNS, "blocks are at names too", "/ipns/{k_tree}/docs?format=raw").block("docs"),
        get(IPNS, "so are documents", "/ipns/{k_json}")
            .header("content-type", "application/vnd.ipld.dag-json")
            .block("dagjson"),
        get(IPNS, "and their forms", "/ipns/{k_json}?format=dag-json")
            .header("etag", "\"{dagjson}.dag-json\"")
            .block("dagjson"),
        get(IPNS, "an entry that is not there is not found", "/ipns/{k_tree}/missing").gives(404),
    ]
}

/// Which records count, and what is no name of one.
fn refusals() -> Vec<Claim> {
    vec![
        get(IPNS, "the second signature alone is enough", "/ipns/{k_v2}").body(LETTERS),
        get(IPNS, "the first signature does not count", "/ipns/{k_odd_v1}").body(LETTERS),
        get(BROKEN, "the first signature alone is not enough", "/ipns/{k_v1}")
            .gives_between(500, 599)
            .lacks("cache-control", "max-age"),
        get(BROKEN, "a forged second signature proves nothing", "/ipns/{k_forged}")
            .gives_between(500, 599),
        get(BROKEN, "unsigned copies may not differ", "/ipns/{k_mismatch}").gives_between(500, 599),
        get(BROKEN, "a name without a record has no content", "/ipns/{k_silent}")
            .gives_between(500, 599),
        get(
            IPNS,
            "a peer id leads to the name's canonical form",
            "/ipns/{k_tree_peer}/letters.txt",
        )
        .gives_between(301, 302)
        .header("location", "/ipns/{k_tree}/letters.txt"),
        get(
            "path-gateway/#400-bad-request",
            "what is neither key nor domain is the client's mistake",
            "/ipns/{letters}",
        )
        .gives(400),
        get(
            "path-gateway/#accept-request-header",
            "only names have records",
            "/ipfs/{letters}?format=ipns-record",
        )
        .gives(400),
    ]
}
