//! How the service is: each objective with what was promised, what is so, and what is left of it.
//!
//! States follow from recorded series alone, so that this page and the alerts say the same. What cannot be
//! known is said to be unknown: silence is well only where nobody asked, and processes that answer show that.
//! Of a Prometheus that others use too, only what is ours is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::page::{Page, Section};
use super::time;
use crate::dash::{self, Dictionary};
use crate::prometheus::{Prometheus, PrometheusError, Series};
use crate::site::escape;
use crate::slo::{self, Service, Slo};

/// The objectives, in the order of the page.
const OBJECTIVES: [(&str, &str); 6] = [
    ("slo/gateway.yaml", include_str!("../../../slo/gateway.yaml")),
    ("slo/website.yaml", include_str!("../../../slo/website.yaml")),
    ("slo/content.yaml", include_str!("../../../slo/content.yaml")),
    ("slo/freshness.yaml", include_str!("../../../slo/freshness.yaml")),
    ("slo/node.yaml", include_str!("../../../slo/node.yaml")),
    ("slo/probe.yaml", include_str!("../../../slo/probe.yaml")),
];

/// Numbers of the dictionary, and the share of failures of the last minutes, which no panel shows.
const PROMISED: &str = "objective";
const BURN: &str = "budget-burn";
const LEFT: &str = "budget-left";
const FAILING: &str = "slo:sli_error:ratio_rate5m";
/// Processes that may be ours, and what makes them so: others may have such a job too, but no build of ours.
/// One that is down shows none any more, so that a day counts.
const UP: &str = "up{job=~\"gateway|node|probe\"}";
const BUILT: &str = "on (job, instance) last_over_time(bifrost_build_info[1d])";
const FIRING: &str = "count by (alertname, severity) (ALERTS{alertstate=\"firing\"})";

/// How urgent alerts of ours are, the most urgent last.
const URGENCIES: [&str; 2] = ["ticket", "page"];

/// From this share of failures on a service is as good as down.
const DOWN_FROM: f64 = 0.5;

/// What Prometheus said of objectives.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub(super) struct Status {
    /// When it was asked, in seconds since the epoch; none when it was not.
    pub(super) asked_at: Option<u64>,
    /// When a process had been scraped last, in seconds since the epoch. Series that are computed cannot tell:
    /// they stand at the time that was asked for.
    #[serde(default)]
    newest_at: Option<f64>,
    /// Processes that answer, and all of them, by kind.
    processes: BTreeMap<String, [u64; 2]>,
    /// By service and objective.
    objectives: BTreeMap<String, Measured>,
    /// Alerts that fire, and how urgent they are.
    firing: BTreeMap<String, String>,
}

/// One objective.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
struct Measured {
    /// The part of events that is promised to be good.
    promised: Option<f64>,
    /// The part that was bad in the last minutes.
    failing: Option<f64>,
    /// How many times faster than allowed in the last hour.
    burn: Option<f64>,
    /// The part of the budget that is left.
    left: Option<f64>,
}

/// How an objective, or a service, is; the worst is last. Not to know is worse than to be well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Up,
    Unknown,
    Spent,
    Burning,
    Down,
}

impl State {
    /// A sign that does without colours, a word, and a colour.
    fn badge(self, unknown: Option<&str>) -> String {
        let (sign, word, class) = match self {
            State::Unknown => ("?", "no data", "unknown"),
            State::Up => ("✓", "as promised", "up"),
            State::Spent => ("!", "budget spent", "burning"),
            State::Burning => ("!", "burning", "burning"),
            State::Down => ("✗", "down", "down"),
        };
        let of = unknown.filter(|_| self == State::Unknown);
        let of = of.map(|unknown| format!(" for {}", escape(unknown))).unwrap_or_default();
        format!(
            "<span class=\"state {class}\"><span aria-hidden=\"true\">{sign}</span> {word}{of}</span>"
        )
    }
}

impl Measured {
    /// Its state. Without a share of failures it is known only where processes `answer`, so that nobody asked;
    /// what is left of the budget stays for 30 days and shows nothing.
    fn state(&self, answer: bool) -> State {
        let absolute = self.promised.is_some_and(|promised| promised >= 1.0);
        match self {
            Self { failing: Some(failing), .. } if *failing >= DOWN_FROM => State::Down,
            Self { failing: Some(failing), .. } if absolute && *failing > 0.0 => State::Down,
            Self { burn: Some(burn), .. } if *burn >= 1.0 => State::Burning,
            Self { failing: None, burn: None, .. } if !answer => State::Unknown,
            Self { left: Some(left), .. } if *left < 0.0 => State::Spent,
            Self { .. } => State::Up,
        }
    }
}

/// Where an answer is noted.
type Place = fn(&mut Measured) -> &mut Option<f64>;

