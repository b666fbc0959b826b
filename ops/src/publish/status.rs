//! How the service is: each objective with what was promised, what is so, and what is left of it.
//!
//! States follow from recorded series alone, so that this page and the alerts say the same. What cannot be
//! known is said to be unknown.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::page::{Page, Section};
use super::time;
use crate::dash::Dictionary;
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
/// Processes that answer, and all of them.
const PROCESSES: [&str; 2] = [
    "sum by (job) (up{job=~\"gateway|node|probe\"})",
    "count by (job) (up{job=~\"gateway|node|probe\"})",
];
const FIRING: &str = "count by (alertname, severity) (ALERTS{alertstate=\"firing\"})";

/// From this share of failures on a service is as good as down.
const DOWN_FROM: f64 = 0.5;

/// What Prometheus said of objectives.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub(super) struct Status {
    /// When it was asked, in seconds since the epoch; none when it was not.
    pub(super) asked_at: Option<u64>,
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

/// How an objective, or a service, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Unknown,
    Up,
    Spent,
    Burning,
    Down,
}

impl State {
    /// A sign that does without colours, a word, and a colour.
    fn badge(self) -> String {
        let (sign, word, class) = match self {
            State::Unknown => ("?", "no data", "unknown"),
            State::Up => ("✓", "as promised", "up"),
            State::Spent => ("!", "budget spent", "burning"),
            State::Burning => ("!", "burning", "burning"),
            State::Down => ("✗", "down", "down"),
        };
        format!(
            "<span class=\"state {class}\"><span aria-hidden=\"true\">{sign}</span> {word}</span>"
        )
    }
}

impl Measured {
    fn state(&self) -> State {
        let absolute = self.promised.is_some_and(|promised| promised >= 1.0);
        match self {
            Self { failing: Some(failing), .. } if *failing >= DOWN_FROM => State::Down,
            Self { failing: Some(failing), .. } if absolute && *failing > 0.0 => State::Down,
            Self { burn: Some(burn), .. } if *burn >= 1.0 => State::Burning,
            Self { left: Some(left), .. } if *left < 0.0 => State::Spent,
            Self { failing: None, burn: None, left: None, .. } => State::Unknown,
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
            let name = format!("{}/{}", series.label("sloth_service"), series.label("sloth_slo"));
            *place(status.objectives.entry(name).or_default()) =
                Some(series.value()).filter(|value| value.is_finite());
        }
    }
    for (at, question) in PROCESSES.iter().enumerate() {
        for series in prometheus.query(question, Some(now)).await? {
            status.processes.entry(series.label("job").to_owned()).or_default()[at] =
                count(&series);
        }
    }
    for series in prometheus.query(FIRING, Some(now)).await? {
        status
            .firing
            .insert(series.label("alertname").to_owned(), series.label("severity").to_owned());
    }
    Ok(status)
}

fn count(series: &Series) -> u64 {
    // Prometheus counts in floating point; as many processes as that could not be counted in.
    series.value().clamp(0.0, 1e9) as u64
}

/// The page. `why_old` says why the figures are those of a former page, if they are.
pub(super) fn page(status: &Status, why_old: Option<&str>, alerts: &[String]) -> Page {
    let services =
        OBJECTIVES.iter().filter_map(|(path, text)| slo::service(Path::new(path), text).ok());
    let services: Vec<Service> = services.collect();
    let states: Vec<State> = services.iter().map(|service| status.of(service)).collect();
    let mut main = "<h1>Status</h1>\n".to_owned();
    main.push_str(&time::age(status.asked_at, why_old));
    if status.asked_at.is_some() {
        main.push_str(&format!("<p class=\"lead\">{}</p>\n", overall(&services, &states)));
    }
    main.push_str(&status.firing(alerts));
    for (service, state) in services.iter().zip(&states) {
        main.push_str(&status.section(service, *state));
    }
    main.push_str(
        "<p class=\"quiet\">The same for programs: <a href=\"status.json\">status.json</a>. How it was is on \
         <a href=\"metrics.html\">metrics</a>.</p>\n",
    );
    let summary = "What is promised, and whether it is kept.";
    Page::new(Section::Status, ("status.html", "Status"), summary, main)
}

