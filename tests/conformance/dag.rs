//! Blocks and structured data at paths: each codec as it is, and none made of another.

use crate::claims::{Claim, get, prove};
use crate::documents::PLAIN_JSON;
use crate::fixtures::{DATA, LETTERS};
use crate::world::world;

const FORMAT: &str = "path-gateway/#format-request-query-parameter";
const ACCEPT: &str = "path-gateway/#accept-request-header";
const TYPE: &str = "path-gateway/#content-type-response-header";
const SAVED: &str = "path-gateway/#content-disposition-response-header";
const FOREVER: &str = "public, max-age=29030400, immutable";
const LINKS: &str = "path-gateway/#traversing-through-dag-json-and-dag-cbor";
const REFUSED: &str = "path-gateway/#406-not-acceptable";

/// Of each codec: its name, its block, the leaf below it, and whether browsers are to save it.
const CODECS: [(&str, &str, &str, &str); 2] =
    [("json", "dagjson", "jsonleaf", "inline"), ("cbor", "dagcbor", "cborleaf", "attachment")];

#[test]
fn path_dag_serves_documents_as_they_are() {
    let world = world();
    let mut claims = refused();
    claims.extend(plain());
    for (codec, root, leaf, shown) in CODECS {
        claims.extend(as_they_are(codec, root, shown));
        claims.extend(links(codec, root, leaf));
        claims.extend(views(codec, root, shown));
    }
    prove(&world, world.fleet.gateway.http, "path-dag", &claims);
}

fn as_they_are(codec: &str, root: &'static str, shown: &str) -> Vec<Claim> {
    let own = format!("application/vnd.ipld.dag-{codec}");
    let plain = format!("application/{codec}");
    let at = |query: &str| format!("/ipfs/{{{root}}}{query}");
    vec![
        get(TYPE, format!("dag-{codec} is itself without being asked for"), &at(""))
            .header("content-type", &own)
            .block(root)
            .and_head(),
        get(
            FORMAT,
            format!("format=dag-{codec} is the block"),
            &at(&format!("?format=dag-{codec}")),
        )
        .header("content-type", &own)
        .block(root)
        .and_head(),
        get(ACCEPT, format!("Accept of dag-{codec} is the block"), &at(""))
            .accept(&own)
            .header("content-type", &own)
            .block(root),
        get(
            FORMAT,
            format!("format={codec} is the block with the plain type"),
            &at(&format!("?format={codec}")),
        )
        .header("content-type", &plain)
        .block(root),
        get(ACCEPT, format!("Accept of {codec} is the same"), &at(""))
            .accept(&plain)
            .header("content-type", &plain)
            .block(root),
        get(FORMAT, "format=raw is the block as well", &at("?format=raw"))
            .header("content-type", "application/vnd.ipld.raw")
            .block(root),
        get(SAVED, "browsers show text and save bytes", &at(&format!("?format=dag-{codec}")))
            .has("content-disposition", &format!("{shown}; filename=\"{{{root}}}.{codec}\"")),
    ]
}

fn links(codec: &str, root: &'static str, leaf: &'static str) -> Vec<Claim> {
    let other = if codec == "json" { "cborleaf" } else { "jsonleaf" };
    let at = |below: &str| format!("/ipfs/{{{root}}}/{below}");
    let of = |says: &str| format!("dag-{codec}: {says}");
    vec![
        get(LINKS, of("a path of fields leads to a link"), &at("nest/next"))
            .block(leaf)
            .header("x-ipfs-roots", &format!("{{{root}}},{{{leaf}}}")),
        get(LINKS, of("a link leads to the other codec"), &at("next")).block(other),
        get(LINKS, of("and on through it"), &at("file/letters.txt")).body(LETTERS),
        get(LINKS, of("and to a folder"), &at("file/docs/")).has("content-type", "text/html"),
        get("path-gateway/#404-not-found", of("a field that is not there"), &at("missing"))
            .gives(404),
        get("path-gateway/#404-not-found", of("nor below a link"), &at("nest/next/missing"))
            .gives(404),
        get(
            "path-gateway/#handling-traversal-errors",
            of("a part of a block is no answer"),
            &at(&format!("nest?format=dag-{codec}")),
        )
        .gives(501),
    ]
}

fn views(codec: &str, root: &'static str, shown: &str) -> Vec<Claim> {
    let at = |query: &str| format!("/ipfs/{{{root}}}{query}");
    vec![
        get(
            "path-gateway/#etag-response-header",
            format!("the Etag of dag-{codec} names the form"),
            &at(&format!("?format=dag-{codec}")),
        )
        .header("etag", &format!("\"{{{root}}}.dag-{codec}\""))
        .header("cache-control", FOREVER)
        .revalidates(),
        get(SAVED, "filename is said", &at(&format!("?format=dag-{codec}&filename=own.{codec}")))
            .has("content-disposition", &format!("{shown}; filename=\"own.{codec}\"")),
        get(
            "path-gateway/#download-request-query-parameter",
            "download=true saves",
            &at(&format!("?format=dag-{codec}&filename=own.{codec}&download=true")),
        )
        .has("content-disposition", &format!("attachment; filename=\"own.{codec}\"")),
        get("path-gateway/#range-request-header", "a range is its bytes", &at(""))
            .with("Range", "bytes=0-0")
            .gives(206)
            .header("content-length", "1"),
        get(ACCEPT, format!("a browser is shown dag-{codec} as a page"), &at("/"))
            .accept("text/html")
            .has("content-type", "text/html")
            .has("etag", "DagIndex-")
            .has("etag", &format!("{{{root}}}"))
            .lacks("cache-control", "immutable")
            .text("</html>")
            .revalidates(),
        get(
            "path-gateway/#content-location-response-header",
            "Content-Location says what Accept chose",
            &at(""),
        )
        .accept(&format!("application/vnd.ipld.dag-{codec}"))
        .header("content-location", &at(&format!("?format=dag-{codec}"))),
    ]
}

