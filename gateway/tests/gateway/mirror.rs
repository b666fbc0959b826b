//! What staging gets of requests, what is made of its answers, and that nobody waits for it.

use std::path::Path;
use std::time::Duration;

use gateway::config::Config;
use http::Method;
use ipnet::IpNet;
use serde_json::Value;
use telemetry::pairs::Pair;

use crate::content::{Tree, file, folder, noise};
use crate::fake::FakeNode;
use crate::harness::{Gateway, Got, config};
use crate::names::Key;
use crate::staging::{Play, Staging};

const PAIRS: &str = "bifrost_gateway_mirror_pairs_total";
const DIFFERENCES: &str = "bifrost_gateway_mirror_differences_total";
const DROPPED: &str = "bifrost_gateway_mirror_dropped_total";
const FAILURES: &str = "bifrost_gateway_mirror_failures_total";

fn tree() -> Tree {
    folder(&[("a.txt", file(b"a file")), ("large", file(&noise(7, 3_000_000)))])
}

/// A production in front of a node, whose copies go there.
fn production(node: &FakeNode, to: &str) -> Config {
    let mut config = config(&[node]);
    config.access.env = "prod".into();
    config.mirror.to = Some(to.to_owned());
    config.mirror.retry_after = Duration::ZERO;
    // The mirror runs where nobody else does, which on a busy machine is seldom.
    config.mirror.stall_timeout = Duration::from_secs(30);
    config.mirror.pause = Duration::from_secs(3600);
    config
}

/// A staging in front of the same node, that believes who mirrors.
async fn second(node: &FakeNode) -> Gateway {
    let mut config = config(&[node]);
    config.access.env = "staging".into();
    config.hosts.mirrors = vec!["127.0.0.0/8".parse::<IpNet>().expect("a net")];
    Gateway::start(config).await
}

fn url(gateway: &Gateway) -> String {
    format!("http://{}", gateway.server.address())
}

/// The bytes of an answer, with some of its headers and body changed.
fn replayed(got: &Got, without: &str, body: &[u8]) -> Play {
    let mut bytes = format!("HTTP/1.1 {}\r\n", got.status.as_u16()).into_bytes();
    for (name, value) in &got.headers {
        if name != without && name != "content-length" {
            bytes.extend(format!("{name}: ").as_bytes());
            bytes.extend(value.as_bytes());
            bytes.extend(b"\r\n");
        }
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend(body);
    Play::Bytes(bytes)
}

fn lines(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(name)).expect("the file is there");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn two_gateways_of_one_build_agree_in_every_form() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = second(&node).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut config = production(&node, &url(&staging));
    config.mirror.dir = Some(folder.path().to_owned());
    let gateway = Gateway::start(config).await;
    let root = tree.root;
    let asked = [
        (Method::GET, format!("/ipfs/{root}/"), vec![]),
        (Method::GET, format!("/ipfs/{root}"), vec![]),
        (Method::GET, format!("/ipfs/{root}/a.txt"), vec![]),
        (Method::GET, format!("/ipfs/{root}/large"), vec![]),
        (Method::GET, format!("/ipfs/{root}/large"), vec![("range", "bytes=5-1000000")]),
        (Method::HEAD, format!("/ipfs/{root}/large"), vec![]),
        (Method::GET, format!("/ipfs/{root}/a.txt?format=raw"), vec![]),
        (Method::GET, format!("/ipfs/{root}?format=car"), vec![]),
        (Method::GET, format!("/ipfs/{root}?format=tar"), vec![]),
        (Method::GET, format!("/ipfs/{root}/missing"), vec![]),
        (Method::GET, format!("/ipfs/{root}/a.txt"), vec![("if-none-match", "*")]),
    ];
    let count = asked.len() as u64;
    for (method, path, headers) in asked {
        gateway.ask(method, &path, &headers).await;
    }
    gateway.metric_at_least(PAIRS, count).await;
    assert_eq!(gateway.metric(PAIRS, "lane=\"staging\",result=\"same\""), count);
    assert_eq!(gateway.metric(DIFFERENCES, ""), 0);
    assert_eq!(gateway.metric(DROPPED, ""), 0);
    // Copies are counted apart, so that they are in no promise.
    let requests = "bifrost_gateway_requests_total";
    assert_eq!(staging.metric(requests, "traffic=\"mirror\""), count);
    assert_eq!(staging.metric(requests, "traffic=\"gateway\""), 0);

    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    tasks.shutdown(Duration::from_secs(5)).await;
    let pairs = lines(folder.path(), "pairs.ndjson");
    let pairs: Vec<Pair> =
        pairs.iter().map(|line| Pair::parse(line.as_bytes()).expect("a pair")).collect();
    assert_eq!(pairs.len() as u64, count);
    for pair in &pairs {
        let side = pair.staging.as_ref().expect("staging answered");
        assert!(side.is_good() && pair.production.is_good());
        assert_eq!((side.bytes, &side.build), (pair.production.bytes, &pair.production.build));
        assert!(side.build.is_some() && side.cache != "unknown", "{side:?}");
    }
    let text = std::fs::read_to_string(folder.path().join("pairs.ndjson")).expect("it is there");
    assert!(!text.contains(&root.to_string()), "pairs have no paths");
    let keys = lines(folder.path(), "keys.ndjson");
    let keys = keys.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let paths: Vec<Value> = keys.map(|key| key["path"].clone()).collect();
    assert!(paths.contains(&format!("/ipfs/{root}/").into()), "{paths:?}");
    assert!(lines(folder.path(), "differences.ndjson").is_empty());
}

