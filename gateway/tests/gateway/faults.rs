//! What is answered when nodes fail: nothing wrong, nothing that looks whole and is not.

use std::time::{Duration, Instant};

use http::Method;

use crate::content::{Tree, file, folder, noise};
use crate::fake::{FakeNode, Manner};
use crate::harness::{Gateway, config};

/// Trees that lead to different nodes first.
fn trees(count: u64) -> Vec<Tree> {
    (0..count).map(|seed| file(&noise(seed + 100, 4096))).collect()
}

#[tokio::test]
async fn every_outcome_has_its_status_and_page() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    let header = "bifrost-retrieval";
    let retry = ("retry-after", "1");
    for (manner, status, outcome) in [
        (
            Manner::Status(
                502,
                vec![(
                    header,
                    "phase=done, providers=0, connected=0, elapsed=5, outcome=no_providers",
                )],
            ),
            502,
            "no_providers",
        ),
        (
            Manner::Status(
                504,
                vec![(
                    header,
                    "phase=data, providers=3, connected=1, elapsed=900, outcome=unreachable",
                )],
            ),
            504,
            "unreachable",
        ),
        (
            Manner::Status(
                504,
                vec![(
                    header,
                    "phase=providers, providers=0, connected=0, elapsed=5, outcome=timeout",
                )],
            ),
            504,
            "timeout",
        ),
        (
            Manner::Status(
                500,
                vec![(
                    header,
                    "phase=done, providers=1, connected=1, elapsed=5, outcome=bad_content",
                )],
            ),
            500,
            "bad_content",
        ),
        (Manner::Status(410, vec![]), 410, "blocked"),
        (Manner::Status(503, vec![retry]), 503, "overload"),
        (Manner::Lying, 502, "upstream_fault"),
        (Manner::Status(500, vec![]), 503, "upstream_fault"),
    ] {
        let gateway = Gateway::of(&[&node]).await;
        node.behave(manner);
        let path = format!("/ipfs/{}", tree.root);
        for (accept, media) in [
            ("text/html", "text/html; charset=utf-8"),
            ("application/json", "application/problem+json"),
            ("*/*", "text/plain; charset=utf-8"),
        ] {
            let got = gateway.ask(Method::GET, &path, &[("accept", accept)]).await;
            assert_eq!(got.status.as_u16(), status, "{outcome}: {}", got.text());
            assert_eq!(got.header("content-type"), media);
            // What is allowed again is to be served again soon.
            let kept = if outcome == "blocked" { "public, max-age=60" } else { "no-store" };
            assert_eq!(got.header("cache-control"), kept, "{outcome}");
            let is_passing = matches!(status, 502..=504);
            assert_eq!(!got.header("retry-after").is_empty(), is_passing, "{outcome}");
            assert!(got.text().contains(got.header("x-request-id")), "{outcome}");
        }
        let labels = format!("outcome=\"{outcome}\"");
        gateway.metric_becomes("bifrost_gateway_requests_total", &labels, 3).await;
    }
}

#[tokio::test]
async fn page_says_how_far_the_search_came() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    let state = "phase=data, providers=3, connected=1, elapsed=900, outcome=unreachable";
    node.behave(Manner::Status(504, vec![("bifrost-retrieval", state)]));
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    let text = gateway.ask(Method::GET, &path, &[("accept", "text/html")]).await.text();
    assert!(text.contains("found 3 providers, connected to 1"), "{text}");
    assert!(text.contains(&tree.root.to_string()));
}

