//! What promtool says of the rules that are made: the cases that a rule of this kind gets wrong, thirty
//! quiet days, and the syntax of every file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::fixtures::{self, Claim, Phase, Sample, Test, Tests, phase};
use super::generate::{self, Sources, text};
use super::rules::{Groups, Making};

/// The folder of objectives of this repository.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../slo")
}

/// What is read from it.
pub(crate) fn ours() -> Sources {
    generate::read(&folder()).expect("the folder can be read").expect("it has no findings")
}

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let ran = Command::new("promtool").args(arguments).args(files).output();
    let ran = ran.expect("promtool is missing: install the package `prometheus`");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "promtool {arguments:?} {files:?}:\n{said}\n{error}");
}

#[test]
fn every_rule_that_is_made_is_one() {
    let out = tempfile::tempdir().expect("a folder");
    let sources = ours();
    let files = sources.files(&sources.making(None));
    generate::write(&files, out.path()).expect("it can be written");
    let rules = files.keys().filter(|name| name.to_string_lossy().ends_with(".rules.yaml"));
    let rules: Vec<PathBuf> = rules.map(|name| out.path().join(name)).collect();
    assert!(rules.len() > 6, "{rules:?}");
    promtool(&["check", "rules"], &rules);
}

#[test]
fn the_cases_hold_for_every_objective_and_every_cause() {
    let out = tempfile::tempdir().expect("a folder");
    let sources = ours();
    let files = sources.files(&sources.making(None));
    generate::write(&files, out.path()).expect("it can be written");
    let tests = files.keys().filter(|name| name.starts_with("tests"));
    let tests: Vec<PathBuf> = tests.map(|name| out.path().join(name)).collect();
    assert!(tests.len() > 6, "{tests:?}");
    let files = Mutex::new(tests.chunks(1));
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).for_each(|file| promtool(&["test", "rules"], file));
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

#[test]
fn thirty_days_of_ordinary_noise_raise_nothing() {
    const STEP: u64 = 10;
    const DAYS: u64 = 30;
    let out = tempfile::tempdir().expect("a folder");
    let sources = ours();
    // Evaluated every ten minutes, so that thirty days take seconds; the rules count accordingly. One
    // objective of each shape; the simulation has the same days at every evaluation.
    let making = Making { interval: STEP * 60, ..sources.making(None) };
    // Once a day, for a minute, a tenth is bad.
    let day = [phase(600, 5_000, 0), phase(240, 300, 0), phase(60, 0, 0), phase(539, 5_000, 0)];
    let day = [&day[..], &[phase(1, 4_500, 500)]].concat();
    let days: Vec<Phase> = (0..DAYS).flat_map(|_| day.clone()).collect();
    let minutes = DAYS * 1_440;
    let (mut groups, mut input_series, mut claims) = (Vec::new(), Vec::new(), Vec::new());
    let wanted =
        ["gateway-availability", "gateway-first-byte", "probe-success", "freshness-denylists"];
    for slo in sources.services.iter().flat_map(|service| &service.slos) {
        if !wanted.contains(&slo.id().as_str()) {
            continue;
        }
        groups.extend(super::rules::groups(slo, &making));
        input_series.extend(fixtures::inputs(slo, &days, true));
        claims.push(Claim {
            expr: fixtures::ever(slo, None, minutes),
            eval_time: format!("{}m", minutes - STEP),
            exp_samples: [Sample { labels: "{}", value: 0 }],
        });
    }
    assert_eq!(claims.len(), wanted.len());
    for group in &mut groups {
        group.rules.retain(|rule| !rule.record.ends_with("rate30d"));
    }
    std::fs::write(out.path().join("rules.yaml"), text(&Groups { groups })).expect("written");
    let name = "thirty quiet days".into();
    let test = Test { name, interval: "1m".into(), input_series, promql_expr_test: claims };
    let evaluation_interval = format!("{STEP}m");
    let tests =
        Tests { rule_files: vec!["rules.yaml".into()], evaluation_interval, tests: vec![test] };
    let path = out.path().join("quiet.yaml");
    std::fs::write(&path, text(&tests)).expect("written");
    promtool(&["test", "rules"], &[path]);
}

#[test]
fn what_is_committed_is_what_is_made() {
    let sources = ours();
    let files = sources.files(&sources.making(None));
    let drift = generate::drift(&files, &folder().join("generated")).expect("it can be read");
    assert!(drift.is_empty(), "run `bifrost slo generate`: {drift:#?}");
}