#[tokio::test]
async fn a_query_that_means_nothing_here_is_no_difference_and_is_not_written() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = second(&node).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut config = production(&node, &url(&staging));
    config.mirror.dir = Some(folder.path().to_owned());
    let gateway = Gateway::start(config).await;
    let redirect = gateway.get(&format!("/ipfs/{}?token=CANARY", tree.root)).await;
    assert_eq!(redirect.status, 301);
    assert!(redirect.header("location").ends_with("/?token=CANARY"), "{redirect:?}");
    let raw = [("accept", "application/vnd.ipld.raw")];
    let path = format!("/ipfs/{}/a.txt?token=CANARY", tree.root);
    let block = gateway.ask(Method::GET, &path, &raw).await;
    assert!(block.header("content-location").contains("CANARY"), "{block:?}");
    gateway.metric_at_least(PAIRS, 2).await;
    assert_eq!(gateway.metric(PAIRS, "lane=\"staging\",result=\"same\""), 2);
    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    tasks.shutdown(Duration::from_secs(5)).await;
    for name in ["pairs.ndjson", "differences.ndjson", "keys.ndjson"] {
        let lines = lines(folder.path(), name);
        assert!(lines.iter().all(|line| !line.contains("CANARY")), "{lines:?}");
    }
}

#[tokio::test]
async fn a_flipped_byte_a_lost_header_and_another_status_are_found() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = Staging::start(Play::Silence).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut config = production(&node, "http://127.0.0.1:9");
    config.mirror.dir = Some(folder.path().to_owned());
    let gateway = Gateway::start(config.clone()).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    let got = gateway.get(&path).await;
    config.mirror.to = Some(staging.url());
    gateway.server.reload(&config).expect("it is valid");

    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let played = [
        (replayed(&got, "", b"a file"), None),
        (replayed(&got, "", b"a f1le"), Some("unverified")),
        (replayed(&got, "", b"a file."), Some("length")),
        (replayed(&got, "etag", b"a file"), Some("header")),
        (Play::Bytes(redirect.to_vec()), Some("status")),
    ];
    let mut total = 0;
    for (play, difference) in played {
        staging.play(play);
        gateway.get(&path).await;
        total += 1;
        gateway.metric_becomes(PAIRS, "result=\"same\"", 1).await;
        gateway.metric_becomes(PAIRS, "result=\"different\"", total - 1).await;
        if let Some(difference) = difference {
            let labels = format!("class=\"verifiable\",difference=\"{difference}\"");
            assert_eq!(gateway.metric(DIFFERENCES, &labels), 1, "{labels}");
        }
    }
    // It is asked once for each, whatever it answers: no redirect is followed.
    assert_eq!(staging.seen().len(), 5);
    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    tasks.shutdown(Duration::from_secs(5)).await;
    let records = lines(folder.path(), "differences.ndjson");
    let record: Value = serde_json::from_str(&records[0]).expect("JSON");
    assert_eq!(record["request"]["path"], path);
    assert_eq!(record["differences"][0], "unverified");
    assert_eq!(record["production"]["bytes"], 6);
    assert_ne!(record["production"]["sha256"], record["staging"]["sha256"]);
    assert!(record["replay"].as_str().expect("a command").contains(&path));
}

