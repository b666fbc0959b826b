//! Sizes, module docs, the top level, links between documents, and what no file may contain.

use crate::tree::{assert_none, files, root, rust_files};

/// Production lines that a file may have.
const LINES_MAX: usize = 500;

/// What the top level may hold; hidden tool configs are listed one by one.
const TOP_LEVEL: [&str; 29] = [
    "ipfs",
    "telemetry",
    "gateway",
    "node",
    "ops",
    "tests",
    "dashboards",
    "runbooks",
    "slo",
    "helm",
    "Cargo.toml",
    "Cargo.lock",
    "Makefile",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".git",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
    ".bifrost",
];

#[test]
fn files_stay_within_500_production_lines() {
    let complaints: Vec<String> = rust_files()
        .iter()
        .map(|source| (&source.path, source.production().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path} has {lines} production lines"))
        .collect();
    assert_none(&complaints);
}

#[test]
fn every_rust_file_begins_with_module_docs() {
    let complaints: Vec<String> = rust_files()
        .iter()
        .filter(|source| {
            let line = source.text.lines().next().unwrap_or_default();
            // Unit tests in a file of their own need no more than a title.
            let shortest = if source.path.ends_with("tests.rs") { 8 } else { 20 };
            !line.starts_with("//! ") || line.len() < shortest
        })
        .map(|source| format!("{} does not begin with `//!` and a sentence", source.path))
        .collect();
    assert_none(&complaints);
}

#[test]
fn the_top_level_holds_nothing_unexpected() {
    let entries = std::fs::read_dir(root()).expect("the root can be read");
    let complaints: Vec<String> = entries
        .map(|entry| {
            entry.expect("the root can be read").file_name().to_string_lossy().into_owned()
        })
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()) && name != "target")
        .map(|name| format!("{name} does not belong at the top level"))
        .collect();
    assert_none(&complaints);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    // Put together here, so that this file does not accuse itself.
    let folders = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut complaints = Vec::new();
    for source in files() {
        for (number, line) in source.text.lines().enumerate() {
            for folder in &folders {
                let outside = line.match_indices(folder.as_str()).any(|(at, _)| {
                    line[..at].chars().next_back().is_none_or(|c| " \"'`=(:".contains(c))
                });
                if outside {
                    complaints.push(format!("{}:{} names {folder}", source.path, number + 1));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut complaints = Vec::new();
    for source in files().iter().filter(|source| source.path.ends_with(".md")) {
        let folder = root().join(&source.path);
        let folder = folder.parent().expect("a file lies in a folder");
        for (_, rest) in source.text.match_indices("](").map(|(at, _)| source.text.split_at(at + 2))
        {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            let elsewhere =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !folder.join(target).exists() {
                complaints.push(format!("{} links to {target}, which is not there", source.path));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn the_readme_names_both_commands() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md exists");
    for command in ["make run", "make test"] {
        assert!(readme.contains(command), "README.md does not name `{command}`");
    }
}
