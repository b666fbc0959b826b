//! `bifrost inventory audit`: whether a process is managed is computed, never written down.
//!
//! Each column is one question with one answer: yes, no and why, or not asked. A process is managed
//! when no answer is no.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{Request, header};
use http_body_util::Full;
use serde_json::Value;
use telemetry::Tasks;

use super::schema::{Inventory, Kind, Process, Status};
use super::{AuditArgs, InventoryError, certificate, names};
use crate::client;
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};
use crate::prometheus::{Prometheus, Series};
use crate::web::{Page, Web};

mod row;

use row::{Answer, Row};

/// Processes that are asked at a time.
const AT_A_TIME: usize = 16;
/// Longest answer of an admin listener that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Fewest days that a certificate is still good.
const CERTIFICATE_DAYS_MIN: i64 = 21;
const DAY_SECONDS: i64 = 86_400;
/// The questions, in order of columns.
const QUESTIONS: [&str; 7] =
    ["documented", "reachable", "ready", "build", "peer_id", "scraped", "certificate"];

/// Runs the command.
///
/// # Errors
/// Prometheus was named and cannot be asked, or there is no TLS.
pub(super) async fn run(
    args: &AuditArgs,
    inventory: &Inventory,
    tasks: &Tasks,
) -> Result<Verdict, InventoryError> {
    let up = match &args.prometheus {
        Some(base) => Some(Prometheus::new(tasks, base, args.timeout)?.query("up", None).await?),
        None => None,
    };
    let live = match args.live {
        true => Some(Live {
            web: Web::new(tasks, args.timeout, ANSWER_BYTES_MAX)?,
            tasks: tasks.clone(),
            within: args.timeout,
            token: client::token("").map_err(InventoryError::Token)?.expose().to_owned(),
        }),
        false => None,
    };
    let there = inventory.processes.iter().filter(|process| process.status != Status::Planned);
    let base = args.at.inventory.parent().unwrap_or(Path::new(""));
    let asked = stream::iter(there).map(|one| row(one, base, live.as_ref(), up.as_deref()));
    let rows: Vec<Row> = asked.buffered(AT_A_TIME).collect().await;
    print(&rows, args.format);
    let all = rows.iter().all(Row::is_managed);
    Ok(if all { Verdict::Clean } else { Verdict::Findings })
}

fn print(rows: &[Row], format: Format) {
    if format == Format::Json {
        for row in rows {
            output::result(&format!("{}\n", row.document()));
        }
        return;
    }
    let mut table = Table::default();
    let [a, b, c, d, e, f, g] = QUESTIONS;
    table.row(["process", "env", "managed", a, b, c, d, e, f, g]);
    for row in rows {
        let managed = if row.is_managed() { "yes" } else { "NO" };
        let [a, b, c, d, e, f, g] = row.answers.each_ref().map(Answer::shown);
        table.row([&row.name, &row.env, managed, a, b, c, d, e, f, g]);
    }
    output::result(&table.render("", Style::stdout()));
    for lack in rows.iter().flat_map(Row::lacks) {
        output::note(&Style::stderr().warning(&lack));
    }
}

/// What asking needs.
struct Live {
    web: Web,
    tasks: Tasks,
    within: Duration,
    token: String,
}

async fn row(process: &Process, base: &Path, live: Option<&Live>, up: Option<&[Series]>) -> Row {
    let mut answers = [const { Answer::None }; QUESTIONS.len()];
    answers[0] = documented(process, base);
    if let Some(live) = live {
        [answers[1], answers[2], answers[3], answers[4]] = live.admin(process).await;
        answers[6] = live.certificate(process).await;
    }
    if let Some(up) = up {
        answers[5] = scraped(process, up);
    }
    let (name, kind, env) = (process.name.clone(), process.kind, process.env.clone());
    Row { name, kind, env, answers }
}

/// Somebody answers for it, and there is a page that says what to do. A page is looked for from
/// here and beside the list.
fn documented(process: &Process, base: &Path) -> Answer {
    let Some(runbook) = &process.runbook else {
        return Answer::no("no runbook is named");
    };
    if process.owner.is_empty() {
        return Answer::no("nobody answers for it");
    }
    let is_url = runbook.contains("://");
    let beside = [Path::new("").join(runbook), base.join(runbook), base.join("..").join(runbook)];
    if is_url || beside.iter().any(|path| path.is_file()) {
        Answer::yes("yes")
    } else {
        Answer::no(format!("there is no {runbook}"))
    }
}

