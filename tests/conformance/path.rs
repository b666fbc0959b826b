//! Files and folders at `/ipfs/{cid}`.

use crate::claims::{Claim, get, prove};
use crate::fixtures::{DATA, INDEX, INLINE, LETTERS, SWEET, SWEET_PATH};
use crate::world::world;

const FOREVER: &str = "public, max-age=29030400, immutable";
const LISTED: &str = "public, max-age=604800, stale-while-revalidate=2678400";
const PAYLOAD: &str = "path-gateway/#response-payload";
const CACHED: &str = "path-gateway/#only-if-cached";

#[test]
fn path_unixfs_serves_files_and_folders() {
    let world = world();
    let mut claims = files();
    claims.extend(folders());
    claims.extend(listings());
    claims.extend(names());
    claims.extend(requests());
    prove(&world, world.fleet.gateway.http, "path-unixfs", &claims);
}

fn files() -> Vec<Claim> {
    let file = "/ipfs/{tree}/docs/guide.html";
    vec![
        get(PAYLOAD, "a file is its bytes", "/ipfs/{tree}/letters.txt").body(LETTERS).and_head(),
        get(PAYLOAD, "a file of chunks is whole", "/ipfs/{chunked}")
            .body(crate::fixtures::chunked())
            .and_head(),
        get(PAYLOAD, "a file of CIDv0 is its bytes", "/ipfs/{old}").body(LETTERS),
        get(PAYLOAD, "an identity CID is its own content", "/ipfs/{inline}").body(INLINE),
        get("path-gateway/#etag-response-header", "the Etag is the CID of the file", file)
            .header("etag", "\"{guide}\"")
            .revalidates(),
        get("path-gateway/#cache-control-response-header", "a file never changes", file)
            .header("cache-control", FOREVER),
        get("path-gateway/#x-ipfs-path-response-header", "the path is said", file)
            .header("x-ipfs-path", file),
        get("path-gateway/#x-ipfs-roots-response-header", "the CID of each segment is said", file)
            .header("x-ipfs-roots", "{tree},{docs},{guide}"),
        get(
            "path-gateway/#content-type-response-header",
            "the type follows from the name",
            "/ipfs/{tree}/letters.txt",
        )
        .has("content-type", "text/plain"),
        get("path-gateway/#content-type-response-header", "a page has its type", file)
            .has("content-type", "text/html"),
        get(
            "path-gateway/#content-length-response-header",
            "the length is said",
            "/ipfs/{tree}/letters.txt",
        )
        .header("content-length", "27"),
        get(
            "path-gateway/#content-disposition-response-header",
            "filename is said, in both forms",
            "/ipfs/{letters}?filename=s%C3%B8t.txt",
        )
        .has("content-disposition", "inline; filename=\"s_t.txt\"; filename*=UTF-8''s%C3%B8t.txt"),
        get(
            "path-gateway/#download-request-query-parameter",
            "download=true saves",
            "/ipfs/{letters}?filename=own.txt&download=true",
        )
        .has("content-disposition", "attachment; filename=\"own.txt\""),
    ]
}

fn folders() -> Vec<Claim> {
    let slash = "path-gateway/#use-in-directory-url-normalization";
    vec![
        get(slash, "a folder has a slash", "/ipfs/{tree}/docs")
            .gives(301)
            .header("location", "/ipfs/{tree}/docs/"),
        get(slash, "the query is kept", "/ipfs/{tree}/docs?own=1")
            .gives(301)
            .header("location", "/ipfs/{tree}/docs/?own=1"),
        get(slash, "names stay encoded", "/ipfs/{tree}/bj%C3%B8rk")
            .gives(301)
            .header("location", "/ipfs/{tree}/bj%C3%B8rk/"),
        get(PAYLOAD, "index.html stands for its folder", "/ipfs/{tree}/docs/")
            .body(INDEX)
            .and_head(),
        get(
            "path-gateway/#etag-response-header",
            "with the Etag of the folder",
            "/ipfs/{tree}/docs/",
        )
        .header("etag", "\"{docs}\"")
        .header("cache-control", FOREVER)
        .header("x-ipfs-roots", "{tree},{docs}")
        .header("x-ipfs-path", "/ipfs/{tree}/docs/")
        .revalidates(),
        get(PAYLOAD, "index.html has a path of its own", "/ipfs/{tree}/docs/index.html")
            .header("etag", "\"{index}\"")
            .body(INDEX),
        get(
            "path-gateway/#404-not-found",
            "what is not there is not found",
            "/ipfs/{tree}/missing",
        )
        .gives(404),
        get("path-gateway/#404-not-found", "nor below a file", "/ipfs/{tree}/letters.txt/below")
            .gives(404),
        get(
            "path-gateway/#400-bad-request",
            "what is no CID is the client's mistake",
            "/ipfs/QmNotACid/x",
        )
        .gives(400),
    ]
}

