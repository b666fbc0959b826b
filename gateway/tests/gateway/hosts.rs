//! What each host is answered with, and that nobody chooses another one's answer.

use gateway::config::{AnyHost, Class, Config, Host};
use http::Method;

use crate::content::{Tree, file, folder};
use crate::fake::FakeNode;
use crate::harness::{Gateway, Got, config};

const PEER: &str = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK";
const KEY: &str = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";

fn site() -> Tree {
    let rules = "/old /new 301\n/posts/:year/* /archive/:year/:splat 302\n/app/* /index.html 200\n/folder /sub 200\n\
                 /gone /gone.html 410\n/law /gone.html 451\n/away https://other.example/x 308\n\
                 /loop-a /loop-b 200\n/loop-b /loop-a 200\n/* /404.html 404\n";
    folder(&[
        ("_redirects", file(rules.as_bytes())),
        ("index.html", file(b"<h1>home</h1>")),
        ("404.html", file(b"<h1>lost</h1>")),
        ("gone.html", file(b"<h1>gone</h1>")),
        ("sub", folder(&[("index.html", file(b"<h1>sub</h1>"))])),
    ])
}

fn hosts(nodes: &[&FakeNode], site: &Tree) -> Config {
    let mut config = config(nodes);
    config.hosts.any = AnyHost::Never;
    config.hosts.table = vec![
        Host::of("path.example", Class::Path),
        Host::of("sub.example", Class::Subdomain),
        Host::of("verify.example", Class::Trustless),
        Host::of("own.example", Class::Pages),
        Host::of("*.linked.example", Class::Dnslink),
        Host::site("site.example", &format!("/ipfs/{}", site.root)),
    ];
    let root = format!("/ipfs/{}", site.root);
    config.names.dnslinks.insert("www.linked.example".to_owned(), root);
    config.names.resolvers.clear();
    config
}

async fn ask(gateway: &Gateway, host: &str, path: &str) -> Got {
    gateway.ask(Method::GET, path, &[("host", host)]).await
}

#[tokio::test]
async fn every_class_of_host_answers_as_the_table_says() {
    let site = site();
    let node = FakeNode::start(&[&site]).await;
    let gateway = Gateway::start(hosts(&[&node], &site)).await;
    let page = format!("/ipfs/{}/404.html", site.root);
    let raw = format!("/ipfs/{}?format=raw", site.root);
    for (host, path, status) in [
        ("path.example", page.as_str(), 200),
        ("path.example", raw.as_str(), 200),
        ("sub.example", page.as_str(), 301),
        ("verify.example", page.as_str(), 406),
        ("verify.example", raw.as_str(), 200),
        ("verify.example", &format!("{page}?format=raw"), 406),
        ("verify.example", &format!("{page}?format=car"), 200),
        ("verify.example", &format!("{page}?format=tar"), 406),
        ("own.example", page.as_str(), 404),
        ("own.example", "/version", 200),
        ("site.example", "/404.html", 200),
        ("site.example", "/version", 404),
        ("www.linked.example", "/404.html", 200),
        ("none.linked.example", "/404.html", 502),
        ("other.example", page.as_str(), 421),
        ("other.example", "/", 421),
        ("a.path.example", page.as_str(), 421),
    ] {
        let got = ask(&gateway, host, path).await;
        assert_eq!(got.status.as_u16(), status, "{host}{path}: {}", got.text());
    }
}

#[tokio::test]
async fn origins_have_their_root_at_their_own_root() {
    let site = site();
    let node = FakeNode::start(&[&site]).await;
    let gateway = Gateway::start(hosts(&[&node], &site)).await;
    let got = ask(&gateway, "sub.example:81", &format!("/ipfs/{}/a?b", site.root)).await;
    let origin = format!("{}.ipfs.sub.example:81", site.root);
    assert_eq!(got.header("location"), format!("http://{origin}/a?b"));
    assert_eq!(got.header("cache-control"), "public, max-age=86400");
    let got = ask(&gateway, &origin, "/").await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "<h1>home</h1>"));
    assert_eq!(got.header("x-ipfs-path"), format!("/ipfs/{}/", site.root));
    let key = ask(&gateway, "sub.example", &format!("/ipns/{PEER}/x")).await;
    assert_eq!(key.header("location"), format!("http://{KEY}.ipns.sub.example/x"));
    let named = ask(&gateway, "sub.example", "/ipns/www.linked.example/").await;
    let inlined = "www-linked-example.ipns.sub.example";
    assert_eq!(named.header("location"), format!("http://{inlined}/"));
    let got = ask(&gateway, inlined, "/404.html").await;
    assert_eq!(got.status.as_u16(), 200);
    assert_eq!(got.header("x-ipfs-path"), "/ipns/www.linked.example/404.html");
    assert!(!got.header("cache-control").contains("immutable"));
}

