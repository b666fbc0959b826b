//! `bifrost dash`: dashboards that cannot disagree, since every number on them has one definition.
//!
//! `dashboards/metrics.yaml` says what is measured, three layouts say what is shown, and what Grafana
//! and the public page read is generated from both. Generated files are never edited.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use telemetry::Tasks;

use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format, Style};
use crate::prometheus::PrometheusError;
use crate::web::{WebError, url_of};
use crate::whole::{FileError, write};

mod board;
mod dictionary;
mod exposed;
mod expressions;
mod grafana;
mod layout;
mod lines;
mod lint;
mod live;
#[cfg(test)]
mod played;
mod public;
mod rules;
mod variables;

pub(crate) use dictionary::Dictionary;
use layout::{BOARDS, Layout, Objectives};
pub(crate) use public::{Measured, main, measure, objective, values};

/// Where generated files lie below the root of the project.
const GENERATED: &str = "dashboards/generated";

const EXAMPLES: &str = "Examples:
  bifrost dash build
  bifrost dash build --check
  bifrost dash build --prometheus http://127.0.0.1:9090 --out site/metrics
  bifrost dash lint --metrics gateway.prom --metrics node.prom
  bifrost dash lint --metrics gateway.prom somebody/elses-dashboard.json
  bifrost dash test --prometheus http://127.0.0.1:9090";

/// What `bifrost dash` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", findings::EXIT_CODES))]
pub(crate) struct DashArgs {
    #[command(subcommand)]
    command: DashCommand,
}

#[derive(Debug, Subcommand)]
enum DashCommand {
    /// Write the dashboards and the public page, or say whether they are what would be written.
    Build(BuildArgs),
    /// Hold dictionary, layouts and other dashboards against the rules.
    Lint(LintArgs),
    /// Ask a Prometheus for every panel, and say which shows nothing or nonsense.
    Test(live::TestArgs),
}

#[derive(Debug, Args)]
#[command(after_help = findings::EXIT_CODES)]
struct BuildArgs {
    /// The root of the project, which has the folder `dashboards`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Write nothing; end in 1 when a file differs from what would be written.
    #[arg(long, conflicts_with_all = ["prometheus", "out"])]
    check: bool,
    /// Put values of this Prometheus on the public page.
    #[arg(long, value_name = "URL", requires = "out", value_parser = url)]
    prometheus: Option<String>,
    /// Where the public page with values goes; dashboards stay in `dashboards/generated`.
    #[arg(long, value_name = "DIR", requires = "prometheus")]
    out: Option<PathBuf>,
    /// Longest wait for one answer of Prometheus.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    within: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = findings::EXIT_CODES)]
struct LintArgs {
    /// The root of the project, which has the folder `dashboards`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// A text scraped from `/metrics` of a process; may be given for several processes.
    #[arg(long, value_name = "FILE")]
    metrics: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Dashboards of Grafana as JSON, to be checked as well.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Why something could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DashError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is nothing that could be checked further.
    #[error("{0}")]
    Broken(Finding),
    /// There is no client of Prometheus.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Prometheus gives no answers.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
}

/// What the project says about its dashboards.
#[derive(Debug)]
struct Project {
    root: PathBuf,
    dictionary: Dictionary,
    layouts: Vec<Layout>,
    objectives: Objectives,
    /// What was wrong while reading.
    findings: Vec<Finding>,
}

impl Project {
    fn load(root: &Path) -> Result<Self, DashError> {
        let mut findings = Vec::new();
        let dictionary = Dictionary::load(root, &mut findings)?;
        let mut layouts = Vec::new();
        for name in BOARDS {
            match Layout::load(root, name) {
                Ok(layout) => layouts.push(layout),
                Err(DashError::Broken(finding)) => findings.push(finding),
                Err(error) => return Err(error),
            }
        }
        let objectives = Objectives::load(root)?;
        let root = root.to_path_buf();
        Ok(Self { root, dictionary, layouts, objectives, findings })
    }

    /// Every generated file: its path and its text.
    fn generated(&self, findings: &mut Vec<Finding>) -> Vec<(PathBuf, String)> {
        let folder = self.root.join(GENERATED);
        let mut files = Vec::new();
        for layout in &self.layouts {
            let made = grafana::dashboard(layout, &self.dictionary, &self.objectives, findings);
            let text = serde_json::to_string_pretty(&made).expect("a dashboard is a plain tree");
            files.push((folder.join(format!("{}.json", layout.name)), text + "\n"));
        }
        let (page, figures) = public::files(&self.dictionary, &public::Measured::default());
        files.push((folder.join("public.html"), page));
        files.push((folder.join("metrics.json"), figures));
        files
    }
}

/// Runs `bifrost dash`.
pub(crate) async fn run(args: DashArgs, tasks: &Tasks) -> Verdict {
    let done = match args.command {
        DashCommand::Build(args) => build(&args, tasks).await,
        DashCommand::Lint(args) => lint::run(&args),
        DashCommand::Test(args) => live::run(&args, tasks).await,
    };
    match done {
        Ok(verdict) => verdict,
        Err(DashError::Broken(finding)) => findings::report(vec![finding], Format::Text),
        Err(error) => {
            let head = Style::stderr().failure("bifrost:");
            output::note(&format!("{head} {}", telemetry::why(&error)));
            Verdict::CouldNotCheck
        }
    }
}

async fn build(args: &BuildArgs, tasks: &Tasks) -> Result<Verdict, DashError> {
    let project = Project::load(&args.root)?;
    let mut found = project.findings.clone();
    let files = project.generated(&mut found);
    found.extend(unreadable(&project.dictionary));
    if !found.is_empty() {
        return Ok(findings::report(found, Format::Text));
    }
    if project.objectives.all.is_none() {
        output::note("slo/ has no objectives: their lines are not drawn");
    }
    if args.check {
        found.extend(files.iter().filter_map(|(path, text)| drift(path, text)));
        return Ok(findings::report(found, Format::Text));
    }
    for (path, text) in &files {
        write(path, text)?;
    }
    if let (Some(url), Some(out)) = (&args.prometheus, &args.out) {
        let all = project.objectives.all.as_ref();
        let is_ours = |objective: &str| all.is_none_or(|all| all.contains_key(objective));
        let from = (&url[..], args.within);
        let measured = public::measure(&project.dictionary, tasks, from, &is_ours).await?;
        let (page, figures) = public::files(&project.dictionary, &measured);
        write(&out.join("public.html"), &page)?;
        write(&out.join("metrics.json"), &figures)?;
    }
    Ok(Verdict::Clean)
}

/// Expressions that would be left out of what is generated.
fn unreadable(dictionary: &Dictionary) -> impl Iterator<Item = Finding> {
    dictionary.numbers.iter().filter_map(|number| {
        let error = number.tree().err()?;
        let text = format!("{}: {error}", number.id);
        Some(Finding::at(&dictionary.path, number.line, "promql", text))
    })
}

fn drift(path: &Path, text: &str) -> Option<Finding> {
    let Ok(there) = std::fs::read_to_string(path) else {
        let text = "it is missing: run `bifrost dash build`";
        return Some(Finding::at(path, 0, "drift", text));
    };
    if there == text {
        return None;
    }
    let same = there.lines().zip(text.lines()).take_while(|(one, other)| one == other).count();
    let text = "it is not what would be written: change its sources and run `bifrost dash build`";
    Some(Finding::at(path, same + 1, "drift", text))
}

/// A URL that can be asked, so that a wrong one is a wrong command line.
fn url(text: &str) -> Result<String, WebError> {
    url_of(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests;