/// Asks for all of it.
///
/// # Errors
/// Prometheus gives no answer.
pub(super) async fn ask(
    prometheus: &Prometheus,
    dictionary: &Dictionary,
    now: SystemTime,
) -> Result<Status, PrometheusError> {
    let number = |id| dictionary.get(id).map(|number| number.plain("5m", "1h")).unwrap_or_default();
    let mut status = Status { asked_at: Some(time::seconds(now)), ..Status::default() };
    let questions: [(String, Place); 4] = [
        (number(PROMISED), |one| &mut one.promised),
        (FAILING.to_owned(), |one| &mut one.failing),
        (number(BURN), |one| &mut one.burn),
        (number(LEFT), |one| &mut one.left),
    ];
    for (question, place) in questions {
        for series in prometheus.query(&question, Some(now)).await? {
            let Some(name) = dash::objective(&series) else { continue };
            *place(status.objectives.entry(name).or_default()) =
                Some(series.value()).filter(|value| value.is_finite());
        }
    }
    for (at, question) in processes().iter().enumerate() {
        for series in prometheus.query(question, Some(now)).await? {
            status.processes.entry(series.label("job").to_owned()).or_default()[at] =
                count(&series);
        }
    }
    let newest = prometheus.query(&newest(), Some(now)).await?;
    status.newest_at = newest.first().map(Series::value).filter(|time| time.is_finite());
    for series in prometheus.query(FIRING, Some(now)).await? {
        let [name, severity] =
            ["alertname", "severity"].map(|label| series.label(label).to_owned());
        let known = status.firing.entry(name).or_default();
        if urgency(&severity) >= urgency(known) {
            *known = severity;
        }
    }
    Ok(status)
}

/// Processes that answer, and all of them, by kind.
fn processes() -> [String; 2] {
    ["sum", "count"].map(|how| format!("{how} by (job) ({UP} and {BUILT})"))
}

/// When one of them was scraped last.
fn newest() -> String {
    format!("max(timestamp({UP}) and {BUILT})")
}

/// How urgent an alert is; none that is not ours.
fn urgency(severity: &str) -> Option<usize> {
    URGENCIES.iter().position(|known| *known == severity)
}

/// The objectives of this build.
fn services() -> Vec<Service> {
    let read = |(path, text): &(&str, &str)| slo::service(Path::new(path), text).ok();
    OBJECTIVES.iter().filter_map(read).collect()
}

/// What they are called: those of others may be in the same Prometheus.
pub(super) fn objectives() -> BTreeSet<String> {
    services().iter().flat_map(|service| service.slos.iter().map(Slo::full_name)).collect()
}

fn count(series: &Series) -> u64 {
    // Prometheus counts in floating point; as many processes as that could not be counted in.
    series.value().clamp(0.0, 1e9) as u64
}

/// The page. `why_old` says why the figures are those of a former page, if they are.
pub(super) fn page(status: &Status, why_old: Option<&str>) -> Page {
    let services = services();
    let mut main = "<h1>Status</h1>\n".to_owned();
    main.push_str(&time::age(status.asked_at, status.newest_at, why_old));
    if status.asked_at.is_some() {
        main.push_str(&format!("<p class=\"lead\">{}</p>\n", status.overall(&services)));
    }
    main.push_str(&status.alerts());
    for service in &services {
        main.push_str(&status.section(service));
    }
    main.push_str(
        "<p class=\"quiet\">The same for programs: <a href=\"status.json\">status.json</a>. How it was is on \
         <a href=\"metrics.html\">metrics</a>.</p>\n",
    );
    let summary = "What is promised, and whether it is kept.";
    Page::new(Section::Status, ("status.html", "Status"), summary, main)
}

fn title(service: &str) -> &str {
    match service {
        "gateway" => "Public gateway",
        "website" => "Websites",
        "content" => "Right bytes",
        "freshness" => "Names and denylists",
        "node" => "Nodes",
        "probe" => "Probes",
        other => other,
    }
}

/// The kind of process that measures what is promised of a service.
fn kind(service: &str) -> &str {
    match service {
        "website" | "freshness" => "gateway",
        "content" => "probe",
        other => other,
    }
}

/// Whether a service is down with the processes that measure it.
fn is_of_processes(service: &str) -> bool {
    !["freshness", "content"].contains(&service)
}

impl Status {
    /// The same without what is of others: alerts that have no runbook here, and objectives that are not ours.
    pub(super) fn ours(mut self, alerts: &[String]) -> Self {
        self.firing.retain(|name, severity| alerts.contains(name) && urgency(severity).is_some());
        let names = objectives();
        self.objectives.retain(|name, _| names.contains(name));
        self
    }

