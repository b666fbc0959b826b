//! Takes one profile of one process: asked, retried once, read as a whole before it counts.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;
use telemetry::Tasks;
use telemetry::profile::read::{self, PACKED_BYTES_MAX};

use super::entry::{self, Kind};
use super::load::Counts;
use super::store::part;
use super::targets::Target;
use crate::web::{Page, Web, WebError};

/// How long an answer may take beyond the time that is sampled; names are looked up in it.
const BEYOND: Duration = Duration::from_secs(60);
/// Tries of one profile.
const TRIES: u32 = 2;
/// How the comment of a profile begins that names its build.
const BUILD: &str = "bifrost ";
/// Longest reason that is kept.
const REASON_CHARS_MAX: usize = 300;

/// How profiles are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taking {
    /// Seconds that are sampled of processor time.
    pub(crate) seconds: u32,
    /// Samples a second.
    pub(crate) hertz: u32,
    /// The wait before a process that was busy is asked again.
    pub(crate) when_busy: Duration,
    /// The wait before one that failed is.
    pub(crate) when_failed: Duration,
}

impl Taking {
    /// Waits that follow from the length.
    pub(crate) fn new(seconds: u32, hertz: u32) -> Self {
        // Who is busy is sampled by somebody else, most likely for as long.
        let when_busy = Duration::from_secs(u64::from(seconds) + 1);
        Self { seconds, hertz, when_busy, when_failed: Duration::from_secs(1) }
    }
}

/// A profile that was taken and read.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// The compressed profile.
    pub(crate) bytes: Bytes,
    /// When it was begun.
    pub(crate) started: Timestamp,
    /// How long was sampled.
    pub(crate) seconds: f64,
    /// Samples in it.
    pub(crate) samples: u64,
    /// Of which build it says that it is.
    build: Option<String>,
    /// What the process had counted before; none when it does not say.
    pub(crate) before: Option<Counts>,
}

/// What a process is.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// Its name in keys.
    pub(crate) name: String,
    /// How it is written in profiles.
    comment: String,
}

impl Build {
    /// A profile, if it is of this build or does not say of which.
    ///
    /// # Errors
    /// It is of another.
    pub(crate) fn has(&self, taken: Taken) -> Result<Taken, String> {
        match taken.build.as_ref().is_none_or(|build| *build == self.comment) {
            true => Ok(taken),
            false => Err("it was begun anew as another build".to_owned()),
        }
    }
}

/// Asks processes. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Taker {
    web: Web,
    tasks: Tasks,
    token: String,
    taking: Taking,
}

impl Taker {
    /// One that brings `token`, if any, to every admin listener.
    ///
    /// # Errors
    /// [`WebError::Tls`].
    pub(crate) fn new(tasks: &Tasks, token: &str, taking: Taking) -> Result<Self, WebError> {
        let within = Duration::from_secs(u64::from(taking.seconds)) + BEYOND;
        let web = Web::new(tasks, within, PACKED_BYTES_MAX)?;
        Ok(Self { web, tasks: tasks.clone(), token: token.to_owned(), taking })
    }

    /// Which build a process is.
    ///
    /// # Errors
    /// Why it does not say, after the second try.
    pub(crate) async fn build(&self, admin: &str) -> Result<Build, String> {
        match self.version(admin).await {
            Ok(build) => Ok(build),
            Err(_) => {
                tokio::time::sleep(self.taking.when_failed).await;
                self.version(admin).await
            }
        }
    }

    async fn version(&self, admin: &str) -> Result<Build, String> {
        let page = self.get(&format!("{admin}/version")).await?;
        let version: Value = serde_json::from_slice(&page.body).map_err(|_| {
            "its /version is no JSON: is this an admin listener of ours?".to_owned()
        })?;
        let text = |name: &str| version[name].as_str().unwrap_or("unknown");
        let (version, commit) = (text("version"), text("commit"));
        let comment = format!("{BUILD}{version} {commit}");
        let commit = commit.get(..12).unwrap_or(commit);
        let debug = if text("profile") == "release" { "" } else { "-debug" };
        // What it says of itself goes into keys and onto terminals.
        Ok(Build { name: part(&format!("{version}-{commit}{debug}")), comment })
    }