#[tokio::test]
async fn staging_that_is_dead_silent_endless_or_cut_costs_nobody_anything() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    for (play, failure) in [
        (None, Some("connect")),
        (Some(Play::Silence), Some("timeout")),
        (Some(Play::Endless), Some("long")),
        (Some(Play::Reset), Some("reset")),
        (Some(Play::Bytes(b"no HTTP at all\r\n\r\n".to_vec())), Some("connect")),
    ] {
        let staging = match play {
            Some(play) => Some(Staging::start(play).await),
            None => None,
        };
        let to = staging.as_ref().map_or("http://127.0.0.1:9".to_owned(), Staging::url);
        let mut config = production(&node, &to);
        config.mirror.unhealthy_after = 4;
        if failure == Some("timeout") {
            config.mirror.head_timeout = Duration::from_millis(300);
        }
        let gateway = Gateway::start(config).await;
        for _ in 0..4 {
            let got = gateway.get(&path).await;
            assert!(got.whole && &got.body[..] == b"a file");
        }
        gateway.metric_at_least(PAIRS, 4).await;
        if let Some(failure) = failure {
            let labels = format!("failure=\"{failure}\"");
            assert_eq!(gateway.metric(FAILURES, &labels), 4, "{labels}");
            let result = if failure == "long" { "different" } else { "rates" };
            assert_eq!(gateway.metric(PAIRS, &format!("result=\"{result}\"")), 4);
            // From here on it is left alone.
            gateway.metric_becomes("bifrost_gateway_mirror_copying", "", 0).await;
            gateway.get(&path).await;
            assert_eq!(gateway.metric(DROPPED, "reason=\"unhealthy\""), 1);
        }
        if let Some(staging) = staging.filter(|_| failure == Some("long")) {
            // What production's answer does not have is not read: one read of a buffer, no more.
            let read = gateway.metric("bifrost_gateway_mirror_bytes_total", "");
            assert!(read < 4 * 512 * 1024, "{read}");
            assert!(staging.sent() < 64 * 1024 * 1024, "{}", staging.sent());
        }
    }
}

#[tokio::test]
async fn what_staging_was_not_asked_while_it_was_left_alone_is_in_the_next_pair() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut config = production(&node, "http://127.0.0.1:9");
    config.mirror.dir = Some(folder.path().to_owned());
    config.mirror.unhealthy_after = 1;
    config.mirror.pause = Duration::from_secs(1);
    let gateway = Gateway::start(config).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    gateway.get(&path).await;
    gateway.metric_at_least(PAIRS, 1).await;
    let chosen = || gateway.metric("bifrost_gateway_mirror_chosen_total", "");
    // Until one more tries it.
    while chosen() - gateway.metric(DROPPED, "") < 2 {
        gateway.get(&path).await;
    }
    gateway.metric_at_least(PAIRS, 2).await;
    let dropped = gateway.metric(DROPPED, "reason=\"unhealthy\"");
    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    tasks.shutdown(Duration::from_secs(5)).await;
    let pairs = lines(folder.path(), "pairs.ndjson");
    let pairs = pairs.iter().map(|line| Pair::parse(line.as_bytes()).expect("a pair"));
    assert_eq!(pairs.map(|pair| pair.unasked).collect::<Vec<_>>(), [0, dropped]);
}

#[tokio::test]
async fn what_waits_when_staging_falls_silent_is_dropped_and_not_sent_to_it() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = Staging::start(Play::Silence).await;
    let mut config = production(&node, &staging.url());
    config.mirror.concurrency = 1;
    config.mirror.unhealthy_after = 1;
    config.mirror.head_timeout = Duration::from_secs(2);
    let gateway = Gateway::start(config).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    for _ in 0..20 {
        gateway.get(&path).await;
    }
    gateway.metric_becomes(DROPPED, "reason=\"unhealthy\"", 19).await;
    assert_eq!((gateway.metric(PAIRS, ""), staging.seen().len()), (1, 1));
}

#[tokio::test]
async fn what_waits_for_its_second_try_is_not_for_another_staging() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = Staging::start(Play::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let mut config = production(&node, "http://127.0.0.1:9");
    config.mirror.unhealthy_after = 1;
    config.mirror.retry_after = Duration::from_secs(5);
    let gateway = Gateway::start(config.clone()).await;
    gateway.get(&format!("/ipfs/{}/a.txt", tree.root)).await;
    gateway.metric_becomes("bifrost_gateway_mirror_copying", "", 0).await;
    config.mirror.to = Some(staging.url());
    gateway.server.reload(&config).expect("it is valid");
    gateway.metric_becomes(DROPPED, "reason=\"stopped\"", 1).await;
    assert_eq!((staging.seen().len(), gateway.metric(PAIRS, "")), (0, 0));
}