/// All of it in a sentence.
fn overall(services: &[Service], states: &[State]) -> String {
    let worst = states.iter().max().copied().unwrap_or(State::Unknown);
    let named = |state: State| {
        let those = services.iter().zip(states).filter(|(_, one)| **one == state);
        those.map(|(service, _)| title(&service.name).to_lowercase()).collect::<Vec<_>>().join(", ")
    };
    match worst {
        State::Down => format!("Down: {}.", named(State::Down)),
        State::Burning => format!("More fails than is allowed: {}.", named(State::Burning)),
        State::Spent => {
            format!("All is up; of 30 days' failures all are spent: {}.", named(State::Spent))
        }
        State::Up if states.contains(&State::Unknown) => {
            "All that was measured is as promised.".to_owned()
        }
        State::Up => "All is as promised.".to_owned(),
        State::Unknown => "Nothing was measured yet.".to_owned(),
    }
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

/// The kind of process that a service is up with.
fn kind(service: &str) -> &str {
    if service == "website" { "gateway" } else { service }
}

impl Status {
    /// How a service is: its worst objective, or down with all its processes.
    fn of(&self, service: &Service) -> State {
        if let Some([0, all]) = self.processes.get(kind(&service.name))
            && *all > 0
        {
            return State::Down;
        }
        let states = service.slos.iter().map(|slo| self.measured(service, &slo.name).state());
        states.max().unwrap_or(State::Unknown)
    }

    fn measured(&self, service: &Service, slo: &str) -> Measured {
        self.objectives.get(&format!("{}/{slo}", service.name)).copied().unwrap_or_default()
    }

    /// The alerts that fire, each with its runbook where there is one.
    fn firing(&self, runbooks: &[String]) -> String {
        if self.firing.is_empty() {
            return String::new();
        }
        let items = self.firing.iter().map(|(name, severity)| {
            let (shown, severity) = (escape(name), escape(severity));
            match runbooks.contains(name) {
                true => {
                    format!("<li><a href=\"runbooks/{shown}.html\">{shown}</a>: {severity}</li>\n")
                }
                false => format!("<li>{shown}: {severity}</li>\n"),
            }
        });
        format!(
            "<h2 id=\"alerts\">Alerts that fire</h2>\n<ul>\n{}</ul>\n",
            items.collect::<String>()
        )
    }

    fn section(&self, service: &Service, state: State) -> String {
        let name = &service.name;
        let shown = self.asked_at.map(|_| format!(" {}", state.badge())).unwrap_or_default();
        let processes = match self.processes.get(kind(name)) {
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
        let measured = self.measured(service, &slo.name);
        let is_well = matches!(measured.state(), State::Up | State::Unknown);
        let impact = slo.own.as_ref().filter(|_| !is_well).map(|own| format!(" {}", own.impact));
        let said = format!("{}{}", slo.description, impact.unwrap_or_default());
        let left = measured.left.map(|left| format!("{:.1} %", left * 100.0));
        let burn = measured.burn.map(|burn| format!("{burn:.1} ×"));
        format!(
            "<tr><th scope=\"row\">{}</th><td>{} %</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&said),
            slo.objective,
            measured.state().badge(),
            burn.as_deref().unwrap_or("–"),
            left.as_deref().unwrap_or("–"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, measured: Measured) -> Status {
        let objectives = [(name.to_owned(), measured)].into();
        Status { asked_at: Some(1_800_000_000), objectives, ..Status::default() }
    }

    const WELL: Measured =
        Measured { promised: Some(0.999), failing: Some(0.0), burn: Some(0.2), left: Some(0.9) };

    #[test]
    fn every_file_of_objectives_is_shown() {
        for (path, text) in OBJECTIVES {
            slo::service(Path::new(path), text).expect("it can be read");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../slo");
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
            let other = ["alerts.yaml", "mirror-verdict.yaml"].contains(&name.as_str());
            let is_shown = OBJECTIVES.iter().any(|(path, _)| *path == format!("slo/{name}"));
            assert!(is_shown || other || !name.ends_with(".yaml"), "{name}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_dictionary() {
        let dictionary = Dictionary::shipped();
        for id in [PROMISED, BURN, LEFT] {
            assert!(dictionary.get(id).is_some(), "{id}");
        }
    }

    #[test]
    fn states_follow_from_what_was_measured() {
        for (measured, state) in [
            (WELL, State::Up),
            (Measured::default(), State::Unknown),
            (Measured { failing: Some(0.6), ..WELL }, State::Down),
            (Measured { promised: Some(1.0), failing: Some(1e-6), ..WELL }, State::Down),
            (Measured { burn: Some(14.0), left: Some(-1.0), ..WELL }, State::Burning),
            (Measured { left: Some(-0.1), ..WELL }, State::Spent),
        ] {
            assert_eq!(measured.state(), state, "{measured:?}");
        }
    }

    #[test]
    fn the_page_says_what_is_so() {
        let page = |status: &Status| page(status, None, &["GatewayAvailability".to_owned()]).main;
        let well = page(&status("gateway/availability", WELL));
        assert!(well.contains("All that was measured is as promised."), "{well}");
        let mut burning = status("gateway/availability", Measured { burn: Some(20.0), ..WELL });
        burning.firing.insert("GatewayAvailability".to_owned(), "page".to_owned());
        burning.processes.insert("node".to_owned(), [0, 2]);
        let burning = page(&burning);
        for said in [
            "Down: nodes.",
            "<a href=\"runbooks/GatewayAvailability.html\">",
            "0 of 2 processes answer.",
            "Users of the gateway get errors or cut answers.",
        ] {
            assert!(burning.contains(said), "{said}: {burning}");
        }
        let nothing = page(&Status::default());
        assert!(
            nothing.contains("holds no figures") && !nothing.contains("as promised"),
            "{nothing}"
        );
    }
}
