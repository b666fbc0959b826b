//! Runs Helm: lints the chart, and renders it as a cluster of a fixed version would get it.
//!
//! Name, namespace and version are fixed, so that the same values give the same bytes everywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::PoisonError;

use super::sets::Set;
use super::{ChartError, about};
use crate::findings::Finding;

/// The version of Kubernetes that is rendered for.
const KUBERNETES: &str = "1.33.0";
/// How many run at a time.
const THREADS: usize = 2;
/// Where it is to be had.
const ADVICE: &str = "name it with --helm, or install it: go install helm.sh/helm/v4/cmd/helm";

/// Helm and a chart.
#[derive(Debug)]
pub(super) struct Helm {
    /// The program.
    pub(super) program: PathBuf,
    /// The chart.
    pub(super) chart: PathBuf,
}

/// What it rendered, or why it did not.
pub(super) type Rendered = Result<String, String>;

impl Helm {
    fn run(&self, words: &[&str], files: &[PathBuf]) -> Result<Output, ChartError> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--kube-version", KUBERNETES]);
        for file in files {
            command.arg("--values").arg(file);
        }
        command.output().map_err(|source| ChartError::Program {
            program: self.program.clone(),
            source,
            advice: ADVICE,
        })
    }

    /// What `helm lint` says against the chart with its own values, and with each overlay.
    ///
    /// # Errors
    /// [`ChartError::Program`].
    pub(super) fn lint(&self, overlays: &[PathBuf]) -> Result<Vec<Finding>, ChartError> {
        let chart = self.chart.to_string_lossy();
        let mut found = Vec::new();
        let alone = overlays.iter().map(std::slice::from_ref);
        for files in std::iter::once(&[][..]).chain(alone) {
            let said = self.run(&["lint", "--strict", &chart], files)?;
            if !said.status.success() {
                let path = files.first().unwrap_or(&self.chart);
                found.push(about(path, "lint", text(&said)));
            }
        }
        Ok(found)
    }

    fn render(&self, set: &Set) -> Result<Rendered, ChartError> {
        let chart = self.chart.to_string_lossy();
        let words = ["template", "bifrost", &chart, "--namespace", "bifrost"];
        let said = self.run(&words, &set.files)?;
        if said.status.success() {
            return Ok(Ok(String::from_utf8_lossy(&said.stdout).into_owned()));
        }
        Ok(Err(text(&said)))
    }

    /// Renders every set, in their order.
    ///
    /// # Errors
    /// [`ChartError::Program`].
    pub(super) fn all(&self, sets: &[Set]) -> Result<Vec<Rendered>, ChartError> {
        let waiting = Mutex::new(sets.iter().enumerate());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Vec<_> {
            std::iter::from_fn(next).map(|(index, set)| (index, self.render(set))).collect()
        };
        let mut done: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let ended = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
            ended.flatten().collect()
        });
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, rendered)| rendered).collect()
    }
}

/// What went wrong, in one line.
fn text(said: &Output) -> String {
    let said = [&said.stderr[..], &said.stdout[..]].concat();
    let said = String::from_utf8_lossy(&said);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Overlays of a chart that can be laid over its values alone; the others are rendered by sets.
pub(super) fn overlays(chart: &Path) -> Result<Vec<PathBuf>, ChartError> {
    let mut files = super::listed(chart)?;
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("values-") && name.ends_with(".yaml") && name != "values-staging.yaml"
    });
    Ok(files)
}
