//! Trees as tars, with no name that leads out of them.

use harness::Answer;

use crate::archives;
use crate::claims::{get, prove};
use crate::fixtures::{INDEX, LETTERS, SWEET};
use crate::shelf::Shelf;
use crate::world::world;

const TAR: &str = "application/x-tar";

#[test]
fn path_tar_gives_trees_that_stay_inside_of_their_root() {
    let world = world();
    let format = "path-gateway/#format-request-query-parameter";
    let accept = "path-gateway/#accept-request-header";
    let claims = [
        get(format, "a file is a tar of one", "/ipfs/{letters}?format=tar")
            .header("content-type", TAR)
            .check("one file", |shelf, answer| holds(shelf, answer, &[("{letters}", LETTERS)])),
        get(accept, "Accept asks for a tar", "/ipfs/{letters}")
            .accept(TAR)
            .header("content-type", TAR)
            .check("one file", |shelf, answer| holds(shelf, answer, &[("{letters}", LETTERS)])),
        get(format, "a folder is the root of its tar", "/ipfs/{bjork}?format=tar")
            .check("one file", |shelf, answer| {
                holds(shelf, answer, &[("{bjork}/naïve ☕/søt.txt", SWEET)])
            }),
        get(format, "every file of a tree is there", "/ipfs/{tree}?format=tar").check(
            "its files",
            |shelf, answer| {
                let has = |path: &str, content: &str| {
                    let due = (shelf.fill(path), content.as_bytes().to_vec());
                    archives::files(&answer.body).is_ok_and(|files| files.contains(&due))
                };
                has("{tree}/letters.txt", LETTERS) && has("{tree}/docs/index.html", INDEX)
            },
        ),
        get(
            "path-gateway/#etag-response-header",
            "a tar has a weak Etag",
            "/ipfs/{docs}?format=tar",
        )
        .header("etag", "W/\"{docs}.x-tar\"")
        .revalidates(),
        get(
            "path-gateway/#content-disposition-response-header",
            "a tar is saved, not shown",
            "/ipfs/{docs}?format=tar",
        )
        .has("content-disposition", "attachment; filename=\"{docs}.tar\""),
        get(
            "path-gateway/#content-disposition-response-header",
            "filename is said",
            "/ipfs/{docs}?format=tar&filename=s%C3%B8t.tar",
        )
        .has(
            "content-disposition",
            "attachment; filename=\"s_t.tar\"; filename*=UTF-8''s%C3%B8t.tar",
        ),
        get(accept, "a name that leads out of the root is refused", "/ipfs/{outside}?format=tar")
            .gives_between(400, 599),
        get(accept, "a name that stays inside is followed", "/ipfs/{inside}?format=tar")
            .check("one file", |shelf, answer| {
                holds(shelf, answer, &[("{inside}/kept.txt", LETTERS)])
            }),
        get(
            "path-gateway/#406-not-acceptable",
            "only UnixFS has tars",
            "/ipfs/{dagcbor}?format=tar",
        )
        .gives(406),
    ];
    prove(&world, world.fleet.gateway.http, "path-tar", &claims);
}

/// Whether these are all the files of a tar.
fn holds(shelf: &Shelf, answer: &Answer, due: &[(&str, &str)]) -> bool {
    let due = due.iter().map(|(path, content)| (shelf.fill(path), content.as_bytes().to_vec()));
    archives::files(&answer.body).is_ok_and(|files| files == due.collect::<Vec<_>>())
}
