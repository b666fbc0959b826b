//! What lies in `dashboards/` is what is generated, and cites only what is declared.

use std::collections::BTreeSet;
use std::fs;

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn project() -> Project {
    Project::load(&root()).expect("the project has dashboards")
}

/// A project with one number and three dashboards, of which the first shows it.
fn small(metrics: &str, service: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let boards = folder.path().join("dashboards");
    fs::create_dir(&boards).expect("it can be made");
    let head = "scrape_interval: 15s\nretention: 31d\nseries_max: 9\nmetrics:\n";
    fs::write(boards.join("metrics.yaml"), format!("{head}{metrics}")).expect("written");
    for name in BOARDS {
        let head = format!("uid: {name}\ntitle: {name}\ndescription: d\nspan: 6h\n");
        let rows = if name == "service" { service } else { "rows: []\n" };
        fs::write(boards.join(format!("{name}.yaml")), head + rows).expect("written");
    }
    folder
}

fn number(id: &str, expr: &str) -> String {
    format!(
        "  {id}:\n    name: N\n    expr: '{expr}'\n    unit: per-second\n    meaning: M.\n    owner: o\n"
    )
}

fn showing(title: &str, ids: &str) -> String {
    format!(
        "  - title: {title}\n    panels:\n    - title: {title}\n      width: 8\n      show: [{ids}]\n"
    )
}

/// The findings in a small project: rule and line, and the name of the file.
fn found(folder: &Path) -> Vec<(String, usize, &'static str)> {
    let project = Project::load(folder).expect("it can be read");
    let all = lint::lint(&project, &played::schema());
    let name = |one: &Finding| -> String {
        one.path.file_name().unwrap_or_default().to_string_lossy().into()
    };
    let mut all: Vec<_> = all.iter().map(|one| (name(one), one.line, one.rule)).collect();
    all.sort();
    all
}

const REQUESTS: &str = "sum(rate(bifrost_gateway_limit_full_total[$__rate_interval]))";
const METRICS: &str = "metrics.yaml";
const SERVICE: &str = "service.yaml";

#[test]
fn our_own_dashboards_break_no_rule() {
    let found = lint::lint(&project(), &played::schema());
    assert!(found.is_empty(), "{}", found.iter().map(|one| format!("{one}\n")).collect::<String>());
}

