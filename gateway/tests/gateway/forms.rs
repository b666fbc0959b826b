//! Every form in which content can be asked for.

use std::io::Read;

use bytes::Bytes;
use http::Method;
use ipfs::{Block, Codec};

use crate::content::{Tree, file, folder, noise, symlink};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};

/// One block of data.
fn data(codec: Codec, bytes: &[u8]) -> Tree {
    let block = Block::of(codec, Bytes::copy_from_slice(bytes)).expect("small");
    Tree { root: *block.cid(), tsize: bytes.len() as u64, blocks: vec![block] }
}

#[tokio::test]
async fn blocks_of_data_are_given_in_their_own_form_only() {
    let cbor = data(Codec::DagCbor, b"\xa1\x65hello\x65world");
    let json = data(Codec::DagJson, br#"{"hello":"world"}"#);
    let page = file(b"{\"a\":1}");
    let node = FakeNode::start(&[&cbor, &json, &page]).await;
    let gateway = Gateway::of(&[&node]).await;
    for (tree, query, status, media) in [
        (&cbor, "", 200, "application/vnd.ipld.dag-cbor"),
        (&cbor, "?format=dag-cbor", 200, "application/vnd.ipld.dag-cbor"),
        (&cbor, "?format=cbor", 200, "application/cbor"),
        (&cbor, "?format=dag-json", 406, ""),
        (&cbor, "?format=json", 406, ""),
        (&json, "", 200, "application/vnd.ipld.dag-json"),
        (&json, "?format=json", 200, "application/json"),
        (&json, "?format=dag-cbor", 406, ""),
        (&page, "?format=json", 200, "application/json"),
        (&page, "?format=dag-json", 406, ""),
    ] {
        let path = format!("/ipfs/{}{query}", tree.root);
        let got = gateway.get(&path).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        if status == 200 {
            assert_eq!(got.header("content-type"), media, "{path}");
            assert_eq!(got.body, tree.blocks[0].data());
        }
    }
    // What programs send by default asks for JSON and takes anything.
    let any = [("accept", "application/json, text/plain, */*")];
    let got = gateway.ask(Method::GET, &format!("/ipfs/{}", cbor.root), &any).await;
    assert_eq!(got.header("content-type"), "application/vnd.ipld.dag-cbor");
}

#[tokio::test]
async fn conversion_is_a_setting() {
    let cbor = data(Codec::DagCbor, b"\xa1\x65hello\x65world");
    let tree = folder(&[("a", file(b"x"))]);
    let node = FakeNode::start(&[&cbor, &tree]).await;
    let mut config = config(&[&node]);
    config.render.convert_codecs = true;
    let gateway = Gateway::start(config).await;
    let got = gateway.get(&format!("/ipfs/{}?format=dag-json", cbor.root)).await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, r#"{"hello":"world"}"#));
    let got = gateway.get(&format!("/ipfs/{}?format=dag-json", tree.root)).await;
    let json: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    assert_eq!(json["Links"][0]["Name"], "a");
    let got = gateway.get(&format!("/ipfs/{}/a?format=tar", tree.root)).await;
    assert_eq!(got.header("content-type"), "application/x-tar");
}

#[tokio::test]
async fn paths_lead_through_data_to_links() {
    let leaf = data(Codec::DagJson, br#"{"hello":"leaf"}"#);
    let text = format!(r#"{{"a":{{"b":[1,{{"/":"{}"}}]}},"n":5}}"#, leaf.root);
    let root = data(Codec::DagJson, text.as_bytes());
    let node = FakeNode::start(&[&leaf, &root]).await;
    let gateway = Gateway::of(&[&node]).await;
    for (path, status) in [
        ("/a/b/1", 200),
        ("/a/b/0", 501),
        ("/a/b", 501),
        ("/a/c", 404),
        ("/n", 501),
        ("/a/b/1/hello", 501),
        ("/a/b/1/none", 404),
    ] {
        let got = gateway.get(&format!("/ipfs/{}{path}", root.root)).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
    }
    let got = gateway.get(&format!("/ipfs/{}/a/b/1", root.root)).await;
    assert_eq!(got.header("x-ipfs-roots"), format!("{},{}", root.root, leaf.root));
}

#[tokio::test]
async fn data_is_drawn_for_people_who_take_html() {
    let hostile = br#"{"<script>alert(1)</script>":"\"><img src=x onerror=alert(2)>"}"#;
    let leaf = file(b"x");
    let linked = format!(r#"{{"l":{{"/":"{}"}},"b":{{"/":{{"bytes":"AAEC"}}}}}}"#, leaf.root);
    let (hostile, linked) =
        (data(Codec::DagJson, hostile), data(Codec::DagJson, linked.as_bytes()));
    let bad = data(Codec::DagCbor, &[0x81; 200_000]);
    let many = format!("[{}1]", "1,".repeat(400_000));
    let many = data(Codec::Json, many.as_bytes());
    let node = FakeNode::start(&[&hostile, &linked, &bad, &many]).await;
    let gateway = Gateway::of(&[&node]).await;
    let html = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let draw =
        async |tree: &Tree| gateway.ask(Method::GET, &format!("/ipfs/{}/", tree.root), &html).await;
    let got = draw(&hostile).await;
    assert_eq!(got.header("content-type"), "text/html; charset=utf-8");
    assert!(got.header("etag").starts_with("\"DagIndex-"));
    for markup in ["<script", "<img"] {
        assert!(!got.text().contains(markup), "{}", got.text());
    }
    let got = draw(&linked).await;
    assert!(got.text().contains(&format!("href=\"/ipfs/{}\"", leaf.root)), "{}", got.text());
    assert!(got.text().contains("000102"));
    assert_eq!(draw(&bad).await.status.as_u16(), 500, "nested too deep to be read");
    let got = draw(&many).await;
    assert!(got.body.len() < 400_000 && got.text().contains("more in this block"));
}

fn names(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("an archive");
    entries
        .map(|entry| {
            let mut entry = entry.expect("a good entry");
            let name = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            (name, bytes)
        })
        .collect()
}

#[tokio::test]
async fn tar_holds_the_whole_folder() {
    let large = noise(5, 3 * 1024 * 1024 + 7);
    let sub = folder(&[("ł.txt", file(b"inner")), ("link", symlink("ł.txt"))]);
    let many: Vec<_> = (0..300).map(|i| (format!("f{i:03}"), file(b"x"))).collect();
    let many: Vec<_> = many.iter().map(|(name, tree)| (name.as_str(), tree.clone())).collect();
    let tree = folder(&[
        ("empty", file(b"")),
        ("large", file(&large)),
        ("many", folder(&many)),
        ("sub", sub),
    ]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}?format=tar", tree.root)).await;
    assert!(got.whole && got.status.as_u16() == 200);
    assert_eq!(got.header("etag"), format!("W/\"{}.x-tar\"", tree.root));
    assert!(got.header("content-disposition").starts_with("attachment"));
    let root = tree.root.to_string();
    let found = names(&got.body);
    assert_eq!(found.len(), 1 + 2 + 1 + 300 + 3);
    let bytes = |name: &str| {
        let name = format!("{root}/{name}");
        found.iter().find(|(found, _)| *found == name).map(|(_, bytes)| bytes.clone())
    };
    assert_eq!(bytes("large"), Some(large));
    assert_eq!(bytes("sub/ł.txt").as_deref(), Some(&b"inner"[..]));
    assert_eq!(bytes("empty").as_deref(), Some(&b""[..]));
    let got = gateway.get(&format!("/ipfs/{}/sub/ł.txt?format=tar", tree.root)).await;
    let one = names(&got.body);
    assert_eq!((one.len(), &one[0].1[..]), (1, &b"inner"[..]));
}

#[tokio::test]
async fn tar_never_leaves_its_folder() {
    for (name, target) in [("../x", None), ("a/../../b", None), ("l", Some("../../etc/passwd"))] {
        let entry = target.map_or_else(|| file(b"x"), symlink);
        let tree = folder(&[(name, entry)]);
        let node = FakeNode::start(&[&tree]).await;
        let gateway = Gateway::of(&[&node]).await;
        let got = gateway.get(&format!("/ipfs/{}?format=tar", tree.root)).await;
        assert_eq!(got.status.as_u16(), 500, "{name}: {}", got.text());
    }
}

#[tokio::test]
async fn tar_that_cannot_be_finished_is_cut() {
    let large = file(&noise(6, 4 * 1024 * 1024));
    let tree = folder(&[("large", large.clone())]);
    let node = FakeNode::start(&[&tree]).await;
    let last = large.blocks.iter().rfind(|block| block.cid().codec() == Codec::Raw);
    node.lose(last.expect("leaves").cid());
    let gateway = Gateway::of(&[&node]).await;
    let got = gateway.get(&format!("/ipfs/{}?format=tar", tree.root)).await;
    assert!(got.status.as_u16() == 200 && !got.whole);
}

#[tokio::test]
async fn folders_are_listed_page_by_page_and_as_json() {
    let names: Vec<String> = (0..25).map(|i| format!("e{i:02}")).collect();
    let entry = file(b"x");
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), entry.clone())).collect();
    let tree = folder(&entries);
    let node = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&node]);
    config.render.listing_entries_max = 10;
    let gateway = Gateway::start(config).await;
    let path = format!("/ipfs/{}/", tree.root);
    let mut etags = Vec::new();
    for (page, count, next) in [(1, 10, true), (2, 10, true), (3, 5, false), (4, 0, false)] {
        let got = gateway.get(&format!("{path}?page={page}")).await;
        assert_eq!(got.text().matches("ipfs-hash").count(), count, "page {page}");
        assert_eq!(got.text().contains("rel=\"next\""), next, "page {page}");
        etags.push(got.header("etag").to_owned());
        let json = gateway.get(&format!("{path}?format=json&page={page}")).await;
        assert_eq!(json.header("content-type"), "application/json");
        let json: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
        let entries = json["entries"].as_array().expect("a list");
        assert_eq!(entries.len(), count);
        assert_eq!(json.get("next").is_some(), next);
        if page == 2 {
            assert_eq!(entries[0]["name"], "e10");
            assert_eq!(entries[0]["cid"], entry.root.to_string());
        }
    }
    etags.dedup();
    assert_eq!(etags.len(), 4, "each page has a tag of its own");
}

