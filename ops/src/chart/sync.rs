//! `bifrost chart sync`: what the chart carries of the rules and dashboards is what is generated.
//!
//! A chart that is installed has no project around it, so the files lie in it as copies; a copy that
//! differs is a finding.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CHART, ChartError, Common, about, listed};
use crate::findings::{self, Finding};
use crate::output::{self, Format};
use crate::whole::{read, write};

/// What is copied: from the root, and below `generated` of the chart.
const COPIES: [(&str, &str); 4] = [
    ("slo/generated/prometheus-rule.yaml", "prometheus-rule.yaml"),
    ("dashboards/generated/service.json", "dashboards/service.json"),
    ("dashboards/generated/fleet.json", "dashboards/fleet.json"),
    ("dashboards/generated/change.json", "dashboards/change.json"),
];

/// What `bifrost chart sync` is told.
#[derive(Debug, Args)]
#[command(after_help = findings::EXIT_CODES)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    common: Common,
    /// Write nothing; end in 1 when a file differs from what would be written.
    #[arg(long)]
    check: bool,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Copies, or says what would be.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn run(args: &SyncArgs) -> Result<Vec<Finding>, ChartError> {
    let root = &args.common.root;
    let mut changed = 0;
    if !args.check {
        for (path, text) in copies(root)? {
            if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
                continue;
            }
            write(&path, &text)?;
            changed += 1;
        }
        output::note(&format!("{}: {changed} of {} files changed", CHART, COPIES.len()));
    }
    drift(root)
}

fn copies(root: &Path) -> Result<Vec<(PathBuf, String)>, ChartError> {
    let folder = root.join(CHART).join("generated");
    COPIES.iter().map(|(from, to)| Ok((folder.join(to), read(&root.join(from))?))).collect()
}

/// What in the chart is not what this project generates.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn drift(root: &Path) -> Result<Vec<Finding>, ChartError> {
    let chart = root.join(CHART);
    let mut found = Vec::new();
    let wanted = copies(root)?;
    for (path, text) in &wanted {
        if std::fs::read_to_string(path).is_ok_and(|there| there == *text) {
            continue;
        }
        found.push(about(path, "drift", "it is not what is generated: run `bifrost chart sync`"));
    }
    let folder = chart.join("generated");
    for path in listed(&folder)?.into_iter().chain(listed(&folder.join("dashboards"))?) {
        if !path.is_dir() && wanted.iter().all(|(known, _)| *known != path) {
            found.push(about(&path, "drift", "nothing generates it: remove it"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (from, _) in COPIES {
            write(&folder.path().join(from), from).expect("written");
        }
        folder
    }

    fn sync(root: &Path, check: bool) -> Vec<Finding> {
        let common = Common { root: root.to_path_buf() };
        run(&SyncArgs { common, check, format: Format::Text }).expect("it runs")
    }

    #[test]
    fn what_was_copied_is_clean_and_what_differs_is_found() {
        let folder = project();
        assert_eq!(sync(folder.path(), true).len(), COPIES.len());
        assert_eq!(sync(folder.path(), false), []);
        assert_eq!(sync(folder.path(), true), []);
        write(&folder.path().join(COPIES[1].0), "other").expect("written");
        let found = sync(folder.path(), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].path.ends_with("service.json"), "{found:?}");
    }

    #[test]
    fn leftovers_are_found() {
        let folder = project();
        assert_eq!(sync(folder.path(), false), []);
        let chart = folder.path().join(CHART);
        write(&chart.join("generated/dashboards/old.json"), "").expect("written");
        let rules: Vec<_> = sync(folder.path(), false).into_iter().map(|one| one.rule).collect();
        assert_eq!(rules, ["drift"]);
    }
}
