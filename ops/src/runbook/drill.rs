//! Tries a page out: a fault, the alert, and the query of the page that has to name the fault.
//!
//! A page that was never tried is a guess. The fault is made in a fleet of `bifrost up --observe` on
//! this machine and taken back whatever happens; the day of a drill that succeeded is written into the
//! page.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;
use tokio::time::Instant;

use super::page::Page;
use super::steps::Expectation;
use super::triage::Sources;
use crate::findings::Verdict;
use crate::output;
use crate::prometheus::Series;
use crate::whole::write_whole;

/// Pause between two looks at Prometheus.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How a page is tried out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drill {
    /// What is broken.
    pub(crate) fault: Fault,
    /// How long it may take from the fault to the alert.
    #[serde(with = "humantime_text")]
    pub(crate) within: Duration,
    /// The query of the page that has to name the cause.
    pub(crate) query: String,
    /// What the value of at least one of its series has to be.
    pub(crate) answer: String,
}

mod humantime_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// What a drill breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// A node is killed and not started again.
    KillNode,
    /// A node is stopped, so that it is silent and not gone.
    StopNode,
    /// A gateway is stopped.
    StopGateway,
    /// A node's disk has no room.
    FillDisk,
    /// A node sends wrong bytes.
    CorruptNode,
    /// More requests than the fleet can answer.
    Overload,
}

/// Why a drill did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrillError {
    /// The page has none.
    #[error("{0} has no `drill` in its front matter: name a fault, a query and its answer")]
    NoDrill(String),
    /// The fault cannot be made.
    #[error("the fault {fault:?} could not be made: {text}")]
    Fault {
        /// Which.
        fault: Fault,
        /// Why.
        text: String,
    },
    /// Prometheus cannot be asked.
    #[error(transparent)]
    Prometheus(#[from] crate::prometheus::PrometheusError),
    /// The alert did not fire.
    #[error("{alert} did not fire within {} of {fault:?}", humantime::format_duration(*.within))]
    Silent {
        /// The alert.
        alert: String,
        /// The fault.
        fault: Fault,
        /// How long was waited.
        within: Duration,
    },
    /// The page leads astray.
    #[error("the query {query:?} does not name the cause: none of its values is {answer}: {rows}")]
    Astray {
        /// Its id.
        query: String,
        /// What was expected.
        answer: String,
        /// What came.
        rows: String,
    },
    /// The day could not be written down.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl DrillError {
    /// Whether the page is at fault, or there is no answer.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Silent { .. } | Self::Astray { .. } => Verdict::Findings,
            Self::NoDrill(_) | Self::Fault { .. } | Self::Prometheus(_) | Self::Write { .. } => {
                Verdict::CouldNotCheck
            }
        }
    }
}

/// Makes faults, and takes them back.
pub(crate) trait Faults {
    /// Makes a fault.
    ///
    /// # Errors
    /// Why it cannot be made, in a text for people.
    fn make(&mut self, fault: Fault) -> impl Future<Output = Result<(), String>> + Send;

    /// Takes back what was made, whole or in part.
    ///
    /// # Errors
    /// What is left, in a text for people.
    fn take_back(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Tries a page out; the answer is how long the alert took.
///
/// # Errors
/// As the variants of [`DrillError`] say. The fault is taken back in any case.
///
/// # Cancellation
/// Dropped, the fault is left as it is.
pub(crate) async fn run(
    page: &Page,
    sources: &Sources,
    faults: &mut impl Faults,
    today: Date,
) -> Result<Duration, DrillError> {
    let drill = page.front.drill.as_ref().ok_or_else(|| DrillError::NoDrill(page.name.clone()))?;
    let failed = |text: String| DrillError::Fault { fault: drill.fault, text };
    output::note(&format!("{:?} …", drill.fault));
    let outcome = match faults.make(drill.fault).await.map_err(failed) {
        Ok(()) => observed(page, drill, sources).await,
        Err(error) => Err(error),
    };
    if let Err(text) = faults.take_back().await {
        output::note(&format!("what was broken could not be mended: {text}"));
    }
    let took = outcome?;
    mark(page, today)?;
    Ok(took)
}

/// Waits for the alert, and then for the query to name the cause.
async fn observed(page: &Page, drill: &Drill, sources: &Sources) -> Result<Duration, DrillError> {
    let began = Instant::now();
    let give_up = began + drill.within;
    let alert = format!("ALERTS{{alertname={:?},alertstate=\"firing\"}}", page.name);
    loop {
        if !sources.prometheus.query(&alert, None).await?.is_empty() {
            break;
        }
        if Instant::now() >= give_up {
            let (alert, fault, within) = (page.name.clone(), drill.fault, drill.within);
            return Err(DrillError::Silent { alert, fault, within });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    output::note(&format!("{} fires after {} s", page.name, took.as_secs()));
    let expression = page.queries().find(|(id, _)| *id == drill.query);
    let (_, block) = expression.ok_or_else(|| DrillError::NoDrill(page.name.clone()))?;
    let series = sources.prometheus.query(&block.text, None).await?;
    if names_cause(&series, &drill.answer) {
        return Ok(took);
    }
    let rows: Vec<String> =
        series.iter().map(|one| format!("{:?} {}", one.labels, one.value())).collect();
    Err(DrillError::Astray {
        query: drill.query.clone(),
        answer: drill.answer.clone(),
        rows: if rows.is_empty() { "no series".to_owned() } else { rows.join("; ") },
    })
}

fn names_cause(series: &[Series], answer: &str) -> bool {
    let expected = Expectation::parse(answer);
    expected.is_some_and(|expected| series.iter().any(|one| expected.holds(one.value())))
}

/// Writes the day of the drill into the page, and changes nothing else of it.
fn mark(page: &Page, today: Date) -> Result<(), DrillError> {
    let failed = |source| DrillError::Write { path: page.path.clone(), source };
    let text = std::fs::read_to_string(&page.path).map_err(failed)?;
    write_whole(&page.path, marked(&text, today)).map_err(failed)
}

fn marked(text: &str, today: Date) -> String {
    let mut done = false;
    let lines = text.split_inclusive('\n').map(|line| {
        if !done && line.starts_with("last_drilled:") {
            done = true;
            return format!("last_drilled: {today}\n");
        }
        line.to_owned()
    });
    lines.collect()
}

#[cfg(test)]
mod tests;
