//! What is answered when all is well: statuses, headers and bodies.

use http::Method;

use crate::content::{Tree, file, folder, noise, symlink};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};

#[tokio::test]
async fn file_has_its_exact_headers() {
    let hello = file(b"hello");
    let tree = folder(&[("a b.txt", hello.clone())]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}/a%20b.txt", tree.root);
    let got = gateway.get(&path).await;
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &b"hello"[..]));
    for (name, value) in [
        ("etag", format!("\"{}\"", hello.root)),
        ("cache-control", "public, max-age=29030400, immutable".to_owned()),
        ("x-ipfs-path", path.clone()),
        ("x-ipfs-roots", format!("{},{}", tree.root, hello.root)),
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("content-length", "5".to_owned()),
        ("accept-ranges", "bytes".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("vary", "Accept".to_owned()),
        ("access-control-allow-origin", "*".to_owned()),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    let head = gateway.ask(Method::HEAD, &path, &[]).await;
    assert!(head.body.is_empty());
    for name in ["etag", "content-length", "content-type", "cache-control", "x-ipfs-roots"] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    let requests = node.requests();
    let again = gateway.get(&path).await;
    assert_eq!(again.body, got.body);
    assert_eq!(again.header("cache-status"), "bifrost-gateway; hit");
    assert_eq!(node.requests(), requests, "the second answer is from memory");
    gateway.metric_becomes("bifrost_gateway_requests_total", "cache=\"hit\"", 2).await;
}

#[tokio::test]
async fn large_file_comes_whole_and_in_ranges() {
    let bytes = noise(1, 9 * 1024 * 1024 + 17);
    let tree = file(&bytes);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}?filename=x.bin", tree.root);
    for got in [gateway.get(&path).await, gateway.get_h2(&path).await] {
        assert!(got.whole);
        assert!(got.body == bytes, "the bytes are those of the file");
    }
    let size = bytes.len();
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=1048570-1048580".to_owned(), 1_048_570, 1_048_581),
        ("bytes=-100".to_owned(), size - 100, size),
        (format!("bytes=5000000-{}", size + 5), 5_000_000, size),
        ("bytes=7-8,100-200".to_owned(), 7, 9),
    ] {
        let got = gateway.ask(Method::GET, &path, &[("range", &range)]).await;
        assert_eq!(got.status.as_u16(), 206, "{range}");
        assert_eq!(got.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
        assert_eq!(got.header("content-length"), (to - from).to_string());
        assert!(got.body == bytes[from..to], "{range}");
    }
    let outside = format!("bytes={size}-");
    let got = gateway.ask(Method::GET, &path, &[("range", &outside)]).await;
    assert_eq!(got.status.as_u16(), 416);
    assert_eq!(got.header("content-range"), format!("bytes */{size}"));
    let stale = [("range", "bytes=0-0"), ("if-range", "\"other\"")];
    assert_eq!(gateway.ask(Method::GET, &path, &stale).await.status.as_u16(), 200);
}

#[tokio::test]
async fn range_needs_only_its_own_blocks() {
    let bytes = noise(2, 4 * 1024 * 1024);
    let tree = file(&bytes);
    let node = FakeNode::start(&[&tree]).await;
    node.lose(tree.blocks[0].cid());
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}?filename=x.bin", tree.root);
    let got = gateway.ask(Method::GET, &path, &[("range", "bytes=2097152-2097161")]).await;
    assert_eq!((got.status.as_u16(), &got.body[..]), (206, &bytes[2_097_152..2_097_162]));
}

