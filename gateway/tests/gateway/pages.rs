//! The gateway's own pages: where they are, what they say, and whose templates draw them.

use http::Method;
use serde_json::Value;

use crate::content::{Tree, file, folder};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};
use gateway::config::{AnyHost, Class, Host};

const OWN: [(&str, &str); 6] = [
    ("/", "text/html; charset=utf-8"),
    ("/help", "text/html; charset=utf-8"),
    ("/policy", "text/html; charset=utf-8"),
    ("/policy.json", "application/json"),
    ("/robots.txt", "text/plain; charset=utf-8"),
    ("/version", "application/json"),
];

#[tokio::test]
async fn own_pages_have_the_same_headers() {
    let node = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&node]).await;
    for (path, media) in OWN {
        let got = gateway.get(path).await;
        assert_eq!(got.status.as_u16(), 200, "{path}");
        let length = got.body.len().to_string();
        for (name, value) in [
            ("content-type", media),
            ("content-length", &length),
            ("cache-control", "public, max-age=300"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(got.header(name), value, "{path} {name}");
        }
        assert!(got.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        let head = gateway.ask(Method::HEAD, path, &[]).await;
        assert_eq!(
            (head.body.len(), head.header("content-length")),
            (0, length.as_str()),
            "{path}"
        );
        let known = [("if-none-match", got.header("etag"))];
        let again = gateway.ask(Method::GET, path, &known).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), got.header("etag"), "{path}");
    }
    assert_eq!(gateway.get("/.well-known/security.txt").await.status.as_u16(), 404);
    let robots = gateway.get("/robots.txt").await.text();
    assert_eq!(robots, "User-agent: *\nDisallow: /ipfs/\nDisallow: /ipns/\n");
}

#[tokio::test]
async fn own_pages_are_on_hosts_of_the_gateway_only() {
    let site = folder(&[("index.html", file(b"home")), ("policy", file(b"their policy"))]);
    let node = FakeNode::start(&[&site]).await;
    let mut config = config(&[&node]);
    config.hosts.any = AnyHost::Never;
    config.hosts.table = vec![
        Host::of("path.example", Class::Path),
        Host::of("sub.example", Class::Subdomain),
        Host::of("trust.example", Class::Trustless),
        Host::of("pages.example", Class::Pages),
        Host::site("site.example", &format!("/ipfs/{}", site.root)),
    ];
    let gateway = Gateway::start(config).await;
    for host in ["path.example", "sub.example", "trust.example", "pages.example"] {
        let got = gateway.ask(Method::GET, "/policy", &[("host", host)]).await;
        assert!(got.text().contains("<h1>Usage policy"), "{host}: {}", got.status);
    }
    let origin = format!("{}.ipfs.sub.example", site.root);
    for host in ["site.example", origin.as_str()] {
        let got = gateway.ask(Method::GET, "/policy", &[("host", host)]).await;
        assert_eq!(got.text(), "their policy", "{host}");
        for path in ["/help", "/robots.txt", "/policy.json", "/.well-known/security.txt"] {
            let asked = [("host", host), ("accept", "text/html")];
            let got = gateway.ask(Method::GET, path, &asked).await;
            assert_eq!(got.status.as_u16(), 404, "{host}{path}");
            assert!(!got.text().contains("href=\"/"), "{host}{path} links to content");
            let link = "<a href=\"http://sub.example/policy\">";
            assert_eq!(got.text().contains(link), host == origin, "{host}{path}");
        }
    }
    let asked = [("host", "pages.example"), ("accept", "text/html")];
    let got = gateway.ask(Method::GET, "/nothing", &asked).await;
    assert!(got.status.as_u16() == 404 && got.text().contains("href=\"/policy\""));
}

#[tokio::test]
async fn policy_tells_the_limits_that_are_enforced() {
    let node = FakeNode::start(&[]).await;
    let mut config = config(&[&node]);
    config.limit.requests_max = 1234;
    config.limit.per_client_max = 0;
    config.pages.abuse = Some("mailto:abuse@gw.example".to_owned());
    let gateway = Gateway::start(config.clone()).await;
    let page = gateway.get("/policy").await.text();
    assert!(page.contains("<td>1234</td>") && page.contains("abuse@gw.example"), "{page}");
    let limits = |text: &str| {
        let policy: Value = serde_json::from_str(text).expect("JSON");
        policy["limits"].clone()
    };
    let told = limits(&gateway.get("/policy.json").await.text());
    assert_eq!(told["requests_max"], 1234);
    assert_eq!(told["requests_per_client_max"], Value::Null);
    assert_eq!(told["first_byte_timeout_seconds"], 10);
    // A limit that waits for a restart is not in force before it.
    config.limit.requests_max = 4321;
    config.pages.abuse = Some("https://gw.example/abuse".to_owned());
    gateway.server.reload(&config).expect("it is valid");
    assert_eq!(limits(&gateway.get("/policy.json").await.text())["requests_max"], 1234);
    assert!(gateway.get("/policy").await.text().contains("https://gw.example/abuse"));
}

