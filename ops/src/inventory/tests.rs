//! Claims about the list as a whole: what is found in it, and what is rendered from it.

use std::path::Path;

use jiff::civil::{Date, date};

use super::read::{Loaded, parse};
use super::render::{Form, render};
use super::*;

const PEER: &str = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";
const TODAY: Date = date(2026, 11, 21);

fn load(text: &str) -> Loaded {
    parse(Path::new("inventory.yaml"), text)
}

/// A list of processes, each a flow mapping on a line of its own from line 4 on.
fn list(processes: &[&str]) -> String {
    let lines: String = processes.iter().map(|one| format!("  - {{{one}}}\n")).collect();
    format!("version: 1\nenvironments: [local, production]\nprocesses:\n{lines}")
}

fn found(text: &str, owners: Option<owners::Owners>) -> Vec<(usize, &'static str)> {
    let loaded = load(text);
    let path = Path::new("inventory.yaml");
    let mut found = loaded.findings;
    found.extend(lint::lint(&loaded.inventory, &loaded.lines, path, &owners, TODAY));
    found.sort();
    found.iter().map(|finding| (finding.line, finding.rule)).collect()
}

fn rota() -> Option<owners::Owners> {
    Some(owners::Owners { path: "rota.yaml".into(), schedules: vec!["oncall".into()] })
}

const GATEWAY: &str = "name: g, kind: gateway, env: local, url: 'http://127.0.0.1:8080', \
                       admin: 'http://127.0.0.1:9080', owner: oncall, status: active";

fn bootstrap() -> String {
    format!(
        "name: b, kind: node, role: bootstrap, env: production, region: eu, owner: oncall, \
         addresses: [203.0.113.5, '2001:db8::5'], dns: [b.example], peer_id: {PEER}, \
         libp2p: [/ip4/203.0.113.5/tcp/4001, /dns/b.example/udp/4001/quic-v1], \
         admin: 'https://b-admin.example', status: active"
    )
}

#[test]
fn a_good_list_has_no_findings() {
    assert_eq!(found(&list(&[GATEWAY, &bootstrap()]), rota()), []);
}

#[test]
fn the_example_is_a_good_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventory.yaml");
    let text = std::fs::read_to_string(path).expect("it is part of the project");
    assert_eq!(found(&text, None), []);
    let loaded = load(&text);
    assert_eq!(loaded.lines.of_key(0, "name"), 1 + line_of(&text, "name: gateway-0"));
    assert!(render(&loaded.inventory, Form::Prometheus, None).contains("127.0.0.1:9181"));
}

fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).expect("it is there")
}

#[test]
fn every_fault_is_found_where_it_stands() {
    let faults = [
        (GATEWAY.replace("kind: gateway", "kind: proxy"), "unknown-word"),
        (GATEWAY.replace("env: local", "env: staging"), "unknown-environment"),
        (GATEWAY.replace("http://127.0.0.1:8080", "127.0.0.1:8080"), "bad-address"),
        (GATEWAY.replace("name: g", "name: 'g 1'"), "bad-value"),
        (format!("{GATEWAY}, expires: soon"), "bad-value"),
        (format!("{GATEWAY}, expires: 2026-11-20"), "expired"),
        (format!("{GATEWAY}, role: pool"), "bad-role"),
        (GATEWAY.replace("active", "decommissioning"), "no-date"),
        (GATEWAY.replace("active", "decommissioning, decommission: 2026-11-20"), "overdue"),
        (format!("{GATEWAY}, decommission: 2027-01-01"), "bad-status"),
        (GATEWAY.replace("owner: oncall, ", ""), "no-owner"),
        (GATEWAY.replace("oncall", "somebody"), "unknown-owner"),
        (GATEWAY.replace("url: 'http://127.0.0.1:8080', ", ""), "no-address"),
        (GATEWAY.replace("admin: 'http://127.0.0.1:9080', ", ""), "no-admin"),
        (GATEWAY.replace("127.0.0.1:9080", "203.0.113.5:9080"), "open-admin"),
        (GATEWAY.replace("127.0.0.1:8080", "gateway.example"), "open-admin"),
        (bootstrap().replace(&format!("peer_id: {PEER}, "), ""), "no-peer-id"),
        (bootstrap().replace(PEER, "12D3KooW"), "bad-address"),
        (bootstrap().replace("role: bootstrap, ", ""), "no-role"),
        (bootstrap().replace("dns: [b.example], ", ""), "no-address"),
        (bootstrap().replace("/ip4/203.0.113.5/tcp/4001", "203.0.113.5:4001"), "bad-address"),
    ];
    for (process, rule) in faults {
        assert_eq!(found(&list(&[&process]), rota()), [(4, rule)], "{process}");
    }
}

#[test]
fn two_processes_share_no_name_address_or_identity() {
    let twin = GATEWAY.replace(":8080", ":8081").replace(":9080", ":9081");
    assert_eq!(found(&list(&[GATEWAY, &twin]), rota()), [(5, "duplicate")]);
    let twin = GATEWAY.replace("name: g", "name: h").replace(":8080", ":8081");
    assert_eq!(found(&list(&[GATEWAY, &twin]), rota()), [(5, "duplicate")]);
    let twin = bootstrap().replace("name: b", "name: c").replace("4001", "4002");
    let twin = twin.replace("b-admin", "c-admin");
    assert_eq!(found(&list(&[&bootstrap(), &twin]), rota()), [(5, "duplicate")]);
}

