//! Ranges of files, which need no more blocks than the range does.

use harness::Answer;

use crate::claims::{get, prove};
use crate::fixtures::{CHUNK, LETTERS, chunked, holed};
use crate::shelf::Shelf;
use crate::world::world;

#[test]
fn path_range_serves_the_bytes_that_are_asked_for() {
    let world = world();
    let section = "path-gateway/#range-request-header";
    let file = "/ipfs/{tree}/letters.txt";
    let bytes = LETTERS.as_bytes();
    let ask = |says: &str, range: &str| get(section, says, file).with("Range", range).gives(206);
    let of_chunks = |says: &str, target: &str, range: &str| {
        get(section, says, target).with("Range", range).gives(206)
    };
    let claims = [
        get("path-gateway/#accept-ranges-response-header", "ranges are offered", file)
            .header("accept-ranges", "bytes"),
        ask("a range is its bytes", "bytes=6-16")
            .header("content-range", "bytes 6-16/27")
            .header("content-length", "11")
            .body(&bytes[6..=16]),
        ask("an open range ends with the file", "bytes=20-")
            .header("content-range", "bytes 20-26/27")
            .body(&bytes[20..]),
        ask("a suffix is the end", "bytes=-3")
            .header("content-range", "bytes 24-26/27")
            .body(&bytes[24..]),
        ask("an end behind the file's is the file's", "bytes=20-99")
            .header("content-range", "bytes 20-26/27")
            .body(&bytes[20..]),
        ask("of several ranges at least the first is served", "bytes=6-16,0-4")
            .check("one range or both", has_first_range),
        get(
            "path-gateway/#content-range-response-header",
            "a range behind the end says where that is",
            file,
        )
        .with("Range", "bytes=99-")
        .gives(416)
        .header("content-range", "bytes */27"),
        of_chunks("a range over two chunks is whole", "/ipfs/{chunked}", "bytes=1000-1100")
            .header("content-range", "bytes 1000-1100/3072")
            .body(&chunked()[1000..=1100]),
        of_chunks(
            "a chunk missing after the range does not matter",
            "/ipfs/{holed}",
            "bytes=997-1000",
        )
        .header("content-range", "bytes 997-1000/3072")
        .body(&holed()[997..=1000]),
        of_chunks(
            "a chunk missing before the range does not matter",
            "/ipfs/{holed}",
            "bytes=2200-2201",
        )
        .header("content-range", "bytes 2200-2201/3072")
        .body(&holed()[2200..=2201]),
        of_chunks("nor does it for the last chunk", "/ipfs/{holed}", "bytes=-1024")
            .body(&holed()[2 * CHUNK..]),
        ask("a range of what is still the same is served", "bytes=0-4")
            .with("If-Range", "\"{letters}\"")
            .body(&bytes[..=4]),
        ask("all of what has changed is served", "bytes=0-4")
            .with("If-Range", "\"{docs}\"")
            .gives(200)
            .body(LETTERS),
        ask("a range of a form is served", "bytes=1-2")
            .accept("application/vnd.ipld.raw")
            .body(&bytes[1..=2]),
    ];
    prove(&world, world.fleet.gateway.http, "path-range", &claims);
}

/// The first of two ranges alone, or both as parts.
fn has_first_range(_: &Shelf, answer: &Answer) -> bool {
    let alone = answer.header("content-range") == Some("bytes 6-16/27")
        && answer.body == LETTERS.as_bytes()[6..=16];
    let kind = answer.header("content-type").unwrap_or_default();
    let parts = ["Content-Range: bytes 6-16/27", "Content-Range: bytes 0-4/27", &LETTERS[6..=16]];
    alone
        || kind.starts_with("multipart/byteranges")
            && parts.iter().all(|part| answer.text().contains(part))
}
