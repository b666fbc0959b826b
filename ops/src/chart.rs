//! `bifrost chart`: the Helm chart has what this project generates, renders what Kubernetes and our own
//! processes take, and refuses values that contradict each other.
//!
//! Nothing here needs a cluster, and so nothing here shows what only a cluster can show.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Style};
use crate::whole::FileError;

mod custom;
mod golden;
mod helm;
mod identity;
mod judge;
mod metadata;
mod objects;
mod outside;
mod sets;
mod sync;
mod test;
mod upgrade;
mod values;

/// The chart below the root of the project.
const CHART: &str = "helm/bifrost";

const EXAMPLES: &str = "Examples:
  bifrost chart sync --check
  bifrost chart test --helm ~/bin/helm
  bifrost chart test --update                     # after a change that was meant; look at the difference
  bifrost chart identity fleet-bifrost-node-pool --pods 3 --secret node-keys | kubectl apply -f -";

/// What `bifrost chart` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", findings::EXIT_CODES))]
pub(crate) struct ChartArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy rules and dashboards into the chart, or say whether they are what would be copied.
    Sync(sync::SyncArgs),
    /// Render the chart with every set of values in its folder `ci`, and hold the results against golden
    /// files, schemas of Kubernetes, our own binaries, promtool and the release before.
    Test(test::TestArgs),
    /// Make the identities of a group of nodes: a Secret on stdout, and the peer IDs that values name.
    Identity(identity::IdentityArgs),
}

/// Why something could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChartError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program cannot be started.
    #[error("could not run {}: {source}; {advice}", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
        /// Where it is to be had.
        advice: &'static str,
    },
    /// A program said what is not understood.
    #[error("{program} said what is not understood: {said}")]
    Garbled {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// There is nothing to test.
    #[error("no set of values has the name {0}")]
    NoSet(String),
}

/// Runs `bifrost chart`.
pub(crate) fn run(args: &ChartArgs) -> Verdict {
    let (done, format) = match &args.command {
        Command::Sync(args) => (sync::run(args), args.format),
        Command::Test(args) => (test::run(args), args.format),
        Command::Identity(args) => {
            identity::run(args);
            return Verdict::Clean;
        }
    };
    match done {
        Ok(found) => findings::report(found, format),
        Err(error) => {
            let head = Style::stderr().failure("bifrost:");
            output::note(&format!("{head} {}", telemetry::why(&error)));
            Verdict::CouldNotCheck
        }
    }
}

/// Which project, and how findings are printed.
#[derive(Debug, Args)]
struct Common {
    /// The root of the project, which has the folder `helm`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
}

/// The files of a folder by name, or none where there is no folder.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |source| FileError::Read { path: folder.to_path_buf(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let paths: Result<Vec<PathBuf>, io::Error> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// A finding about a whole file.
fn about(path: &Path, rule: &'static str, text: impl Into<String>) -> Finding {
    Finding::at(path, 0, rule, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_that_is_not_there_has_no_files() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(listed(&folder.path().join("none")).expect("it is empty").is_empty());
        std::fs::write(folder.path().join("b"), "").expect("written");
        std::fs::write(folder.path().join("a"), "").expect("written");
        let names: Vec<_> = listed(folder.path()).expect("it is read");
        assert!(names[0].ends_with("a") && names[1].ends_with("b"), "{names:?}");
    }
}
