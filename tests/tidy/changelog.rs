//! The changelog has the form that readers and `make notes` know: Keep a Changelog 1.1.0.

use crate::tree::{assert_none, root};

const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// What is wrong with a changelog, line by line.
fn complaints(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut kinds, mut versions, mut entry) = (Vec::new(), Vec::new(), String::new());
    // A heading ends the last entry, too.
    for (number, line) in (1..).zip(text.lines().chain(["## end"])) {
        let mut complain = |what: &str| complaints.push(format!("CHANGELOG.md:{number}: {what}"));
        if line.starts_with("- ") || line.starts_with('#') {
            if !entry.is_empty() && !entry.ends_with(['.', ')']) {
                complain("the entry above is no sentence");
            }
            entry.clear();
        }
        if line == "## end" {
            break;
        } else if let Some(heading) = line.strip_prefix("## ") {
            kinds.clear();
            match version(heading) {
                Some(version) if versions.last().is_none_or(|newer| *newer > version) => {
                    versions.push(version);
                }
                Some(_) => complain("versions are not newest first"),
                None => complain("not `## [Unreleased]` or `## [1.2.3] - 2026-12-01`"),
            }
        } else if let Some(kind) = line.strip_prefix("### ") {
            if !KINDS.contains(&kind) || kinds.contains(&kind) {
                complain("not a kind of change, or there twice");
            }
            kinds.push(kind);
        } else if line.starts_with("- ") || line.starts_with("  ") {
            if kinds.is_empty() {
                complain("an entry of no kind");
            }
            line.trim_end().clone_into(&mut entry);
        }
    }
    if versions.first() != Some(&UNRELEASED) {
        complaints.push("CHANGELOG.md begins with no [Unreleased]".to_owned());
    }
    complaints
}

const UNRELEASED: [u32; 3] = [u32::MAX; 3];

/// The version that a heading names.
fn version(heading: &str) -> Option<[u32; 3]> {
    if heading == "[Unreleased]" {
        return Some(UNRELEASED);
    }
    let (version, date) = heading.strip_prefix('[')?.split_once("] - ")?;
    let numbers = |text: &str, by: char| {
        text.split(by).map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()
    };
    numbers(date, '-').filter(|parts| parts.len() == 3 && date.len() == 10)?;
    numbers(version, '.')?.try_into().ok()
}

#[test]
fn changelog_has_its_form() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("it is there");
    assert_none(&complaints(&text));
}

#[test]
fn a_changelog_of_another_form_is_found() {
    let good = "## [Unreleased]\n\n## [0.10.0] - 2027-01-02\n\n### Added\n\n- Legs\n  of wood.\n\n\
                ### Fixed\n\n- Wings.\n\n## [0.9.0] - 2026-12-01\n";
    assert_eq!(complaints(good), Vec::<String>::new());
    for (right, wrong) in [
        ("[Unreleased]", "Unreleased"),
        ("2027-01-02", "soon"),
        ("[0.10.0]", "[0.8.0]"),
        ("### Fixed", "### Added"),
        ("### Added", "### New"),
        ("wood.", "wood"),
        ("### Added\n", ""),
    ] {
        let text = good.replacen(right, wrong, 1);
        assert!(!complaints(&text).is_empty(), "{text}");
    }
}