fn scraped(process: &Process, up: &[Series]) -> Answer {
    let found = up.iter().find(|series| {
        let is = |name, value: &str| series.label(name) == value;
        is("instance", &process.name) && is("job", process.kind.job()) && is("env", &process.env)
    });
    match found.map(Series::value) {
        Some(value) if value > 0.5 => Answer::yes("yes"),
        Some(_) => Answer::no("Prometheus knows it, and cannot scrape it"),
        None => Answer::no("Prometheus does not know it: render its targets again"),
    }
}

impl Live {
    /// Whether it can be reached, is ready, which build it is, and whether it has its peer ID.
    async fn admin(&self, process: &Process) -> [Answer; 4] {
        let Some(admin) = &process.admin else {
            return [
                Answer::no("it has no admin listener"),
                Answer::None,
                Answer::None,
                Answer::None,
            ];
        };
        let ready = match self.get(&format!("{admin}/readyz")).await {
            Ok(page) if page.status.is_success() => Answer::yes("yes"),
            Ok(page) => Answer::no(said(&page)),
            Err(why) => return [Answer::no(why), Answer::None, Answer::None, Answer::None],
        };
        let build = match self.document(&format!("{admin}/version")).await {
            Ok(version) => build(process, &version),
            Err(why) => Answer::no(why),
        };
        [Answer::yes("yes"), ready, build, self.peer(process, admin).await]
    }

    async fn peer(&self, process: &Process, admin: &str) -> Answer {
        if process.kind != Kind::Node {
            return Answer::None;
        }
        let found = match self.document(&format!("{admin}/identity")).await {
            Ok(identity) => identity["peer_id"].as_str().unwrap_or_default().to_owned(),
            Err(why) => return Answer::no(why),
        };
        match &process.peer_id {
            Some(listed) if *listed == found => Answer::yes("equal"),
            Some(listed) => Answer::no(format!("it is {found}, and the list says {listed}")),
            None if found.is_empty() => Answer::no("it says none"),
            // A pool node need not be listed with one.
            None => Answer::yes(found),
        }
    }

    async fn certificate(&self, process: &Process) -> Answer {
        let origin = process.url.as_deref().and_then(names::origin);
        let Some((host, port, true)) = origin else { return Answer::None };
        let within = self.within;
        let asked = self.tasks.spawn_blocking("certificate", move || {
            certificate::ends_at(host.trim_matches(['[', ']']), port, within)
        });
        let now = jiff::Timestamp::now().as_second();
        match asked.await {
            Ok(Ok(end)) => days_left((end - now) / DAY_SECONDS),
            Ok(Err(why)) => Answer::no(why),
            Err(error) => Answer::no(error.to_string()),
        }
    }

    async fn document(&self, url: &str) -> Result<Value, String> {
        let page = self.get(url).await?;
        if !page.status.is_success() {
            return Err(said(&page));
        }
        serde_json::from_slice(&page.body).map_err(|_| format!("{url} gave no JSON"))
    }

    async fn get(&self, url: &str) -> Result<Page, String> {
        let uri = crate::web::url_of(url).map_err(|error| error.to_string())?;
        let mut request = Request::get(uri);
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let request = request.body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
        self.web.ask(request).await.map_err(|error| telemetry::why(&error))
    }
}

fn build(process: &Process, version: &Value) -> Answer {
    let text = |key: &str| version[key].as_str().unwrap_or_default();
    let (what, commit) = (text("process"), text("commit"));
    if what != process.kind.word() {
        return Answer::no(format!("a {what:?} answers where a {} should", process.kind.word()));
    }
    let commit: String = commit.chars().take(12).collect();
    Answer::yes(format!("{} {commit}", text("version")))
}

fn days_left(days: i64) -> Answer {
    if days < CERTIFICATE_DAYS_MIN {
        Answer::no(format!("its certificate ends in {days} days"))
    } else {
        Answer::yes(format!("{days} d"))
    }
}

fn said(page: &Page) -> String {
    let text = String::from_utf8_lossy(&page.body);
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let detail = document["detail"].as_str().unwrap_or_default();
    format!("{} {detail}", page.status).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