#[test]
fn what_is_generated_is_what_lies_there() {
    let mut found = Vec::new();
    for (path, text) in project().generated(&mut found) {
        found.extend(drift(&path, &text));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let mut found = Vec::new();
    assert_eq!(project().generated(&mut found), project().generated(&mut found));
}

#[test]
fn drift_names_the_first_line_that_differs() {
    let folder = small(&number("a", REQUESTS), &format!("rows:\n{}", showing("A", "a")));
    let project = Project::load(folder.path()).expect("it can be read");
    let files = project.generated(&mut Vec::new());
    let (path, text) = &files[0];
    assert_eq!(drift(path, text).map(|one| (one.line, one.rule)), Some((0, "drift")));
    write(path, text).expect("it is written");
    assert_eq!(drift(path, text), None);
    write(path, text.replacen("per", "by", 1).replacen("\"id\": 1", "\"id\": 9", 1))
        .expect("it is");
    let at = text.lines().position(|line| line.contains("\"id\": 1")).expect("it is there") + 1;
    assert_eq!(drift(path, text).map(|one| one.line), Some(at));
}

#[test]
fn a_small_project_that_is_right_has_no_findings() {
    let folder = small(&number("a", REQUESTS), &format!("rows:\n{}", showing("A", "a")));
    assert_eq!(found(folder.path()), []);
}

#[test]
fn ids_are_known_used_and_have_one_expression_each() {
    let metrics = number("a", REQUESTS)
        + &number("b", "sum (rate(bifrost_gateway_limit_full_total{}[$__rate_interval]))")
        + &number(
            "Not_An_Id",
            "sum(rate(bifrost_gateway_cache_plan_hits_total[$__rate_interval]))",
        );
    let rows = format!("rows:\n{}", showing("A", "a, b, none"));
    let folder = small(&metrics, &rows);
    let right = [
        (METRICS.to_owned(), 11, "same-expression"),
        (METRICS.to_owned(), 17, "bad-id"),
        (METRICS.to_owned(), 17, "unused-id"),
        (SERVICE.to_owned(), 8, "unknown-id"),
    ];
    assert_eq!(found(folder.path()), right);
}

#[test]
fn one_title_shows_one_thing() {
    let other = "sum(rate(bifrost_gateway_cache_plan_hits_total[$__rate_interval]))";
    let metrics = number("a", REQUESTS) + &number("b", other);
    let rows = format!("rows:\n{}{}", showing("A", "a"), showing("a", "b"));
    let right = [(SERVICE.to_owned(), 13, "same-title")];
    assert_eq!(found(small(&metrics, &rows).path()), right);
}

#[test]
fn who_breaks_a_rule_has_a_reason_and_does_break_it() {
    let metrics = number("a", "slo:objective:ratio").replace("per-second", "ratio");
    let rows = format!("rows:\n{}", showing("A", "a"));
    let folder = small(&metrics, &rows);
    let (job, instance) = ("target-job", "target-instance");
    let at = |line, rule| (SERVICE.to_owned(), line, rule);
    assert_eq!(found(folder.path()), [at(8, instance), at(8, job)]);
    let exclusions = "exclusions:\n- {rule: target-job, panels: [A], reason: recorded}\n\
        - {rule: target-instance, reason: ''}\n- {rule: panel-units, reason: r}\n\
        - {rule: nothing, reason: r}\n- {rule: target-job, panels: [B], reason: r}\n";
    let folder = small(&metrics, &(rows + exclusions));
    let right = [
        at(13, "exclusion-without-reason"),
        at(14, "needless-exclusion"),
        at(15, "unknown-rule"),
        at(16, "needless-exclusion"),
        at(16, "needless-exclusion"),
    ];
    assert_eq!(found(folder.path()), right);
}

#[test]
fn an_expression_that_is_none_is_told_once_and_nothing_is_built() {
    let folder = small(&number("a", "sum("), &format!("rows:\n{}", showing("A", "a")));
    assert_eq!(found(folder.path()), [(METRICS.to_owned(), 5, "promql")]);
    let project = Project::load(folder.path()).expect("it can be read");
    assert_eq!(unreadable(&project.dictionary).count(), 1);
}

#[test]
fn objectives_draw_lines_where_they_are() {
    let metrics = number("a", REQUESTS).replace("per-second", "ratio") + "    better: lower\n";
    let panel = showing("A", "a") + "      objective: gateway/availability\n";
    let folder = small(&metrics, &format!("rows:\n{panel}"));
    let steps = |folder: &Path, findings: &mut Vec<Finding>| {
        let project = Project::load(folder).expect("it can be read");
        let made = grafana::dashboard(
            &project.layouts[0],
            &project.dictionary,
            &project.objectives,
            findings,
        );
        made["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"].clone()
    };
    let mut findings = Vec::new();
    assert_eq!(steps(folder.path(), &mut findings).as_array().map(Vec::len), Some(1));
    fs::create_dir(folder.path().join("slo")).expect("it can be made");
    let slo = |name: &str| {
        let text = format!("service: gateway\nslos: [{{name: {name}, objective: 99.9}}]\n");
        fs::write(folder.path().join("slo/gateway.yaml"), text).expect("written");
    };
    slo("availability");
    assert_eq!(steps(folder.path(), &mut findings)[1]["value"], 0.001);
    assert!(findings.is_empty());
    slo("other");
    steps(folder.path(), &mut findings);
    assert_eq!(findings.iter().map(|one| one.rule).collect::<Vec<_>>(), ["unknown-objective"]);
}

#[test]
fn dashboards_of_others_are_held_against_the_same_rules() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("other.json");
    let text = r#"{
  "title": "Others", "uid": "x", "editable": true, "schemaVersion": 39, "graphTooltip": 1,
  "time": {"from": "2020-01-01", "to": "now"},
  "templating": {"list": [
    {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
  ]},
  "panels": [
    {"type": "heatmap", "title": "T", "datasource": {"uid": "abc"}, "targets": [
      {"expr": "rate(x_total[1m])",
       "datasource": {"uid": "$datasource"}},
      {"expr": "irate(x_total{job=~\"$job\", instance=~\"$instance\"}[$__rate_interval])"},
      {"expr": "x_total{job=~\"$job\", instance=~\"$instance\""}
    ]},
    {"type": "row", "title": "R", "panels": [{"type": "gauge", "title": "", "targets": []}]}
  ]
}"#;
    fs::write(&path, text).expect("written");
    let found = other(&path).expect("it is read");
    let found: BTreeSet<(usize, &str)> = found.iter().map(|one| (one.line, one.rule)).collect();
    let right = [
        (1, "absolute-time"),
        (1, "template-instance"),
        (1, "template-job"),
        (1, "uneditable-dashboard"),
        (8, "panel-datasource"),
        (8, "panel-title-description"),
        (8, "panel-units"),
        (9, "target-instance"),
        (9, "target-job"),
        (9, "target-rate-interval"),
        (11, "irate"),
        (12, "target-promql"),
        (14, "panel-datasource"),
        (14, "panel-no-targets"),
        (14, "panel-title-description"),
        (14, "panel-units"),
    ];
    assert_eq!(found, right.into());
    fs::write(&path, "{\n\"panels\": [}").expect("written");
    let broken = other(&path).expect("it is read");
    assert_eq!((broken[0].line, broken[0].rule), (2, "broken-json"));
    fs::write(&path, "[]").expect("written");
    let none = other(&path).expect("it is read");
    assert_eq!(none[0].rule, "not-a-dashboard");
}

