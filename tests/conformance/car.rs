//! CARs of the trustless gateway: which blocks, in which order, and how often.

use crate::claims::{Claim, get};
use crate::sharded;
use crate::trustless::prove_both;

const CAR: &str = "application/vnd.ipld.car";

const RESPONSES: &str = "trustless-gateway/#car-responses-application-vnd-ipld-car";
const SCOPE: &str = "trustless-gateway/#dag-scope-request-query-parameter";
const BYTES: &str = "trustless-gateway/#entity-bytes-request-query-parameter";
const DUPS: &str = "trustless-gateway/#car-dups-content-type-parameter";
const ORDER: &str = "trustless-gateway/#car-order-content-type-parameter";

#[test]
fn trustless_car_proves_what_it_gives() {
    let mut claims = paths();
    claims.extend(scopes());
    claims.extend(byte_ranges());
    claims.extend(headers());
    claims.extend(sharded::claims());
    prove_both("trustless-car", &claims);
}

fn paths() -> Vec<Claim> {
    vec![
        get(
            RESPONSES,
            "a path is proven and what it ends at is whole",
            "/ipfs/{tree}/docs/guide.html?format=car",
        )
        .blocks(&["tree", "docs", "guide"]),
        get(
            RESPONSES,
            "names beyond ASCII are followed",
            "/ipfs/{tree}/bj%C3%B8rk/na%C3%AFve%20%E2%98%95?format=car",
        )
        .blocks(&["tree", "bjork", "naive", "sweet"]),
        get(
            RESPONSES,
            "links of dag-cbor are followed",
            "/ipfs/{dagcbor}/file/letters.txt?format=car",
        )
        .blocks(&["dagcbor", "tree", "letters"]),
        get(RESPONSES, "links of dag-json are followed", "/ipfs/{dagjson}/nest/next?format=car")
            .blocks(&["dagjson", "jsonleaf"]),
        get(RESPONSES, "a single block is a CAR of one", "/ipfs/{letters}?format=car")
            .blocks(&["letters"]),
        get(RESPONSES, "a symbolic link is not followed", "/ipfs/{tree}/link?format=car")
            .blocks(&["tree", "link"]),
        get(
            "trustless-gateway/#404-not-found",
            "a path that leads nowhere is not found",
            "/ipfs/{tree}/docs/missing?format=car",
        )
        .gives(404),
        get(
            "trustless-gateway/#404-not-found",
            "a file has nothing below it",
            "/ipfs/{tree}/letters.txt/below?format=car",
        )
        .gives(404),
    ]
}

fn scopes() -> Vec<Claim> {
    let scoped = |says: &str, target: &str, blocks: &[&'static str]| {
        get(SCOPE, says, &format!("/ipfs/{target}")).blocks(blocks)
    };
    vec![
        scoped(
            "block is the folder's own block",
            "{tree}/docs?format=car&dag-scope=block",
            &["tree", "docs"],
        ),
        scoped(
            "block of a file is its root",
            "{tree}/chunked.bin?format=car&dag-scope=block",
            &["tree", "chunked"],
        ),
        scoped(
            "entity of a folder is what lists it",
            "{docs}?format=car&dag-scope=entity",
            &["docs"],
        ),
        scoped(
            "entity of a file is all of it",
            "{tree}/chunked.bin?format=car&dag-scope=entity",
            &["tree", "chunked", "chunked_0", "chunked_1", "chunked_2"],
        ),
        scoped(
            "entity of a symbolic link is the link",
            "{tree}/link?format=car&dag-scope=entity",
            &["tree", "link"],
        ),
        scoped(
            "entity of dag-cbor is its block",
            "{dagcbor}?format=car&dag-scope=entity",
            &["dagcbor"],
        ),
        scoped(
            "entity of dag-json is its block",
            "{dagjson}?format=car&dag-scope=entity",
            &["dagjson"],
        ),
        scoped(
            "all is everything below",
            "{docs}?format=car&dag-scope=all",
            &["docs", "guide", "index"],
        ),
        scoped("all is the default", "{docs}?format=car", &["docs", "guide", "index"]),
        get(
            SCOPE,
            "a scope that nobody knows is refused",
            "/ipfs/{docs}?format=car&dag-scope=most",
        )
        .gives(400),
    ]
}

/// Ranges of a file of three chunks with 1024 bytes each.
fn byte_ranges() -> Vec<Claim> {
    let chunks = |says: &str, range: &str, blocks: &[&'static str]| {
        get(BYTES, says, &format!("/ipfs/{{chunked}}?format=car&entity-bytes={range}"))
            .blocks(blocks)
    };
    let holed = |says: &str, range: &str, blocks: &[&'static str]| {
        get(BYTES, says, &format!("/ipfs/{{holed}}?format=car&entity-bytes={range}")).blocks(blocks)
    };
    let whole = ["chunked", "chunked_0", "chunked_1", "chunked_2"];
    vec![
        chunks("0:* is the whole file", "0:*", &whole),
        chunks("0:0 is the first byte", "0:0", &whole[..2]),
        chunks("0:1023 ends with the first chunk", "0:1023", &whole[..2]),
        chunks("0:1024 begins the second", "0:1024", &whole[..3]),
        chunks("1024:2047 is the second chunk alone", "1024:2047", &["chunked", "chunked_1"]),
        chunks("2048:* is the last chunk", "2048:*", &["chunked", "chunked_2"]),
        chunks("-1:* is the last byte", "-1:*", &["chunked", "chunked_2"]),
        chunks("-1025:-1025 counts from the end", "-1025:-1025", &["chunked", "chunked_1"]),
        chunks("0:-2049 ends in the first chunk", "0:-2049", &whole[..2]),
        chunks("an end behind the file's is the file's", "2048:999999", &["chunked", "chunked_2"]),
        chunks("a start before the file's is the file's", "-999999:*", &whole),
        chunks("such a start keeps to the end", "-999999:-2049", &whole[..2]),
        holed("a chunk missing after the range does not matter", "0:1000", &["holed", "holed_0"]),
        holed(
            "a chunk missing before the range does not matter",
            "2100:2200",
            &["holed", "holed_2"],
        ),
        get(
            BYTES,
            "a folder is listed whatever the bytes",
            "/ipfs/{docs}?format=car&entity-bytes=0:*",
        )
        .blocks(&["docs"]),
        get(
            BYTES,
            "a range outside of the file is refused",
            "/ipfs/{chunked}?format=car&entity-bytes=9999:*",
        )
        .gives(400),
        get(
            BYTES,
            "a range that is none is refused",
            "/ipfs/{chunked}?format=car&entity-bytes=one:two",
        )
        .gives(400),
        get(
            BYTES,
            "bytes go with the scope entity",
            "/ipfs/{tree}/chunked.bin?format=car&dag-scope=entity&entity-bytes=0:9",
        )
        .blocks(&["tree", "chunked", "chunked_0"]),
    ]
}

