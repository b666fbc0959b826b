//! `bifrost dash test`: asks a Prometheus what every panel would ask, and judges the answers.
//!
//! A panel that is empty, warns, or shows what cannot be true is a finding. A Prometheus that is down
//! or slow is none: nothing was learnt about the dashboards, and the exit code says that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use telemetry::Tasks;

use super::board::{Board, Variable};
use super::dictionary::Number;
use super::layout::{Layout, PanelPlan};
use super::{DashError, Project, grafana, variables};
use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format};
use crate::prometheus::{Prometheus, PrometheusError};

mod judge;

use judge::{Row, judge};

/// Points of a panel's answer: as many as a panel is wide enough to show.
const POINTS: u32 = 60;

const EXAMPLES: &str = "Examples:
  bifrost dash test --prometheus http://127.0.0.1:9090
  bifrost dash test --prometheus http://127.0.0.1:9090 --range 1h --format json";

/// What `bifrost dash test` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", findings::EXIT_CODES))]
pub(super) struct TestArgs {
    /// The Prometheus that is asked.
    #[arg(long, value_name = "URL", value_parser = super::url)]
    prometheus: String,
    /// The root of the project, which has the folder `dashboards`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// How much of the past is asked for.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    range: Duration,
    /// Longest wait for one answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    within: Duration,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(args: &TestArgs, tasks: &Tasks) -> Result<Verdict, DashError> {
    let project = Project::load(&args.root)?;
    let mut found = project.findings.clone();
    found.extend(super::unreadable(&project.dictionary));
    project.generated(&mut found);
    if !found.is_empty() {
        return Ok(findings::report(found, args.format));
    }
    let prometheus = Prometheus::new(tasks, &args.prometheus, args.within)?;
    let tested = test(&project, &prometheus, args.range).await?;
    output::result(&judge::written(&tested.rows, args.format));
    Ok(findings::report(tested.findings, args.format))
}

/// What was asked, and what was found.
#[derive(Debug, Default)]
pub(super) struct Tested {
    rows: Vec<Row>,
    pub(super) findings: Vec<Finding>,
}

/// Asks for every panel of a project.
///
/// # Errors
/// [`DashError`] when Prometheus does not answer, or says that it cannot in time.
pub(super) async fn test(
    project: &Project,
    prometheus: &Prometheus,
    range: Duration,
) -> Result<Tested, DashError> {
    let now = SystemTime::now();
    let scrape = scrape_interval(prometheus).await?.unwrap_or(project.dictionary.scrape_interval);
    let step = (range / POINTS).max(Duration::from_secs(1));
    let queries: usize =
        project.layouts.iter().flat_map(Layout::panels).map(|one| one.show.len()).sum();
    let progress = ProgressBar::new(queries as u64);
    let mut tested = Tested::default();
    for layout in &project.layouts {
        let made =
            grafana::dashboard(layout, &project.dictionary, &project.objectives, &mut Vec::new());
        let board = Board::read(&made, &|_| 1).expect("what is generated is a dashboard");
        let asker = Asker {
            project,
            layout,
            prometheus,
            times: (now - range, now),
            step,
            chosen: chosen(&board.variables, layout, prometheus, &mut tested).await?,
            rate_interval: (step + scrape).max(scrape * 4),
        };
        for panel in layout.panels() {
            for number in panel.show.iter().filter_map(|id| project.dictionary.get(id)) {
                asker.ask(panel, number, &mut tested).await?;
                progress.inc(1);
            }
        }
    }
    progress.finish_and_clear();
    Ok(tested)
}

/// How often the server scrapes, when it says so.
async fn scrape_interval(prometheus: &Prometheus) -> Result<Option<Duration>, DashError> {
    let config = match prometheus.get("/api/v1/status/config").await {
        Ok(config) => config,
        Err(PrometheusError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = config["yaml"].as_str().unwrap_or_default();
    let read: Value = serde_yaml::from_str(text).unwrap_or_default();
    let interval = read["global"]["scrape_interval"].as_str();
    Ok(interval.and_then(|text| humantime::parse_duration(text).ok()))
}

/// All values of the variables that are read from Prometheus; one that has none is a finding.
async fn chosen(
    all: &[Variable],
    layout: &Layout,
    prometheus: &Prometheus,
    tested: &mut Tested,
) -> Result<BTreeMap<String, Vec<String>>, DashError> {
    let mut chosen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for variable in all.iter().filter(|variable| variable.kind == "query") {
        let query = variables::expand(&variable.query, &|name, format, _| {
            chosen.get(name).map(|values| variables::joined(values, format))
        });
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let Some((series, label)) = inner.and_then(|inner| inner.rsplit_once(',')) else {
            continue;
        };
        let escaped = percent_encoding::utf8_percent_encode(
            series.trim(),
            percent_encoding::NON_ALPHANUMERIC,
        );
        let target = format!("/api/v1/label/{}/values?match[]={escaped}", label.trim());
        let values = prometheus.get(&target).await?;
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        let values: Vec<String> = values.map(str::to_owned).collect();
        if values.is_empty() {
            let text = format!("variable {} has no value: {query} finds nothing", variable.name);
            tested.findings.push(Finding::at(&layout.path, 1, "empty-variable", text));
        }
        chosen.insert(variable.name.clone(), values);
    }
    Ok(chosen)
}

struct Asker<'a> {
    project: &'a Project,
    layout: &'a Layout,
    prometheus: &'a Prometheus,
    times: (SystemTime, SystemTime),
    step: Duration,
    chosen: BTreeMap<String, Vec<String>>,
    rate_interval: Duration,
}

impl Asker<'_> {
    async fn ask(
        &self,
        panel: &PanelPlan,
        number: &Number,
        tested: &mut Tested,
    ) -> Result<(), DashError> {
        let shown = number.on_panel().expect("expressions were read before");
        let expression = self.expanded(&shown);
        let answer = match self.prometheus.ask_range(&expression, self.times, self.step).await {
            Ok(answer) => answer,
            Err(PrometheusError::Refused { text, .. }) if !is_slow(&text) => {
                self.tell(panel, number, "refused", &text, tested);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let (mut row, said) = judge(number, &answer, self.project.dictionary.series_max);
        row.board.clone_from(&self.layout.name);
        row.panel.clone_from(&panel.title);
        tested.rows.push(row);
        for (rule, text) in said {
            self.tell(panel, number, rule, &text, tested);
        }
        Ok(())
    }

    /// The expression with every variable replaced, as Grafana would with all values chosen.
    fn expanded(&self, expression: &str) -> String {
        variables::expand(expression, &|name, format, _| match name {
            "__rate_interval" => Some(variables::duration(self.rate_interval)),
            "__interval" => Some(variables::duration(self.step)),
            "__range" => {
                let range = self.times.1.duration_since(self.times.0).unwrap_or_default();
                Some(variables::duration(range))
            }
            _ => self.chosen.get(name).map(|values| variables::joined(values, format)),
        })
    }

    fn tell(
        &self,
        panel: &PanelPlan,
        number: &Number,
        rule: &'static str,
        text: &str,
        tested: &mut Tested,
    ) {
        let text = format!("panel {:?}, {}: {text}", panel.title, number.id);
        tested.findings.push(Finding::at(&self.layout.path, panel.line, rule, text));
    }
}

/// Whether a refusal is about time, and not about the question.
fn is_slow(text: &str) -> bool {
    ["timed out", "deadline exceeded", "canceled"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests;
