//! One drill of a page: quiet, the fault, the alert, the cause, and the fault taken back.
//!
//! Before the fault neither the alert nor the query may say what they have to say because of it. The day
//! of a drill that succeeded is written into the page.

use std::time::Duration;

use jiff::civil::Date;
use tokio::time::Instant;

use super::{Drill, DrillError, Fault, Plan, QUIET_WITHIN, Traffic};
use crate::output;
use crate::prometheus::{Prometheus, Series};
use crate::runbook::page::Page;
use crate::runbook::steps::Expectation;
use crate::runbook::triage::row;
use crate::up::hurried;
use crate::whole::write_whole;

/// Pause between two looks at Prometheus.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Processes of which Prometheus knows how they are without a fault.
const SCRAPED: &str = "count_over_time(up[10m]) >= 3";
/// How much later than the alert the query may name the cause.
const NAMED_WITHIN: Duration = Duration::from_secs(30);
/// How often is told what is waited for.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Makes faults, and takes them back.
pub(crate) trait Faults {
    /// Makes a fault, with whom feels it.
    ///
    /// # Errors
    /// Why it cannot be made, in a text for people.
    fn make(
        &mut self,
        fault: Fault,
        traffic: Traffic,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Takes back what was made, whole or in part.
    ///
    /// # Errors
    /// What is left, in a text for people.
    fn take_back(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Where a drill looks, and on which day.
#[derive(Debug)]
pub(crate) struct Ground {
    /// Whom to ask.
    pub(crate) prometheus: Prometheus,
    /// How many processes Prometheus has to scrape.
    pub(crate) processes: usize,
    /// By how much the durations of the fleet's rules are divided, and those of queries with them.
    pub(crate) hurry: u32,
    /// This day.
    pub(crate) today: Date,
}

/// What a drill showed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// From the fault to the alert.
    pub(crate) after: Duration,
    /// The series that names the cause.
    pub(crate) named_by: String,
}

/// Tries a page out.
///
/// # Errors
/// As the variants of [`DrillError`] say. The fault is taken back in any case.
///
/// # Cancellation
/// Dropped, the fault is left as it is: end it by `interrupted`.
pub(crate) async fn run(
    page: &Page,
    ground: &Ground,
    faults: &mut impl Faults,
    interrupted: impl Future<Output = ()>,
) -> Result<Shown, DrillError> {
    let Some(Plan::Of(drill)) = &page.front.drill else {
        return Err(DrillError::NoDrill(page.name.clone()));
    };
    let fault = drill.fault;
    let trial = Trial::new(page, drill, ground)?;
    let outcome = tokio::select! {
        outcome = trial.run(faults) => outcome,
        () = interrupted => Err(DrillError::Interrupted),
    };
    let back = faults.take_back().await;
    let shown = outcome?;
    back.map_err(|text| DrillError::Left { fault, text })?;
    mark(page, ground.today)?;
    Ok(shown)
}

/// One drill of a page.
struct Trial<'a> {
    drill: &'a Drill,
    alert: &'a str,
    prometheus: &'a Prometheus,
    processes: usize,
    expression: String,
    expected: Option<Expectation>,
}

impl<'a> Trial<'a> {
    fn new(page: &'a Page, drill: &'a Drill, ground: &'a Ground) -> Result<Self, DrillError> {
        let query = page.queries().find(|(id, _)| *id == drill.query);
        let (_, block) = query.ok_or_else(|| DrillError::NoDrill(page.name.clone()))?;
        Ok(Self {
            drill,
            alert: &page.name,
            prometheus: &ground.prometheus,
            processes: ground.processes,
            expression: hurried(&block.text, ground.hurry),
            expected: Expectation::parse(&drill.answer),
        })
    }

    async fn run(&self, faults: &mut impl Faults) -> Result<Shown, DrillError> {
        self.quiet().await?;
        let Drill { fault, traffic, .. } = *self.drill;
        output::note(&format!("{}: {fault} …", self.alert));
        faults.make(fault, traffic).await.map_err(|text| DrillError::Fault { fault, text })?;
        let after = self.fires(Instant::now()).await?;
        output::note(&format!("{}: fires after {} s", self.alert, after.as_secs()));
        let named_by = self.named().await?;
        Ok(Shown { after, named_by })
    }

    /// Waits until nothing says already what the fault has to be the cause of.
    async fn quiet(&self) -> Result<(), DrillError> {
        let began = Instant::now();
        let mut told = began;
        loop {
            let Some(what) = self.unquiet().await? else { return Ok(()) };
            if began.elapsed() >= QUIET_WITHIN {
                return Err(DrillError::NotQuiet { what });
            }
            if told.elapsed() >= TELL_EVERY {
                output::note(&format!("{}: waits for quiet: {what}", self.alert));
                told = Instant::now();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What is not quiet.
    async fn unquiet(&self) -> Result<Option<String>, DrillError> {
        // Of a counter that was never seen before it is not known that it grew.
        let scraped = self.prometheus.query(SCRAPED, None).await?.len();
        if scraped < self.processes {
            let all = self.processes;
            return Ok(Some(format!("{scraped} of {all} processes were scraped three times")));
        }
        let alert = format!("ALERTS{{alertname={:?}}}", self.alert);
        for looked in [&alert[..], "up == 0", "bifrost_gateway_pool_ejected == 1"] {
            let found = self.prometheus.query(looked, None).await?;
            if let Some(first) = found.first() {
                return Ok(Some(format!("{looked} has {}", row(first))));
            }
        }
        let series = self.prometheus.query(&self.expression, None).await?;
        let already = self.naming(&series);
        Ok(already.map(|one| format!("the query {:?} says {}", self.drill.query, row(one))))
    }

    async fn fires(&self, began: Instant) -> Result<Duration, DrillError> {
        let alert = format!("ALERTS{{alertname={:?},alertstate=\"firing\"}}", self.alert);
        let mut told = began;
        while self.prometheus.query(&alert, None).await?.is_empty() {
            let within = self.drill.within;
            if began.elapsed() >= within {
                let (alert, fault) = (self.alert.to_owned(), self.drill.fault);
                return Err(DrillError::Silent { alert, fault, within });
            }
            if told.elapsed() >= TELL_EVERY {
                let waited = began.elapsed().as_secs();
                output::note(&format!("{}: has not fired in {waited} s", self.alert));
                told = Instant::now();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(began.elapsed())
    }

    /// The series of the query that names the cause.
    async fn named(&self) -> Result<String, DrillError> {
        let give_up = Instant::now() + NAMED_WITHIN;
        loop {
            let series = self.prometheus.query(&self.expression, None).await?;
            if let Some(one) = self.naming(&series) {
                return Ok(row(one));
            }
            if Instant::now() >= give_up {
                let rows: Vec<String> = series.iter().map(row).collect();
                return Err(DrillError::Astray {
                    query: self.drill.query.clone(),
                    answer: self.drill.answer.clone(),
                    rows: if rows.is_empty() { "no series".to_owned() } else { rows.join("; ") },
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn naming<'s>(&self, series: &'s [Series]) -> Option<&'s Series> {
        series.iter().find(|one| self.expected.is_some_and(|expected| expected.holds(one.value())))
    }
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
