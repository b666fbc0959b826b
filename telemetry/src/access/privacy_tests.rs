//! What holds of records: what they keep of a request, and what never gets into them.

use std::net::IpAddr;

use http::{HeaderValue, Method};
use serde_json::Value;

use super::tests::{SOON, config, lines};
use super::*;
use crate::trace::TraceContext;

/// A request whose every private part has a word of its own.
pub(super) struct Asked {
    detail: Detail,
    req_id: String,
    client: IpAddr,
    path: &'static str,
}

impl Asked {
    pub(super) fn of(detail: Detail, req_id: &str) -> Self {
        let client = "203.0.113.77".parse().expect("an address");
        Self { detail, req_id: req_id.to_owned(), client, path: "/ipfs/bafyroot/private/diary" }
    }

    pub(super) fn record(&self, log: &AccessLog) {
        let referrer = HeaderValue::from_static("https://u:pw@my.example.org/inbox?id=7");
        let root = Root { digest: b"digest", codec: "raw", text: &"bafyroot" };
        log.record(&Entry {
            detail: self.detail,
            req_id: &self.req_id,
            trace: TraceContext::root(false),
            traffic: Some("gateway"),
            form: "path",
            method: &Method::GET,
            ns: Some("ipfs"),
            root: Some(root),
            format: Some("page"),
            path: self.path,
            range: true,
            status: 200,
            outcome: "ok",
            cache: "hit",
            first_byte: Duration::from_micros(1500),
            total: Duration::from_micros(2500),
            bytes: 1024,
            counts: Counts { blocks: 3, ..Counts::default() },
            truncated: false,
            blocked_by: Some(("lists/bad.deny", 12)),
            agent: "browser",
            client: self.client,
            referrer: Some(&referrer),
        });
    }
}

fn started(folder: &tempfile::TempDir, change: impl FnOnce(&mut Config)) -> AccessLog {
    let config = config(folder, change);
    AccessLog::start(&config, Process::Gateway, &Registry::new()).expect("starts")
}

fn records(folder: &tempfile::TempDir, name: &str) -> Vec<Value> {
    let lines = lines(folder, name);
    lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn record_has_the_declared_fields_in_their_order() {
    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |config| {
        config.env = "staging".to_owned();
        config.name = "gateway-3".to_owned();
    });
    Asked::of(Detail::Clear, "one").record(&log);
    assert!(log.close(SOON));
    let record = &records(&folder, "access.log.clear")[0];
    let names: Vec<&str> =
        record.as_object().expect("an object").keys().map(String::as_str).collect();
    for name in &names {
        assert!(FIELDS.iter().any(|(field, _)| field == name), "{name} is declared");
    }
    // Readers find fields faster when they know their order.
    let text = &lines(&folder, "access.log.clear")[0];
    let places = FIELDS.iter().filter_map(|(name, _)| text.find(&format!("\"{name}\":")));
    assert!(places.clone().is_sorted(), "{:?}", places.collect::<Vec<_>>());
    assert_eq!(record["v"], 1);
    assert_eq!((&record["env"], &record["node"]), (&"staging".into(), &"gateway-3".into()));
    assert_eq!((&record["ttfb_ms"], &record["total_ms"]), (&1.5.into(), &2.5.into()));
    assert_eq!(record["path_depth"], 2);
    assert_eq!(record["blocked_by"], "lists/bad.deny:12");
    assert_eq!(record["referrer_host"], "example.org");
    assert_eq!(record["root_cid"], "bafyroot");
    assert_eq!(record["path"], "/ipfs/bafyroot/private/diary");
}

#[test]
fn success_leaves_hashes_and_no_text() {
    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |_| {});
    Asked::of(Detail::Sampled, "one").record(&log);
    Asked::of(Detail::Whole, "two").record(&log);
    assert!(log.close(SOON));
    assert!(lines(&folder, "access.log.clear").is_empty());
    let text = lines(&folder, "access.log").join("\n");
    for private in ["203.0.113", "bafyroot", "diary", "private", "inbox", "my.", "pw@", "id=7"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    let records = records(&folder, "access.log");
    assert_eq!(records[0]["client_net_h"], records[1]["client_net_h"], "one day, one network");
    assert_eq!(records[0]["path_h"].as_str().map(str::len), Some(16));
}