#[test]
fn an_alias_stands_alone() {
    let of = |name: &str, rest: &str| {
        let port = name.len();
        format!(
            "name: {name}, kind: gateway, env: production, url: 'https://{name}.example', {rest}, \
             admin: 'https://{name}.example:{port}', owner: oncall, status: active, dns: [www.example]"
        )
    };
    assert_eq!(found(&list(&[&of("a", "region: eu")]), rota()), []);
    let mixed = list(&[&of("a", "region: eu"), &of("b", "addresses: [203.0.113.5]")]);
    assert_eq!(found(&mixed, rota()), [(4, "alias"), (5, "alias")]);
}

#[test]
fn what_is_no_list_is_said_with_its_line() {
    assert_eq!(found("version: 1\nenvironments: [a\n", None)[0].1, "malformed");
    let unknown = "version: 1\nenvironments: [a]\nprocesses:\n  - name: a\n    colour: red\n";
    assert_eq!(found(unknown, None), [(5, "malformed")]);
    let other = "version: 2\nenvironments: []\nprocesses: []\n";
    assert_eq!(found(other, None), [(1, "bad-value")]);
}

#[test]
fn nothing_is_rendered_from_a_list_with_faults() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("inventory.yaml");
    let bad = GATEWAY.replace("kind: gateway", "kind: proxy");
    std::fs::write(&path, list(&[&bad])).expect("it can be written");
    let error = usable(&path).expect_err("it is not usable").to_string();
    assert!(error.contains("inventory.yaml:4: there is no kind"), "{error}");
}

#[test]
fn targets_carry_the_labels_by_which_prometheus_knows_them() {
    let text = render(&load(&list(&[GATEWAY, &bootstrap()])).inventory, Form::Prometheus, None);
    let groups: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(groups[0]["targets"][0], "127.0.0.1:9080");
    let labels = &groups[0]["labels"];
    assert_eq!((&labels["job"], &labels["instance"]), (&"gateway".into(), &"g".into()));
    assert_eq!(labels["env"], "local");
    assert!(labels.get("role").is_none());
    assert_eq!(groups[1]["targets"][0], "b-admin.example:443");
    assert_eq!(groups[1]["labels"]["__scheme__"], "https");
    assert_eq!(groups[1]["labels"]["role"], "bootstrap");
}

#[test]
fn zones_name_addresses_and_where_peers_dial() {
    let zone = render(&load(&list(&[&bootstrap()])).inventory, Form::Dns, None);
    let lines: Vec<&str> = zone.lines().skip(1).collect();
    let (quic, tcp) = ("/dns/b.example/udp/4001/quic-v1", "/ip4/203.0.113.5/tcp/4001");
    let txt = |address| format!("_dnsaddr.b.example. 300 IN TXT \"dnsaddr={address}/p2p/{PEER}\"");
    assert_eq!(
        lines,
        [
            &txt(quic),
            &txt(tcp),
            "b.example. 300 IN A 203.0.113.5",
            "b.example. 300 IN AAAA 2001:db8::5"
        ]
    );
}

#[test]
fn what_is_planned_or_goes_is_in_no_zone_and_what_goes_is_still_scraped() {
    let goes = bootstrap().replace("active", "decommissioning, decommission: 2027-01-01");
    let planned = GATEWAY.replace("active", "planned");
    let inventory = load(&list(&[&goes, &planned])).inventory;
    assert_eq!(render(&inventory, Form::Dns, None).lines().count(), 1);
    let scraped = render(&inventory, Form::Prometheus, None);
    assert!(scraped.contains("b-admin") && !scraped.contains("9080"), "{scraped}");
    assert!(render(&inventory, Form::Docs, None).contains("| decommissioning until 2027-01-01 |"));
}

#[test]
fn the_status_page_tells_no_admin_listener() {
    let status = render(&load(&list(&[GATEWAY, &bootstrap()])).inventory, Form::Status, None);
    assert!(!status.contains("admin") && !status.contains("9080"), "{status}");
    assert!(status.contains(&format!("/ip4/203.0.113.5/tcp/4001/p2p/{PEER}")));
}

#[test]
fn rendering_twice_gives_the_same_bytes_and_drift_is_found() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("targets.json");
    let inventory = load(&list(&[GATEWAY, &bootstrap()])).inventory;
    for form in [Form::Prometheus, Form::Dns, Form::Docs, Form::Status] {
        let text = render(&inventory, form, None);
        assert_eq!(text, render(&inventory, form, None));
        write_whole(&out, &text).expect("it can be written");
        assert_eq!(drift(&out, &text, Path::new("i")), Verdict::Clean);
        assert_eq!(drift(&out, &format!("{text}x"), Path::new("i")), Verdict::Findings);
    }
    assert_eq!(drift(&folder.path().join("none"), "", Path::new("i")), Verdict::Findings);
}