#[tokio::test]
async fn policy_tells_the_mirror_that_is_in_force() {
    let node = FakeNode::start(&[]).await;
    let mut config = config(&[&node]);
    let gateway = Gateway::start(config.clone()).await;
    let told = async || {
        let policy = gateway.get("/policy.json").await.text();
        policy.contains("Up to 20 % of requests are repeated on another fleet")
    };
    assert!(!told().await);
    config.mirror.to = Some("http://127.0.0.1:9".to_owned());
    config.mirror.fraction = 0.2;
    gateway.server.reload(&config).expect("it is valid");
    assert!(told().await, "copies are told from the reload on");
    let page = gateway.get("/policy").await.text();
    assert!(page.contains("20 %"), "{page}");
    // A folder takes a restart: nothing is kept in it before.
    config.mirror.dir = Some("mirror".into());
    gateway.server.reload(&config).expect("it is valid");
    assert!(!gateway.get("/policy.json").await.text().contains("What was repeated"));
    config.mirror.to = None;
    gateway.server.reload(&config).expect("it is valid");
    assert!(!told().await, "and no longer than they are made");
}

#[tokio::test]
async fn templates_are_reloaded_and_broken_ones_refused() {
    let tree = folder(&[("f", file(b"x"))]);
    let node = FakeNode::start(&[&tree]).await;
    let templates = tempfile::tempdir().expect("a folder can be made");
    let write = |text: &str| {
        std::fs::write(templates.path().join("base.html"), text).expect("it can be written");
    };
    let mut config = config(&[&node]);
    let gateway = Gateway::start(config.clone()).await;
    let listing = format!("/ipfs/{}/", tree.root);
    let before = gateway.get(&listing).await.header("etag").to_owned();

    write("<title>ours</title>{% block main %}{% endblock %}");
    config.pages.templates = Some(templates.path().to_owned());
    gateway.server.reload(&config).expect("it is valid");
    assert!(gateway.get("/").await.text().starts_with("<title>ours"));
    let known = [("if-none-match", before.as_str())];
    let after = gateway.ask(Method::GET, &listing, &known).await;
    assert_eq!(after.status.as_u16(), 200, "the listing looks otherwise");
    assert!(after.text().starts_with("<title>ours"), "{}", after.text());

    write("{% block main %}");
    assert!(config.check().is_err_and(|error| error.contains("base.html")));
    assert!(gateway.server.reload(&config).is_err());
    assert!(gateway.get("/").await.text().starts_with("<title>ours"), "the one before stays");
    assert_eq!(gateway.metric("bifrost_gateway_config_reloads_rejected_total", ""), 1);
}

/// Counts what only markup of ours has.
fn angles(text: &str) -> usize {
    text.matches('<').count()
}

#[tokio::test]
async fn hostile_paths_and_names_stay_text_in_every_form() {
    let names =
        ["\"><img src=x onerror=alert(1)>", "</title><script>alert(1)</script>", "'{{ 7*7 }}"];
    let entries: Vec<_> = names.iter().map(|name| (*name, file(b"x"))).collect();
    let tree = folder(&entries);
    let text = ipfs::Block::of(
        ipfs::Codec::DagJson,
        br#"{"<script>alert(1)</script>":"\"><img src=x>"}"#.to_vec().into(),
    );
    let text = text.expect("small");
    let data = Tree { root: *text.cid(), tsize: 0, blocks: vec![text] };
    let node = FakeNode::start(&[&tree, &data]).await;
    let gateway = Gateway::of(&[&node]).await;
    let html = [("accept", "text/html")];
    let clean = gateway.ask(Method::GET, &format!("/ipfs/{}/none", tree.root), &html).await.text();
    for name in names {
        let name: String = ipfs::path::encode_segment(name).collect();
        for path in [format!("/ipfs/{}/{name}/x", tree.root), format!("/{name}")] {
            let got = gateway.ask(Method::GET, &path, &html).await;
            assert_eq!(got.status.as_u16(), 404, "{path}");
            let text = got.text();
            assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
            assert!(angles(&text) <= angles(&clean), "{text}");
        }
    }
    for path in [format!("/ipfs/{}/", tree.root), format!("/ipfs/{}", data.root)] {
        let got = gateway.ask(Method::GET, &path, &html).await;
        assert_eq!(got.status.as_u16(), 200);
        let text = got.text();
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
        assert!(text.contains("<main>") && text.trim_end().ends_with("</html>"), "{text}");
    }
}

#[tokio::test]
async fn names_of_the_query_cannot_split_headers() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let name = "a%0d%0aSet-Cookie:%20x=1%22%00%E2%80%AE";
    let got = gateway.get(&format!("/ipfs/{}?filename={name}&download=true", tree.root)).await;
    assert_eq!(got.status.as_u16(), 200);
    assert!(!got.headers.contains_key("set-cookie"));
    let shown = got.header("content-disposition");
    assert!(shown.starts_with("attachment; filename=\"a__Set-Cookie: x=1___\""), "{shown}");
    for path in [format!("/ipfs/{}%0d%0aSet-Cookie:x", tree.root), "/ipfs/%00".to_owned()] {
        let got = gateway.get(&path).await;
        assert_eq!(got.status.as_u16(), 400, "{path}");
        assert!(!got.headers.contains_key("set-cookie"));
    }
}