fn listings() -> Vec<Claim> {
    let listing = "path-gateway/#generated-html-with-directory-index";
    let deep = "/ipfs/{tree}/bj%C3%B8rk/na%C3%AFve%20%E2%98%95/";
    vec![
        get(listing, "a folder without index.html is listed", "/ipfs/{tree}/")
            .has("content-type", "text/html")
            .text("Index of")
            .text("<a href=\"/ipfs/{tree}/letters.txt\">letters.txt</a>")
            .text("<a href=\"/ipfs/{tree}/docs\">docs</a>")
            .no_text("<a href=\"/ipfs/{tree}/..\">..</a>")
            .no_text("<a href=\"/ipfs/{tree}/\">..</a>")
            .and_head(),
        get(listing, "a folder below is listed", deep)
            .text("<a href=\"/ipfs/{tree}/bj%C3%B8rk/na%C3%AFve%20%E2%98%95/..\">..</a>")
            .text(&format!("<a href=\"/ipfs/{{tree}}/{SWEET_PATH}\">søt.txt</a>"))
            .text("href=\"/ipfs/{sweet}?filename=s%25C3%25B8t.txt\"")
            .text("/ipfs/<a href=\"/ipfs/{tree}\">{tree}</a>/<a href=\"/ipfs/{tree}/bj%C3%B8rk\">bjørk</a>/"),
        get(listing, "a HAMT is listed", "/ipfs/{hamt}/").text("{entry}"),
        get(listing, "a symbolic link is listed", "/ipfs/{tree}/").text(">link<"),
        get("path-gateway/#etag-response-header", "the Etag of a listing holds the folder's CID", deep)
            .has("etag", "DirIndex-")
            .has("etag", "_CID-{naive}\"")
            .header("x-ipfs-roots", "{tree},{bjork},{naive}")
            .revalidates(),
        get("path-gateway/#cache-control-response-header", "a listing may look different tomorrow", deep)
            .header("cache-control", LISTED),
        get("path-gateway/#format-request-query-parameter", "a folder has a block", "/ipfs/{tree}/docs/?format=raw")
            .header("cache-control", FOREVER)
            .block("docs"),
    ]
}

fn names() -> Vec<Claim> {
    let content = "path-gateway/#traversing-through-unixfs";
    vec![
        get(content, "names beyond ASCII are found", &format!("/ipfs/{{tree}}/{SWEET_PATH}"))
            .body(SWEET),
        get(content, "names are decoded once", "/ipfs/{tree}/50%2525%20off%20&%20more.txt")
            .block("percent"),
        get(content, "and no further", "/ipfs/{tree}/50%25%20off%20&%20more.txt").gives(404),
        get(content, "an entry of a HAMT is found", "/ipfs/{hamt}/{entry}")
            .body(crate::fixtures::chunked()),
        get(content, "and no other", "/ipfs/{hamt}/{entry}.gz").gives(404),
        get(content, "a symbolic link is its target's path", "/ipfs/{tree}/link")
            .body("letters.txt"),
        get(
            "path-gateway/#content-type-response-header",
            "JSON in a file is JSON",
            "/ipfs/{tree}/data.json",
        )
        .accept("application/json")
        .has("content-type", "application/json")
        .body(DATA),
    ]
}

/// What every answer says, and what requests may ask of any answer.
fn requests() -> Vec<Claim> {
    let cross = |claim: Claim| {
        let exposed = ["Content-Range", "Content-Length", "X-Ipfs-Path", "X-Ipfs-Roots"];
        let allowed = ["Content-Type", "Range", "User-Agent", "X-Requested-With"];
        let claim = claim.header("access-control-allow-origin", "*");
        let methods = ["GET", "HEAD", "OPTIONS"];
        let claim =
            methods.iter().fold(claim, |c, name| c.has("access-control-allow-methods", name));
        let claim =
            allowed.iter().fold(claim, |c, name| c.has("access-control-allow-headers", name));
        exposed.iter().fold(claim, |c, name| c.has("access-control-expose-headers", name))
    };
    let worker = "path-gateway/#service-worker-request-header";
    let raw = "/ipfs/{tree}/docs/?format=raw";
    vec![
        cross(get(
            "path-gateway/#response-headers",
            "pages elsewhere may read it",
            "/ipfs/{inline}",
        )),
        cross(
            get("path-gateway/#response-headers", "and may ask whether", "/ipfs/{inline}")
                .method("OPTIONS")
                .gives_between(200, 204),
        ),
        get(worker, "no service worker has a root", "/ipfs/{docs}")
            .with("Service-Worker", "script")
            .gives(400),
        get(worker, "one below a root is served", "/ipfs/{docs}/guide.html")
            .with("Service-Worker", "script"),
        get(CACHED, "what is there is served", raw)
            .with("Cache-Control", "only-if-cached")
            .block("docs")
            .and_head(),
        get(CACHED, "what is not there is not fetched", "/ipfs/{nowhere}")
            .with("Cache-Control", "only-if-cached")
            .gives(412),
        get("path-gateway/#only-if-cached-head-behavior", "nor for HEAD", "/ipfs/{nowhere}")
            .method("HEAD")
            .with("Cache-Control", "only-if-cached")
            .gives(412),
        get(
            "subdomain-gateway/#uri-request-query-parameter",
            "uri leads to its path",
            "/ipfs/?uri=ipfs%3A%2F%2F{letters}%3Fown=1",
        )
        .gives(301)
        .has("location", "/ipfs/{letters}"),
    ]
}