#[test]
fn there_are_three_dashboards_and_no_more() {
    let folder = small(&number("a", REQUESTS), &format!("rows:\n{}", showing("A", "a")));
    fs::write(folder.path().join("dashboards/mine.yaml"), "").expect("written");
    assert_eq!(found(folder.path()), [("mine.yaml".to_owned(), 0, "too-many-dashboards")]);
    for layout in &project().layouts {
        assert!(layout.panels().count() <= layout::PANELS_MAX, "{}", layout.name);
    }
}

#[test]
fn the_played_metrics_are_those_that_processes_declare() {
    let mut sources = String::new();
    for folder in ["gateway/src", "node/src", "telemetry/src", "ops/src"] {
        collect(&root().join(folder), &mut sources);
    }
    // Others are about to declare these.
    let awaited = ["bifrost_node_blockstore_free_bytes", "bifrost_probe_"];
    for process in ["gateway", "node", "probe"] {
        for line in played::text(process, 1).lines() {
            let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next())
            else {
                continue;
            };
            let made = name.replacen("bifrost_gateway_cache_", "", 1);
            let made = made.replacen("bifrost_gateway_names_", "", 1).replace("_total", "");
            let declared =
                [name, &made].iter().any(|name| sources.contains(&format!("\"{name}\"")));
            let of_library = name.starts_with("process_");
            let awaited = awaited.iter().any(|awaited| name.starts_with(awaited));
            assert!(declared || of_library || awaited, "no process declares {name}");
        }
    }
}

fn other(path: &Path) -> Result<Vec<Finding>, DashError> {
    lint::other(path, lint::known(&project(), &exposed::Schema::default()))
}

/// All sources below a folder but those of the played fleet and its tests.
fn collect(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("it is a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("dash") {
            collect(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push_str(&fs::read_to_string(&path).expect("it is text"));
        }
    }
}
