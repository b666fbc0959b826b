//! Websites by the DNSLinks of their hosts.

use crate::claims::{Claim, get, prove};
use crate::fixtures::{INDEX, LETTERS, SWEET, SWEET_PATH};
use crate::world::world;

const HOST: &str = "dnslink-gateway/#host-request-header";

fn site(section: &'static str, says: &str, name: &str, target: &str) -> Claim {
    get(section, says, target).host(&format!("{name}.sites.test"))
}

#[test]
fn dnslink_serves_what_the_domain_names() {
    let world = world();
    let listing = "path-gateway/#generated-html-with-directory-index";
    let claims = [
        site(HOST, "a site is what its domain names", "tree", "/letters.txt").body(LETTERS).and_head(),
        site(HOST, "names beyond ASCII are found", "tree", &format!("/{SWEET_PATH}")).body(SWEET),
        site(HOST, "a link may have a path", "docs", "/guide.html").block("guide"),
        site(HOST, "and its index", "docs", "/").body(INDEX),
        site(HOST, "a link may name a key", "key", "/letters.txt").body(LETTERS),
        site(HOST, "or a peer id", "peer", "/letters.txt").body(LETTERS),
        site(HOST, "or another domain", "chain", "/letters.txt").body(LETTERS),
        site(HOST, "links in a circle end", "loop", "/").gives_between(400, 599),
        site(HOST, "a domain without a link has no content", "unlinked", "/").gives_between(400, 599),
        site(HOST, "a site has no other content", "docs", "/ipfs/{letters}").gives(404),
        site("path-gateway/#cache-control-response-header", "a site may change", "tree", "/letters.txt")
            .lacks("cache-control", "immutable")
            .header("etag", "\"{letters}\"")
            .revalidates(),
        site("path-gateway/#use-in-directory-url-normalization", "a folder has a slash", "tree", "/bj%C3%B8rk")
            .gives(301)
            .header("location", "/bj%C3%B8rk/"),
        site(listing, "the root has no way up", "tree", "/").text("Index of").no_text("<a href=\"/..\">..</a>").no_text("<a href=\"/\">..</a>"),
        site(listing, "links stay in the site", "tree", "/ipfs/ipns/")
            .has("etag", "\"DirIndex-")
            .text("<a href=\"/ipfs/ipns/..\">..</a>")
            .text("<a href=\"/ipfs/ipns/bar\">bar</a>")
            .text("/ipns/<a href=\"//tree.sites.test/\">tree.sites.test</a>/<a href=\"//tree.sites.test/ipfs\">ipfs</a>/")
            .text("href=\"https://cid.ipfs.tech/#{bar}\""),
        get("path-gateway/#get-ipns-name-path-params", "a domain is a name at paths", "/ipns/tree.sites.test/letters.txt").body(LETTERS),
    ];
    prove(&world, world.fleet.gateway.http, "dnslink", &claims);
}
