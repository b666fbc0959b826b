//! Websites with `_redirects`, and the DNSLinks by which some of them are known.

use std::collections::BTreeMap;

use crate::shelf::{Made, Shelf};

/// What every site says on its first page.
pub(crate) const HOME: &str = "<!doctype html><title>home</title>home\n";
/// A page that rules lead to.
pub(crate) const ONE: &str = "<!doctype html><title>one</title>page one\n";

/// Rules of every kind.
const RULES: &str = "# A comment is no rule: /commented /one.html
/plain          /one.html
/moved          /one.html 301
/found          /one.html 302
/other          /one.html 303
/temporary      /one.html 307
/permanent      /one.html 308

/shown          /one.html 200
\t /spaced  \t  /one.html  302  \t
/posts/:month/:day/:slug  /articles/:day/:month/:slug/:slug
/kept/*         /splat/:splat
/search         /one.html?lang=en&ref=site
/elsewhere/*    https://example.net/:splat 302
/first/*        /one.html 302
/first/rule     /two.html 302
/one.html       /two.html 302
/lost/*         /404.html 404
/gone/*         /410.html 410
/banned/*       /451.html 451
";

/// Makes every site.
pub(crate) fn make(shelf: &mut Shelf) {
    site(shelf, "rules", RULES);
    site(shelf, "crlf", &RULES.replace('\n', "\r\n"));
    site(shelf, "unended", "/plain /one.html 302");
    site(shelf, "spa", "/* /index.html 200\n");
    site(shelf, "forced", "/plain /one.html 301!\n");
    site(shelf, "odd_code", "/plain /one.html 418\n");
    site(shelf, "twice", "/a/:x/:x /one.html\n");
    site(shelf, "too_large", &format!("/plain /one.html\n# {}\n", "x".repeat(64 * 1024)));
    let rule = "/plain /one.html\n";
    site(shelf, "largest", &format!("{rule}#{}", "x".repeat(64 * 1024 - rule.len() - 1)));
}

fn site(shelf: &mut Shelf, word: &'static str, rules: &str) -> Made {
    let mut page = |name: &'static str, text: &str| {
        (name, shelf.file(&format!("{word}_{}", name.trim_end_matches(".html")), text.as_bytes()))
    };
    let pages = [
        page("_redirects", rules),
        page("index.html", HOME),
        page("one.html", ONE),
        page("404.html", "our own 404\n"),
        page("410.html", "our own 410\n"),
        page("451.html", "our own 451\n"),
    ];
    shelf.folder(word, &pages)
}

/// The DNSLinks that the gateway is told.
pub(crate) fn links(shelf: &Shelf) -> BTreeMap<&'static str, String> {
    let links = [
        ("tree.sites.test", "/ipfs/{tree}"),
        ("docs.sites.test", "/ipfs/{tree}/docs"),
        ("key.sites.test", "/ipns/{k_tree}"),
        ("peer.sites.test", "/ipns/{k_tree_peer}"),
        ("chain.sites.test", "/ipns/tree.sites.test"),
        ("rules.sites.test", "/ipfs/{rules}"),
        ("spa.sites.test", "/ipfs/{spa}"),
        ("our-own.tree.test", "/ipfs/{tree}"),
        ("loop.sites.test", "/ipns/loop.sites.test"),
    ];
    links.into_iter().map(|(domain, path)| (domain, shelf.fill(path))).collect()
}
