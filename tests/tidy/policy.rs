//! Holds what is linked to `.deny.toml`: licences, bans and sources, without a network.
//!
//! It reads the part of that file which it holds to, in the form that the file has. Advisories need a
//! database that changes by the day: `cargo deny` looks for those.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::tree::{assert_none, root};

/// Everything that any member of the workspace may be built with, on any system.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--all-features", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}; `cargo fetch --locked` gets it");
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let Value::Array(packages) = metadata["packages"].take() else {
        panic!("packages are a list");
    };
    packages
}

/// The texts of a list in `.deny.toml`: plain ones, or those of `crate` in tables.
fn listed(key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".deny.toml")).expect("the policy is there");
    let found = texts(&text, key);
    assert!(!found.is_empty(), ".deny.toml has no list {key}");
    found
}

fn texts(policy: &str, key: &str) -> Vec<String> {
    let start = format!("{key} = [");
    let lines = policy.lines().skip_while(|line| !line.starts_with(&start));
    let mut found = Vec::new();
    for line in lines {
        let line = line.strip_prefix(&start).unwrap_or(line).trim();
        let line = line.strip_prefix("{ crate = ").unwrap_or(line);
        let text = line.strip_prefix('"').and_then(|line| line.split('"').next());
        found.extend(text.map(str::to_owned));
        if line.ends_with(']') {
            break;
        }
    }
    found
}

/// Whether the licences of a list are enough for an expression of SPDX; which were needed is noted.
fn satisfied(expression: &str, allowed: &[String], used: &mut BTreeSet<String>) -> bool {
    // Older packages separate alternatives by a slash.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    // Values and operators that wait, as in every calculator: `AND` binds closer than `OR`.
    let (mut values, mut operators): (Vec<bool>, Vec<&str>) = (Vec::new(), Vec::new());
    let apply = |values: &mut Vec<bool>, operator: &str| {
        if let (Some(right), Some(left)) = (values.pop(), values.pop()) {
            values.push(if operator == "AND" { left && right } else { left || right });
        }
    };
    while let Some(word) = words.next() {
        match word {
            "(" => operators.push(word),
            "AND" | "OR" | ")" => {
                let waits = |top: &str| top == "AND" || (top == "OR" && word != "AND");
                while let Some(operator) = operators.pop_if(|top| waits(top)) {
                    apply(&mut values, operator);
                }
                match word {
                    ")" => drop(operators.pop()),
                    _ => operators.push(word),
                }
            }
            license => {
                let mut license = license.to_owned();
                if words.next_if_eq(&"WITH").is_some() {
                    license.push_str(" WITH ");
                    license.push_str(words.next().unwrap_or_default());
                }
                let known = allowed.contains(&license);
                if known {
                    used.insert(license);
                }
                values.push(known);
            }
        }
    }
    while let Some(operator) = operators.pop() {
        apply(&mut values, operator);
    }
    values == [true]
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let allowed = listed("allow");
    let mut used = BTreeSet::new();
    let mut complaints = Vec::new();
    for package in packages() {
        let license = package["license"].as_str().unwrap_or("no licence that is named");
        if !satisfied(license, &allowed, &mut used) {
            complaints.push(format!("{} {}: {license}", package["name"], package["version"]));
        }
    }
    let idle = allowed.iter().filter(|license| !used.contains(*license));
    complaints
        .extend(idle.map(|license| format!(".deny.toml allows {license}, which nothing has")));
    assert_none(&complaints);
}

#[test]
fn nothing_is_linked_that_is_banned_or_comes_from_elsewhere() {
    let (banned, registries) = (listed("deny"), listed("allow-registry"));
    let mut complaints = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().expect("a package has a name");
        if banned.iter().any(|banned| banned == name) {
            complaints.push(format!("{name} is banned by .deny.toml, which says why"));
        }
        let source = package["source"].as_str();
        let known = |source: &str| {
            registries.iter().any(|registry| source.strip_prefix("registry+") == Some(registry))
        };
        if source.is_some_and(|source| !known(source)) {
            complaints.push(format!("{name} comes from {}", package["source"]));
        }
        for on in package["dependencies"].as_array().into_iter().flatten() {
            if source.is_none() && on["path"].is_null() && on["req"] == "*" {
                complaints.push(format!("{name} takes any version of {}", on["name"]));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn expressions_of_licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, enough) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 OR ISC AND MIT", true),
        ("(GPL-3.0 OR ISC) AND MIT", true),
        ("ISC AND (GPL-3.0 OR LGPL-2.1) AND MIT", false),
        ("MIT OR ISC AND GPL-3.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allowed, &mut BTreeSet::new()), enough, "{expression}");
    }
}

#[test]
fn lists_of_the_policy_are_read_in_both_forms() {
    let policy = "allow = [\n    \"MIT\", # a comment\n]\ndeny = [\n    { crate = \"a\", reason = \"b\" },\n]\nfrom = [\"x\"]\n";
    assert_eq!(texts(policy, "allow"), ["MIT"]);
    assert_eq!(texts(policy, "deny"), ["a"]);
    assert_eq!(texts(policy, "from"), ["x"]);
}