    /// All of it in a sentence or two.
    fn overall(&self, services: &[Service]) -> String {
        let so = |state: State| {
            let those = services.iter().filter(|service| self.of(service) == state);
            those.map(|one| title(&one.name).to_lowercase()).collect::<Vec<_>>().join(", ")
        };
        let unknown: Vec<String> = services.iter().filter_map(|one| self.unknown(one)).collect();
        let is_up = |one: &Service| one.slos.iter().any(|slo| self.state(one, slo) == State::Up);
        let worst = services.iter().map(|service| self.of(service)).max();
        let said = match worst.unwrap_or(State::Unknown) {
            State::Down => format!("Down: {}.", so(State::Down)),
            State::Burning => format!("More fails than is allowed: {}.", so(State::Burning)),
            State::Spent if unknown.is_empty() => {
                format!("All is up; of 30 days' failures all are spent: {}.", so(State::Spent))
            }
            State::Spent => format!("Of 30 days' failures all are spent: {}.", so(State::Spent)),
            State::Unknown if services.iter().any(is_up) => {
                "All that was measured is as promised.".to_owned()
            }
            State::Unknown => "Nothing was measured.".to_owned(),
            State::Up => "All is as promised.".to_owned(),
        };
        match unknown.is_empty() {
            true => said,
            false => format!("{said} No data for {}.", unknown.join(", ")),
        }
    }

    /// How a service is: its worst objective, or down with all its processes.
    fn of(&self, service: &Service) -> State {
        if let Some([0, all]) = self.processes(service)
            && *all > 0
        {
            return State::Down;
        }
        let states = service.slos.iter().map(|slo| self.state(service, slo));
        states.max().unwrap_or(State::Unknown)
    }

    /// The processes that a service is up with: those that answer, and all.
    fn processes(&self, service: &Service) -> Option<&[u64; 2]> {
        self.processes.get(kind(&service.name)).filter(|_| is_of_processes(&service.name))
    }

    fn state(&self, service: &Service, slo: &Slo) -> State {
        let processes = self.processes.get(kind(&service.name));
        self.measured(slo).state(processes.is_some_and(|[answer, _]| *answer > 0))
    }

    /// What of a service there is no data of, if any: all, or some objectives.
    fn unknown(&self, service: &Service) -> Option<String> {
        let title = title(&service.name).to_lowercase();
        let unknown = service.slos.iter().filter(|slo| self.state(service, slo) == State::Unknown);
        let unknown: Vec<&str> = unknown.map(|slo| &slo.name[..]).collect();
        match unknown.len() {
            0 => None,
            all if all == service.slos.len() => Some(title),
            _ => Some(format!("{title} ({})", unknown.join(", "))),
        }
    }

    fn measured(&self, slo: &Slo) -> Measured {
        self.objectives.get(&slo.full_name()).copied().unwrap_or_default()
    }

    /// The alerts that fire, each with its runbook.
    fn alerts(&self) -> String {
        if self.firing.is_empty() {
            return String::new();
        }
        let items = self.firing.iter().map(|(name, severity)| {
            let (name, severity) = (escape(name), escape(severity));
            format!("<li><a href=\"runbooks/{name}.html\">{name}</a>: {severity}</li>\n")
        });
        let items: String = items.collect();
        format!("<h2 id=\"alerts\">Alerts that fire</h2>\n<ul>\n{items}</ul>\n")
    }

    fn section(&self, service: &Service) -> String {
        let name = &service.name;
        let badge = self.of(service).badge(self.unknown(service).as_deref());
        let shown = self.asked_at.map(|_| format!(" {badge}")).unwrap_or_default();
        let processes = match self.processes(service) {
            Some([up, all]) => format!("<p>{up} of {all} processes answer.</p>\n"),
            None => String::new(),
        };
        let rows: String = service.slos.iter().map(|slo| self.row(service, slo)).collect();
        format!(
            "<section aria-labelledby=\"{name}\">\n<h2 id=\"{name}\">{}{shown}</h2>\n{processes}\
             <div class=\"scroll\" tabindex=\"0\"><table class=\"status\">\n<thead><tr><th scope=\"col\">Objective</th>\
             <th scope=\"col\">Promised</th><th scope=\"col\">Now</th><th scope=\"col\">Burn in an hour</th>\
             <th scope=\"col\">Budget left of 30 days</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n",
            escape(title(name))
        )
    }

    fn row(&self, service: &Service, slo: &Slo) -> String {
        let (measured, state) = (self.measured(slo), self.state(service, slo));
        let is_well = matches!(state, State::Up | State::Unknown);
        let impact = slo.own.as_ref().filter(|_| !is_well).map(|own| format!(" {}", own.impact));
        let said = format!("{}{}", slo.description, impact.unwrap_or_default());
        let left = measured.left.map(|left| format!("{:.1} %", left * 100.0));
        let burn = measured.burn.map(|burn| format!("{burn:.1} ×"));
        format!(
            "<tr><th scope=\"row\">{}</th><td>{} %</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&said),
            slo.objective,
            state.badge(None),
            burn.as_deref().unwrap_or("–"),
            left.as_deref().unwrap_or("–"),
        )
    }
}

#[cfg(test)]
mod tests;
