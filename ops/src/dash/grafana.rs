//! Writes a layout as a dashboard of Grafana.
//!
//! The same layout gives the same bytes: there is no clock, no random id and no order but the file's.

use serde_json::{Value, json};

use super::dictionary::{Better, Dictionary, Number, Unit};
use super::layout::{COLUMNS, Layout, Objectives, PanelPlan, Shown};
use crate::findings::Finding;

/// The schema of Grafana 11, which later versions take.
const SCHEMA_VERSION: u32 = 39;
/// How panels and variables name the reader's Prometheus.
const DATASOURCE: &str = "${datasource}";
const RED: &str = "red";
const GREEN: &str = "green";

/// Writes a dashboard; numbers that are not known or not readable are told and left out.
pub(super) fn dashboard(
    layout: &Layout,
    dictionary: &Dictionary,
    objectives: &Objectives,
    findings: &mut Vec<Finding>,
) -> Value {
    let writer = Writer { layout, dictionary, objectives };
    let panels = writer.panels(findings);
    json!({
        "uid": layout.uid,
        "title": layout.title,
        "description": layout.description,
        "tags": ["bifrost"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "refresh": "1m",
        "timezone": "browser",
        "time": {"from": format!("now-{}", layout.span), "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [{
            "type": "dashboards", "title": "Bifrost", "tags": ["bifrost"], "asDropdown": false,
            "includeVars": true, "keepTime": true, "targetBlank": false,
        }],
        "templating": {"list": [
            datasource(),
            variable("job", "Job", "label_values(up{job=~\"gateway|node|probe\"}, job)"),
            variable("instance", "Instance", "label_values(up{job=~\"$job\"}, instance)"),
        ]},
        "panels": panels,
    })
}

fn height(shown: Shown) -> u32 {
    match shown {
        Shown::Stat => 4,
        Shown::Lines | Shown::Stack | Shown::Table | Shown::States => 8,
    }
}

fn datasource() -> Value {
    json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "current": {}, "hide": 0, "includeAll": false, "multi": false, "options": [],
        "refresh": 1, "regex": "",
    })
}

fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name, "label": label, "type": "query",
        "datasource": {"type": "prometheus", "uid": DATASOURCE},
        "definition": query,
        "query": {"query": query, "refId": format!("variable-{name}")},
        "multi": true, "includeAll": true, "allValue": ".+",
        "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "hide": 0, "options": [], "refresh": 2, "regex": "", "sort": 1,
    })
}

struct Writer<'a> {
    layout: &'a Layout,
    dictionary: &'a Dictionary,
    objectives: &'a Objectives,
}

impl Writer<'_> {
    /// Headings and panels, each in its place on the grid.
    fn panels(&self, findings: &mut Vec<Finding>) -> Vec<Value> {
        let mut panels = Vec::new();
        let mut below = 0;
        for row in &self.layout.rows {
            panels.push(json!({
                "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "id": panels.len() + 1,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": below},
            }));
            below += 1;
            let (mut left, mut tallest) = (0, 0);
            for plan in &row.panels {
                if left + plan.width > COLUMNS {
                    (left, below, tallest) = (0, below + tallest, 0);
                }
                let height = height(plan.shown);
                let place = json!({"h": height, "w": plan.width, "x": left, "y": below});
                panels.push(self.panel(plan, panels.len() + 1, place, findings));
                (left, tallest) = (left + plan.width, tallest.max(height));
            }
            below += tallest;
        }
        panels
    }

    fn panel(
        &self,
        plan: &PanelPlan,
        id: usize,
        place: Value,
        findings: &mut Vec<Finding>,
    ) -> Value {
        let mut tell = |rule, text: String| {
            findings.push(Finding::at(&self.layout.path, plan.line, rule, text));
        };
        let mut numbers: Vec<&Number> = Vec::new();
        let mut targets = Vec::new();
        for number in &plan.show {
            let Some(number) = self.dictionary.get(number) else {
                tell("unknown-id", format!("{} has no number `{number}`", super::dictionary::FILE));
                continue;
            };
            // An expression that does not parse is told where it stands.
            if let Ok(expression) = number.on_panel() {
                targets.push(target(number, &expression, plan.shown, targets.len()));
                numbers.push(number);
            }
        }
        let unit = numbers.first().map(|number| number.unit);
        let objective = plan.objective.as_deref().and_then(|name| {
            let known = self.objectives.get(name);
            if known.is_none() && self.objectives.all.is_some() {
                tell("unknown-objective", format!("slo/ has no objective `{name}`"));
            }
            let better = numbers.iter().find_map(|number| number.better).unwrap_or(Better::Lower);
            known.map(|part| (part, better))
        });
        let meanings: Vec<&str> = numbers.iter().map(|number| number.meaning.trim()).collect();
        json!({
            "id": id, "type": kind(plan.shown), "title": plan.title,
            "description": meanings.join(" "),
            "datasource": {"type": "prometheus", "uid": DATASOURCE},
            "gridPos": place, "targets": targets,
            "fieldConfig": {"defaults": defaults(plan.shown, unit, objective), "overrides": []},
            "options": options(plan.shown),
        })
    }
}