#[tokio::test]
async fn staging_that_lies_again_and_again_is_left_alone() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    let lie = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nA file".to_vec();
    let staging = Staging::start(Play::Bytes(lie)).await;
    let mut config = production(&node, &staging.url());
    config.mirror.wrong_after = 3;
    let gateway = Gateway::start(config).await;
    for told in 1..=3 {
        assert_eq!(&gateway.get(&path).await.body[..], b"a file");
        gateway.metric_at_least(PAIRS, told).await;
    }
    assert_eq!(gateway.metric(PAIRS, "result=\"different\""), 3, "each is counted");
    gateway.metric_becomes("bifrost_gateway_mirror_copying", "", 0).await;
    gateway.get(&path).await;
    assert_eq!(gateway.metric(DROPPED, "reason=\"unhealthy\""), 1);
}

#[tokio::test]
async fn who_is_no_staging_says_so_and_is_not_asked_again() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    // Another gateway of the same environment that mirrors, and this gateway itself.
    let other = Gateway::start(production(&node, "http://127.0.0.1:9")).await;
    let mut config = production(&node, &url(&other));
    // It would not go better later.
    config.mirror.retry_after = Duration::from_secs(3600);
    let gateway = Gateway::start(config.clone()).await;
    for (round, to) in [url(&other), url(&gateway)].into_iter().enumerate() {
        config.mirror.to = Some(to);
        gateway.server.reload(&config).expect("it is valid");
        for _ in 0..3 {
            assert_eq!(gateway.get(&path).await.status, 200);
            gateway.metric_becomes("bifrost_gateway_mirror_waiting", "", 0).await;
            gateway.metric_at_least(FAILURES, round as u64 + 1).await;
        }
        assert_eq!(gateway.metric(FAILURES, "failure=\"loop\""), round as u64 + 1);
        gateway.metric_becomes("bifrost_gateway_mirror_copying", "", 0).await;
    }
    assert_eq!(gateway.metric(DROPPED, "reason=\"unhealthy\""), 4);
    // Nobody but production's own kind is told that.
    let marked =
        gateway.ask(Method::GET, &path, &[("bifrost-mirror", "v1; id=x; env=other")]).await;
    assert_eq!(marked.status, 200);
    let looped = gateway.ask(Method::GET, &path, &[("bifrost-mirror", "v1; id=x; env=prod")]).await;
    assert_eq!((looped.status.as_u16(), looped.header("bifrost-mirror")), (508, "loop"));
}

#[tokio::test]
async fn copies_are_not_copied_and_say_nothing_of_who_asked() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = Staging::start(Play::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let gateway = Gateway::start(production(&node, &staging.url())).await;
    let path = format!("/ipfs/{}/a.txt?token=CANARY", tree.root);
    let secret = [("cookie", "CANARY"), ("referer", "http://a/CANARY"), ("user-agent", "CANARY")];
    gateway.ask(Method::GET, &path, &secret).await;
    gateway.metric_at_least(PAIRS, 1).await;
    gateway.ask(Method::GET, &path, &[("authorization", "Bearer CANARY")]).await;
    gateway.ask(Method::GET, &path, &[("bifrost-mirror", "v1; id=x; env=other")]).await;
    gateway.ask(Method::GET, &path, &[("cache-control", "only-if-cached")]).await;
    gateway.ask(Method::POST, &path, &[]).await;
    gateway.ask(Method::OPTIONS, &path, &[]).await;
    gateway.get("/").await;
    gateway.get(&format!("/ipfs/{}/a.txt", tree.root)).await;
    gateway.metric_at_least(PAIRS, 2).await;
    let seen = staging.seen();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(seen.iter().all(|head| !head.contains("CANARY")), "{seen:#?}");
    assert!(seen[0].contains("bifrost-mirror: v1; id="), "{seen:#?}");
    assert_eq!(gateway.metric(DROPPED, "reason=\"private\""), 1);
}