    /// What a process has counted; none when it does not say.
    pub(crate) async fn counts(&self, target: &Target, admin: &str) -> Option<Counts> {
        let page = self.get(&format!("{admin}/metrics")).await.ok()?;
        Counts::read(target.kind, &String::from_utf8_lossy(&page.body), Instant::now())
    }

    /// Takes a profile.
    ///
    /// # Errors
    /// Why there is none, after the second try.
    pub(crate) async fn profile(
        &self,
        target: &Target,
        admin: &str,
        kind: Kind,
    ) -> Result<Taken, String> {
        let mut attempt = 1;
        loop {
            match self.attempt(target, admin, kind).await {
                Ok(taken) => return Ok(taken),
                Err((_, why)) if attempt == TRIES => return Err(why),
                Err((pause, _)) => tokio::time::sleep(pause).await,
            }
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        target: &Target,
        admin: &str,
        kind: Kind,
    ) -> Result<Taken, (Duration, String)> {
        let Taking { seconds, hertz, when_busy, when_failed } = self.taking;
        let url = match kind {
            Kind::Cpu => format!("{admin}/debug/pprof/profile?seconds={seconds}&hz={hertz}"),
            Kind::Heap => format!("{admin}/debug/pprof/heap"),
            Kind::Tasks => format!("{admin}/debug/pprof/goroutine"),
        };
        // A try that failed, and the wait after it, are not what is sampled.
        let before = self.counts(target, admin).await;
        let started = entry::now();
        let page = self.ask(&url).await.map_err(|why| (when_failed, why))?;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            return Err((when_busy, refusal(&page)));
        }
        if !page.status.is_success() {
            return Err((when_failed, refusal(&page)));
        }
        let bytes = page.body.clone();
        let reading = self.tasks.spawn_blocking("profile read", move || read::read(&bytes));
        let read = match reading.await {
            Ok(read) => read.map_err(|error| format!("its profile is refused: {error}")),
            Err(error) => Err(error.to_string()),
        };
        let stacks = read.map_err(|why| (when_failed, why))?;
        let seconds = match kind {
            Kind::Cpu => {
                stacks.duration.map_or(f64::from(seconds), |sampled| sampled.as_secs_f64())
            }
            Kind::Heap | Kind::Tasks => 0.0,
        };
        let samples = stacks.samples();
        let build = stacks.comments.into_iter().find(|comment| comment.starts_with(BUILD));
        Ok(Taken { bytes: page.body, started, seconds, samples, build, before })
    }

    async fn get(&self, url: &str) -> Result<Page, String> {
        let page = self.ask(url).await?;
        if page.status.is_success() { Ok(page) } else { Err(refusal(&page)) }
    }

    async fn ask(&self, url: &str) -> Result<Page, String> {
        let mut request = Request::get(url);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let request =
            request.body(Full::default()).map_err(|_| format!("{url} cannot be asked"))?;
        self.web.ask(request).await.map_err(|error| telemetry::why(&error))
    }
}

/// What a process said when it refused.
fn refusal(page: &Page) -> String {
    let said = String::from_utf8_lossy(&page.body[..page.body.len().min(4096)]);
    let detail: Option<Value> = serde_json::from_str(&said).ok();
    let detail = detail.and_then(|problem| problem["detail"].as_str().map(str::to_owned));
    let said = detail.unwrap_or_else(|| said.trim().to_owned());
    let said: String = said.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    match page.status {
        StatusCode::UNAUTHORIZED => {
            "it refuses the token: set BIFROST_ADMIN__TOKEN to that of the fleet".to_owned()
        }
        status => format!("it answers {}: {said}", status.as_u16()),
    }
}
