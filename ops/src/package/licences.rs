//! The texts of licences of what is linked, as its authors ship them beside their sources: one file, in which
//! each text stands once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::linked::Linked;
use super::{PackageError, read};

/// How names of files begin that are such texts, in capitals.
const BEGINNINGS: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
/// What sources end in, whatever they are called.
const SOURCES: [&str; 10] = ["rs", "c", "h", "py", "sh", "toml", "json", "yml", "yaml", "html"];
/// Folders whose content is not linked.
const APART: [&str; 6] = ["tests", "test", "benches", "examples", "fuzz", "target"];

const HEAD: &str = "What the programs of Bifrost are linked with is under licences of its own. These are their texts, as the
authors ship them; which of them a package is under says bifrost.cdx.json, beside this file.
";
/// Stands above each text, and in none of them.
const RULE: &str =
    "-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=-=";

/// The file.
///
/// # Errors
/// Sources of a package cannot be read.
pub(super) fn texts(linked: &Linked) -> Result<String, PackageError> {
    // By text, who has it and as what; and who has none.
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut lacking = Vec::new();
    for package in linked.packages().iter().filter(|package| package.source.is_some()) {
        let found = found(package.folder())?;
        let title = format!("{} {}", package.name, package.version);
        if found.is_empty() {
            lacking.push(format!("{title}: {}\n", package.license.as_deref().unwrap_or("none")));
        }
        for path in found {
            let text = plain(&read(&path)?);
            let name = path.strip_prefix(package.folder()).unwrap_or(&path).display().to_string();
            held.entry(text).or_default().push(format!("{title}: {name}\n"));
        }
    }
    // In order of who has it first.
    let mut held: Vec<(Vec<String>, String)> =
        held.into_iter().map(|(text, who)| (who, text)).collect();
    held.sort();
    let mut whole = HEAD.to_owned();
    for (who, text) in held {
        whole.push_str(&format!("\n{RULE}\n{}\n{text}\n", who.concat()));
    }
    if !lacking.is_empty() {
        let lacking = lacking.concat();
        whole.push_str(&format!("\n{RULE}\nThese ship no text, only its name:\n\n{lacking}"));
    }
    Ok(whole)
}

/// A text without what editors add and lose.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Texts of licences in a folder and below it, in order of path: what is written in another language comes
/// with its own.
fn found(folder: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let failed = |source| PackageError::Read { path: next.clone(), source };
        let of_licences = name_of(&next).starts_with("LICENSES");
        for entry in std::fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            let name = name_of(&path);
            if kind.is_dir() {
                let apart = APART.iter().any(|apart| apart.eq_ignore_ascii_case(&name));
                if !apart && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if kind.is_file() && (is_text(&path, &name) || of_licences) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(path: &Path, name: &str) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let begins = BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    begins && !SOURCES.contains(&&ending[..])
}

/// The last part of a path, in capitals.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_of_what_is_linked_stands_once() {
        let linked = Linked::of_project();
        let texts = texts(&linked).expect("its sources are there");
        for package in linked.packages().iter().filter(|package| package.source.is_some()) {
            let line = format!("\n{} {}: ", package.name, package.version);
            assert!(texts.contains(&line), "{line}");
        }
        assert!(texts.contains("jemalloc/COPYING\n"), "what is written in C has its own");
        assert!(!texts.contains("\nipfs ") && !texts.contains("\nserde_derive "));
        let mut seen = std::collections::BTreeSet::new();
        for part in texts.split(&format!("\n{RULE}\n")).skip(1) {
            let (_, text) = part.split_once("\n\n").expect("a text is below its names");
            assert!(seen.insert(text), "{text} is there twice");
        }
    }

    #[test]
    fn sources_and_folders_of_tests_are_no_texts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let files = [
            ("LICENSE-MIT", true),
            ("src/license.rs", false),
            ("vendor/COPYING.txt", true),
            ("LICENSES/Zlib.txt", true),
            ("tests/LICENSE", false),
            ("README.md", false),
        ];
        for (name, _) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            std::fs::write(path, "text").expect("it can be written");
        }
        let found = found(folder.path()).expect("it can be read");
        for (name, is_text) in files {
            assert_eq!(found.contains(&folder.path().join(name)), is_text, "{name}");
        }
    }

    #[test]
    fn ends_of_lines_make_no_other_text() {
        assert_eq!(plain(b"\n one \r\ntwo\n\n"), " one\ntwo");
    }
}