#[tokio::test]
async fn missing_name_is_not_found_and_bad_paths_are_refused() {
    let tree = folder(&[("f", file(b"hello"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    for (path, status) in [
        (format!("/ipfs/{}/nothing", tree.root), 404),
        (format!("/ipfs/{}/f/below", tree.root), 404),
        (format!("/ipfs/{}/%2e%2e/f", tree.root), 400),
        ("/ipfs/QmInvalidCID".to_owned(), 400),
        (format!("/ipfs/{}/{}", tree.root, "a/".repeat(129)), 400),
    ] {
        let got = gateway.get(&path).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        assert_eq!(got.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn content_of_the_second_node_is_found_when_the_first_has_none() {
    let trees = trees(8);
    let all: Vec<&Tree> = trees.iter().collect();
    let (full, empty) = (FakeNode::start(&all).await, FakeNode::start(&[]).await);
    let gateway = Gateway::of(&[&empty, &full]).await;
    for tree in &trees {
        assert_eq!(gateway.get(&format!("/ipfs/{}", tree.root)).await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn bad_bytes_are_never_forwarded_and_the_other_node_is_asked() {
    for manner in [Manner::Lying, Manner::Short, Manner::Cut, Manner::Huge, Manner::Compressed] {
        let trees = trees(12);
        let all: Vec<&Tree> = trees.iter().collect();
        let (good, bad) = (FakeNode::start(&all).await, FakeNode::start(&all).await);
        bad.behave(manner.clone());
        let gateway = Gateway::of(&[&bad, &good]).await;
        for tree in &trees {
            let got = gateway.get(&format!("/ipfs/{}", tree.root)).await;
            assert_eq!(got.status.as_u16(), 200, "{manner:?}");
            assert!(got.body == tree.blocks[0].data(), "{manner:?}");
        }
        assert!(bad.requests() > 0 && bad.requests() <= 10, "{manner:?}: {}", bad.requests());
        if matches!(manner, Manner::Lying | Manner::Huge) {
            let unverified = "bifrost_gateway_unverified_bytes_total";
            assert!(gateway.metric(unverified, "node=\"0\"") > 0, "{manner:?}");
            assert_eq!(gateway.metric(unverified, "node=\"1\""), 0);
        }
    }
}

#[tokio::test]
async fn silent_and_stalling_nodes_cost_little_time() {
    for manner in [Manner::Silent, Manner::Stalling] {
        let trees = trees(8);
        let all: Vec<&Tree> = trees.iter().collect();
        let (good, bad) = (FakeNode::start(&all).await, FakeNode::start(&all).await);
        bad.behave(manner.clone());
        let gateway = Gateway::of(&[&bad, &good]).await;
        for tree in &trees {
            let began = Instant::now();
            let got = gateway.get(&format!("/ipfs/{}", tree.root)).await;
            assert_eq!(got.status.as_u16(), 200, "{manner:?}");
            assert!(began.elapsed() < Duration::from_secs(2), "{manner:?} {:?}", began.elapsed());
        }
    }
}

#[tokio::test]
async fn killed_node_does_not_show_in_a_running_transfer() {
    let bytes = noise(5, 24 * 1024 * 1024);
    let tree = file(&bytes);
    let mut first = FakeNode::start(&[&tree]).await;
    let second = FakeNode::start(&[&tree]).await;
    let pause = Manner::Slow(Duration::from_millis(30));
    first.behave(pause.clone());
    second.behave(pause);
    let gateway = Gateway::of(&[&first, &second]).await;
    let path = format!("/ipfs/{}?filename=x.bin", tree.root);
    let transfer = gateway.get(&path);
    let killing = async {
        while first.requests() + second.requests() < 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        first.kill().await;
    };
    let (got, ()) = tokio::join!(transfer, killing);
    assert!(got.whole && got.body == bytes, "the transfer is whole");
}

#[tokio::test]
async fn all_nodes_down_is_told_at_once_and_memory_still_serves() {
    let (kept, other) = (file(b"kept"), file(b"other"));
    let mut node = FakeNode::start(&[&kept, &other]).await;
    let gateway = Gateway::of(&[&node]).await;
    let kept = format!("/ipfs/{}", kept.root);
    assert_eq!(gateway.get(&kept).await.status.as_u16(), 200);
    node.kill().await;
    let began = Instant::now();
    let got = gateway.get(&format!("/ipfs/{}", other.root)).await;
    assert_eq!(got.status.as_u16(), 503);
    assert!(!got.header("retry-after").is_empty());
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(gateway.get(&kept).await.status.as_u16(), 200);
}

#[tokio::test]
async fn content_that_a_dead_node_may_have_is_unreachable_and_not_absent() {
    let sought = file(b"sought");
    let (mut dead, empty) = (FakeNode::start(&[&sought]).await, FakeNode::start(&[]).await);
    let gateway = Gateway::of(&[&dead, &empty]).await;
    dead.kill().await;
    // Also once the dead node is left alone.
    for round in 0..8_u8 {
        let absent = file(&[round; 9]);
        let got = gateway.get(&format!("/ipfs/{}", absent.root)).await;
        assert_eq!(got.status.as_u16(), 504, "round {round}");
    }
    gateway.metric_becomes("bifrost_gateway_requests_total", "outcome=\"unreachable\"", 8).await;
}

#[tokio::test]
async fn failure_behind_the_headers_cuts_the_answer() {
    let bytes = noise(6, 20 * 1024 * 1024);
    let tree = file(&bytes);
    let node = FakeNode::start(&[&tree]).await;
    node.lose(tree.blocks[15].cid());
    for car in [false, true] {
        let gateway = Gateway::of(&[&node]).await;
        let query = if car { "format=car" } else { "filename=x.bin" };
        let path = format!("/ipfs/{}?{query}", tree.root);
        for got in [gateway.get(&path).await, gateway.get_h2(&path).await] {
            assert_eq!(got.status.as_u16(), 200);
            assert!(!got.whole, "a cut answer looks cut");
            assert!(got.body.len() > 1024 * 1024, "what is there was sent");
            if !car {
                assert!(bytes.starts_with(&got.body), "and nothing else was");
            }
        }
        let labels = "outcome=\"truncated\"";
        gateway.metric_becomes("bifrost_gateway_requests_total", labels, 2).await;
    }
}

#[tokio::test]
async fn only_if_cached_asks_no_network() {
    let (here, gone) = (file(b"here"), file(b"gone"));
    let node = FakeNode::start(&[&here]).await;
    let gateway = Gateway::of(&[&node]).await;
    let headers = [("cache-control", "only-if-cached")];
    let got = gateway.ask(Method::GET, &format!("/ipfs/{}", gone.root), &headers).await;
    assert_eq!(got.status.as_u16(), 412);
    assert_eq!(node.last_headers().get("cache-control").expect("passed on"), "only-if-cached");
    let got = gateway.ask(Method::HEAD, &format!("/ipfs/{}", here.root), &headers).await;
    assert_eq!(got.status.as_u16(), 200);
}

#[tokio::test]
async fn node_is_told_the_root_the_path_and_the_deadline() {
    let leaf = file(b"hello");
    let tree = folder(&[("a b", folder(&[("f", leaf.clone())]))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("x-request-id", "abc-1"), ("traceparent", traceparent)];
    gateway.ask(Method::GET, &format!("/ipfs/{}/a%20b/f", tree.root), &headers).await;
    let told = node.last_headers();
    let told = |name: &str| told.get(name).expect("told").to_str().expect("text").to_owned();
    assert_eq!(told("bifrost-root"), tree.root.to_string());
    assert_eq!(told("bifrost-path"), "/a%20b/f");
    assert_eq!(told("x-request-id"), "abc-1");
    assert!(told("traceparent").contains("4bf92f3577b34da6a3ce929d0e0e4736"));
    let left: u64 = told("bifrost-deadline").parse().expect("milliseconds");
    assert!(left > 1_000 && left <= 30_000, "{left}");
}

#[tokio::test]
async fn absence_is_believed_for_a_while_and_other_failures_are_not() {
    let (absent, broken) = (file(b"absent"), file(b"broken"));
    let node = FakeNode::start(&[]).await;
    let mut config = config(&[&node]);
    config.upstream.eject_after = 0;
    let gateway = Gateway::start(config).await;
    for _ in 0..5 {
        let got = gateway.get(&format!("/ipfs/{}", absent.root)).await;
        assert_eq!(got.status.as_u16(), 502);
    }
    assert_eq!(node.asked_for(&absent.root), 1);
    node.behave(Manner::Status(500, vec![]));
    assert_eq!(gateway.get(&format!("/ipfs/{}", broken.root)).await.status.as_u16(), 503);
    node.behave(Manner::Well);
    node.hold(&broken);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", broken.root)).await.status.as_u16(), 200);
}
