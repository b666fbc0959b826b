//! Checks of a site: each fault is found, and what is well is left alone.

use super::*;

const GOOD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\">\
    <meta http-equiv=\"content-security-policy\"><title>t</title><link rel=\"stylesheet\" href=\"style.css\">\
    </head><body><a class=\"skip\" href=\"#main\">s</a><main id=\"main\"><h1>t</h1>MAIN</main></body></html>";

fn site(main: &str) -> Files {
    let page = |main: &str| GOOD.replace("MAIN", main).into_bytes();
    let file = |path: &str, bytes: Vec<u8>| (path.to_owned(), bytes);
    [
        file("index.html", page(main)),
        file("style.css", b"a {}".to_vec()),
        file(
            "a/b.html",
            GOOD.replace("MAIN", "<h2 id=\"x\">x</h2>").replace("style.css", "../style.css").into(),
        ),
    ]
    .into()
}

fn rules(files: &Files) -> Vec<&'static str> {
    check(files).iter().map(|finding| finding.rule).collect()
}

#[test]
fn what_is_well_is_left_alone() {
    let main = "<a href=\"a/b.html#x\">b</a> <a href=\"https://x.example/\">x</a> 127.0.0.1:8080 \
                203.0.113.7 10.0.0.1 2001:db8::1 [::1]:9080 [::]:80 fd00::1 12:30:45 10:30 v0.13.2 1.2.3.4.5 \
                a::b std::fs::File f32::EPSILON crate::dead::beef ::cafe sha256:ab12:: \
                core::num::flt2dec::digits_to_dec_str flt2dec::";
    assert_eq!(check(&site(main)), []);
}

#[test]
fn each_fault_is_found() {
    for (main, rule) in [
        ("<a href=\"none.html\">x</a>", "broken-link"),
        ("<a href=\"../up.html\">x</a>", "broken-link"),
        ("<a href=\"javascript:alert(1)\">x</a>", "broken-link"),
        ("<a href=\"a/b.html#y\">x</a>", "broken-anchor"),
        ("<a href=\"#none\">x</a>", "broken-anchor"),
        ("<img src=\"https://x.example/a.png\" alt=\"\">", "external"),
        ("<script src=\"none.js\"></script>", "external"),
        ("<h3 id=\"y\">y</h3>", "headings"),
        ("<h1>again</h1>", "headings"),
        ("<p id=\"main\"></p>", "ids"),
        ("{{nav}}", "slot"),
        ("198.18.0.77:1", "client-data"),
        ("8.8.4.4", "client-data"),
        ("2a00:1450:4001:80b::200e", "client-data"),
        ("2a00:1450:4001::", "client-data"),
        ("2a00:1450:4001::/48.", "client-data"),
        ("2a00::1", "client-data"),
        ("2a00::1: refused", "client-data"),
        ("[2a00::1]:443", "client-data"),
        ("at:2a00::1:", "client-data"),
        ("/ip6/2a00::1/tcp/1", "client-data"),
        ("2001:4860:4860::8888", "client-data"),
        ("::ffff:198.18.0.1", "client-data"),
        ("::ffff:198.18.0.1:8080", "client-data"),
        ("at 198.18.0.1:", "client-data"),
        ("at 198.18.0.1.", "client-data"),
        ("fd12:3456::1", "client-data"),
    ] {
        assert_eq!(rules(&site(main)), [rule], "{main}");
    }
}

#[test]
fn a_page_that_is_cut_or_too_large_is_found() {
    let mut files = site("");
    let page = files.get_mut("index.html").expect("it is there");
    page.truncate(page.len() - 3);
    assert_eq!(rules(&files), ["cut"]);
    assert_eq!(rules(&site(&"x".repeat(PAGE_BYTES_MAX))), ["page-size"]);
    let mut files = site("");
    files.insert("style.css".to_owned(), vec![b' '; PAGE_BYTES_MAX]);
    assert_eq!(rules(&files), ["page-size", "page-size"], "what is loaded counts");
}

#[test]
fn where_figures_are_nobody_is_named() {
    for text in ["10.1.2.3", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"] {
        assert_eq!(rules(&site(text)), [""; 0], "{text} is an example elsewhere");
        let mut files = site("");
        files.insert("metrics.json".to_owned(), format!("[\"{text}\"]").into_bytes());
        assert_eq!(rules(&files), ["client-data"], "{text}");
    }
}

#[test]
fn pages_of_profiles_name_no_address() {
    for text in ["10.1.2.3", "fe80::1", "fd00::1", "::ffff:10.1.2.3"] {
        let mut files = site("");
        let page = GOOD.replace("MAIN", text).replace("style.css", "../../style.css");
        files.insert("profiles/sets/a.html".to_owned(), page.into_bytes());
        assert_eq!(rules(&files), ["client-data"], "{text}");
    }
}
