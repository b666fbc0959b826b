//! Content at an origin of its own, and paths that lead there.

use crate::claims::{Claim, get, prove};
use crate::fixtures::{INDEX, LETTERS, SWEET, SWEET_PATH};
use crate::world::{GATEWAY, world};

const HOST: &str = "subdomain-gateway/#host-request-header";
const PATHS: &str = "subdomain-gateway/#use-in-interop-with-path-gateway";
const PROTO: &str = "subdomain-gateway/#x-forwarded-proto-request-header";
const LABELS: &str = "subdomain-gateway/#dns-label-limits";
const TOO_LONG: &str = "CID incompatible with DNS label length limit of 63";

fn gateway(section: &'static str, says: &str, target: &str) -> Claim {
    get(section, says, target).host(GATEWAY)
}

fn origin(section: &'static str, says: &str, id: &str, target: &str) -> Claim {
    get(section, says, target).host(&format!("{id}.{GATEWAY}"))
}

#[test]
fn subdomain_ipfs_gives_each_root_an_origin() {
    let world = world();
    let mut claims = redirects();
    claims.extend(origins());
    claims.extend(listings());
    claims.extend(forwarded());
    prove(&world, world.fleet.gateway.http, "subdomain-ipfs", &claims);
}

fn redirects() -> Vec<Claim> {
    let to = |says: &str, target: &str, location: &str| {
        gateway(PATHS, says, target).gives(301).header("location", location)
    };
    vec![
        to("a path leads to its origin", "/ipfs/{letters}", "http://{letters}.ipfs.gw.test/"),
        to("so does a folder", "/ipfs/{tree}/", "http://{tree}.ipfs.gw.test/"),
        to(
            "the path and the query are kept",
            "/ipfs/{tree}/docs/?own=1",
            "http://{tree}.ipfs.gw.test/docs/?own=1",
        ),
        to(
            "names stay encoded as they are",
            "/ipfs/{tree}/50%2525%20off%20&%20more.txt",
            "http://{tree}.ipfs.gw.test/50%2525%20off%20&%20more.txt",
        ),
        to("CIDv0 becomes CIDv1", "/ipfs/{old}/", "http://{old_v1}.ipfs.gw.test/"),
        gateway(
            "subdomain-gateway/#uri-request-query-parameter",
            "uri leads to its path",
            "/ipfs/?uri=ipfs%3A%2F%2F{tree}%2Fdocs%2Fguide.html",
        )
        .gives(301)
        .header("location", "/ipfs/{tree}/docs/guide.html"),
        gateway(
            "path-gateway/#400-bad-request",
            "a bad CID is explained before any redirect",
            "/ipfs/QmNotACid",
        )
        .gives(400)
        .text("invalid path \"/ipfs/QmNotACid\""),
        gateway(LABELS, "a CID too long for a label is explained", "/ipfs/{long}")
            .gives(400)
            .text(TOO_LONG),
        gateway(
            "subdomain-gateway/#security-considerations",
            "other paths of the gateway hold no content",
            "/letters.txt",
        )
        .gives(404),
    ]
}

fn origins() -> Vec<Claim> {
    let tree = "{tree}.ipfs";
    vec![
        origin(HOST, "a file is at the root of its origin", "{letters}.ipfs", "/")
            .body(LETTERS)
            .and_head(),
        origin(HOST, "a tree is below its origin", tree, "/letters.txt")
            .body(LETTERS)
            .header("x-ipfs-path", "/ipfs/{tree}/letters.txt")
            .header("etag", "\"{letters}\""),
        origin(HOST, "names beyond ASCII are found", tree, &format!("/{SWEET_PATH}")).body(SWEET),
        origin(HOST, "ipfs in a tree is an ordinary name", tree, "/ipfs/file.txt").body(LETTERS),
        origin(HOST, "and ipns below it", tree, "/ipfs/ipns/bar").block("bar"),
        origin(HOST, "an origin has no other content", "{letters}.ipfs", "/ipfs/{letters}/")
            .gives(404),
        origin(HOST, "CIDv0 in a label is told its place", "{old_v1}.ipfs", "/").body(LETTERS),
        origin(HOST, "what is no CID is refused", "nothing.ipfs", "/").gives(400),
        origin(LABELS, "a label that is too long is explained", "{long}.ipfs", "/")
            .gives(400)
            .text(TOO_LONG),
        origin(
            "path-gateway/#use-in-directory-url-normalization",
            "a folder has a slash",
            tree,
            "/docs",
        )
        .gives(301)
        .header("location", "/docs/"),
        origin(
            "path-gateway/#response-payload",
            "index.html stands for its folder",
            tree,
            "/docs/",
        )
        .body(INDEX),
        origin(
            "trustless-gateway/#format-request-query-parameter",
            "forms are asked for as at paths",
            tree,
            "/?format=raw",
        )
        .block("tree"),
    ]
}

