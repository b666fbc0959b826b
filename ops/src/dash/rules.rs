//! The rules of dashboards: those of Grafana's dashboard-linter for every type of panel, and ours.
//!
//! A rule looks at one dashboard and says what is wrong and where; who may break it is decided by the
//! caller, and needs a reason.

use promql_parser::label::MatchOp;
use promql_parser::parser::Expr;

use super::board::{Board, Language, Panel, RATE_INTERVAL, Target, Variable, is_variable};
use super::exposed::{Schema, is_counter};
use super::layout::PANELS_MAX;
use crate::promql;

mod logql;
mod units;

/// What a rule says about a dashboard.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) rule: &'static str,
    pub(super) line: usize,
    pub(super) panel: Option<String>,
    pub(super) text: String,
}

/// Every rule that an exclusion of a layout may name.
pub(super) const NAMES: [&str; 22] = [
    "template-datasource",
    "template-job",
    "template-instance",
    "template-label-promql",
    "template-on-time-change-reload",
    "panel-datasource",
    "panel-title-description",
    "panel-units",
    "panel-no-targets",
    "target-logql",
    "target-logql-auto",
    "target-promql",
    "target-rate-interval",
    "target-job",
    "target-instance",
    "target-counter-agg",
    "uneditable-dashboard",
    "stable-uid",
    "absolute-time",
    "shared-crosshair",
    "too-many-panels",
    "schema-version",
];

/// Holds a dashboard against all rules.
pub(super) fn check(board: &Board, schema: &Schema) -> Vec<Broken> {
    let mut found = Found { all: Vec::new() };
    whole(board, &mut found);
    templates(board, &mut found);
    for panel in board.panels.iter().filter(|panel| panel.asks()) {
        check_panel(board, panel, &mut found);
        for target in panel.targets.iter().filter(|target| !target.hidden) {
            match target.language {
                Language::Prometheus => check_promql(board, panel, target, schema, &mut found),
                Language::Loki => check_logql(panel, target, &mut found),
                Language::Other => {}
            }
        }
    }
    found.all
}

struct Found {
    all: Vec<Broken>,
}

impl Found {
    fn add(&mut self, rule: &'static str, line: usize, text: impl Into<String>) {
        debug_assert!(NAMES.contains(&rule), "{rule} is listed");
        self.all.push(Broken { rule, line, panel: None, text: text.into() });
    }

    fn of(&mut self, panel: &Panel, rule: &'static str, line: usize, text: &str) {
        debug_assert!(NAMES.contains(&rule), "{rule} is listed");
        let title = &panel.title;
        let text = format!("panel {title:?} {text}");
        self.all.push(Broken { rule, line, panel: Some(title.clone()), text });
    }
}

fn whole(board: &Board, found: &mut Found) {
    if board.editable {
        found.add(
            "uneditable-dashboard",
            1,
            "it can be edited where it is shown; say editable: false",
        );
    }
    if board.uid.is_empty() || board.uid.len() > 40 {
        let text = "it needs a uid of 1 to 40 characters, or every import changes its links";
        found.add("stable-uid", 1, text);
    }
    for time in [&board.from, &board.to] {
        if !time.starts_with("now") {
            let text = format!("it opens at the time {time:?}; say now, or now-6h");
            found.add("absolute-time", 1, text);
        }
    }
    if board.tooltip != 1 {
        found.add("shared-crosshair", 1, "its panels share no crosshair; say graphTooltip: 1");
    }
    if board.schema_version < 30 {
        let text = format!("its schema {} is not migrated without loss", board.schema_version);
        found.add("schema-version", 1, text);
    }
    let panels = board.panels.iter().filter(|panel| panel.asks()).count();
    if panels > PANELS_MAX {
        let text = format!("it has {panels} panels; more than {PANELS_MAX} are not looked at");
        found.add("too-many-panels", 1, text);
    }
}

fn templates(board: &Board, found: &mut Found) {
    let sources: Vec<&Variable> = board.datasources().collect();
    if sources.is_empty() {
        let text = "it has no variable of type datasource, so it asks one server only";
        found.add("template-datasource", 1, text);
    }
    for source in &sources {
        let own = format!("{}_datasource", source.query.to_lowercase());
        if source.name != own && (sources.len() > 1 || source.name != "datasource") {
            let text = format!("the data source {:?} should be called {own:?}", source.name);
            found.add("template-datasource", source.line, text);
        }
        let own = format!("{} data source", titled(&source.query));
        if source.label != own && (sources.len() > 1 || source.label != "Data source") {
            let text = format!("the data source's label {:?} should be {own:?}", source.label);
            found.add("template-datasource", source.line, text);
        }
    }
    let prometheus = sources.first().is_some_and(|source| source.query == "prometheus");
    if prometheus {
        required(board, "job", "template-job", found);
        required(board, "instance", "template-instance", found);
    }
    for variable in board.variables.iter().filter(|variable| variable.kind == "query") {
        if variable.refresh != 2 {
            let text = format!(
                "variable {:?} is not read again with the time: say refresh: 2",
                variable.name
            );
            found.add("template-on-time-change-reload", variable.line, text);
        }
        if prometheus && let Err(why) = asks_labels(board, &variable.query) {
            let text = format!("variable {:?} asks {:?}: {why}", variable.name, variable.query);
            found.add("template-label-promql", variable.line, text);
        }
    }
}

