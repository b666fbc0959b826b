//! Reads the tree: which files there are, and what of a Rust file is production code.

use std::path::{Path, PathBuf};

/// What holds output, not source.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", ".bifrost", ".idea"];

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a member").to_path_buf()
}

/// A file of the tree: its path from the root, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The text without unit tests: all of a file up to its `#[cfg(test)]` module.
    pub(crate) fn production(&self) -> &str {
        let path = Path::new(&self.path);
        if path.file_stem().is_some_and(|stem| stem == "tests") || self.path.contains("/tests/") {
            return "";
        }
        let end = ["\n#[cfg(test)]\nmod ", "\n#[cfg(test)]\n#[path"]
            .iter()
            .filter_map(|mark| self.text.find(mark))
            .min();
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// The production text without comments, so that words in prose are not taken for code.
    pub(crate) fn code(&self) -> String {
        let lines = self.production().lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.fold(String::new(), |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        })
    }
}

/// Every text file of the tree, sorted by path.
pub(crate) fn files() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the tree can be read") {
            let entry = entry.expect("the tree can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            // In a linked worktree `.git` is a file.
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let kind = entry.file_type().expect("the tree can be read");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(text) = std::fs::read_to_string(entry.path())
            {
                let path = entry.path();
                let path = path.strip_prefix(&root).expect("found below the root");
                found.push(Source { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust file of the tree, sorted by path.
pub(crate) fn rust_files() -> Vec<Source> {
    files().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// Every Rust file below a crate's `src`.
pub(crate) fn crate_files(member: &str) -> Vec<Source> {
    let prefix = format!("{member}/src/");
    rust_files().into_iter().filter(|source| source.path.starts_with(&prefix)).collect()
}

/// Fails with one complaint a line.
#[track_caller]
pub(crate) fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