fn listings() -> Vec<Claim> {
    let listing = "path-gateway/#generated-html-with-directory-index";
    let tree = "{tree}.ipfs";
    vec![
        origin(listing, "links stay in the origin", tree, "/")
            .text("<a href=\"/letters.txt\">letters.txt</a>")
            .text("<a href=\"/ipfs\">ipfs</a>")
            .no_text("<a href=\"/..\">..</a>")
            .no_text("<a href=\"/\">..</a>"),
        origin(listing, "the way up stays in the origin", tree, "/ipfs/ipns/")
            .text("<a href=\"/ipfs/ipns/..\">..</a>")
            .text("<a href=\"/ipfs/ipns/bar\">bar</a>")
            .text(
                "/ipfs/<a href=\"//gw.test/ipfs/{tree}\">{tree}</a>/<a href=\"//gw.test/ipfs/{tree}/ipfs\">ipfs</a>/\
                 <a href=\"//gw.test/ipfs/{tree}/ipfs/ipns\">ipns</a>",
            )
            .text("href=\"//gw.test/ipfs/{bar}?filename=bar\""),
    ]
}

fn forwarded() -> Vec<Claim> {
    let host = "subdomain-gateway/#x-forwarded-host-request-header";
    let target = "/ipfs/{letters}/";
    let elsewhere = |says: &str| get(host, says, "/ipfs/{letters}").host("elsewhere.test");
    vec![
        gateway(PROTO, "https in front is kept", target)
            .with("X-Forwarded-Proto", "https")
            .gives(301)
            .header("location", "https://{letters}.ipfs.gw.test/"),
        gateway(PROTO, "http in front is kept", target)
            .with("X-Forwarded-Proto", "http")
            .gives(301)
            .header("location", "http://{letters}.ipfs.gw.test/"),
        elsewhere("another host is a path gateway").body(LETTERS),
        elsewhere("the host in front counts")
            .with("X-Forwarded-Host", GATEWAY)
            .gives(301)
            .header("location", "http://{letters}.ipfs.gw.test/"),
        elsewhere("with its protocol")
            .with("X-Forwarded-Host", GATEWAY)
            .with("X-Forwarded-Proto", "https")
            .gives(301)
            .header("location", "https://{letters}.ipfs.gw.test/"),
    ]
}

#[test]
fn subdomain_ipns_gives_each_name_an_origin() {
    let world = world();
    let to = |says: &str, target: &str, location: &str| {
        gateway(PATHS, says, target).gives(301).header("location", location)
    };
    let claims = [
        to("a key leads to its origin", "/ipns/{k_tree}", "http://{k_tree}.ipns.gw.test/"),
        to("a peer id becomes a key", "/ipns/{k_tree_peer}", "http://{k_tree}.ipns.gw.test/"),
        to(
            "a key in base 32 is too long and becomes base 36",
            "/ipns/{k_tree_b32}/docs/",
            "http://{k_tree}.ipns.gw.test/docs/",
        ),
        to(
            "a domain becomes one label",
            "/ipns/our-own.tree.test/docs/",
            "http://our--own-tree-test.ipns.gw.test/docs/",
        ),
        to(
            "so it does behind https",
            "/ipns/our-own.tree.test/docs/",
            "https://our--own-tree-test.ipns.gw.test/docs/",
        )
        .with("X-Forwarded-Proto", "https"),
        gateway(
            "subdomain-gateway/#uri-request-query-parameter",
            "uri leads to its path",
            "/ipns/?uri=ipns%3A%2F%2Four-own.tree.test",
        )
        .gives(301)
        .header("location", "/ipns/our-own.tree.test"),
        origin(HOST, "a name is at its origin", "{k_tree}.ipns", "/letters.txt")
            .body(LETTERS)
            .lacks("cache-control", "immutable"),
        origin(HOST, "a value with a path is at its origin", "{k_docs}.ipns", "/").body(INDEX),
        origin(HOST, "a key of another codec is told its place", "{k_tree_dag_pb}.ipns", "/")
            .gives(301)
            .header("location", "http://{k_tree}.ipns.gw.test/"),
        origin(
            HOST,
            "a domain in one label is at its origin",
            "our--own-tree-test.ipns",
            "/letters.txt",
        )
        .body(LETTERS),
        origin(HOST, "a domain in several labels is too", "our-own.tree.test.ipns", "/letters.txt")
            .body(LETTERS),
        origin(HOST, "a domain may name a key", "key-sites-test.ipns", "/letters.txt")
            .body(LETTERS),
        origin(HOST, "or a peer id", "peer-sites-test.ipns", "/letters.txt").body(LETTERS),
        origin(HOST, "a forged record has no content", "{k_forged}.ipns", "/")
            .gives_between(500, 599),
    ];
    prove(&world, world.fleet.gateway.http, "subdomain-ipns", &claims);
}
