//! What was measured: from Prometheus, or as the site before had it.
//!
//! A Prometheus that does not answer takes nothing away: the figures that are published already stay, with
//! their age, and the command says so and ends in 1.

use std::path::Path;
use std::time::{Duration, SystemTime};

use telemetry::Tasks;

use super::page::{Page, Section};
use super::status::{self, Status};
use super::{PublishError, time};
use crate::dash::{self, Dictionary, Measured};
use crate::findings::Finding;
use crate::output;
use crate::prometheus::Prometheus;
use crate::web::Web;

/// Where figures are for programs.
const METRICS: &str = "metrics.json";
const STATUS: &str = "status.json";
/// Most bytes of either, as they are published.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where figures come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    /// The Prometheus that is asked.
    pub(super) prometheus: Option<&'a str>,
    /// Longest wait for one answer.
    pub(super) within: Duration,
    /// The folder of the site before.
    pub(super) out: Option<&'a Path>,
    /// Its URL.
    pub(super) former: Option<&'a str>,
}

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Figures {
    measured: Measured,
    status: Status,
    /// Why they are not new, for everybody.
    why_old: Option<&'static str>,
}

impl Figures {
    /// Asks for them; what went wrong is added to `findings`.
    ///
    /// # Errors
    /// A URL that is none.
    pub(super) async fn gather(
        sources: Sources<'_>,
        tasks: &Tasks,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, PublishError> {
        let Some(url) = sources.prometheus else { return Ok(Self::default()) };
        let why = match ask(url, sources.within, tasks).await {
            Ok(figures) => return Ok(figures),
            Err(PublishError::Web(error)) if matches!(error, crate::web::WebError::BadUrl(_)) => {
                return Err(error.into());
            }
            Err(error) => output::chain(&error),
        };
        let former = former(sources, tasks).await;
        let kept = match &former {
            Some(_) => "the figures of the site before are kept",
            None => "there are no figures of a site before",
        };
        findings.push(Finding::at(METRICS, 0, "no-figures", format!("{why}; {kept}")));
        let why_old = Some("what is measured could not be read when this copy was made");
        let former = former.unwrap_or_default();
        Ok(Self { why_old, ..former })
    }

    /// The pages, and the same for programs. `alerts` are those that have a runbook.
    pub(super) fn pages(&self, alerts: &[String]) -> (Vec<Page>, [(&'static str, String); 2]) {
        let dictionary = Dictionary::shipped();
        let status = status::page(&self.status, self.why_old, alerts);
        let mut main = dash::main(&dictionary, &self.measured);
        if self.why_old.is_some() {
            let note = time::age(self.measured.at.map(time::seconds), self.why_old);
            main = main.replacen("</h1>\n", &format!("</h1>\n{note}"), 1);
        }
        let summary =
            "Availability, waiting times, verified probes and budgets of the last 90 days.";
        let metrics =
            Page::new(Section::Metrics, ("metrics.html", "Public metrics"), summary, main);
        let values = dash::values(&dictionary, &self.measured);
        let json = serde_json::json!(self.status);
        (vec![status, metrics], [(METRICS, format!("{values}\n")), (STATUS, format!("{json:#}\n"))])
    }
}

async fn ask(url: &str, within: Duration, tasks: &Tasks) -> Result<Figures, PublishError> {
    let dictionary = Dictionary::shipped();
    let prometheus = Prometheus::new(tasks, url, within)?;
    let status = status::ask(&prometheus, &dictionary, SystemTime::now()).await?;
    let measured = dash::measure(&dictionary, tasks, url, within).await?;
    Ok(Figures { measured, status, why_old: None })
}

/// The figures of the site before: of its folder, else of its URL.
async fn former(sources: Sources<'_>, tasks: &Tasks) -> Option<Figures> {
    let here = |name| std::fs::read(sources.out?.join(name)).ok();
    let (metrics, status) = match (here(METRICS), here(STATUS)) {
        (Some(metrics), Some(status)) => (metrics, status),
        (Some(_) | None, Some(_) | None) => {
            let url = sources.former?.trim_end_matches('/');
            let web = Web::new(tasks, sources.within, BYTES_MAX).ok()?;
            let get = async |name| {
                let page = web.get(&format!("{url}/{name}")).await.ok()?;
                page.status.is_success().then(|| page.body.to_vec())
            };
            (get(METRICS).await?, get(STATUS).await?)
        }
    };
    let (measured, status) = (Measured::read(&metrics)?, serde_json::from_slice(&status).ok()?);
    Some(Figures { measured, status, why_old: None })
}
