//! Every knob turns something and every metric counts something.
//!
//! A field of a struct whose name ends in `Config` or `Metrics` must be read by production code of its
//! crate, as `.field` or by taking the struct apart. A name that another struct shares hides a dead
//! field: the check errs on the side of silence.

use crate::tree::{Source, assert_none, crate_files, files};

const MEMBERS: [&str; 5] = ["telemetry", "gateway", "node", "ops", "ipfs"];

#[test]
fn every_config_field_is_read() {
    assert_none(&unread("Config"));
}

#[test]
fn every_metric_is_counted() {
    assert_none(&unread("Metrics"));
}

#[test]
fn every_metric_name_is_declared_once() {
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut complaints = Vec::new();
    for member in MEMBERS {
        for source in crate_files(member) {
            for name in quoted_names(&source.code()) {
                if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
                    complaints.push(format!("{name} is declared in {first} and {}", source.path));
                }
                seen.push((name, source.path.clone()));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_metric_that_the_chart_names_is_declared() {
    let declared: Vec<String> = MEMBERS
        .iter()
        .flat_map(|member| crate_files(member))
        .flat_map(|source| quoted_names(&source.code()))
        .collect();
    let mut named = 0;
    let mut complaints = Vec::new();
    let ours = |source: &Source| {
        source.path.starts_with("helm/bifrost/templates/")
            || source.path.starts_with("helm/bifrost/values")
    };
    for source in files().iter().filter(|source| ours(source)) {
        for name in words(&source.text).filter(|word| word.starts_with("bifrost_")) {
            named += 1;
            if !declared.iter().any(|known| known == name) {
                complaints.push(format!("{} names {name}, which nothing declares", source.path));
            }
        }
    }
    assert_none(&complaints);
    assert!(named > 0, "the chart scales by a metric");
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

fn unread(suffix: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in MEMBERS {
        let sources = crate_files(member);
        let code: Vec<String> = sources.iter().map(Source::code).collect();
        for (source, text) in sources.iter().zip(&code) {
            for field in fields(text, suffix) {
                if !code.iter().any(|text| reads(text, &field)) {
                    complaints.push(format!("{}: nothing reads `{field}`", source.path));
                }
            }
        }
    }
    complaints
}

/// The public fields of every struct whose name ends so.
fn fields(code: &str, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in code.lines() {
        let trimmed = line.trim();
        if let Some((_, rest)) = trimmed.split_once("struct ") {
            let name = rest.split([' ', '<', '(', ';', '{']).next().unwrap_or_default();
            inside = name.ends_with(suffix) && rest.ends_with('{');
        } else if line.starts_with('}') {
            inside = false;
        } else if inside
            && let Some((head, _)) = trimmed.split_once(": ")
            && let Some(field) = head.rsplit_once(' ').map(|(_, field)| field)
            && head.starts_with("pub")
        {
            found.push(field.to_owned());
        }
    }
    found
}

/// Whether a text reads a field of this name from something.
fn reads(code: &str, field: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let dotted = format!(".{field}");
    if code.match_indices(&dotted).any(|(at, _)| ends(&code[at + dotted.len()..])) {
        return true;
    }
    code.match_indices("let ").any(|(at, _)| {
        let pattern = code[at..].split('=').next().unwrap_or_default();
        pattern.contains('{')
            && pattern.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == field)
    })
}

/// String literals that are whole metric names of ours.
fn quoted_names(code: &str) -> Vec<String> {
    code.split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("bifrost_"))
        .filter(|text| {
            text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_field_that_nothing_reads_is_found() {
    let code = "pub struct RoomConfig {\n    pub used: u8,\n    pub dead: u8,\n}\n";
    assert_eq!(fields(code, "Config"), ["used", "dead"]);
    assert!(reads("config.used + 1", "used"));
    assert!(reads("let RoomConfig { used, .. } = config;", "used"));
    assert!(!reads("config.dead_end; RoomConfig { dead: 1 }", "dead"));
}