#[test]
fn clear_text_has_a_file_of_its_own_or_none() {
    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |_| {});
    Asked::of(Detail::Clear, "one").record(&log);
    assert!(log.close(SOON));
    assert!(!lines(&folder, "access.log")[0].contains("diary"));
    assert!(lines(&folder, "access.log.clear")[0].contains("diary"));

    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |config| config.cleartext = Cleartext::Never);
    Asked::of(Detail::Clear, "one").record(&log);
    assert!(log.close(SOON));
    assert!(!lines(&folder, "access.log")[0].contains("diary"));
    assert!(!folder.path().join("access.log.clear").exists());
}

#[test]
fn sample_is_fair_says_its_share_and_keeps_failures() {
    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |config| {
        config.sample = 0.25;
        config.queue_max = bytesize::ByteSize::mib(64);
    });
    for number in 0..4000 {
        Asked::of(Detail::Sampled, &format!("ok-{number}")).record(&log);
        if number % 100 == 0 {
            Asked::of(Detail::Whole, &format!("bad-{number}")).record(&log);
        }
    }
    assert!(log.close(SOON));
    let records = records(&folder, "access.log");
    let (kept, all): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record["sample_rate"] == 0.25);
    assert_eq!(all.len(), 40);
    // Four standard deviations of a binomial with n = 4000 and p = 1/4.
    assert!((kept.len() as f64 - 1000.0).abs() < 4.0 * 27.4, "{}", kept.len());
}

#[test]
fn gateway_and_node_choose_the_same_requests() {
    let chosen = |share: f64| {
        let folder = tempfile::tempdir().expect("folder");
        let log = started(&folder, |config| {
            config.sample = share;
            config.queue_max = bytesize::ByteSize::mib(64);
        });
        for number in 0..500 {
            Asked::of(Detail::Sampled, &format!("id-{number}")).record(&log);
        }
        assert!(log.close(SOON));
        let ids = records(&folder, "access.log");
        ids.iter().map(|record| record["req_id"].to_string()).collect::<Vec<_>>()
    };
    let (one, other, fewer) = (chosen(0.5), chosen(0.5), chosen(0.1));
    assert_eq!(one, other);
    assert!(fewer.iter().all(|id| one.contains(id)), "a smaller share is part of a larger one");
}

#[test]
fn processes_with_one_key_file_make_hashes_that_join() {
    let folder = tempfile::tempdir().expect("folder");
    let hash = |name: &str, key: bool| {
        let file = folder.path().join("access.key");
        let path = folder.path().join(name);
        let log = started(&folder, |config| {
            config.path = path;
            config.key_file = key.then_some(file);
        });
        Asked::of(Detail::Sampled, "one").record(&log);
        assert!(log.close(SOON));
        records(&folder, name)[0]["root_cid_h"].to_string()
    };
    let (gateway, node) = (hash("gateway.log", true), hash("node.log", true));
    assert_eq!(gateway, node);
    assert_ne!(gateway, hash("alone.log", false));
}

#[test]
fn share_and_names_that_are_none_are_refused() {
    for sample in [-0.1, 1.1, f64::NAN] {
        let error = Config { sample, ..Config::default() }.check().expect_err("refused");
        assert!(error.to_string().contains("access.sample"), "{error}");
    }
    let config = Config { env: "a\",\"x\":\"".to_owned(), ..Config::default() };
    let error = config.check().expect_err("refused").to_string();
    assert!(error.contains("access.env"), "{error}");
}

#[test]
fn record_costs_little() {
    let folder = tempfile::tempdir().expect("folder");
    let log = started(&folder, |config| config.queue_max = bytesize::ByteSize::kib(64));
    let asked = Asked::of(Detail::Sampled, "0123456789abcdef0123456789abcdef");
    let began = std::time::Instant::now();
    for _ in 0..20_000 {
        asked.record(&log);
    }
    let each = began.elapsed() / 20_000;
    // A hit of 1 KiB has some 14 µs of a core; the bound leaves room for slow machines.
    assert!(each < Duration::from_micros(50), "{each:?} a record");
    tracing::info!(?each, "a record");
    assert!(log.close(SOON));
}
