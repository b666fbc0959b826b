//! Who is on call at which instant, whatever clocks do, and what is wrong with a rota.

use std::path::Path;
use std::process::Command;

use super::*;

/// The rota that this project ships.
const SHIPPED: &str = include_str!("../../../runbooks/rota.yaml");

fn shipped() -> Rota {
    Rota::parse(Path::new("runbooks/rota.yaml"), SHIPPED).expect("it is a rota")
}

fn at(text: &str) -> Timestamp {
    text.parse::<Instant>().expect("an instant").0
}

/// Findings of a rota through the eight weeks from an instant.
fn found(text: &str, from: &str) -> Vec<Finding> {
    let rota = Rota::parse(Path::new("rota.yaml"), text).expect("it is a rota");
    check::check(&rota, at(from), later(at(from), 8))
}

fn rules(findings: &[Finding]) -> Vec<(usize, &'static str)> {
    findings.iter().map(|finding| (finding.line, finding.rule)).collect()
}

/// A rota of two people with these lines in its only layer.
fn simple(layer: &str) -> String {
    format!(
        "people:\n  - {{handle: a, name: A, tz: UTC, contact: \"pager:a\"}}\n  \
         - {{handle: b, name: B, tz: UTC, contact: \"pager:b\"}}\nschedules:\n  - name: s\n    \
         layers:\n      - name: l\n        start: 2026-01-05\n        people: [a, b]\n{layer}"
    )
}

const BERLIN: &str =
    "        tz: Europe/Berlin\n        rotation: daily\n        handover: \"09:00\"\n";
const NEW_YORK: &str =
    "        tz: America/New_York\n        rotation: daily\n        handover: \"02:30\"\n";

#[test]
fn the_shipped_rota_has_nothing_to_find_through_two_years() {
    let rota = shipped();
    let mut from = at("2026-01-12T00:00:00Z");
    for _ in 0..13 {
        assert_eq!(check::check(&rota, from, later(from, 8)), Vec::new(), "from {from}");
        from = later(from, 8);
    }
}

