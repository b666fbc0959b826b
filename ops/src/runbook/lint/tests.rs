//! Every rule for runbooks finds its own fault at its line, and the shipped pages break none.

use super::*;

const TODAY: Date = jiff::civil::date(2026, 11, 21);

/// A page that is right, with words put in place of others.
fn text(changes: &[(&str, &str)]) -> String {
    let mut text = "---\nalert: A\nsummary: x\nslo: none\nseverity: [page]\nowner: ops\nlast_drilled: \
                    never\nexpires: 2027-01-01\nqueries: [q]\ncommands: [curl]\ndrill: none\nreason: x\n---\n\n# A\n\n## \
                    Meaning\n\nThe `limit.requests_max` of `bifrost_a_total`.\n\n## User \
                    impact\n\nNone.\n\n## First five minutes\n\n1. Up? Expected: `== 1`\n\n   \
                    ```promql q\n   up\n   ```\n\n2. Ask.\n\n   ```sh\n   curl -s \
                    http://127.0.0.1:9080/readyz\n   ```\n\n## Diagnosis\n\n[B](B.md#meaning)\n\n## \
                    Mitigation\n\nx\n\n## Escalation\n\nx\n\n## Afterwards\n\nx\n"
        .to_owned();
    for (before, after) in changes {
        assert!(text.contains(before), "{before}");
        text = text.replace(before, after);
    }
    text
}

fn names() -> Names {
    let mut names = Names::default();
    names.scraped("# TYPE bifrost_a_total counter\n");
    names.configured("limit: {requests_max: 1}\n").expect("it is YAML");
    names.calls.insert("/readyz".to_owned());
    names
}

fn found(text: &str, alerts: Option<&Alerts>) -> Vec<Finding> {
    let other = super::tests::text(&[
        ("alert: A", "kind: procedure\ntitle: B"),
        ("slo: none\nseverity: [page]\n", ""),
        ("# A\n", "# B\n"),
        ("B.md", "A.md"),
    ]);
    let pages = [("A.md", text), ("B.md", &other[..])]
        .map(|(path, text)| Page::parse(Path::new(path), text).expect("it is a page"));
    let rota = "people: []\nschedules:\n  - name: ops\n    layers: []\n";
    let rota = Rota::parse(Path::new("rota.yaml"), rota).expect("it is a rota");
    let names = names();
    let against = Against { alerts, rota: Some(&rota), names: Some(&names), today: TODAY };
    lint(&pages, &against)
}

fn rules(findings: &[Finding]) -> Vec<(usize, &'static str)> {
    findings.iter().map(|finding| (finding.line, finding.rule)).collect()
}

#[test]
fn a_page_that_is_right_has_no_findings() {
    assert_eq!(found(&text(&[]), None), Vec::new());
}

#[test]
fn each_fault_of_a_page_is_found_at_its_line() {
    for (before, after, line, rule) in [
        ("alert: A", "alert: C", 2, "name"),
        ("# A\n", "# C\n", 15, "name"),
        ("## Diagnosis", "## Diagnoses", 39, "sections"),
        ("severity: [page]", "severity: []", 5, "severity"),
        ("expires: 2027-01-01", "expires: 2026-11-20", 8, "expired"),
        ("None.", "TODO.", 23, "todo"),
        ("owner: ops", "owner: others", 6, "unknown-owner"),
        ("queries: [q]", "queries: [q, r]", 9, "queries"),
        ("queries: [q]", "dashboards: [mine]\nqueries: [q]", 9, "dashboard"),
        ("   up\n", "   up +\n", 29, "promql"),
        ("   up\n", "   process_none\n", 29, "unknown-metric"),
        ("bifrost_a_total", "bifrost_b_total", 19, "unknown-metric"),
        ("requests_max", "requests_min", 19, "unknown-key"),
        ("/readyz", "/reddy", 36, "unknown-endpoint"),
        ("commands: [curl]", "commands: [df]", 10, "commands"),
        ("`== 1`", "`little`", 27, "expected"),
        ("Expected: `== 1`", "", 27, "expected"),
        ("drill: none\nreason: x\n", "", 2, "drill"),
        ("reason: x\n", "", 11, "drill"),
        (
            "drill: none",
            "drill: {fault: stop-node, within: 1m, query: q, answer: \"== 0\"}",
            12,
            "drill",
        ),
        (
            "drill: none\nreason: x",
            "drill: {fault: stop-node, within: 1m, query: r, answer: \"== 0\"}",
            11,
            "drill",
        ),
        (
            "drill: none\nreason: x",
            "drill: {fault: stop-node, within: 1m, query: q, answer: empty}",
            11,
            "drill",
        ),
        ("B.md#meaning", "C.md", 41, "broken-link"),
        ("B.md#meaning", "B.md#reason", 41, "broken-anchor"),
    ] {
        let findings = found(&text(&[(before, after)]), None);
        assert!(rules(&findings).contains(&(line, rule)), "{after}: {findings:?}");
    }
}

