//! What browsers do with answers, and whose origin they are of.

use gateway::config::{AnyHost, Class, Host};
use http::Method;

use crate::content::{file, folder};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};

/// C3: what strangers named stays text on our pages, and our pages run nothing.
#[tokio::test]
async fn pages_of_ours_run_nothing_of_strangers() {
    let hostile = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";
    let tree = folder(&[(hostile, file(b"x")), ("javascript:alert(3)", file(b"x"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let encoded: String = ipfs::path::encode_segment(hostile).collect();
    let html = [("accept", "text/html")];
    for path in [
        format!("/ipfs/{}/", tree.root),
        format!("/ipfs/{}/{encoded}/missing", tree.root),
        format!("/ipfs/{encoded}"),
        format!("/ipns/{encoded}"),
        format!("/{encoded}"),
        format!("/ipfs/?uri={encoded}"),
    ] {
        let got = gateway.ask(Method::GET, &path, &html).await;
        assert_eq!(got.header("content-type"), "text/html; charset=utf-8", "{path}");
        let policy = got.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{path}");
        for markup in ["<img", "<script", "href=\"javascript:", " onerror=alert(1)>"] {
            assert!(!got.text().contains(markup), "{path}: {markup} in {}", got.text());
        }
    }
}

/// C4: no answer may be read as another type than it says.
#[tokio::test]
async fn every_answer_says_that_its_type_is_not_to_be_guessed() {
    let tree =
        folder(&[("a.svg", file(b"<svg onload=alert(1)>")), ("s", folder(&[("x", file(b"x"))]))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let root = tree.root;
    for path in [
        format!("/ipfs/{root}/"),
        format!("/ipfs/{root}/a.svg"),
        format!("/ipfs/{root}/s/"),
        format!("/ipfs/{root}?format=raw"),
        format!("/ipfs/{root}?format=car"),
        format!("/ipfs/{root}?format=tar"),
        format!("/ipfs/{root}/?format=json"),
        format!("/ipfs/{root}/missing"),
        "/ipfs/x".to_owned(),
        "/".to_owned(),
        "/version".to_owned(),
    ] {
        let got = gateway.get(&path).await;
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        if path.contains("format=raw") || path.contains("format=car") || path.contains("format=tar")
        {
            assert!(got.header("content-disposition").starts_with("attachment"), "{path}");
        }
    }
}

/// C5: one host is meant, and it is a host.
#[tokio::test]
async fn hosts_that_are_none_or_another_are_refused() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&node]);
    config.hosts.any = AnyHost::Never;
    config.hosts.table =
        vec![Host::of("gw.example", Class::Path), Host::of("sub.example", Class::Subdomain)];
    let gateway = Gateway::start(config).await;
    let path = format!("/ipfs/{}", tree.root);
    let label = "b".repeat(64);
    for (host, status) in [
        ("gw.example", 200),
        ("gw.example.", 200),
        ("GW.EXAMPLE:8080", 200),
        ("gw.example:99999", 400),
        ("a@gw.example", 400),
        ("gw.example/", 400),
        ("gw.example.evil.example", 421),
        ("evilgw.example", 421),
        ("xn--gw-example", 421),
        (&format!("{label}.ipfs.sub.example"), 400),
        (&format!("{label}.sub.example"), 421),
        (&format!("x.{}", "a.".repeat(130)), 400),
    ] {
        let got = gateway.ask(Method::GET, &path, &[("host", host)]).await;
        assert_eq!(got.status.as_u16(), status, "{host}: {}", got.text());
    }
}

/// C9: other origins may read, without credentials.
#[tokio::test]
async fn other_origins_may_read_and_nothing_more() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    for origin in ["null", "https://evil.example"] {
        let preflight = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "range"),
        ];
        for (method, status) in [(Method::OPTIONS, 204), (Method::GET, 200)] {
            let got = gateway.ask(method, &path, &preflight).await;
            assert_eq!(got.status.as_u16(), status);
            assert_eq!(got.header("access-control-allow-origin"), "*");
            assert!(!got.headers.contains_key("access-control-allow-credentials"));
            assert_eq!(got.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
            assert!(got.header("access-control-allow-headers").contains("Range"));
        }
    }
}
