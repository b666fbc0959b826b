//! Claims about the rules of websites.

use proptest::prelude::*;

use super::*;

const EXAMPLES: &str = "\
/redirect-one /one.html
/301-redirect-one /one.html 301
/302-redirect-two /two.html 302
/200-index /index.html 200
/posts/:year/:month/:day/:title /articles/:year/:month/:day/:title 301
/splat/* /redirected-splat/:splat 301
/not-found/* /404.html 404
/gone/* /410.html 410
/unavail/* /451.html 451
/* /index.html 200
";

fn find(file: &str, path: &str) -> Option<Result<(String, u16), RedirectsError>> {
    let rules = Redirects::parse(file.as_bytes()).expect("a sound file");
    rules.find(path).map(|hit| hit.map(|hit| (hit.to, hit.status)))
}

fn hit(file: &str, path: &str) -> (String, u16) {
    find(file, path).expect("a rule").expect("a rule that can be served")
}

fn refused(file: &str) -> String {
    Redirects::parse(file.as_bytes()).expect_err("not a sound file").to_string()
}

#[test]
fn first_rule_that_fits_wins() {
    for (path, to, status) in [
        ("/redirect-one", "/one.html", 301),
        ("/301-redirect-one", "/one.html", 301),
        ("/302-redirect-two", "/two.html", 302),
        ("/200-index", "/index.html", 200),
        ("/posts/2022/01/01/hello-world", "/articles/2022/01/01/hello-world", 301),
        ("/splat/one.html", "/redirected-splat/one.html", 301),
        ("/splat/a/b/c", "/redirected-splat/a/b/c", 301),
        ("/not-found/has-no-redirects-entry", "/404.html", 404),
        ("/gone/has-no-redirects-entry", "/410.html", 410),
        ("/unavail/has-no-redirects-entry", "/451.html", 451),
        ("/catch-all", "/index.html", 200),
        ("/posts/2022/01/01", "/index.html", 200),
        ("/", "/index.html", 200),
    ] {
        assert_eq!(hit(EXAMPLES, path), (to.to_owned(), status), "{path}");
    }
}

#[test]
fn path_without_a_rule_is_left_alone() {
    assert_eq!(find("/a /b", "/c"), None);
    assert_eq!(find("/a/* /b", "/a"), None);
    assert_eq!(find("/a/:x /b", "/a/"), None);
    assert_eq!(find("", "/a"), None);
    assert_eq!(hit("/a/ /b", "/a").0, "/b");
    assert_eq!(hit("/a /b", "/a/").0, "/b");
    assert_eq!(hit("/a* /b/:splat", "/abc/d").0, "/b/bc/d");
}

#[test]
fn lines_may_end_in_either_way_and_hold_comments() {
    let file = "\u{feff}# a comment\r\n\r\n  /a\t/b   302  \r\n\t# another\n/c /d";
    assert_eq!(hit(file, "/a"), ("/b".to_owned(), 302));
    assert_eq!(hit(file, "/c"), ("/d".to_owned(), 301));
}

#[test]
fn syntax_spoils_the_whole_file() {
    for (file, why) in [
        ("/a /b 301!", "not a number"),
        ("/ok /b\n/a", "line 2: a rule without a target"),
        ("/a /b 301 c", "from to [status]"),
        ("a /b", "does not start with a slash"),
        ("/:x/:x /b", "placeholder twice"),
        ("/:splat/* /b", "placeholder twice"),
        ("/: /b", "without a name"),
        ("/*/a /b", "asterisk"),
        ("/a** /b", "asterisk"),
        ("/:a* /b", "asterisk"),
        ("/%ff /b", "not UTF-8"),
    ] {
        let text = refused(file);
        assert!(text.starts_with("could not parse _redirects: "), "{text}");
        assert!(text.contains(why), "{file}: {text}");
    }
    let many: String = (0..40).map(|nth| format!("/:p{nth}")).collect();
    assert!(refused(&format!("{many} /b")).contains("too many"));
    assert_eq!(Redirects::parse(b"/a /\xff").err(), Some(RedirectsError::NotUtf8));
}

#[test]
fn file_has_at_most_64_kib() {
    let mut file = "/from /to 301\n".repeat(5000).into_bytes();
    file.truncate(FILE_BYTES_MAX + 1);
    let text = Redirects::parse(&file).expect_err("too large").to_string();
    assert!(text.contains("could not parse _redirects:"));
    assert!(text.contains("redirects file size cannot exceed"));
    let line = "/from /to 301 \n";
    let mut file = line.repeat(FILE_BYTES_MAX / line.len());
    file.push_str(&"\n".repeat(FILE_BYTES_MAX - file.len()));
    assert!(Redirects::parse(file.as_bytes()).is_ok());
}

#[test]
fn rule_that_cannot_be_served_spoils_only_its_own_requests() {
    let file = "/a /b 999\n/c ftp://x/\n/d https://x/ 200\n/e/:x https://:x.org/\n/f/* https://a:splat\n/ok /b";
    assert_eq!(find(file, "/a"), Some(Err(RedirectsError::Status { line: 1, status: 999 })),);
    for path in ["/c", "/d", "/e/evil", "/f/@evil.org"] {
        let found = find(file, path).expect("a rule");
        assert!(matches!(found, Err(RedirectsError::Target { .. })), "{path}");
    }
    assert_eq!(hit(file, "/ok").0, "/b");
}