#[test]
fn commands_of_this_program_are_read_as_it_reads_them() {
    for (command, is_right) in [
        ("bifrost rota now --at 2026-01-01T00:00:00Z", true),
        ("bifrost add --node http://127.0.0.1:9180 probe | tail", true),
        ("bifrost runbook triage A", true),
        ("bifrost rotta now", false),
        ("bifrost up --knobs 3", false),
        ("bifrost up --nodes many", false),
    ] {
        let with = text(&[("None.", &format!("`{command}`"))]);
        let findings = found(&with, None);
        let unknown = findings.iter().find(|finding| finding.rule == "unknown-command");
        assert_eq!(unknown.is_none(), is_right, "{command}: {findings:?}");
        assert!(unknown.is_none_or(|finding| finding.line == 23));
    }
}

#[test]
fn a_page_that_is_long_before_its_first_action_is_found() {
    let long = text(&[("None.", &"word ".repeat(700))]);
    assert_eq!(rules(&found(&long, None)), [(0, "slow-start")]);
}

#[test]
fn a_query_of_one_id_is_the_same_everywhere() {
    let findings = found(&text(&[("   up\n", "   up == 0\n")]), None);
    assert_eq!(findings.iter().filter(|one| one.rule == "query-differs").count(), 1);
}

#[test]
fn alerts_and_pages_are_pairs() {
    let mut alerts = Alerts::default();
    let rules_text = "groups:\n  - name: g\n    rules:\n      - record: x\n        expr: y\n      - alert: \
                      N\n        expr: y\n        labels: {severity: page, owner: ops}\n";
    alerts.read(Path::new("rules.yaml"), rules_text).expect("it is YAML");
    let findings = found(&text(&[]), Some(&alerts));
    assert_eq!(rules(&findings), [(6, "missing-page"), (2, "unknown-alert")]);
}

#[test]
fn alerts_say_what_their_pages_say() {
    let mut alerts = Alerts::default();
    let slo = "version: prometheus/v1\nservice: gateway\nslos:\n  - name: availability\n    alerting:\n      \
               name: A\n      annotations: {runbook_url: \"https://x/runbooks/B.md\"}\n    x-bifrost:\n      \
               owner: others\n";
    alerts.read(Path::new("gateway.yaml"), slo).expect("it is YAML");
    let rule = "groups:\n  - rules:\n      - alert: A\n        labels: {severity: ticket}\n";
    alerts.read(Path::new("rules.yaml"), rule).expect("it is YAML");
    let findings = found(&text(&[]), Some(&alerts));
    for one in [(4, "slo"), (6, "owner"), (6, "runbook-url"), (3, "severity"), (6, "unknown-owner")]
    {
        assert!(rules(&findings).contains(&one), "{one:?} of {findings:?}");
    }
    let broken = alerts.read(Path::new("broken.yaml"), "groups:\n  - [\n");
    assert_eq!(broken.expect_err("it is broken").rule, "yaml");
}

#[test]
fn what_is_no_page_is_said_with_its_line() {
    for (before, after, line, part) in [
        ("---\nalert", "alert", 1, "front matter"),
        ("summary: x", "sumary: x", 3, "unknown field `sumary`"),
        ("expires: 2027-01-01", "expires: soon", 8, "is no day"),
        ("last_drilled: never", "last_drilled: once", 7, "neither"),
        ("severity: [page]", "severity: [shout]", 5, "unknown variant `shout`"),
    ] {
        let broken = text(&[(before, after)]);
        let finding = Page::parse(Path::new("A.md"), &broken).expect_err("it is no page");
        assert!(finding.text.contains(part), "{finding}");
        assert_eq!(finding.line, line, "{finding}");
    }
}

#[test]
fn shell_lines_are_split_as_a_shell_splits_them() {
    let pieces = words_of("curl -s 'http://a/?b=c d' | grep -c \"x|y\"; df -h");
    let words: Vec<Vec<&str>> =
        pieces.iter().map(|piece| piece.iter().map(String::as_str).collect()).collect();
    assert_eq!(
        words,
        [vec!["curl", "-s", "http://a/?b=c d"], vec!["grep", "-c", "x|y"], vec!["df", "-h"],]
    );
}

/// The pages of this project, against everything that is known without other processes.
#[test]
fn the_shipped_pages_have_no_findings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (pages, mut findings) = pages(&root.join("runbooks")).expect("they can be read");
    let rota = Rota::read(&root.join("runbooks/rota.yaml")).expect("it is a rota");
    let against = Against { alerts: None, rota: Some(&rota), names: None, today: TODAY };
    findings.extend(lint(&pages, &against));
    assert_eq!(findings, Vec::new());
    assert_eq!(pages.len(), 31);
}
