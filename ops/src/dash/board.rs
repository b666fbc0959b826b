//! A dashboard of Grafana, ours or anybody's, read leniently: what rules and tests look at.

use serde_json::Value;

use super::variables;

/// A variable of a dashboard.
#[derive(Debug, Clone, Default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: String,
    pub(super) query: String,
    pub(super) datasource: String,
    pub(super) multi: bool,
    pub(super) all_value: String,
    pub(super) refresh: u64,
    /// The values that are chosen when it is opened.
    pub(super) current: Vec<String>,
    pub(super) line: usize,
}

/// A query of a panel.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) expr: String,
    pub(super) legend: String,
    pub(super) language: Language,
    pub(super) datasource: String,
    pub(super) hidden: bool,
    /// The panel whose answer it shows instead of asking.
    pub(super) of_panel: Option<u64>,
    pub(super) line: usize,
}

/// What a query is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Language {
    /// PromQL.
    #[default]
    Prometheus,
    /// LogQL.
    Loki,
    /// Something else, or it cannot be told.
    Other,
}

/// A panel.
#[derive(Debug, Clone, Default)]
pub(super) struct Panel {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) kind: String,
    pub(super) datasource: String,
    pub(super) unit: String,
    /// Whether its values are words, or become words, so that they have no unit.
    pub(super) unitless: bool,
    pub(super) targets: Vec<Target>,
    pub(super) line: usize,
}

impl Panel {
    /// Whether it shows what is measured: everything but headings, texts and lists.
    pub(super) fn asks(&self) -> bool {
        const SILENT: [&str; 8] = [
            "row",
            "text",
            "news",
            "dashlist",
            "alertlist",
            "annolist",
            "welcome",
            "gettingstarted",
        ];
        !SILENT.contains(&&self.kind[..])
    }
}

/// A dashboard.
#[derive(Debug, Clone, Default)]
pub(super) struct Board {
    pub(super) uid: String,
    pub(super) editable: bool,
    pub(super) tooltip: u64,
    pub(super) schema_version: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) variables: Vec<Variable>,
    pub(super) panels: Vec<Panel>,
}

impl Board {
    /// Reads a dashboard; `line` says where a pointer into the document stands. `None` when the
    /// document is no dashboard.
    pub(super) fn read(document: &Value, line: &dyn Fn(&str) -> usize) -> Option<Self> {
        let wrapped = document.get("dashboard").filter(|inner| inner.is_object());
        let at = if wrapped.is_some() { "/dashboard" } else { "" };
        let root = wrapped.unwrap_or(document);
        if !root["panels"].is_array() && !root["rows"].is_array() {
            return None;
        }
        let mut board = Self {
            uid: text(&root["uid"]),
            editable: root["editable"].as_bool().unwrap_or(true),
            tooltip: root["graphTooltip"].as_u64().unwrap_or_default(),
            schema_version: root["schemaVersion"].as_u64().unwrap_or_default(),
            from: text(&root["time"]["from"]),
            to: text(&root["time"]["to"]),
            ..Self::default()
        };
        for (index, item) in list(&root["templating"]["list"]) {
            board.variables.push(variable(item, line(&format!("{at}/templating/list/{index}"))));
        }
        for (index, item) in list(&root["panels"]) {
            board.add(item, &format!("{at}/panels/{index}"), line);
        }
        for (index, row) in list(&root["rows"]) {
            for (inner, item) in list(&row["panels"]) {
                board.add(item, &format!("{at}/rows/{index}/panels/{inner}"), line);
            }
        }
        Some(board)
    }