#[tokio::test]
async fn known_copy_is_not_sent_again() {
    let tree = folder(&[("f", file(b"hello"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    for path in ["f", "", "f?format=raw", "f?format=car"] {
        let path = format!("/ipfs/{}/{path}", tree.root);
        let etag = gateway.get(&path).await.header("etag").to_owned();
        let known = format!("\"x\", {etag}");
        let got = gateway.ask(Method::GET, &path, &[("if-none-match", &known)]).await;
        assert_eq!((got.status.as_u16(), got.body.len()), (304, 0), "{path}");
        assert_eq!(got.header("etag"), etag);
        assert!(got.header("cache-control").starts_with("public"), "{path}");
    }
}

#[tokio::test]
async fn folders_have_a_slash_an_index_or_a_listing() {
    let site = folder(&[("index.html", file(b"<h1>hi</h1>"))]);
    let tree = folder(&[("site", site.clone()), ("b:c", file(b"x"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}/site?a=b", tree.root)).await;
    assert_eq!(got.status.as_u16(), 301);
    assert_eq!(got.header("location"), format!("/ipfs/{}/site/?a=b", tree.root));
    let got = gateway.get(&format!("/ipfs/{}/site/", tree.root)).await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "<h1>hi</h1>"));
    assert_eq!(got.header("content-type"), "text/html");
    assert_eq!(got.header("etag"), format!("\"{}\"", site.root));
    let got = gateway.get(&format!("/ipfs/{}/", tree.root)).await;
    assert_eq!(got.status.as_u16(), 200);
    let entry = format!("<a href=\"/ipfs/{}/b:c\">b:c</a>", tree.root);
    assert!(got.text().contains(&entry), "{}", got.text());
    assert!(got.text().trim_end().ends_with("</html>"));
    assert!(got.header("etag").starts_with("\"DirIndex-"));
    let week = "public, max-age=604800, stale-while-revalidate=2678400";
    assert_eq!(got.header("cache-control"), week);
    assert!(got.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn listing_of_hostile_names_has_no_markup_of_theirs() {
    let names = ["\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "<script>", "a&b"];
    let entries: Vec<_> = names.iter().map(|name| (*name, file(b"x"))).collect();
    let tree = folder(&entries);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let text = gateway.get(&format!("/ipfs/{}/", tree.root)).await.text();
    for markup in ["<img", "<script", "href=\"javascript", "onerror=alert(1)>\""] {
        assert!(!text.contains(markup), "{markup} in {text}");
    }
    assert_eq!(text.matches("<tr>").count(), names.len() + 1);
}

#[tokio::test]
async fn listing_of_a_large_folder_is_whole() {
    let entry = file(b"x");
    let names: Vec<String> = (0..8_000).map(|i| format!("{i:0>50}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), entry.clone())).collect();
    let tree = folder(&entries);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}/", tree.root)).await;
    assert!(got.whole);
    assert_eq!(got.text().matches("<tr>").count(), names.len() + 1);
    assert!(got.text().trim_end().ends_with("</html>"));
    assert_eq!(node.asked_for(&entry.root), 0, "nothing below an entry is fetched");
    let got = gateway.get(&format!("/ipfs/{}/{}", tree.root, names[4_321])).await;
    assert_eq!(&got.body[..], b"x");
}

#[tokio::test]
async fn blocks_and_cars_are_for_verifying_clients() {
    let bytes = noise(3, 3 * 1024 * 1024);
    let tree = folder(&[("d", folder(&[("f", file(&bytes))]))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}?format=raw", tree.root)).await;
    assert_eq!(got.header("content-type"), "application/vnd.ipld.raw");
    assert_eq!(got.header("etag"), format!("\"{}.raw\"", tree.root));
    assert!(got.header("content-disposition").starts_with("attachment"));
    assert!(ipfs::Block::verify(tree.root, got.body.clone()).is_ok());
    let car = "application/vnd.ipld.car; dups=y";
    let path = format!("/ipfs/{}/d/f", tree.root);
    let got = gateway.ask(Method::GET, &path, &[("accept", car)]).await;
    assert_eq!(
        got.header("content-type"),
        "application/vnd.ipld.car; version=1; order=dfs; dups=y"
    );
    assert!(got.header("content-location").contains("format=car"));
    assert_eq!(got.header("accept-ranges"), "none");
    let mut reader = ipfs::car::Reader::new();
    reader.push(&got.body);
    let mut blocks = 0;
    while let Some(section) = reader.next().expect("a CAR") {
        if let ipfs::car::Section::Block(block) = section {
            block.prove().expect("a proven block");
            blocks += 1;
        }
    }
    assert_eq!(reader.finish().expect("a whole CAR"), 2 + 1 + 3);
    assert_eq!(blocks, 6);
}

#[tokio::test]
async fn symbolic_link_is_shown_and_not_followed() {
    let tree = folder(&[("link", symlink("../../etc/passwd"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}/link", tree.root)).await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "../../etc/passwd"));
    assert_eq!(got.header("content-type"), "inode/symlink");
}

#[tokio::test]
async fn site_is_served_at_the_root_of_its_host() {
    let site = folder(&[("index.html", file(b"home")), ("sub", folder(&[("x", file(b"x"))]))]);
    let node = FakeNode::start(&[&site]).await;
    let mut config = config(&[&node]);
    let root = format!("/ipfs/{}", site.root);
    config.hosts.table.push(gateway::config::Host::site("docs.example", &root));
    let gateway = Gateway::start(config).await;
    let host = ("host", "docs.example:8080");
    let got = gateway.ask(Method::GET, "/", &[host]).await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "home"));
    assert_eq!(got.header("cache-control"), "public, max-age=60");
    let got = gateway.ask(Method::GET, "//sub", &[host]).await;
    assert_eq!(got.header("location"), "/sub/");
    let labels = "traffic=\"website\",form=\"dnslink\"";
    let labels = [labels, "form=\"dnslink\",outcome=\"ok\""];
    let counted = labels.iter().map(|l| gateway.metric("bifrost_gateway_requests_total", l));
    assert!(counted.max().unwrap_or(0) > 0);
}

#[tokio::test]
async fn names_and_downloads_are_told() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}?filename=gr%C3%BCn.css&download=true", tree.root);
    let got = gateway.get(&path).await;
    assert_eq!(got.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(
        got.header("content-disposition"),
        "attachment; filename=\"gr_n.css\"; filename*=UTF-8''gr%C3%BCn.css"
    );
}

#[tokio::test]
async fn own_pages_and_ids_are_served() {
    let node = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get("/").await;
    assert_eq!(got.status.as_u16(), 200);
    assert!(got.text().contains("/ipfs/{cid}/path"));
    let got = gateway.ask(Method::GET, "/version", &[("x-request-id", "abc-1")]).await;
    assert!(got.text().contains("\"bifrost-gateway\""));
    assert_eq!(got.header("x-request-id"), "abc-1");
    assert_eq!(gateway.get("/metrics").await.status.as_u16(), 404);
    let got = gateway.ask(Method::OPTIONS, "/ipfs/x", &[]).await;
    assert_eq!(got.status.as_u16(), 204);
    let got = gateway.ask(Method::POST, "/ipfs/x", &[]).await;
    assert_eq!((got.status.as_u16(), got.header("allow")), (405, "GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn blocks_and_cars_need_not_be_files_or_folders() {
    // A node of links alone, as other programs than file systems make them.
    let leaf = file(b"leaf");
    let link = ipfs::dag_pb::Link { cid: leaf.root, name: bytes::Bytes::new(), tsize: 4 };
    let node = ipfs::dag_pb::Node { links: vec![link], data: None };
    let plain = ipfs::dag_pb::encode(&node);
    let plain = ipfs::Block::of(ipfs::Codec::DagPb, plain.into()).expect("small");
    let blocks = [leaf.blocks.clone(), vec![plain.clone()]].concat();
    let tree = Tree { root: *plain.cid(), tsize: 0, blocks };
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    let path = format!("/ipfs/{}", tree.root);
    for _ in 0..2 {
        assert_eq!(gateway.get(&format!("{path}?format=raw")).await.status.as_u16(), 200);
        let car = gateway.get(&format!("{path}?format=car")).await;
        assert!(car.whole && car.status.as_u16() == 200, "{}", car.status);
        assert_eq!(gateway.get(&path).await.status.as_u16(), 500, "as a page it is malformed");
    }
}

#[tokio::test]
async fn empty_file_ends_well() {
    let tree = file(b"");
    let fake = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&fake]).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}?filename=a.txt", tree.root)).await.body.len(), 0);
    gateway.metric_becomes("bifrost_gateway_requests_total", "outcome=\"ok\"", 1).await;
}
