//! The same files through Sloth and through our own making of rules, and every difference that is meant.
//!
//! Sloth is run from `$BIFROST_CACHE/bin` or the path, its examples are read from Go's module cache;
//! nothing of it is kept here. Meant, for every objective:
//!
//! - The windows of shares are the same eight. `slo:error_budget:ratio`, `slo:time_period:days`,
//!   `slo:current_burn_rate:ratio` and `slo:period_burn_rate:ratio` are not made: they follow from what
//!   is. Four series of events are made in their place, so the number is the same.
//! - `slo:period_error_budget_remaining:ratio` is `slo:error_budget_remaining:ratio`.
//! - Shares are quotients of recorded events, not of raw rates, and the one of 30 days weighs events alike.
//! - Alerts have the same names, urgencies, labels and pairs of windows. Budgets in them are exact, and
//!   objectives with a key of ours demand a least number of bad events.
//! - What promises everything pages at the first bad event and has no ticket.
//! - Plugins, and files of several documents, are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::model::{self, Service};
use super::promtool::folder;
use super::rules::{Making, groups};

/// Sloth's examples of one document without plugins, which both tools take.
const EXAMPLES: [&str; 4] = ["getting-started", "home-wifi", "raw-home-wifi", "no-alerts"];
/// What only Sloth records.
const THEIRS: [&str; 5] = [
    "slo:error_budget:ratio",
    "slo:time_period:days",
    "slo:current_burn_rate:ratio",
    "slo:period_burn_rate:ratio",
    "slo:period_error_budget_remaining:ratio",
];
/// What only we record.
const OURS: [&str; 5] = [
    "slo:events_error:rate5m",
    "slo:events_total:rate5m",
    "slo:events_error:rate1h",
    "slo:events_total:rate1h",
    "slo:error_budget_remaining:ratio",
];

/// An alert, but for its budget and its guard.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alert {
    name: String,
    labels: BTreeMap<String, String>,
    windows: BTreeSet<String>,
}

fn sloth() -> PathBuf {
    let cached = std::env::var_os("BIFROST_CACHE").map(|cache| Path::new(&cache).join("bin/sloth"));
    cached.filter(|path| path.is_file()).unwrap_or_else(|| "sloth".into())
}

fn by_sloth(file: &Path) -> serde_yaml::Value {
    let out = tempfile::tempdir().expect("a folder");
    let made = out.path().join("rules.yaml");
    let ran =
        Command::new(sloth()).arg("generate").arg("-i").arg(file).arg("-o").arg(&made).output();
    let ran =
        ran.expect("sloth is missing: tests/interop/install.sh puts it into $BIFROST_CACHE/bin");
    assert!(ran.status.success(), "{file:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(&made).expect("it wrote them");
    serde_yaml::from_str(&text).expect("it is YAML")
}

fn by_us(service: &Service) -> serde_yaml::Value {
    let making = Making { runbooks: "/runbooks".into(), interval: 30 };
    let groups: Vec<_> = service.slos.iter().flat_map(|slo| groups(slo, &making)).collect();
    serde_yaml::to_value(super::rules::Groups { groups }).expect("it is plain")
}

fn rules(made: &serde_yaml::Value) -> Vec<serde_yaml::Value> {
    let groups = made["groups"].as_sequence().cloned().unwrap_or_default();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().cloned().unwrap_or_default())
        .collect()
}

/// What is recorded, with the objective it belongs to.
fn recorded(made: &serde_yaml::Value, except: &[&str]) -> BTreeSet<String> {
    let rules = rules(made);
    let named = rules.iter().filter_map(|rule| {
        let name = rule.get("record")?.as_str()?;
        let of = rule["labels"]["sloth_id"].as_str().unwrap_or_default();
        (!except.contains(&name)).then(|| format!("{of} {name}"))
    });
    named.collect()
}

fn alerts(made: &serde_yaml::Value) -> BTreeSet<Alert> {
    let rules = rules(made);
    let each = rules.iter().filter_map(|rule| {
        let name = rule.get("alert")?.as_str()?.to_owned();
        let labels: BTreeMap<String, String> =
            serde_yaml::from_value(rule["labels"].clone()).expect("labels are texts");
        let expr = rule["expr"].as_str().unwrap_or_default();
        let shares = expr.split("slo:sli_error:ratio_rate").skip(1);
        let windows = shares.map(|rest| rest.split('{').next().unwrap_or_default().to_owned());
        Some(Alert { name, labels, windows: windows.collect() })
    });
    each.collect()
}

/// Labels that only our alerts have, unless their file gives them.
fn without_own(alerts: BTreeSet<Alert>, theirs: &BTreeSet<Alert>) -> BTreeSet<Alert> {
    let given = |label: &str| theirs.iter().any(|alert| alert.labels.contains_key(label));
    let own: Vec<&str> = ["severity", "owner"].into_iter().filter(|label| !given(label)).collect();
    let strip = |mut alert: Alert| {
        alert.labels.retain(|label, _| !own.contains(&label.as_str()));
        alert
    };
    alerts.into_iter().map(strip).collect()
}

fn examples() -> PathBuf {
    let ran = Command::new("go").args(["env", "GOMODCACHE"]).output().expect("go is missing");
    let cache = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    let folder = Path::new(&cache).join("github.com/slok/sloth@v0.16.0/examples");
    assert!(folder.is_dir(), "{folder:?} is missing: tests/interop/install.sh fetches Sloth");
    folder
}

fn compare(file: &Path) -> (BTreeSet<Alert>, BTreeSet<Alert>) {
    let text = std::fs::read_to_string(file).expect("it can be read");
    let service = model::read(file, &text).expect("it has no findings");
    let (theirs, ours) = (by_sloth(file), by_us(&service));
    assert_eq!(recorded(&theirs, &THEIRS), recorded(&ours, &OURS), "{file:?}");
    assert_eq!(recorded(&theirs, &[]).len(), recorded(&ours, &[]).len(), "{file:?}");
    (alerts(&theirs), alerts(&ours))
}

#[test]
fn examples_of_sloth_become_the_same_windows_and_alerts() {
    for name in EXAMPLES {
        let (theirs, ours) = compare(&examples().join(format!("{name}.yml")));
        assert_eq!(theirs, without_own(ours, &theirs), "{name}");
    }
}

#[test]
fn our_own_files_are_taken_by_sloth_and_become_the_same() {
    for name in ["gateway", "website", "node", "probe", "freshness"] {
        let (theirs, ours) = compare(&folder().join(format!("{name}.yaml")));
        assert_eq!(theirs, without_own(ours, &theirs), "{name}");
    }
    let (theirs, ours) = compare(&folder().join("content.yaml"));
    assert_eq!((theirs.len(), ours.len()), (1, 1), "what promises everything only pages");
}

#[test]
fn what_sloth_takes_and_we_do_not_is_said() {
    for (name, rule) in [("plugin-getting-started", "sli"), ("multifile", "yaml")] {
        let file = examples().join(format!("{name}.yml"));
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let found = model::read(&file, &text).expect_err("it is refused");
        assert!(found.iter().any(|one| one.rule == rule), "{name}: {found:?}");
    }
}