fn required(board: &Board, name: &str, rule: &'static str, found: &mut Found) {
    let Some(variable) = board.variables.iter().find(|variable| variable.name == name) else {
        return found.add(rule, 1, format!("it has no variable {name}"));
    };
    let right = [
        (variable.kind == "query", "is not of type query"),
        (board.is_chosen(&variable.datasource), "does not ask the chosen data source"),
        (variable.label == titled(name), "is not labelled with its name"),
        (variable.multi, "allows one value only: say multi: true"),
        (variable.all_value == ".+", "needs the allValue .+"),
    ];
    for (_, text) in right.iter().filter(|(right, _)| !right) {
        found.add(rule, variable.line, format!("variable {name} {text}"));
    }
}

fn titled(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Whether a query of a variable is one of the functions that list labels and their values.
fn asks_labels(board: &Board, query: &str) -> Result<(), String> {
    let inner = |function: &str| {
        query.trim().strip_prefix(function)?.trim_start().strip_prefix('(')?.strip_suffix(')')
    };
    let expression = if let Some(inner) = inner("label_values") {
        match inner.rsplit_once(',') {
            Some((series, _)) => series,
            None => inner,
        }
    } else if let Some(inner) = inner("query_result") {
        inner
    } else if inner("label_names").or_else(|| inner("metrics")).is_some() {
        return Ok(());
    } else {
        return Err("it is none of label_values, label_names, metrics, query_result".to_owned());
    };
    let parsed = promql::parse(&board.parsable(expression));
    parsed.map(drop).map_err(|error| error.to_string())
}

fn check_panel(board: &Board, panel: &Panel, found: &mut Found) {
    let line = panel.line;
    if panel.title.trim().is_empty() || panel.description.trim().is_empty() {
        found.of(panel, "panel-title-description", line, "lacks a title or a description");
    }
    if panel.targets.is_empty() {
        found.of(panel, "panel-no-targets", line, "asks nothing");
    }
    if !panel.unitless && !units::is_known(&panel.unit) {
        let text = format!("has the unit {:?}, which Grafana does not know", panel.unit);
        found.of(panel, "panel-units", line, &text);
    }
    let mixed = panel.datasource.starts_with("-- ");
    let asked = panel.targets.iter().map(|target| (&target.datasource, target.line));
    let asked = asked.filter(|_| mixed).chain((!mixed).then_some((&panel.datasource, line)));
    for (datasource, line) in asked {
        if !board.is_chosen(datasource) && !datasource.starts_with("-- ") {
            let text = format!("asks {datasource:?} and not the chosen data source");
            found.of(panel, "panel-datasource", line, &text);
        }
    }
}

fn check_promql(board: &Board, panel: &Panel, target: &Target, schema: &Schema, found: &mut Found) {
    if target.expr.trim().is_empty() {
        let refers = target.of_panel;
        let known = refers.is_some_and(|id| board.panels.iter().any(|panel| panel.id == id));
        if !known {
            found.of(panel, "target-promql", target.line, "has a query without expression");
        }
        return;
    }
    let tree = match promql::parse(&board.parsable(&target.expr)) {
        Ok(tree) => tree,
        Err(error) => {
            let text = format!("asks {:?}: {error}", target.expr);
            return found.of(panel, "target-promql", target.line, &text);
        }
    };
    for (rule, label) in [("target-job", "job"), ("target-instance", "instance")] {
        for selector in promql::selectors(&tree) {
            let right = |matcher: &promql_parser::label::Matcher| {
                matcher.name == label
                    && matches!(matcher.op, MatchOp::Re(_))
                    && is_variable(&matcher.value, label)
            };
            if !promql::matchers(selector).any(right) {
                let name = promql::metric(selector).unwrap_or("a selector");
                let text = format!("asks {name} of every {label}: add {label}=~\"${label}\"");
                found.of(panel, rule, target.line, &text);
            }
        }
    }
    windows(panel, target, &tree, found);
    counters(panel, target, &tree, schema, found);
}

/// Rates over a window that is not the reader's.
fn windows(panel: &Panel, target: &Target, tree: &Expr, found: &mut Found) {
    promql::walk(tree, &mut |part, around| {
        let Expr::MatrixSelector(matrix) = part else {
            return;
        };
        let chosen = promql_parser::util::parse_duration(RATE_INTERVAL) == Ok(matrix.range);
        let call = around.last().and_then(|around| promql::function(around));
        if !chosen && matches!(call, Some("rate" | "irate")) {
            let text = "takes a rate over a fixed window: say $__rate_interval";
            found.of(panel, "target-rate-interval", target.line, text);
        }
    });
}

/// Counters that are shown as they are, so that a restart looks like an event.
fn counters(panel: &Panel, target: &Target, tree: &Expr, schema: &Schema, found: &mut Found) {
    promql::walk(tree, &mut |part, around| {
        let Some((name, range)) = promql::selector(part)
            .and_then(|(selector, range)| Some((promql::metric(selector)?, range)))
        else {
            return;
        };
        let counts = name.ends_with("_total") || !schema.is_empty() && is_counter(name, schema);
        let call = around.last().and_then(|around| promql::function(around));
        let aggregated = range.is_some()
            && matches!(call, Some("rate" | "irate" | "increase" | "resets" | "changes"));
        if counts && !aggregated {
            let text = format!("shows the counter {name} as it is: take its rate or increase");
            found.of(panel, "target-counter-agg", target.line, &text);
        }
    });
}

fn check_logql(panel: &Panel, target: &Target, found: &mut Found) {
    if let Err(why) = logql::check(&target.expr) {
        let text = format!("asks {:?}: {why}", target.expr);
        return found.of(panel, "target-logql", target.line, &text);
    }
    if logql::fixed_range(&target.expr) {
        let text = "looks at logs over a fixed range: say $__auto";
        found.of(panel, "target-logql-auto", target.line, text);
    }
}

#[cfg(test)]
mod tests;