#[test]
fn target_may_use_a_placeholder_often_and_unknown_ones_stay() {
    let file = "/:a/:ab /:ab/:a/:ab/:c:a";
    assert_eq!(hit(file, "/1/2").0, "/2/1/2/:c1");
    assert_eq!(hit("/a https://x.org:8080/y", "/a").0, "https://x.org:8080/y");
    assert_eq!(hit("/a/* https://x.org/t/:splat", "/a/b/c").0, "https://x.org/t/b/c");
    assert_eq!(hit("/a/* https://x.org:80?q=:splat", "/a/b").0, "https://x.org:80?q=b");
}

#[test]
fn what_a_visitor_writes_stays_in_its_place() {
    for (file, path, to) in [
        ("/* /:splat", "//evil.org", "/evil.org"),
        ("/* /:splat", "/\\evil.org", "/%5Cevil.org"),
        ("/* /:splat/evil.org", "/", "/evil.org"),
        ("/* /:splat/:splat//evil.org", "/", "/evil.org"),
        ("/* /:splat/index.html", "/a", "/a/index.html"),
        ("/* /:splat", "/a\r\nSet-Cookie: b", "/a%0D%0ASet-Cookie:%20b"),
        ("/* /x?q=:splat&y=1", "/a&y=2#c/ü", "/x?q=a%26y%3D2%23c%2F%C3%BC&y=1"),
        ("/* https://x.org#:splat", "/\\b", "https://x.org#%5Cb"),
        ("/* /x#:splat", "/a b", "/x#a%20b"),
        ("/a//evil.org/* //evil.org/:splat", "/a//evil.org/b", "/evil.org/b"),
        ("/a/* https://x.org/:splat", "/a//evil.org", "https://x.org//evil.org"),
        ("/caf%C3%A9/* /é/:splat", "/café/%2e", "/%C3%A9/%252e"),
    ] {
        assert_eq!(hit(file, path).0, to, "{file} {path}");
    }
}

#[test]
fn target_is_bounded_whatever_fills_it() {
    let file = format!("/* /{}", ":splat/".repeat(9000));
    let path = format!("/{}", "x".repeat(8000));
    let found = find(&file, &path).expect("a rule");
    assert_eq!(found, Err(RedirectsError::Target { line: 1, why: "the target is too long" }));
}

#[test]
fn query_of_the_visitor_wins() {
    let merged = |to, query| merge_query(to, Some(query));
    assert_eq!(merge_query("/a?b=1#c", None), "/a?b=1#c");
    assert_eq!(merged("/a?b=1#c", ""), "/a?b=1#c");
    assert_eq!(merged("/a", "b=1&b=2"), "/a?b=1&b=2");
    assert_eq!(merged("/t?s1=v1&s2=v2#f", "s2=mine&q=3"), "/t?s1=v1&s2=mine&q=3#f");
    assert_eq!(merged("/t?a+b=1", "a%20b=2"), "/t?a%20b=2");
    assert_eq!(merged("/t", "a\r\nb=#c"), "/t?a%0D%0Ab=%23c");
}

#[test]
fn target_leads_to_a_path_on_the_site() {
    let rules = Redirects::parse(b"/* /a%20b/:splat?x=1 200").expect("a sound file");
    let hit = rules.find("/c d").expect("a rule").expect("within the site");
    assert!(!hit.is_redirect());
    assert_eq!(crate::path::segments(hit.path()), Ok(vec!["a b".to_owned(), "c d".to_owned()]));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>, path: String) {
        if let Ok(rules) = Redirects::parse(&bytes) {
            drop(std::hint::black_box(rules.find(&path)));
        }
    }

    #[test]
    fn target_is_safe_in_a_header(
        from in "(/(:[a-c]|[a-c%2]{0,2})){0,3}(/\\*)?",
        to in "(/|https?://|//)(:[a-c]|:splat|[a-z/?#&=\\\\@.]|\\PC){0,12}",
        path in "(/|[a-c]|\\PC|[\u{0}-\u{1f}\\\\]){0,20}",
        query in proptest::option::of(any::<String>()),
    ) {
        let Ok(rules) = Redirects::parse(format!("{from} {to}").as_bytes()) else { return Ok(()) };
        let Some(Ok(hit)) = rules.find(&path) else { return Ok(()) };
        let location = merge_query(&hit.to, query.as_deref());
        prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?}");
        prop_assert!(hit.to.len() <= TARGET_BYTES_MAX);
        prop_assert!(!location.starts_with("//") && !location.starts_with("/\\"));
        match to.strip_prefix("http") {
            Some(_) => {
                let (asked, given) = (origin(&to).expect("a URL").0, origin(&hit.to));
                let asked = utf8_percent_encode(asked, LITERAL).to_string();
                prop_assert_eq!(given.expect("a URL").0, asked);
            }
            None => prop_assert!(location.starts_with('/')),
        }
    }
}