fn headers() -> Vec<Claim> {
    let format = "trustless-gateway/#format-request-query-parameter";
    vec![
        get(RESPONSES, "all parameters are said", "/ipfs/{tree}?format=car")
            .has("content-type", CAR)
            .has("content-type", "version=1")
            .has("content-type", "order=")
            .has("content-type", "dups=")
            .header("x-content-type-options", "nosniff"),
        get(RESPONSES, "Accept asks for a CAR", "/ipfs/{letters}")
            .accept(CAR)
            .has("content-type", CAR)
            .blocks(&["letters"]),
        get(format, "format=car wins over Accept", "/ipfs/{letters}?format=car")
            .accept("application/vnd.ipld.raw")
            .has("content-type", CAR),
        get(
            "path-gateway/#accept-ranges-response-header",
            "a CAR has no ranges of bytes",
            "/ipfs/{tree}?format=car",
        )
        .header("accept-ranges", "none"),
        get(
            "trustless-gateway/#content-disposition-response-header",
            "a CAR is saved, not shown",
            "/ipfs/{letters}?format=car",
        )
        .has("content-disposition", "attachment; filename=\"{letters}.car\""),
        get(
            "path-gateway/#content-disposition-response-header",
            "filename names the file",
            "/ipfs/{tree}?format=car&filename=own.car",
        )
        .has("content-disposition", "attachment; filename=\"own.car\""),
        get(
            "trustless-gateway/#etag-response-header",
            "an Etag is weak and revalidates",
            "/ipfs/{docs}?format=car",
        )
        .has("etag", "W/\"")
        .revalidates(),
        get(
            "path-gateway/#cache-control-response-header",
            "a CAR of /ipfs/ never changes",
            "/ipfs/{docs}?format=car",
        )
        .has("cache-control", "immutable")
        .header("x-ipfs-path", "/ipfs/{docs}"),
        get(
            "trustless-gateway/#car-version-request-query-parameter",
            "version 1 is asked for by name",
            "/ipfs/{letters}?format=car&car-version=1",
        )
        .blocks(&["letters"]),
        get(
            "trustless-gateway/#car-version-request-query-parameter",
            "other versions are refused",
            "/ipfs/{letters}?format=car&car-version=2",
        )
        .gives_between(400, 406),
    ]
}

#[test]
fn trustless_car_optional_orders_and_repeats_as_asked() {
    let ask = |section: &'static str, says: &str, more: &str, accept: &str| {
        get(section, says, &format!("/ipfs/{{twins}}{more}")).accept(&format!("{CAR}; {accept}"))
    };
    let file = ["chunked", "chunked_0", "chunked_1", "chunked_2"];
    let once = [&["twins"], &file[..], &["letters"]].concat();
    let again = [&["twins"], &file[..], &file[..], &["letters", "letters"]].concat();
    let claims = [
        ask(DUPS, "dups=y repeats what is linked again", "", "version=1; order=dfs; dups=y")
            .has("content-type", "order=dfs")
            .has("content-type", "dups=y")
            .blocks(&again),
        ask(DUPS, "dups=n gives every block once", "", "version=1; order=dfs; dups=n")
            .has("content-type", "order=dfs")
            .has("content-type", "dups=n")
            .blocks(&once),
        ask(ORDER, "order=unk is answered in an order that is said", "", "order=unk")
            .has("content-type", "order="),
        ask(
            "trustless-gateway/#car-format-signaling-in-request",
            "Accept chooses within format=car",
            "?format=car",
            "order=dfs; dups=y",
        )
        .has("content-type", "dups=y")
        .blocks(&again),
        ask(
            "trustless-gateway/#car-order-request-query-parameter",
            "car-order wins over Accept",
            "?format=car&car-order=dfs",
            "order=unk",
        )
        .has("content-type", "order=dfs"),
        ask(
            "trustless-gateway/#car-dups-request-query-parameter",
            "car-dups wins over Accept",
            "?format=car&car-dups=y",
            "dups=n",
        )
        .has("content-type", "dups=y")
        .blocks(&again),
        get(DUPS, "an identity CID is never in a CAR", "/ipfs/{inline}")
            .accept(&format!("{CAR}; dups=y"))
            .has("content-type", "dups=y")
            .blocks(&[]),
    ];
    prove_both("trustless-car-optional", &claims);
}
