//! One node over real sockets: content goes in by the admin listener and comes out as proofs.

mod names;
mod world;

use bytes::Bytes;
use http::{Method, StatusCode};
use ipfs::car::{Reader, Section};
use ipfs::unixfs::import::{FileImport, Profile};
use ipfs::{Block, Cid, Codec, car};
use world::World;

fn file(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

/// A CAR of a file's blocks, and its root.
fn archive(bytes: &[u8]) -> (Cid, Vec<u8>) {
    let mut import = FileImport::new(Profile::V0of2015);
    let mut blocks = import.push(Bytes::copy_from_slice(bytes));
    let imported = import.finish();
    blocks.extend(imported.blocks);
    let mut archive = car::header(&[imported.cid]);
    for block in blocks {
        archive.extend(car::section_prefix(block.cid(), block.data().len()));
        archive.extend_from_slice(block.data());
    }
    (imported.cid, archive)
}

/// The blocks of a CAR, every one proven.
fn read_car(bytes: &[u8]) -> Vec<Block> {
    let mut reader = Reader::new();
    reader.push(bytes);
    let mut blocks = Vec::new();
    while let Some(section) = reader.next().expect("a sound CAR") {
        if let Section::Block(unproven) = section {
            blocks.push(unproven.prove().expect("a true block"));
        }
    }
    reader.finish().expect("a whole CAR");
    blocks
}

// One thread: nothing of the node but its start has run when the start returns.
#[tokio::test]
async fn a_node_that_has_started_names_an_address_of_every_listener() {
    let world =
        World::start_with(&["swarm.listen=[/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1]"])
            .await;
    let addresses = world.peer_addresses();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    assert!(addresses.iter().all(|address| address.contains("/p2p/")), "{addresses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_file_comes_back_as_blocks_and_as_a_car() {
    let world = World::start().await;
    let bytes = file(3_000_000);
    let done = world.import("application/octet-stream", bytes.clone()).await;
    assert_eq!(done["done"], true, "{done}");
    let root = done["roots"][0].as_str().expect("a root").to_owned();
    let car = world.get(&format!("/ipfs/{root}?format=car")).await;
    assert_eq!(car.status, StatusCode::OK);
    assert_eq!(
        car.header("content-type"),
        Some("application/vnd.ipld.car; version=1; order=dfs; dups=n")
    );
    let blocks = read_car(&car.body);
    assert_eq!(blocks[0].cid().to_string(), root);
    let content: Vec<u8> = blocks
        .iter()
        .filter(|block| block.cid().codec() == Codec::Raw)
        .flat_map(|block| block.data().to_vec())
        .collect();
    assert_eq!(content, bytes);
    for block in &blocks {
        let raw = world.get(&format!("/ipfs/{}?format=raw", block.cid())).await;
        assert_eq!(raw.body, block.data());
    }
    assert!(world.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_answer_has_the_headers_of_the_protocol() {
    let world = World::start().await;
    let done = world.import("text/plain", b"hello".to_vec()).await;
    let root = done["roots"][0].as_str().expect("a root").to_owned();
    let path = format!("/ipfs/{root}?format=raw");
    let raw = world.get(&path).await;
    let expected = [
        ("content-type", "application/vnd.ipld.raw".to_owned()),
        ("etag", format!("\"{root}.raw\"")),
        ("cache-control", "public, max-age=29030400, immutable".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-ipfs-path", format!("/ipfs/{root}")),
        ("x-ipfs-roots", root.clone()),
        ("accept-ranges", "bytes".to_owned()),
        ("content-length", "5".to_owned()),
        ("cache-status", "bifrost-node; hit".to_owned()),
    ];
    for (name, value) in expected {
        assert_eq!(raw.header(name), Some(value.as_str()), "{name}");
    }
    let disposition = raw.header("content-disposition").unwrap_or_default();
    assert!(disposition.starts_with(&format!("attachment; filename=\"{root}.bin\"")));
    assert!(raw.header("x-request-id").is_some());
    let head = world.ask(Method::HEAD, &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), Some("5"));
    let etag = format!("W/\"x\", \"{root}.raw\"");
    let same = world.ask(Method::GET, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let accept = [("accept", "application/vnd.ipld.raw")];
    let by_accept = world.ask(Method::GET, &format!("/ipfs/{root}"), &accept).await;
    assert_eq!(by_accept.body, "hello");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_block_are_cut_to_it() {
    let world = World::start().await;
    let done = world.import("text/plain", b"0123456789".to_vec()).await;
    let root = done["roots"][0].as_str().expect("a root").to_owned();
    let path = format!("/ipfs/{root}?format=raw");
    let cases = [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("bytes=5-100", 206, "56789", Some("bytes 5-9/10")),
        ("bytes=0-0,5-6", 206, "0", Some("bytes 0-0/10")),
        ("bytes=10-", 416, "", Some("bytes */10")),
        ("bytes=-0", 416, "", Some("bytes */10")),
        ("bytes=5-2", 200, "0123456789", None),
        ("bytes=x", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
    ];
    for (range, status, body, content_range) in cases {
        let answer = world.ask(Method::GET, &path, &[("range", range)]).await;
        assert_eq!(answer.status.as_u16(), status, "{range}");
        assert_eq!(answer.header("content-range"), content_range, "{range}");
        if status != 416 {
            assert_eq!(answer.body, body, "{range}");
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_their_status_and_a_reason() {
    let world = World::start().await;
    let absent = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    let long = format!("/ipfs/{absent}/{}?format=raw", "x".repeat(9000));
    let cases = [
        ("/ipfs/not-a-cid?format=raw".to_owned(), 400),
        ("/ipfs/bafkqaaa/%ff?format=raw".to_owned(), 400),
        ("/ipfs/bafkqaaa/%2e%2e?format=raw".to_owned(), 400),
        (format!("/ipfs/{absent}?format=car&dag-scope=some"), 400),
        (format!("/ipfs/{absent}"), 406),
        (format!("/ipfs/{absent}?format=raw"), 502),
        ("/".to_owned(), 404),
        ("/metrics".to_owned(), 404),
        (long, 414),
    ];
    for (path, status) in cases {
        let answer = world.get(&path).await;
        let shown: String = path.chars().take(80).collect();
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{shown}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{shown}");
        assert!(answer.json()["detail"].is_string());
    }
    let local = [("cache-control", "only-if-cached")];
    let path = format!("/ipfs/{absent}?format=raw");
    assert_eq!(world.ask(Method::GET, &path, &local).await.status.as_u16(), 412);
    let post = world.ask(Method::POST, &path, &[]).await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let inline = world.get("/ipfs/bafkqaaa?format=raw").await;
    assert_eq!((inline.status, inline.body.len()), (StatusCode::OK, 0));
    let missing = world.get(&format!("/ipfs/{absent}?format=raw")).await;
    assert_eq!(missing.header("retry-after"), Some("60"));
    let state = missing.header("bifrost-retrieval").unwrap_or_default();
    assert!(state.contains("outcome=no_providers"), "{state}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn car_is_imported_whole_or_not_at_all() {
    let world = World::start().await;
    let (root, car) = archive(&file(1_000_000));
    let mut lying = car.clone();
    *lying.last_mut().expect("bytes") ^= 1;
    let mut oversized = car::header(&[]);
    let block = vec![0; 2 * 1024 * 1024 + 1];
    oversized.extend(car::section_prefix(&root, block.len()));
    oversized.extend(block);
    let cases = [
        (car[..car.len() - 10].to_vec(), "cut short"),
        (lying, "not what it claims to be"),
        (oversized, "over the limit"),
        (b"hello".repeat(100), "not a CAR"),
        (Vec::new(), "cut short"),
    ];
    for (bytes, reason) in cases {
        let done = world.import("application/vnd.ipld.car", bytes).await;
        let error = done["error"].as_str().unwrap_or_default();
        assert!(error.contains(reason), "{reason}: {done}");
    }
    assert_eq!(world.stored_blocks().await, 0);
    let done = world.import("application/vnd.ipld.car", car).await;
    assert_eq!(done["roots"][0].as_str(), Some(root.to_string().as_str()));
    assert_eq!(world.stored_blocks().await, done["blocks"].as_u64().expect("a count"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn car_parameters_choose_the_blocks() {
    let world = World::start().await;
    let bytes = file(1_000_000);
    let (root, car) = archive(&bytes);
    world.import("application/vnd.ipld.car", car).await;
    let count = async |query: &str| {
        let answer = world.get(&format!("/ipfs/{root}?format=car&{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        read_car(&answer.body).len()
    };
    assert_eq!(count("dag-scope=block").await, 1);
    assert_eq!(count("dag-scope=entity").await, 5);
    assert_eq!(count("dag-scope=entity&entity-bytes=0:10").await, 2);
    assert_eq!(count("dag-scope=entity&entity-bytes=262143:262144").await, 3);
    assert_eq!(count("dag-scope=entity&entity-bytes=-1:*").await, 2);
    let outside = format!("/ipfs/{root}?format=car&dag-scope=entity&entity-bytes=1000000:*");
    assert_eq!(world.get(&outside).await.status.as_u16(), 400);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_counted_once() {
    let world = World::start().await;
    let done = world.import("text/plain", b"hello".to_vec()).await;
    let root = done["roots"][0].as_str().expect("a root").to_owned();
    for _ in 0..3 {
        world.get(&format!("/ipfs/{root}?format=raw")).await;
    }
    world.get("/ipfs/not-a-cid?format=raw").await;
    let metrics = world.metrics().await;
    let value = |series: &str| {
        let line = metrics.lines().find(|line| line.starts_with(series));
        line.unwrap_or_else(|| panic!("no {series}")).rsplit(' ').next().map(str::to_owned)
    };
    let ok = "bifrost_node_requests_total{cache=\"hit\",format=\"raw\",outcome=\"ok\"}";
    assert_eq!(value(ok).as_deref(), Some("3"));
    let bad = "bifrost_node_requests_total{cache=\"none\",format=\"own\",outcome=\"client_error\"}";
    assert_eq!(value(bad).as_deref(), Some("1"));
    assert_eq!(value("bifrost_node_in_flight").as_deref(), Some("0"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_is_left_before_its_answer_gives_its_place_back() {
    let world = World::start().await;
    let absent = Block::of(Codec::Raw, Bytes::from_static(b"nobody has this")).expect("small");
    for _ in 0..10 {
        world.leave(&format!("/ipfs/{}?format=raw", absent.cid())).await;
    }
    let is_left = |line: &&str| {
        line.starts_with("bifrost_node_requests_total") && line.contains("client_abort")
    };
    for _ in 0..200 {
        let metrics = world.metrics().await;
        let aborted: u64 = metrics
            .lines()
            .filter(is_left)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        if aborted == 10 {
            assert!(metrics.contains("bifrost_node_in_flight 0"), "{metrics}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("they are not counted: {}", world.metrics().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_refused_where_its_end_could_not_be_told_from_a_cut() {
    let world = World::start().await;
    let done = world.import("application/octet-stream", file(100_000)).await;
    let root = done["roots"][0].as_str().expect("a root");
    let answer = world.raw(&format!("GET /ipfs/{root}?format=car HTTP/1.0\r\n\r\n")).await;
    assert!(answer.contains(" 505 "), "{answer}");
    let answer = world.raw(&format!("GET /ipfs/{root}?format=raw HTTP/1.0\r\n\r\n")).await;
    assert!(answer.contains(" 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_heed_what_the_client_has() {
    let world = World::start().await;
    let done = world.import("application/octet-stream", file(1000)).await;
    let path = format!("/ipfs/{}?format=raw", done["roots"][0].as_str().expect("a root"));
    let tag = world.get(&path).await.header("etag").expect("a tag").to_owned();
    let ask = async |headers: &[(&str, &str)]| {
        world.ask(Method::GET, &path, headers).await.status.as_u16()
    };
    assert_eq!(ask(&[("range", "bytes=9999-"), ("if-none-match", &tag)]).await, 304);
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await, 200);
    assert_eq!(ask(&[("range", "bytes=0-9"), ("if-range", &tag)]).await, 206);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_is_closed() {
    let world = World::start_with(&["http.header_timeout=300ms"]).await;
    for start in ["", "PRI * HT", "GET / HTTP/1.1\r\nHost: a\r\nX: "] {
        let answer = world.raw(start).await;
        assert!(!answer.contains(" 200 "), "{start:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_told_as_such() {
    let world = World::start_with(&["blockstore.free_min=1000TiB"]).await;
    let done = world.import("application/octet-stream", file(1000)).await;
    assert_eq!(done["kind"], "disk_full", "{done}");
    assert_eq!(world.stored_blocks().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn car_without_its_root_is_refused_whole() {
    let world = World::start().await;
    let (root, archive) = archive(&file(600_000));
    let block = read_car(&archive).into_iter().next().expect("a leaf");
    let mut lacking = car::header(&[root]);
    lacking.extend(car::section_prefix(block.cid(), block.data().len()));
    lacking.extend_from_slice(block.data());
    let done = world.import("application/vnd.ipld.car", lacking).await;
    assert!(done["error"].as_str().is_some_and(|text| text.contains("its root")), "{done}");
    assert_eq!(world.stored_blocks().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_a_car_are_read_from_the_query_and_from_accept() {
    let world = World::start().await;
    // Three leaves, of which the first two are the same block.
    let leaf = file(262_144);
    let content = [&leaf[..], &leaf[..], b"end"].concat();
    let (root, archive) = archive(&content);
    world.import("application/vnd.ipld.car", archive).await;
    let plain = ("order=dfs; dups=n", 3);
    let cases = [
        ("", "", plain),
        ("car-dups=y", "", ("order=dfs; dups=y", 4)),
        ("", "; version=1; order=dfs; dups=y", ("order=dfs; dups=y", 4)),
        ("car-dups=n&car-order=dfs", "; order=unk; dups=y", plain),
        ("car-version=1&car-order=unk", "", plain),
        ("dag-scope=block", "", ("order=dfs; dups=n", 1)),
        ("dag-scope=entity", "", plain),
        ("dag-scope=entity&entity-bytes=0:9", "", ("order=dfs; dups=n", 2)),
        ("entity-bytes=-3:*", "", ("order=dfs; dups=n", 2)),
        ("entity-bytes=-9999999:-4", "", ("order=dfs; dups=n", 2)),
    ];
    for (query, parameters, (kind, blocks)) in cases {
        let accept = format!("application/vnd.ipld.car{parameters}");
        let path = format!("/ipfs/{root}?{query}");
        let car = world.ask(Method::GET, &path, &[("accept", &accept)]).await;
        let shown = format!("{query} {parameters}");
        assert_eq!(car.status, StatusCode::OK, "{shown}");
        let expected = format!("application/vnd.ipld.car; version=1; {kind}");
        assert_eq!(car.header("content-type"), Some(expected.as_str()), "{shown}");
        assert_eq!(read_car(&car.body).len(), blocks, "{shown}");
        let location = car.header("content-location").expect("Accept chose the form");
        let same = world.get(location).await;
        assert_eq!(same.body, car.body, "{shown}");
        assert_eq!(same.header("content-location"), None, "{shown}");
        assert_eq!(same.header("vary"), Some("Accept"), "{shown}");
    }
    for query in [
        "car-version=2",
        "car-order=dsf",
        "car-dups=maybe",
        "entity-bytes=1",
        "entity-bytes=999999999:*",
    ] {
        let refused = world.get(&format!("/ipfs/{root}?format=car&{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let head = world.ask(Method::HEAD, &format!("/ipfs/{root}?format=car"), &[]).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, None));
    world.stop().await;
}