    fn add(&mut self, item: &Value, at: &str, line: &dyn Fn(&str) -> usize) {
        if item["libraryPanel"].is_object() && item["targets"].is_null() {
            return;
        }
        let defaults = &item["fieldConfig"]["defaults"];
        let overrides = list(&item["fieldConfig"]["overrides"]);
        let over = overrides.flat_map(|(_, one)| list(&one["properties"]).map(|(_, two)| two));
        let over = over.filter(|one| one["id"] == "unit").map(|one| text(&one["value"])).last();
        let fields = text(&item["options"]["reduceOptions"]["fields"]);
        let mut panel = Panel {
            id: item["id"].as_u64().unwrap_or_default(),
            title: text(&item["title"]),
            description: text(&item["description"]),
            kind: text(&item["type"]),
            datasource: uid(&item["datasource"]),
            unit: over.unwrap_or_else(|| text(&defaults["unit"])),
            unitless: !fields.is_empty() || list(&defaults["mappings"]).next().is_some(),
            targets: Vec::new(),
            line: line(at),
        };
        for (index, target) in list(&item["targets"]) {
            let own = uid(&target["datasource"]);
            let kinds = [&target["datasource"]["type"], &item["datasource"]["type"]];
            let kind = kinds.iter().find_map(|kind| kind.as_str());
            let datasource = if own.is_empty() { panel.datasource.clone() } else { own };
            panel.targets.push(Target {
                expr: text(&target["expr"]),
                legend: text(&target["legendFormat"]),
                language: self.language(kind, &datasource),
                datasource,
                hidden: target["hide"].as_bool().unwrap_or_default(),
                of_panel: target["panelId"].as_u64(),
                line: line(&format!("{at}/targets/{index}/expr")),
            });
        }
        self.panels.push(panel);
        for (index, inner) in list(&item["panels"]) {
            self.add(inner, &format!("{at}/panels/{index}"), line);
        }
    }

    fn language(&self, kind: Option<&str>, datasource: &str) -> Language {
        let named = |variable: &&Variable| {
            variable.kind == "datasource" && is_variable(datasource, &variable.name)
        };
        let found = self.variables.iter().find(named).map(|variable| &variable.query[..]);
        let only =
            || self.variables.iter().find(|one| one.kind == "datasource").map(|one| &one.query[..]);
        match kind.or(found).or_else(only) {
            Some("prometheus") => Language::Prometheus,
            Some("loki") => Language::Loki,
            Some(_) | None => Language::Other,
        }
    }

    /// The variables through which the reader chooses where to ask.
    pub(super) fn datasources(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter().filter(|variable| variable.kind == "datasource")
    }

    /// Whether a text is one of those variables.
    pub(super) fn is_chosen(&self, datasource: &str) -> bool {
        self.datasources().any(|variable| is_variable(datasource, &variable.name))
    }

    /// An expression that can be parsed: variables within quotes stay, the others have a value.
    pub(super) fn parsable(&self, expr: &str) -> String {
        variables::expand(expr, &|name, _, quoted| {
            if quoted {
                return None;
            }
            let known = self.variables.iter().find(|variable| variable.name == name);
            Some(match (name, known) {
                ("__rate_interval", _) => RATE_INTERVAL.to_owned(),
                ("__interval_ms" | "__range_ms" | "__range_s" | "__from" | "__to", _) => {
                    "60".to_owned()
                }
                (name, _) if name.starts_with("__") => "1m".to_owned(),
                (_, Some(variable)) if variable.kind == "interval" => "1m".to_owned(),
                (name, Some(variable)) => match variable.current.first() {
                    Some(value) if value != "$__all" && !value.is_empty() => value.clone(),
                    Some(_) | None => name.to_owned(),
                },
                (name, None) => name.to_owned(),
            })
        })
    }
}

/// What stands for `$__rate_interval` in an expression that is parsed.
pub(super) const RATE_INTERVAL: &str = "2d3h4m5s6ms";

/// Whether a text is the variable with this name and nothing else.
pub(super) fn is_variable(text: &str, name: &str) -> bool {
    text.strip_prefix('$').is_some_and(|rest| {
        rest == name || rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
    })
}

fn variable(item: &Value, line: usize) -> Variable {
    let query = if item["query"].is_object() { &item["query"]["query"] } else { &item["query"] };
    let chosen = &item["current"]["value"];
    let several = chosen.as_array().into_iter().flatten().filter_map(Value::as_str);
    let current = several.chain(chosen.as_str()).map(str::to_owned).collect();
    Variable {
        name: text(&item["name"]),
        label: text(&item["label"]),
        kind: text(&item["type"]),
        query: text(query),
        datasource: uid(&item["datasource"]),
        multi: item["multi"].as_bool().unwrap_or_default(),
        all_value: text(&item["allValue"]),
        refresh: item["refresh"].as_u64().unwrap_or_default(),
        current,
        line,
    }
}

/// The uid of a data source, which older dashboards give alone.
fn uid(datasource: &Value) -> String {
    if datasource.is_object() { text(&datasource["uid"]) } else { text(datasource) }
}

fn text(value: &Value) -> String {
    value.as_str().map(str::to_owned).unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}