#[test]
fn turns_change_at_the_same_time_of_day_when_clocks_change() {
    for (layer, before, after) in [
        // Clocks go forward and back in Berlin, …
        (BERLIN, "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),
        (BERLIN, "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"),
        // … and in New York, where the forward one skips the handover itself: 02:30 is 03:30.
        (NEW_YORK, "2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z"),
        (NEW_YORK, "2026-10-31T06:30:00Z", "2026-11-01T07:30:00Z"),
    ] {
        let text = simple(layer);
        let rota = Rota::parse(Path::new("rota.yaml"), &text).expect("it is a rota");
        let who = |at: Timestamp| rota.owner_at("s", at).map(|person| person.handle.clone());
        let second = 1.second();
        let (before, after) = (at(before), at(after));
        assert_ne!(who(before - second), who(before), "{before}");
        assert_eq!(who(before), who(after - second), "{before} to {after}");
        assert_ne!(who(after - second), who(after), "{after}");
        assert_eq!(check::check(&rota, before, later(before, 8)), Vec::new());
    }
}

#[test]
fn hours_of_two_zones_leave_a_gap_while_clocks_differ() {
    let follow = |tz: &str, from: &str, to: &str| {
        format!(
            "        tz: {tz}\n        rotation: weekly\n        handover: \"{from}\"\n        \
             hours:\n          from: \"{from}\"\n          to: \"{to}\"\n"
        )
    };
    let europe = follow("Europe/Berlin", "08:00", "20:00");
    let america = follow("America/New_York", "14:00", "02:00");
    let text = format!(
        "{}      - name: m\n        start: 2026-01-05\n        people: [b, a]\n{america}",
        simple(&europe)
    );
    // New York is six hours behind Berlin, and five from 25 October to 1 November.
    assert_eq!(rules(&found(&text, "2026-08-01T08:00:00Z")), []);
    let findings = found(&text, "2026-10-01T08:00:00Z");
    let gap = findings.iter().find(|one| one.rule == "overlap").expect("an hour has two");
    assert!(gap.text.contains("2026-10-25T18:00:00Z to 2026-10-25T19:00:00Z"), "{gap}");
    let gap = findings.iter().find(|one| one.rule == "gap").expect("an hour has nobody");
    assert_eq!(gap.line, 6);
    assert!(gap.text.contains("2026-10-25T06:00:00Z to 2026-10-25T07:00:00Z"), "{gap}");
    assert!(findings.iter().all(|one| ["overlap", "gap"].contains(&one.rule)));
}

#[test]
fn a_day_has_the_hours_that_it_has() {
    let rota = Rota::parse(Path::new("rota.yaml"), &simple(BERLIN)).expect("it is a rota");
    let hours = |from: &str, to: &str| {
        let schedule = rota.schedule("s").expect("it is there");
        let shifts = schedule.shifts(at(from), at(to));
        shifts.iter().map(Shift::hours).collect::<Vec<_>>()
    };
    assert_eq!(
        hours("2026-03-28T09:00[Europe/Berlin]", "2026-03-30T09:00[Europe/Berlin]"),
        [23.0, 24.0]
    );
    assert_eq!(
        hours("2026-10-24T09:00[Europe/Berlin]", "2026-10-26T09:00[Europe/Berlin]"),
        [25.0, 24.0]
    );
}

#[test]
fn layers_that_overlap_are_found_with_their_line() {
    let text = format!(
        "{}      - name: m\n        start: 2026-01-05\n        people: [b, a]\n{BERLIN}        days: [mon]\n",
        simple(BERLIN)
    );
    let findings = found(&text, "2026-06-01T00:00:00Z");
    assert_eq!(findings[0].rule, "overlap");
    assert_eq!(findings[0].line, 13);
    assert!(findings[0].text.contains("are both on call for s from 2026-06-01"), "{}", findings[0]);
}

#[test]
fn people_nobody_knows_are_found_where_they_are_named() {
    let text = format!(
        "{}    overrides:\n      - from: 2026-06-02T00:00:00Z\n        to: 2026-06-01T00:00:00Z\n        \
         person: zoe\nholidays:\n  - person: yan\n    from: 2026-06-01\n    to: 2026-06-02\n",
        simple(BERLIN).replace("people: [a, b]", "people: [a, x, b]")
    );
    let findings = found(&text, "2026-06-01T00:00:00Z");
    let expected =
        [(18, "unknown-person"), (9, "unknown-person"), (16, "unknown-person"), (14, "order")];
    for one in expected {
        assert!(rules(&findings).contains(&one), "{one:?} of {findings:?}");
    }
}

#[test]
fn overrides_win_and_may_not_overlap_each_other() {
    let layers = simple(BERLIN);
    let one = |from: &str, to: &str, person: &str| {
        format!("      - {{from: \"{from}\", to: \"{to}\", person: {person}}}\n")
    };
    let text = format!(
        "{layers}    overrides:\n{}{}",
        one("2026-06-01T10:00:00Z", "2026-06-05T10:00:00Z", "b"),
        one("2026-06-05T09:00:00Z", "2026-06-06T10:00:00Z", "a"),
    );
    let findings = found(&text, "2026-06-01T08:00:00Z");
    assert_eq!(rules(&findings), [(15, "overlap")]);
    let rota = Rota::parse(Path::new("rota.yaml"), &text).expect("it is a rota");
    for hour in 0..90 {
        let time = at("2026-06-01T10:00:00Z") + hour.hours();
        assert_eq!(rota.owner_at("s", time).map(|person| &person.handle[..]), Some("b"), "{time}");
    }
}

#[test]
fn one_alone_unfair_shares_and_people_away_are_found() {
    let alone = simple(BERLIN).replace("people: [a, b]", "people: [a]");
    assert_eq!(rules(&found(&alone, "2026-06-01T00:00:00Z")), [(9, "too-few-people")]);
    let unfair = simple(BERLIN).replace("people: [a, b]", "people: [a, a, a, b]");
    let findings = found(&unfair, "2026-06-01T00:00:00Z");
    assert_eq!(rules(&findings), [(5, "spread")]);
    let away = format!(
        "{}holidays:\n  - {{person: a, from: 2026-06-02, to: 2026-06-03}}\n",
        simple(BERLIN)
    );
    assert_eq!(rules(&found(&away, "2026-06-01T00:00:00Z")), [(14, "away")]);
}

#[test]
fn contacts_are_references() {
    for contact in ["pager:ada", "opsbook:ada.adler", "pager:ada-2"] {
        let text = simple(BERLIN).replace("pager:a\"", &format!("{contact}\""));
        assert_eq!(rules(&found(&text, "2026-06-01T00:00:00Z")), [], "{contact}");
    }
    for contact in
        ["tel:+4930123456", "mailto:a@example.org", "https://x/?key=1", "ada", "p:1234567"]
    {
        let text = simple(BERLIN).replace("pager:a\"", &format!("{contact}\""));
        let findings = found(&text, "2026-06-01T00:00:00Z");
        assert_eq!(rules(&findings), [(2, "contact")], "{contact}");
    }
}

#[test]
fn what_is_no_rota_is_said_with_its_line() {
    for (text, line, part) in [
        ("people: [\n", 2, "flow"),
        ("people:\n  - handle: a\n    nam: A\n", 3, "unknown field `nam`"),
        (&simple(BERLIN).replace("Europe/Berlin", "Europe/Berlim"), 10, "no time zone"),
        (&simple(BERLIN).replace("09:00", "25:00"), 12, "25:00"),
        (&simple(BERLIN).replace("2026-01-05", "2026-02-30"), 8, "2026-02-30"),
        (&simple(BERLIN).replace("daily", "hourly"), 11, "hourly"),
    ] {
        let error = Rota::parse(Path::new("rota.yaml"), text).expect_err("it is no rota");
        let RotaError::Broken(finding) = error else { panic!("it was read") };
        assert!(finding.text.contains(part), "{finding}");
        assert_eq!(finding.line, line, "{finding}");
    }
}

#[test]
fn calendars_hold_every_shift_once_under_a_uid_that_stays() {
    let rota = shipped();
    let schedules: Vec<&Schedule> = rota.schedules.iter().collect();
    let now = at("2026-11-21T12:00:00Z");
    let text = ics::calendar(&rota, &schedules, (now, later(now, 8)), now);
    assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"));
    assert!(text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')));
    let uids: Vec<&str> = text.split("\r\n").filter(|line| line.starts_with("UID:")).collect();
    let shifts = schedules[0].shifts(now, later(now, 8));
    assert_eq!(uids.len(), shifts.len());
    assert_eq!(uids.iter().collect::<std::collections::HashSet<_>>().len(), uids.len());
    assert!(uids.contains(&"UID:bifrost-oncall/override/20261224T060000Z@bifrost"));
    let day_after = ics::calendar(&rota, &schedules, (now + 24.hours(), later(now, 8)), now);
    let kept = uids.iter().filter(|uid| day_after.contains(*uid)).count();
    assert!(kept >= uids.len() - 3, "{kept} of {}", uids.len());
}

#[test]
fn the_page_says_who_is_on_call_and_needs_no_script() {
    let rota = shipped();
    let schedules: Vec<&Schedule> = rota.schedules.iter().collect();
    let now = at("2026-11-21T12:00:00Z");
    let html = page::page(&rota, &schedules, now, later(now, 8));
    let person = rota.owner_at("bifrost-oncall", now).expect("somebody");
    assert!(html.contains(&format!("<p class=\"note\">{} is on call.</p>", person.name)));
    for needed in [
        "<html lang=\"en\">",
        "prefers-color-scheme",
        "<caption>",
        "scope=\"row\"",
        "href=\"#main\"",
    ] {
        assert!(html.contains(needed), "{needed}");
    }
    assert!(!html.contains("<script"));
    assert!(!html.contains("http:") && !html.contains("https:"));
}

#[test]
fn a_schedule_has_an_id_of_its_own_whatever_it_is_called() {
    let one = |name: &str| format!("  - {{name: {name:?}, layers: []}}\n");
    let names = ["main", "day & night", "Main", "夜"];
    let text = format!("people: []\nschedules:\n{}", names.map(one).concat());
    let rota = Rota::parse(Path::new("rota.yaml"), &text).expect("it is a rota");
    let schedules: Vec<&Schedule> = rota.schedules.iter().collect();
    let now = at("2026-11-21T12:00:00Z");
    let whole = page::page(&rota, &schedules, now, later(now, 1));
    for html in [whole, page::shifts(&rota, now, later(now, 1))] {
        for id in ["schedule-main", "schedule-day--night", "schedule-main-1", "schedule-夜"] {
            assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}: {html}");
            assert!(html.contains(&format!("aria-labelledby=\"{id}\"")), "{id}: {html}");
        }
    }
}

#[test]
fn metrics_name_one_person_of_a_schedule() {
    let text = metrics(shipped(), None, at("2026-12-24T08:00:00Z"));
    assert!(text.contains("{person=\"ben\",schedule=\"bifrost-oncall\"} 1\n"), "{text}");
    assert_eq!(text.matches("} 1\n").count(), 1);
    assert_eq!(text.matches("} 0\n").count(), 5);
}

#[test]
fn a_status_page_names_who_is_on_call_and_not_how_to_reach_them() {
    let shown = on_call::shown(&shipped(), at("2026-12-24T08:00:00Z"));
    assert_eq!(shown[0]["schedule"], "bifrost-oncall");
    let ben = shipped().person("ben").expect("he is named").clone();
    assert_eq!(shown[0]["person"], ben.name);
    assert!(!serde_json::json!(shown).to_string().contains(&ben.contact), "{shown:?}");
}

/// `amtool`, which Debian's Alertmanager brings.
fn amtool(arguments: &[&str]) -> (bool, String) {
    let run = Command::new("amtool").args(arguments).output().expect("amtool is installed");
    let text = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn every_alert_leads_to_the_receiver_of_its_owner() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("alertmanager.yml");
    let file = path.to_str().expect("a plain path");
    let text = alertmanager::config(&shipped(), Some("http://127.0.0.1:9095/"));
    std::fs::write(&path, text).expect("it can be written");
    let (well, said) = amtool(&["check-config", file]);
    assert!(well, "{said}");
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks"));
    for page in pages.expect("the runbooks lie there") {
        let name = page.expect("it can be listed").file_name().to_string_lossy().into_owned();
        let Some(alert) = name.strip_suffix(".md") else { continue };
        for severity in alertmanager::SEVERITIES {
            let receiver = alertmanager::receiver("bifrost-oncall", severity);
            let (well, said) = amtool(&[
                "config",
                "routes",
                "test",
                &format!("--config.file={file}"),
                &format!("--verify.receivers={receiver}"),
                &format!("alertname={alert}"),
                "owner=bifrost-oncall",
                &format!("severity={severity}"),
            ]);
            assert!(well, "{alert} as {severity}: {said}");
        }
    }
    let (well, said) = amtool(&[
        "config",
        "routes",
        "test",
        &format!("--config.file={file}"),
        &format!("--verify.receivers={}", alertmanager::UNROUTED),
        "alertname=Unknown",
        "owner=nobody",
    ]);
    assert!(well, "{said}");
}

#[test]
fn schedules_are_found_in_either_layout() {
    let map = serde_yaml::from_str("schedules:\n  a: {}\n  b: {}\n").expect("YAML");
    assert_eq!(schedule_names(&map).expect("it has some"), ["a", "b"]);
    let list = serde_yaml::from_str("schedules:\n  - name: a\n").expect("YAML");
    assert_eq!(schedule_names(&list).expect("it has some"), ["a"]);
    assert!(schedule_names(&Value::Null).is_none());
}