#[tokio::test]
async fn sizes_are_bounded_by_policy() {
    let tree = file(&noise(8, 6 * 1024 * 1024));
    let node = FakeNode::start(&[&tree]).await;
    let path = format!("/ipfs/{}", tree.root);
    let limit = |bytes: u64| bytesize::ByteSize::b(bytes);
    let mut small = config(&[&node]);
    small.render.file_bytes_max = limit(5 * 1024 * 1024);
    let gateway = Gateway::start(small).await;
    assert_eq!(gateway.get(&path).await.status.as_u16(), 410);
    assert_eq!(gateway.get(&format!("{path}?format=car")).await.status.as_u16(), 200);
    let mut ranges = config(&[&node]);
    ranges.render.range_file_bytes_max = limit(5 * 1024 * 1024);
    let gateway = Gateway::start(ranges).await;
    let range = [("range", "bytes=0-10")];
    assert_eq!(gateway.ask(Method::GET, &path, &range).await.status.as_u16(), 501);
    assert_eq!(gateway.get(&path).await.status.as_u16(), 200);
    let mut streams = config(&[&node]);
    streams.render.stream_bytes_max = limit(5 * 1024 * 1024);
    let gateway = Gateway::start(streams).await;
    for format in ["car", "tar"] {
        let got = gateway.get(&format!("{path}?format={format}")).await;
        assert!(!got.whole && got.body.len() <= 5 * 1024 * 1024, "{format}: {}", got.body.len());
    }
}

#[tokio::test]
async fn names_of_the_query_make_no_pages_in_a_shared_origin() {
    let tree = file(b"<script>alert(1)</script>");
    let node = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&node]);
    config.render.sandbox_paths = true;
    config.hosts.table =
        vec![gateway::config::Host::site("s.example", &format!("/ipfs/{}", tree.root))];
    let gateway = Gateway::start(config).await;
    for (name, saved) in [("a.html", true), ("a.svg", true), ("a.xhtml", true), ("a.txt", false)] {
        let got = gateway.get(&format!("/ipfs/{}?filename={name}", tree.root)).await;
        let disposition = got.header("content-disposition");
        assert_eq!(disposition.starts_with("attachment"), saved, "{name}: {disposition}");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert!(got.header("content-security-policy").starts_with("sandbox"));
    }
    let own = [("host", "s.example")];
    let got = gateway.ask(Method::GET, "/?filename=a.html", &own).await;
    assert!(got.header("content-disposition").starts_with("inline"));
    assert_eq!(got.header("content-security-policy"), "");
}