#[tokio::test]
async fn gateways_with_one_seed_choose_the_same_keys() {
    let trees: Vec<Tree> = (0..64).map(|seed| file(&noise(seed, 100))).collect();
    let node = FakeNode::start(&trees.iter().collect::<Vec<_>>()).await;
    let mut chosen = Vec::new();
    for seed in ["one", "one", "two"] {
        let staging = Staging::start(Play::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
        let mut config = production(&node, &staging.url());
        config.mirror.fraction = 0.5;
        config.mirror.seed = seed.to_owned();
        let gateway = Gateway::start(config).await;
        for tree in &trees {
            gateway.get(&format!("/ipfs/{}", tree.root)).await;
        }
        let count = gateway.metric("bifrost_gateway_mirror_chosen_total", "");
        gateway.metric_at_least(PAIRS, count).await;
        let mut seen: Vec<String> = staging
            .seen()
            .iter()
            .filter_map(|head| Some(head.lines().next()?.to_owned()))
            .collect();
        seen.sort();
        chosen.push(seen);
    }
    assert_eq!(chosen[0], chosen[1]);
    assert_ne!(chosen[0], chosen[2]);
    assert!((16..48).contains(&chosen[0].len()), "{}", chosen[0].len());
}

#[tokio::test]
async fn what_is_too_much_is_dropped_and_counted_by_reason() {
    let tree = tree();
    let node = FakeNode::start(&[&tree]).await;
    let staging = Staging::start(Play::Silence).await;
    let mut config = production(&node, &staging.url());
    config.mirror.queue = 2;
    config.mirror.concurrency = 1;
    config.mirror.head_timeout = Duration::from_secs(3600);
    let gateway = Gateway::start(config.clone()).await;
    let path = format!("/ipfs/{}/a.txt", tree.root);
    gateway.get(&path).await;
    while staging.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    // One is asked and two wait.
    for _ in 0..9 {
        assert_eq!(gateway.get(&path).await.status, 200);
    }
    gateway.metric_at_least(DROPPED, 7).await;
    assert_eq!(gateway.metric(DROPPED, "reason=\"queue\""), 7);
    config.mirror.requests_per_second = 0.0;
    gateway.server.reload(&config).expect("it is valid");
    gateway.get(&path).await;
    assert_eq!(gateway.metric(DROPPED, "reason=\"requests\""), 1);
    config.mirror.to = None;
    gateway.server.reload(&config).expect("it is valid");
    gateway.get(&path).await;
    assert_eq!(gateway.metric(DROPPED, ""), 8);
    // Shutting down waits for no staging.
    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn nodes_are_told_what_can_wait() {
    let (one, two) = (file(b"asked by a mirror"), file(b"asked by somebody"));
    let node = FakeNode::start(&[&one, &two]).await;
    let staging = second(&node).await;
    let mark = [("bifrost-mirror", "v1; id=x; env=prod")];
    let got = staging.ask(Method::GET, &format!("/ipfs/{}", one.root), &mark).await;
    assert_eq!(node.last_headers()["bifrost-traffic"], "mirror");
    assert!(got.header("server-timing").starts_with("first-byte;dur="));
    let got = staging.get(&format!("/ipfs/{}", two.root)).await;
    assert!(node.last_headers().get("bifrost-traffic").is_none());
    assert_eq!(got.header("server-timing"), "");
}

#[tokio::test]
async fn names_are_asked_again_of_production_and_may_lead_elsewhere_in_staging() {
    let (old, new) = (folder(&[("x", file(b"old"))]), folder(&[("x", file(b"new"))]));
    let (node, newer) =
        (FakeNode::start(&[&old, &new]).await, FakeNode::start(&[&old, &new]).await);
    let key = Key::new(9);
    let publish = |node: &FakeNode, tree: &Tree, sequence| {
        let value = format!("/ipfs/{}", tree.root);
        node.publish(&key.name.to_string(), key.record(&value, sequence, Duration::from_secs(600)));
    };
    publish(&node, &old, 1);
    publish(&newer, &new, 2);
    let staging = second(&newer).await;
    let mut config = production(&node, &url(&staging));
    config.mirror.again = 1.0;
    let kept = tempfile::tempdir().expect("a folder can be made");
    config.mirror.dir = Some(kept.path().to_owned());
    let gateway = Gateway::start(config).await;
    // What is named by its hash is never asked again.
    for path in [format!("/ipns/{}/x", key.name), format!("/ipfs/{}/x", old.root)] {
        assert_eq!(gateway.get(&path).await.text(), "old");
    }
    gateway.metric_at_least(PAIRS, 3).await;
    for (lane, result, count) in
        [("staging", "moved", 1), ("staging", "same", 1), ("again", "same", 1)]
    {
        let labels = format!("lane=\"{lane}\",result=\"{result}\"");
        assert_eq!(gateway.metric(PAIRS, &labels), count, "{labels}");
    }
    assert_eq!(gateway.metric(DIFFERENCES, ""), 0);
    let tasks = gateway.tasks.clone();
    gateway.server.drain().await;
    tasks.shutdown(Duration::from_secs(5)).await;
    let keys = lines(kept.path(), "keys.ndjson");
    let keys = keys.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    for key in keys {
        let path = key["path"].as_str().expect("a path");
        assert_eq!(key["named"], path.starts_with("/ipns/"), "{key}");
    }
}
