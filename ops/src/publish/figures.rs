//! What was measured: from Prometheus, or as the site before had it.
//!
//! A Prometheus that does not answer, or is not asked, takes nothing away: the figures that are published
//! already stay, with their age. That there are none is told from that they cannot be read: then nothing is
//! published, since what is forgotten once does not come back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use telemetry::Tasks;

use super::page::{Page, Section};
use super::render::Told;
use super::status::{self, Status};
use super::{PublishError, time};
use crate::dash::{self, Dictionary, Measured};
use crate::findings::Finding;
use crate::prometheus::Prometheus;
use crate::web::{Web, WebError};

/// Where figures are for programs.
const METRICS: &str = "metrics.json";
const STATUS: &str = "status.json";
/// Most bytes of either, as they are published.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the system says where there is no such file.
const ABSENT: [ErrorKind; 2] = [ErrorKind::NotFound, ErrorKind::NotADirectory];

/// Where figures come from.
#[derive(Debug, Clone)]
pub(super) struct Sources<'a> {
    /// The Prometheus that is asked.
    pub(super) prometheus: Option<&'a str>,
    /// Longest wait for one answer.
    pub(super) within: Duration,
    /// Folders that may have the site before: the youngest figures count.
    pub(super) folders: Vec<PathBuf>,
    /// Its URL, which is asked when no folder has figures.
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
    /// Asks for them, else takes those of the site before, and says so. `alerts` are those that have a runbook:
    /// of others nothing is told.
    ///
    /// # Errors
    /// A URL that is none, or figures of before that cannot be read.
    pub(super) async fn gather(
        sources: &Sources<'_>,
        alerts: &[String],
        tasks: &Tasks,
        told: &mut Told,
    ) -> Result<Self, PublishError> {
        let silent = match sources.prometheus {
            None => None,
            Some(url) => match ask(url, sources.within, tasks).await {
                Ok(figures) => return Ok(figures.ours(alerts)),
                Err(PublishError::Web(error)) if matches!(error, WebError::BadUrl(_)) => {
                    return Err(error.into());
                }
                Err(error) => Some(telemetry::why(&error)),
            },
        };
        let former = former(sources, tasks).await?;
        let why_old = match (&silent, &former) {
            (None, None) => return Ok(Self::default()),
            (None, Some(_)) => {
                let note = "no Prometheus was asked: the figures are those of the site before";
                told.notes.push(note.to_owned());
                "no Prometheus was asked when this copy was made"
            }
            (Some(why), former) => {
                let kept = match former {
                    Some(_) => "the figures of the site before are kept",
                    None => "there are no figures of a site before",
                };
                let text = format!("{why}; {kept}");
                told.findings.push(Finding::at(METRICS, 0, "no-figures", text));
                "what is measured could not be read when this copy was made"
            }
        };
        Ok(Self { why_old: Some(why_old), ..former.unwrap_or_default().ours(alerts) })
    }

    fn ours(self, alerts: &[String]) -> Self {
        Self { status: self.status.ours(alerts), ..self }
    }

    /// The pages, and the same for programs.
    pub(super) fn pages(&self) -> (Vec<Page>, [(&'static str, String); 2]) {
        let dictionary = Dictionary::shipped();
        let status = status::page(&self.status, self.why_old);
        let mut main = dash::main(&dictionary, &self.measured);
        if self.why_old.is_some() {
            let note = time::age(self.measured.at.map(time::seconds), None, self.why_old);
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

    /// When they were asked for, in seconds since the epoch; none where there are none.
    fn asked_at(&self) -> Option<u64> {
        self.status.asked_at.max(self.measured.at.map(time::seconds))
    }
}

async fn ask(url: &str, within: Duration, tasks: &Tasks) -> Result<Figures, PublishError> {
    let dictionary = Dictionary::shipped();
    let prometheus = Prometheus::new(tasks, url, within)?;
    let status = status::ask(&prometheus, &dictionary, SystemTime::now()).await?;
    let ours = status::objectives();
    let is_ours = |objective: &str| ours.contains(objective);
    let measured = dash::measure(&dictionary, tasks, (url, within), &is_ours).await?;
    Ok(Figures { measured, status, why_old: None })
}

/// The figures of the site before, if it has any: of its folders, else of its URL.
async fn former(sources: &Sources<'_>, tasks: &Tasks) -> Result<Option<Figures>, PublishError> {
    let mut youngest = None;
    for folder in &sources.folders {
        let found = of_folder(folder).map_err(|what| {
            let advice = "move it away to publish without them".to_owned();
            PublishError::Former { what, advice }
        })?;
        if found.as_ref().and_then(Figures::asked_at)
            > youngest.as_ref().and_then(Figures::asked_at)
        {
            youngest = found;
        }
    }
    match (youngest, sources.former) {
        (Some(youngest), _) => Ok(Some(youngest)),
        (None, None) => Ok(None),
        (None, Some(url)) => of_url(url, sources.within, tasks).await.map_err(|what| {
            let advice = "try again, or leave --former out to publish without them, \
                          as the first time when no site is there"
                .to_owned();
            PublishError::Former { what, advice }
        }),
    }
}

fn of_folder(folder: &Path) -> Result<Option<Figures>, String> {
    let read = |name| {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if ABSENT.contains(&error.kind()) => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    };
    let (metrics, status) = (read(METRICS)?, read(STATUS)?);
    parsed(&folder.display(), metrics, status)
}

async fn of_url(url: &str, within: Duration, tasks: &Tasks) -> Result<Option<Figures>, String> {
    let url = url.trim_end_matches('/');
    let web = Web::new(tasks, within, BYTES_MAX).map_err(|error| error.to_string())?;
    let get = async |name| {
        let url = format!("{url}/{name}");
        let page = web.get(&url).await.map_err(|error| error.to_string())?;
        match page.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => Ok(Some(page.body.to_vec())),
            status => Err(format!("{url} answers {status}")),
        }
    };
    let (metrics, status) = (get(METRICS).await?, get(STATUS).await?);
    parsed(&url, metrics, status)
}

/// What files of figures hold, if there are any figures in them.
fn parsed(
    place: &dyn std::fmt::Display,
    metrics: Option<Vec<u8>>,
    status: Option<Vec<u8>>,
) -> Result<Option<Figures>, String> {
    let other = |name| {
        move |error: serde_json::Error| format!("{place}/{name} is not what is published: {error}")
    };
    let measured =
        metrics.map(|bytes| Measured::read(&bytes)).transpose().map_err(other(METRICS))?;
    let status: Option<Status> =
        status.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(other(STATUS))?;
    let figures = Figures {
        measured: measured.flatten().unwrap_or_default(),
        status: status.unwrap_or_default(),
        why_old: None,
    };
    Ok(figures.asked_at().is_some().then_some(figures))
}
