//! What holds of the series of a gateway: no client adds one, and no counter ever falls.

use std::collections::BTreeMap;

use http::Method;

use crate::content::file;
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};

/// The value of every series, by name and labels.
fn series(gateway: &Gateway) -> BTreeMap<String, f64> {
    let text = gateway.registry.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let parts = samples.map(|line| line.rsplit_once(' ').expect("a series has a value"));
    parts.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

/// What strangers can think of, to name a series by.
async fn strange_requests(gateway: &Gateway, root: &str) {
    for number in 0..20 {
        let word = format!("canary{number}");
        let path = format!("/ipfs/{root}/{word}?format={word}&{word}={word}");
        let host = format!("{word}.example");
        let headers = [
            ("user-agent", word.as_str()),
            ("host", host.as_str()),
            ("referer", word.as_str()),
            ("accept", "canary/type"),
            ("bifrost-traffic", word.as_str()),
            ("x-request-id", word.as_str()),
            ("origin", word.as_str()),
        ];
        for (place, header) in headers.iter().enumerate() {
            gateway.ask(Method::GET, &path, &[*header]).await;
            let method = Method::from_bytes(format!("CANARY{place}").as_bytes());
            gateway.ask(method.expect("a method"), &path, &[*header]).await;
        }
        for path in [
            format!("/{word}"),
            format!("/ipfs/{word}"),
            format!("/ipns/{word}.example/"),
            format!("/{word}/{root}"),
            format!("/ipfs/{root}?format={word}"),
        ] {
            gateway.get(&path).await;
        }
    }
}

#[tokio::test]
async fn whatever_clients_send_adds_no_series() {
    let tree = file(b"content");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let before = series(&gateway);
    strange_requests(&gateway, &tree.root.to_string()).await;
    let after = series(&gateway);
    let added: Vec<&String> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert!(added.is_empty(), "{added:?}");
    assert!(after.keys().all(|name| !name.to_ascii_lowercase().contains("canary")));
    let requests = |all: &BTreeMap<String, f64>| -> f64 {
        let counted = all.iter().filter(|(name, _)| name.starts_with("bifrost_gateway_requests_"));
        counted.map(|(_, value)| value).sum()
    };
    assert!(requests(&after) > requests(&before) + 300.0, "they were counted all the same");
}

#[tokio::test]
async fn no_counter_falls_when_the_configuration_is_read_again() {
    let (one, two) = (file(b"one"), file(b"two"));
    let first = FakeNode::start(&[&one]).await;
    let second = FakeNode::start(&[&one, &two]).await;
    let gateway = Gateway::of(&[&first, &second]).await;
    for path in [format!("/ipfs/{}", one.root), format!("/ipfs/{}", one.root), "/nowhere".into()] {
        gateway.get(&path).await;
    }
    let mut last = series(&gateway);
    // Another order, one node less, and both again.
    for nodes in [&[&second, &first][..], &[&second], &[&first, &second]] {
        gateway.server.reload(&config(nodes)).expect("it is valid");
        gateway.get(&format!("/ipfs/{}", two.root)).await;
        let now = series(&gateway);
        let counts = |name: &str| {
            let name = name.split('{').next().unwrap_or_default();
            ["_total", "_count", "_bucket", "_sum"].iter().any(|end| name.ends_with(end))
        };
        for (name, value) in last.iter().filter(|(name, _)| counts(name)) {
            let seen = now.get(name).copied();
            assert!(seen.is_some_and(|seen| seen >= *value), "{name}: {value}, then {seen:?}");
        }
        last = now;
    }
}