fn refused() -> Vec<Claim> {
    let pairs = [
        ("letters", "dag-json"),
        ("letters", "dag-cbor"),
        ("docs", "dag-json"),
        ("dagjson", "dag-cbor"),
        ("dagcbor", "dag-json"),
        ("dagjson", "cbor"),
        ("dagcbor", "json"),
        ("json", "cbor"),
        ("cbor", "json"),
    ];
    let mut claims: Vec<Claim> = pairs
        .iter()
        .map(|(word, format)| {
            let target = format!("/ipfs/{{{word}}}?format={format}");
            get(REFUSED, format!("{word} is not made into {format}"), &target).gives(406)
        })
        .collect();
    claims.extend([
        get(REFUSED, "nor when Accept asks", "/ipfs/{dagcbor}")
            .accept("application/vnd.ipld.dag-json")
            .gives(406),
        get(
            "path-gateway/#412-precondition-failed",
            "what is not there is not fetched",
            "/ipfs/{nowhere}?format=dag-json",
        )
        .with("Cache-Control", "only-if-cached")
        .gives(412),
    ]);
    claims
}

fn plain() -> Vec<Claim> {
    let json = "application/json";
    vec![
        get(TYPE, "plain JSON is itself", "/ipfs/{json}")
            .header("content-type", json)
            .body(PLAIN_JSON)
            .and_head(),
        get(FORMAT, "format=json is plain JSON", "/ipfs/{json}?format=json")
            .header("content-type", json)
            .body(PLAIN_JSON),
        get(SAVED, "plain JSON is shown", "/ipfs/{json}")
            .has("content-disposition", "inline; filename=\"{json}.json\""),
        get(TYPE, "plain CBOR is itself", "/ipfs/{cbor}")
            .header("content-type", "application/cbor")
            .block("cbor")
            .and_head(),
        get(ACCEPT, "Accept of CBOR is plain CBOR", "/ipfs/{cbor}")
            .accept("application/cbor")
            .header("content-type", "application/cbor")
            .block("cbor"),
        get(SAVED, "plain CBOR is saved", "/ipfs/{cbor}")
            .has("content-disposition", "attachment; filename=\"{cbor}.cbor\""),
        get("path-gateway/#range-request-header", "a range of JSON is its bytes", "/ipfs/{json}")
            .with("Range", "bytes=2-6")
            .gives(206)
            .body(&PLAIN_JSON.as_bytes()[2..=6]),
        get(ACCEPT, "JSON in a file is JSON", "/ipfs/{data}")
            .accept(json)
            .has("content-type", json)
            .body(DATA),
        get(FORMAT, "and format=json wins over Accept", "/ipfs/{data}?format=json")
            .accept("application/vnd.ipld.raw")
            .has("content-type", json)
            .body(DATA),
    ]
}

#[test]
fn path_raw_serves_blocks_at_paths() {
    let world = world();
    let raw = "application/vnd.ipld.raw";
    let file = "/ipfs/{tree}/letters.txt?format=raw";
    let claims = [
        get(FORMAT, "format=raw is the block at the path", "/ipfs/{tree}/docs?format=raw")
            .block("docs")
            .and_head(),
        get(ACCEPT, "Accept asks for the block at the path", "/ipfs/{tree}/docs")
            .accept(raw)
            .block("docs"),
        get("path-gateway/#range-request-header", "a range of it is its bytes", file)
            .with("Range", "bytes=6-16")
            .gives(206)
            .header("content-type", raw)
            .header("content-range", "bytes 6-16/27")
            .body(&LETTERS.as_bytes()[6..=16]),
        get(TYPE, "types and lengths are exact", file)
            .header("content-type", raw)
            .header("content-length", "27")
            .header("x-content-type-options", "nosniff")
            .has("content-disposition", "attachment;"),
        get(SAVED, "filename is said", "/ipfs/{tree}/letters.txt?format=raw&filename=own.bin")
            .has("content-disposition", "attachment; filename=\"own.bin\""),
        get("path-gateway/#etag-response-header", "the Etag is of the block at the end", file)
            .header("etag", "\"{letters}.raw\"")
            .header("cache-control", FOREVER)
            .header("x-ipfs-path", "/ipfs/{tree}/letters.txt")
            .header("x-ipfs-roots", "{tree},{letters}")
            .revalidates(),
    ];
    prove(&world, world.fleet.gateway.http, "path-raw", &claims);
}