fn kind(shown: Shown) -> &'static str {
    match shown {
        Shown::Lines | Shown::Stack => "timeseries",
        Shown::Stat => "stat",
        Shown::Table => "table",
        Shown::States => "state-timeline",
    }
}

fn target(number: &Number, expression: &str, shown: Shown, place: usize) -> Value {
    let letter = u8::try_from(place % 26).unwrap_or_default();
    let mut target = json!({
        "refId": char::from(b'A' + letter).to_string(),
        "datasource": {"type": "prometheus", "uid": DATASOURCE},
        "editorMode": "code", "expr": expression, "legendFormat": number.legend,
        "range": shown != Shown::Table, "instant": shown == Shown::Table,
    });
    if shown == Shown::Table {
        target["format"] = json!("table");
    }
    target
}

fn defaults(shown: Shown, unit: Option<Unit>, objective: Option<(f64, Better)>) -> Value {
    let steps = match objective {
        Some((part, Better::Higher)) => {
            json!([{"color": RED, "value": null}, {"color": GREEN, "value": part}])
        }
        Some((part, Better::Lower)) => {
            let errors = ((1.0 - part) * 1e9).round() / 1e9;
            json!([{"color": GREEN, "value": null}, {"color": RED, "value": errors}])
        }
        None if unit == Some(Unit::Budget) => {
            json!([{"color": RED, "value": null}, {"color": GREEN, "value": 0}])
        }
        None => json!([{"color": GREEN, "value": null}]),
    };
    let drawn = if objective.is_some() { "dashed" } else { "off" };
    let stack = if shown == Shown::Stack { "normal" } else { "none" };
    let mut defaults = json!({
        "unit": unit.map_or("none", Unit::grafana),
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {},
    });
    if matches!(shown, Shown::Lines | Shown::Stack) {
        defaults["color"] = json!({"mode": "palette-classic"});
        defaults["custom"] = json!({
            "drawStyle": "line", "lineWidth": 1, "showPoints": "never", "spanNulls": false,
            "fillOpacity": if shown == Shown::Stack { 30 } else { 5 },
            "stacking": {"mode": stack, "group": "A"},
            "thresholdsStyle": {"mode": drawn},
        });
    } else {
        defaults["color"] = json!({"mode": "thresholds"});
    }
    // Zero is in the picture, so that a small change does not look like a great one.
    let from_zero = matches!(shown, Shown::Lines | Shown::Stack) && unit != Some(Unit::Budget);
    if from_zero && objective.is_none_or(|(_, better)| better == Better::Lower) {
        defaults["min"] = json!(0);
    }
    defaults
}

fn options(shown: Shown) -> Value {
    match shown {
        Shown::Lines | Shown::Stack => json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        Shown::Stat => json!({
            "colorMode": "value", "graphMode": "area", "justifyMode": "auto",
            "orientation": "auto", "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        }),
        Shown::Table => json!({"showHeader": true, "cellHeight": "sm"}),
        Shown::States => json!({
            "mergeValues": true, "showValue": "auto", "rowHeight": 0.9, "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"mode": "single", "sort": "none"},
        }),
    }
}