#[tokio::test]
async fn websites_rule_their_missing_paths() {
    let site = site();
    let node = FakeNode::start(&[&site]).await;
    let gateway = Gateway::start(hosts(&[&node], &site)).await;
    let origin = format!("{}.ipfs.sub.example", site.root);
    for host in ["site.example", "www.linked.example", origin.as_str()] {
        for (path, status, location) in [
            ("/old", 301, "/new"),
            ("/posts/2026/a/b?x=1", 302, "/archive/2026/a/b?x=1"),
            ("/app/deep/link", 200, ""),
            ("/gone", 410, ""),
            ("/law", 451, ""),
            ("/away", 308, "https://other.example/x"),
            ("/nothing", 404, ""),
            ("/index.html", 200, ""),
            // A folder is given by its index, whether or not the rule has its slash.
            ("/folder", 200, ""),
            // One rule is applied to a request, so two that lead to each other lead nowhere.
            ("/loop-a", 404, ""),
        ] {
            let got = ask(&gateway, host, path).await;
            assert_eq!(got.status.as_u16(), status, "{host}{path}: {}", got.text());
            assert_eq!(got.header("location"), location, "{host}{path}");
        }
        let lost = ask(&gateway, host, "/nothing").await;
        assert_eq!(lost.text(), "<h1>lost</h1>");
        let app = ask(&gateway, host, "/app/x").await;
        let headers = [("host", host), ("if-none-match", app.header("etag"))];
        assert_eq!(gateway.ask(Method::GET, "/app/x", &headers).await.status.as_u16(), 304);
    }
    // What is not there has no part and no copy, and an archive of it is not a page.
    let lost = ask(&gateway, "site.example", "/nothing").await;
    for header in
        [("range", "bytes=0-0"), ("range", "bytes=9999-"), ("if-none-match", lost.header("etag"))]
    {
        let got = gateway.ask(Method::GET, "/nothing", &[("host", "site.example"), header]).await;
        assert_eq!(
            (got.status.as_u16(), got.text().as_str()),
            (404, "<h1>lost</h1>"),
            "{header:?}"
        );
    }
    let car = ask(&gateway, "site.example", "/nothing?format=car").await;
    assert_eq!(
        (car.status.as_u16(), car.header("content-type")),
        (404, "text/plain; charset=utf-8")
    );
    // In an origin that is shared, one root cannot speak for the others.
    let got = ask(&gateway, "path.example", &format!("/ipfs/{}/old", site.root)).await;
    assert_eq!(got.status.as_u16(), 404);
}

#[tokio::test]
async fn rules_that_are_none_are_told() {
    for (rules, what) in [
        ("x".repeat(65 * 1024), "redirects file size cannot exceed"),
        ("/a /b 301!\n".to_owned(), "could not parse _redirects:"),
    ] {
        let site = folder(&[("_redirects", file(rules.as_bytes())), ("a", file(b"a"))]);
        let node = FakeNode::start(&[&site]).await;
        let gateway = Gateway::start(hosts(&[&node], &site)).await;
        let got = ask(&gateway, "site.example", "/missing").await;
        assert_eq!(got.status.as_u16(), 500);
        assert!(got.text().contains(what), "{}", got.text());
        assert_eq!(ask(&gateway, "site.example", "/a").await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn forwarded_hosts_count_from_configured_proxies_only() {
    let site = site();
    let node = FakeNode::start(&[&site]).await;
    let path = format!("/ipfs/{}/404.html", site.root);
    let headers = [
        ("host", "verify.example"),
        ("x-forwarded-host", "path.example"),
        ("x-forwarded-proto", "https"),
    ];
    let gateway = Gateway::start(hosts(&[&node], &site)).await;
    assert_eq!(gateway.ask(Method::GET, &path, &headers).await.status.as_u16(), 406);
    let mut config = hosts(&[&node], &site);
    config.hosts.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a net")];
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.ask(Method::GET, &path, &headers).await.status.as_u16(), 200);
    let headers = [("host", "x"), ("x-forwarded-host", "sub.example"), headers[2]];
    let got = gateway.ask(Method::GET, &path, &headers).await;
    assert!(got.header("location").starts_with("https://"), "{}", got.header("location"));
}

#[tokio::test]
async fn handed_over_addresses_and_canonical_names_are_redirected() {
    let site = site();
    let node = FakeNode::start(&[&site]).await;
    let gateway = Gateway::start(hosts(&[&node], &site)).await;
    let root = site.root;
    for (path, status, location) in [
        (format!("/ipfs/?uri=ipfs%3A%2F%2F{root}%2Fa"), 301, format!("/ipfs/{root}/a")),
        ("/ipns/?uri=ipns://x.example".to_owned(), 301, "/ipns/x.example".to_owned()),
        (format!("/ipfs/ipfs/{root}"), 301, format!("/ipfs/{root}")),
        (format!("/ipns/{PEER}/a"), 302, format!("/ipns/{KEY}/a")),
        ("/ipfs/?uri=http://evil.example".to_owned(), 400, String::new()),
        ("/ipfs/?uri=ipfs://..//evil.example".to_owned(), 400, String::new()),
    ] {
        let got = ask(&gateway, "path.example", &path).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        assert_eq!(got.header("location"), location, "{path}");
    }
}

#[tokio::test]
async fn connect_is_refused_unless_it_is_switched_on_for_loopback() {
    let node = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.ask(Method::TRACE, "/", &[]).await;
    assert_eq!(got.status.as_u16(), 405);
    let mut config = config(&[&node]);
    config.hosts.tunnel = true;
    config.server.listen = ([0, 0, 0, 0], 0).into();
    assert!(Gateway::try_start(config).await.is_err());
}

#[tokio::test]
async fn probes_are_counted_apart_when_they_come_from_who_may_send_them() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&node]);
    config.hosts.probes = vec!["127.0.0.0/8".parse().expect("a net")];
    let believed = Gateway::start(config).await;
    let stranger = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    let (probe, people) = ("traffic=\"probe\"", "traffic=\"gateway\"");
    for (gateway, probes) in [(&believed, 1), (&stranger, 0)] {
        for said in ["probe", "mirror"] {
            let got = gateway.ask(Method::GET, &path, &[("bifrost-traffic", said)]).await;
            assert_eq!(got.status, 200);
        }
        gateway.metric_becomes("bifrost_gateway_requests_total", people, 2 - probes).await;
        gateway.metric_becomes("bifrost_gateway_requests_total", probe, probes).await;
        gateway.metric_becomes("bifrost_gateway_in_flight", "", 0).await;
    }
}
