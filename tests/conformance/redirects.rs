//! `_redirects`: what a site says of paths that it does not have.

use crate::claims::{Claim, get, prove};
use crate::sites::{HOME, ONE};
use crate::world::{GATEWAY, world};

const STATUS: &str = "web-redirects-file/#status";
const ERRORS: &str = "web-redirects-file/#error-handling";
const SIZE: &str = "web-redirects-file/#max-file-size";
const QUERY: &str = "web-redirects-file/#query-parameters";
const UNREADABLE: &str = "could not parse _redirects:";

fn at(section: &'static str, says: &str, site: &str, target: &str) -> Claim {
    get(section, says, target).host(&format!("{{{site}}}.ipfs.{GATEWAY}"))
}

fn to(section: &'static str, says: &str, target: &str, status: u16, location: &str) -> Claim {
    at(section, says, "rules", target).gives(status).header("location", location)
}

#[test]
fn redirects_file_is_followed_where_origins_are_apart() {
    let world = world();
    let mut claims = statuses();
    claims.extend(patterns());
    claims.extend(pages());
    claims.extend(files());
    claims.extend(sites());
    prove(&world, world.fleet.gateway.http, "redirects-file", &claims);
}

fn statuses() -> Vec<Claim> {
    vec![
        to(STATUS, "301 is the default", "/plain", 301, "/one.html"),
        to(STATUS, "301 is permanent", "/moved", 301, "/one.html"),
        to(STATUS, "302 is temporary", "/found", 302, "/one.html"),
        to(STATUS, "303 is another", "/other", 303, "/one.html"),
        to(STATUS, "307 keeps the method", "/temporary", 307, "/one.html"),
        to(STATUS, "308 keeps it for good", "/permanent", 308, "/one.html"),
        at(STATUS, "200 shows the other page", "rules", "/shown")
            .body(ONE)
            .header("etag", "\"{rules_one}\"")
            .revalidates(),
    ]
}

fn patterns() -> Vec<Claim> {
    let order = "web-redirects-file/#order";
    let splat = "web-redirects-file/#catch-all-splat";
    vec![
        to(
            "web-redirects-file/#placeholders",
            "placeholders are put anywhere, and twice",
            "/posts/11/21/hello",
            301,
            "/articles/21/11/hello/hello",
        ),
        at(
            "web-redirects-file/#placeholders",
            "a placeholder is one segment",
            "rules",
            "/posts/11/21/hello/more",
        )
        .gives(404),
        to(splat, "a splat is the rest of the path", "/kept/a/b.html", 301, "/splat/a/b.html"),
        to(splat, "other sites are led to", "/elsewhere/a", 302, "https://example.net/a"),
        to(order, "the first rule that fits counts", "/first/rule", 302, "/one.html"),
        to(
            "web-redirects-file/#whitespace-characters",
            "blanks around do not count",
            "/spaced",
            302,
            "/one.html",
        ),
        at("web-redirects-file/#comments", "a comment is no rule", "rules", "/commented")
            .gives(404),
        at(
            "web-redirects-file/#no-forced-redirects",
            "what is there is served",
            "rules",
            "/one.html",
        )
        .body(ONE),
        to(QUERY, "a query is kept", "/plain?own=1", 301, "/one.html?own=1"),
        to(QUERY, "the rule's query is kept", "/search", 301, "/one.html?lang=en&ref=site"),
        at(QUERY, "the user's value wins over the rule's", "rules", "/search?lang=nn")
            .gives(301)
            .has("location", "lang=nn")
            .has("location", "ref=site")
            .lacks("location", "lang=en"),
    ]
}

fn pages() -> Vec<Claim> {
    let page = |says: &str, target: &str, status: u16| {
        let etag = format!("\"{{rules_{status}}}\"");
        let body = format!("our own {status}\n");
        at(STATUS, says, "rules", target).gives(status).body(body).header("etag", &etag)
    };
    vec![
        page("404 has a page", "/lost/any/where", 404),
        page("410 has a page", "/gone/any", 410),
        page("451 has a page", "/banned/any", 451),
        at(STATUS, "a path without a rule is not found", "rules", "/missing").gives(404),
    ]
}

fn files() -> Vec<Claim> {
    let lines = "web-redirects-file/#line-termination";
    vec![
        at(lines, "lines may end as on Windows", "crlf", "/plain")
            .gives(301)
            .header("location", "/one.html"),
        at(lines, "and have their statuses", "crlf", "/found")
            .gives(302)
            .header("location", "/one.html"),
        at(lines, "the last line may have no end", "unended", "/plain")
            .gives(302)
            .header("location", "/one.html"),
        at(ERRORS, "a forced redirect is an error", "forced", "/missing")
            .gives(500)
            .text(UNREADABLE),
        at(ERRORS, "a rule with a status that nobody knows is an error", "odd_code", "/plain")
            .gives(500)
            .text("unsupported redirect status"),
        at(ERRORS, "and spoils no other path", "odd_code", "/missing").gives(404),
        at(
            "web-redirects-file/#placeholders",
            "a placeholder given twice is an error",
            "twice",
            "/missing",
        )
        .gives(500)
        .text(UNREADABLE),
        at(SIZE, "a file over 64 KiB is an error", "too_large", "/plain")
            .gives(500)
            .text(UNREADABLE)
            .text("redirects file size cannot exceed"),
        at(SIZE, "one of 64 KiB is read", "largest", "/plain")
            .gives(301)
            .header("location", "/one.html"),
        at(
            "web-redirects-file/#no-forced-redirects",
            "a file that cannot be read harms nothing that is there",
            "forced",
            "/one.html",
        )
        .body(ONE),
        at(
            "web-redirects-file/#no-forced-redirects",
            "nor does one that is too large",
            "too_large",
            "/",
        )
        .body(HOME),
    ]
}

/// Where rules are asked for, and where not.
fn sites() -> Vec<Claim> {
    let origin = "web-redirects-file/#same-origin-requirement";
    let spa = |claim: Claim| {
        claim.accept("text/html").body(HOME).header("etag", "\"{spa_index}\"").revalidates()
    };
    vec![
        get(origin, "a path gateway has no rules", "/ipfs/{rules}/plain").gives(404),
        get(origin, "a site by DNSLink has rules", "/plain")
            .host("rules.sites.test")
            .gives(301)
            .header("location", "/one.html"),
        get(origin, "its pages may change", "/lost/any")
            .host("rules.sites.test")
            .gives(404)
            .body("our own 404\n")
            .header("etag", "\"{rules_404}\"")
            .lacks("cache-control", "immutable"),
        spa(at(origin, "an app of one page answers every path", "spa", "/any/view")),
        spa(get(origin, "so it does by DNSLink", "/any/view").host("spa.sites.test")),
        spa(get(origin, "and at an origin of its domain", "/any/view")
            .host("spa-sites-test.ipns.gw.test")),
    ]
}
