//! What is denied stays denied in every spelling and on every route, from one moment to the next.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::config::{Class, Config, DenylistSource, Host};
use http::{Method, Response, StatusCode};
use ipfs::cid::Base;
use ipfs::{Cid, Codec};
use parking_lot::Mutex;

use crate::content::{Tree, file, folder, noise};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};
use crate::web::Web;

fn denying(nodes: &[&FakeNode], path: &Path) -> Config {
    let mut config = config(nodes);
    let file = Some(path.to_path_buf());
    config.denylist.lists.push(DenylistSource { file, ..DenylistSource::default() });
    config.denylist.refresh = Duration::from_millis(50);
    config.hosts.table.push(Host::of("gw.example", Class::Subdomain));
    config
}

/// Asks until the answer has this status; the figure to hold is 5 s.
async fn becomes(gateway: &Gateway, path: &str, status: u16) {
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        let got = gateway.get(path).await;
        if got.status.as_u16() == status {
            return;
        }
        assert!(Instant::now() < give_up, "{path} is {} and not {status}", got.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same content, spelt in other ways.
fn spellings(cid: &Cid) -> Vec<String> {
    let raw = Cid::v1(Codec::Raw, *cid.multihash()).expect("the hash is good");
    let cbor = Cid::v1(Codec::DagCbor, *cid.multihash()).expect("the hash is good");
    let v0 = Cid::v0(*cid.multihash()).expect("the hash is SHA-256");
    let first = cid.to_string();
    vec![
        v0.to_string(),
        first.clone(),
        cid.to_text(Base::Base36Lower),
        cid.to_text(Base::Base58Btc),
        cid.to_text(Base::Base16Lower),
        cid.to_text(Base::Base16Upper),
        cid.to_text(Base::Base32Upper),
        cid.to_text(Base::Base64Url),
        raw.to_string(),
        cbor.to_string(),
        format!("%{:02x}{}", first.as_bytes()[0], &first[1..]),
        format!("{first}/"),
    ]
}

#[tokio::test]
async fn no_spelling_passes_on_any_route() {
    let denied = file(&noise(1, 3 * 1024 * 1024));
    let wrap = folder(&[("x", denied.clone()), ("y", file(b"fine"))]);
    let node = FakeNode::start(&[&wrap]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let list = lists.path().join("bad.deny");
    std::fs::write(&list, format!("/ipfs/{}\n", denied.root)).expect("the list is written");
    let spellings = spellings(&denied.root);
    assert_eq!(spellings.len(), 12);
    let mut config = denying(&[&node], &list);
    for (index, spelling) in spellings.iter().enumerate() {
        let path = format!("/ipfs/{}", spelling.trim_end_matches('/'));
        config.names.dnslinks.insert(format!("d{index}.example"), path);
    }
    let gateway = Gateway::start(config).await;
    for (index, spelling) in spellings.iter().enumerate() {
        for query in ["", "?format=raw", "?format=car", "?format=tar", "?filename=a.html"] {
            let path = format!("/ipfs/{spelling}{query}");
            let got = gateway.get(&path).await;
            assert_eq!(got.status.as_u16(), 410, "{path}: {}", got.text());
            let ranged = gateway.ask(Method::GET, &path, &[("range", "bytes=0-10")]).await;
            assert_eq!(ranged.status.as_u16(), 410, "{path}");
        }
        let named = gateway.get(&format!("/ipns/d{index}.example")).await;
        assert_eq!(named.status.as_u16(), 410, "a name that leads to {spelling}");
        // A gateway of subdomains leads to the origin first.
        let path = format!("/ipfs/{spelling}");
        let got = gateway.ask(Method::GET, &path, &[("host", "gw.example")]).await;
        assert_eq!(got.status.as_u16(), 301, "{spelling}");
        let host = got.header("location").trim_start_matches("http://");
        let host = host.split('/').next().expect("a host").to_owned();
        let got = gateway.ask(Method::GET, "/", &[("host", &host)]).await;
        assert_eq!(got.status.as_u16(), 410, "{host}");
    }
    // Wrapped in a folder, by its name and by the archives of the folder.
    for (path, passes) in [("x", false), ("x?format=raw", false), ("y", true), ("", true)] {
        let got = gateway.get(&format!("/ipfs/{}/{path}", wrap.root)).await;
        assert_eq!(got.status.as_u16(), if passes { 200 } else { 410 }, "{path}");
    }
    let leaf = denied.blocks.iter().map(|block| block.data().clone());
    let largest = leaf.max_by_key(Bytes::len).expect("it has blocks");
    for query in ["?format=car", "?format=tar"] {
        let got = gateway.get(&format!("/ipfs/{}{query}", wrap.root)).await;
        assert!(got.status.as_u16() == 410 || !got.whole, "{query}");
        let found = got.body.windows(64).any(|window| window == &largest[..64]);
        assert!(!found, "{query} has bytes of what is denied");
    }
    gateway.metric_becomes("bifrost_gateway_requests_total", "outcome=\"truncated\"", 0).await;
}

#[tokio::test]
async fn entries_count_and_cease_to_count_while_serving() {
    let tree = folder(&[("a", file(b"one")), ("b", file(b"two"))]);
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(denying(&[&node], lists.path())).await;
    let (a, b) = (format!("/ipfs/{}/a", tree.root), format!("/ipfs/{}/b", tree.root));
    for path in [&a, &b] {
        assert_eq!(gateway.get(path).await.status.as_u16(), 200, "it is in memory");
    }
    let list = lists.path().join("1.deny");
    let reason = "gateway_status=451 reason=court%20order";
    std::fs::write(&list, format!("/ipfs/{}/a {reason}\n", tree.root)).expect("written");
    becomes(&gateway, &a, 451).await;
    let text = gateway.get(&a).await.text();
    assert!(text.contains("court order"), "{text}");
    assert_eq!(gateway.get(&b).await.status.as_u16(), 200);
    // A later list has the last word.
    let exception = lists.path().join("2.deny");
    std::fs::write(&exception, format!("!/ipfs/{}/a\n", tree.root)).expect("written");
    becomes(&gateway, &a, 200).await;
    std::fs::remove_file(&exception).expect("removed");
    becomes(&gateway, &a, 451).await;
    std::fs::write(&list, "# nothing is left\n").expect("written");
    becomes(&gateway, &a, 200).await;
}

#[tokio::test]
async fn denials_say_which_list_and_why_and_are_not_kept_for_long() {
    let tree = file(b"bad");
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let list = lists.path().join("policy.deny");
    let text = format!("version: 1\nname: House rules\n---\n/ipfs/{} reason=spam\n", tree.root);
    std::fs::write(&list, text).expect("written");
    let gateway = Gateway::start(denying(&[&node], &list)).await;
    let path = format!("/ipfs/{}", tree.root);
    let got = gateway.ask(Method::GET, &path, &[("accept", "application/problem+json")]).await;
    assert_eq!(got.status.as_u16(), 410);
    let problem: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("House rules") && detail.contains("spam"), "{detail}");
    assert_eq!(got.header("cache-control"), "public, max-age=60");
    assert_eq!(node.requests(), 0, "nothing is fetched that may not be served");
    gateway.metric_becomes("bifrost_gateway_requests_total", "outcome=\"blocked\"", 1).await;
}

#[tokio::test]
async fn dry_run_denies_nothing_and_counts() {
    let tree = file(b"fine");
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let list = lists.path().join("try.deny");
    std::fs::write(&list, format!("/ipfs/{}\n", tree.root)).expect("written");
    let mut config = denying(&[&node], &list);
    config.denylist.lists[0].dry_run = true;
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", tree.root)).await.status.as_u16(), 200);
    assert!(gateway.metric("bifrost_gateway_denylist_dry_run_total", "") > 0);
    assert_eq!(gateway.metric("bifrost_gateway_denylist_denied_total", ""), 0);
}

#[tokio::test]
async fn exception_of_a_dry_run_lifts_nothing() {
    let tree = file(b"bad");
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let (list, tried) = (lists.path().join("bad.deny"), lists.path().join("try.deny"));
    std::fs::write(&list, format!("/ipfs/{}\n", tree.root)).expect("written");
    std::fs::write(&tried, format!("!/ipfs/{}\n", tree.root)).expect("written");
    let mut config = denying(&[&node], &list);
    let file = Some(tried);
    config.denylist.lists.push(DenylistSource { file, dry_run: true, url: None });
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", tree.root)).await.status.as_u16(), 410);
}

#[tokio::test]
async fn list_counts_although_another_cannot_be_read() {
    let tree = file(b"bad");
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let (good, bad) = (lists.path().join("a.deny"), lists.path().join("b.deny"));
    std::fs::write(&good, "# nothing yet\n").expect("written");
    std::fs::write(&bad, "# nothing\n").expect("written");
    let gateway = Gateway::start(denying(&[&node], lists.path())).await;
    let path = format!("/ipfs/{}", tree.root);
    assert_eq!(gateway.get(&path).await.status.as_u16(), 200);
    // A version that is not known makes a list unreadable.
    std::fs::write(&bad, "version: 99\n---\n").expect("written");
    std::fs::write(&good, format!("/ipfs/{}\n", tree.root)).expect("written");
    becomes(&gateway, &path, 410).await;
}

#[tokio::test]
async fn rules_with_a_path_hold_for_the_index_and_for_names_that_lead_through() {
    let site = folder(&[("index.html", file(b"home")), ("x", file(b"x"))]);
    let node = FakeNode::start(&[&site]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let list = lists.path().join("bad.deny");
    let rules = format!("/ipfs/{}/index.html\n/ipns/b.example/x\n", site.root);
    std::fs::write(&list, rules).expect("written");
    let mut config = denying(&[&node], &list);
    let links = &mut config.names.dnslinks;
    links.insert("b.example".to_owned(), format!("/ipfs/{}", site.root));
    links.insert("a.example".to_owned(), "/ipns/b.example".to_owned());
    let gateway = Gateway::start(config).await;
    for path in ["", "index.html"] {
        let got = gateway.get(&format!("/ipfs/{}/{path}", site.root)).await;
        assert_eq!(got.status.as_u16(), 410, "{path:?}");
    }
    assert_eq!(gateway.get(&format!("/ipfs/{}/x", site.root)).await.status.as_u16(), 200);
    for name in ["b.example", "a.example"] {
        let got = gateway.get(&format!("/ipns/{name}/x")).await;
        assert_eq!(got.status.as_u16(), 410, "{name}");
    }
}

#[tokio::test]
async fn list_that_cannot_be_read_refuses_the_start_and_later_stays_as_it_was() {
    let tree = file(b"bad");
    let node = FakeNode::start(&[&tree]).await;
    let lists = tempfile::tempdir().expect("a folder");
    let list = lists.path().join("list.deny");
    let refused = Gateway::try_start(denying(&[&node], &list)).await;
    let error = refused.err().expect("a refusal").to_string();
    assert!(error.contains("denylist.lists[0]") && error.contains("list.deny"), "{error}");
    std::fs::write(&list, format!("/ipfs/{}\n", tree.root)).expect("written");
    let gateway = Gateway::start(denying(&[&node], &list)).await;
    std::fs::remove_file(&list).expect("removed");
    gateway.metric_at_least("bifrost_gateway_denylist_failures_total", 2).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", tree.root)).await.status.as_u16(), 410);
}

/// A list on a server that knows ranges.
fn serve(text: &Mutex<String>, range: Option<&str>) -> Response<Bytes> {
    let text = text.lock().clone();
    let from =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let Some(from) = from else { return Response::new(text.into()) };
    let from: usize = from;
    if from >= text.len() {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        let size = format!("bytes */{}", text.len());
        response.headers_mut().insert("content-range", size.parse().expect("a header"));
        return response;
    }
    let range = format!("bytes {from}-{}/{}", text.len() - 1, text.len());
    let mut response = Response::new(Bytes::from(text).slice(from..));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert("content-range", range.parse().expect("a header"));
    response
}

#[tokio::test]
async fn list_on_a_server_is_followed_by_what_is_appended() {
    let (first, second, third) = (file(b"one"), file(b"two"), file(b"three"));
    let node = FakeNode::start(&[&first, &second, &third]).await;
    let remarks = "# a remark\n".repeat(30);
    let text = Arc::new(Mutex::new(format!("/ipfs/{}\n{remarks}", first.root)));
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let (kept, asked) = (Arc::clone(&text), Arc::clone(&ranges));
    let server = Web::start(move |request| {
        let range = request.headers().get("range").map(|range| range.to_str().expect("text"));
        asked.lock().extend(range.map(str::to_owned));
        serve(&kept, range)
    })
    .await;
    let mut config = config(&[&node]);
    let url = Some(format!("http://{}/list", server.address));
    config.denylist.lists.push(DenylistSource { url, ..DenylistSource::default() });
    config.denylist.refresh = Duration::from_millis(50);
    let gateway = Gateway::start(config).await;
    let of = |tree: &Tree| format!("/ipfs/{}", tree.root);
    assert_eq!(gateway.get(&of(&first)).await.status.as_u16(), 410);
    assert_eq!(gateway.get(&of(&second)).await.status.as_u16(), 200);
    let length = text.lock().len();
    text.lock().push_str(&format!("/ipfs/{}\n", second.root));
    becomes(&gateway, &of(&second), 410).await;
    let range = format!("bytes={}-", length - 256);
    assert!(ranges.lock().contains(&range), "{range} in {:?}", ranges.lock());
    // What is put within it is seen by what follows, which is not where it was.
    assert_eq!(gateway.get(&of(&third)).await.status.as_u16(), 200);
    let within = format!("/ipfs/{}\n{}", third.root, text.lock());
    *text.lock() = within;
    becomes(&gateway, &of(&third), 410).await;
    assert_eq!(gateway.get(&of(&first)).await.status.as_u16(), 410);
    // A list that became shorter is read anew.
    *text.lock() = format!("/ipfs/{}\n", second.root);
    becomes(&gateway, &of(&first), 200).await;
    assert_eq!(gateway.get(&of(&second)).await.status.as_u16(), 410);
}
