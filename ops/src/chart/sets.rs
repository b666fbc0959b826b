//! Sets of values that the chart is tested with: `ci/*.yaml` are rendered, `ci/refused/*.yaml` must not be.
//!
//! The first line says what a set shows, or which sentence refuses it; a second one may name overlays that
//! it is laid over.

use std::path::{Path, PathBuf};

use super::{ChartError, about, listed};
use crate::findings::Finding;
use crate::whole::read;

/// What the second line begins with.
const WITH: &str = "# with: ";
/// What the first line of a refused set begins with.
const REFUSED: &str = "# refused: ";

/// A set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// Its name: that of the file.
    pub(super) name: String,
    /// The file.
    pub(super) path: PathBuf,
    /// All files in the order in which they are laid over each other; the last is its own.
    pub(super) files: Vec<PathBuf>,
    /// Of a set that must not be taken: what has to be said of it.
    pub(super) refused: Option<String>,
}

impl Set {
    /// This set with another laid over it.
    pub(super) fn under(&self, other: &Self) -> Self {
        let name = format!("{}+{}", self.name, other.name);
        let files = [&self.files[..], &other.files].concat();
        Self { name, files, ..self.clone() }
    }
}

/// The sets of a chart, and what is wrong with their heads.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn all(chart: &Path) -> Result<(Vec<Set>, Vec<Finding>), ChartError> {
    let (mut sets, mut found) = (Vec::new(), Vec::new());
    for (folder, is_refused) in [(chart.join("ci"), false), (chart.join("ci/refused"), true)] {
        for path in listed(&folder)? {
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            match set(chart, &path, &read(&path)?, is_refused) {
                Ok(set) => sets.push(set),
                Err(text) => found.push(Finding::at(&path, 1, "head", text)),
            }
        }
    }
    if sets.is_empty() {
        found.push(about(&chart.join("ci"), "empty", "there are no sets of values"));
    }
    Ok((sets, found))
}

fn set(chart: &Path, path: &Path, text: &str, is_refused: bool) -> Result<Set, String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let refused = first.strip_prefix(REFUSED).map(str::to_owned);
    match (is_refused, &refused) {
        (true, None) => return Err(format!("its first line has to be `{REFUSED}SENTENCE`")),
        (false, Some(_)) => return Err("it is refused: put it into `refused`".to_owned()),
        (false, None) if !first.starts_with("# ") => {
            return Err("its first line has to say what it shows".to_owned());
        }
        (true, Some(_)) | (false, None) => {}
    }
    let overlays = lines.next().and_then(|line| line.strip_prefix(WITH)).unwrap_or_default();
    let mut files: Vec<PathBuf> =
        overlays.split_whitespace().map(|name| chart.join(name)).collect();
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        return Err(format!("there is no {}", missing.display()));
    }
    files.push(path.to_path_buf());
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Set { name, path: path.to_path_buf(), files, refused })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole::write;

    #[test]
    fn heads_say_what_a_set_is_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let chart = folder.path();
        for (name, text) in [
            ("over.yaml", "env: a\n"),
            ("ci/good.yaml", "# Shows much.\n# with: over.yaml\nenv: b\n"),
            ("ci/no-head.yaml", "env: b\n"),
            ("ci/no-overlay.yaml", "# Shows much.\n# with: none.yaml\n"),
            ("ci/refused/bad.yaml", "# refused: set env\nenv: 1\n"),
            ("ci/refused/silent.yaml", "# Shows much.\n"),
        ] {
            write(&chart.join(name), text).expect("written");
        }
        let (sets, found) = all(chart).expect("it can be read");
        let names: Vec<_> = sets.iter().map(|set| (&set.name[..], set.files.len())).collect();
        assert_eq!(names, [("good", 2), ("bad", 1)]);
        assert_eq!(sets[1].refused.as_deref(), Some("set env"));
        let lines: Vec<_> = found.iter().map(|one| (one.rule, one.line)).collect();
        assert_eq!(lines, [("head", 1); 3]);
    }
}
