//! A drill against a played Prometheus: the alert, the cause, and the fault taken back.

use std::future::{pending, ready};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Response;
use http_body_util::Full;
use telemetry::Tasks;

use super::*;
use crate::output::{Format, Style};
use crate::played;
use crate::prometheus::Prometheus;
use crate::runbook::page::Page;

const TEXT: &str = "---\nalert: A\nsummary: x\nowner: o\nlast_drilled: never\nexpires: 2030-01-01\ndrill:\n  \
                    fault: kill-node\n  within: 0s\n  query: q\n  answer: \"== 0\"\n---\n# A\n\n## First \
                    five minutes\n\n1. Up? Expected: `== 1`\n\n   ```promql q\n   up\n   ```\n";

const DRILL: &str = "drill:\n  fault: kill-node\n  within: 0s\n  query: q\n  answer: \"== 0\"\n";

/// Faults that are only noted, and seen by the played Prometheus.
#[derive(Default)]
struct Noted {
    said: Vec<String>,
    is_broken: Arc<AtomicBool>,
}

impl Faults for Noted {
    async fn make(&mut self, fault: Fault, traffic: Traffic) -> Result<(), String> {
        self.said.push(format!("{fault} {traffic:?}"));
        self.is_broken.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn take_back(&mut self) -> Result<(), String> {
        self.said.push("taken back".to_owned());
        self.is_broken.store(false, Ordering::SeqCst);
        Ok(())
    }
}

/// What a drill said, what it did, and the page after it.
struct Drilled {
    rows: Vec<all::Row>,
    did: Vec<String>,
    page: String,
}

/// Longer than any clock that is moved on its own.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Drills against a Prometheus that answers so to the alert and to the query, once something is broken.
async fn drilled(
    alert: &'static str,
    query: &'static str,
    end: impl Future<Output = ()>,
) -> Drilled {
    drilled_of(0, alert, query, end).await
}

/// The same of a fleet of so many processes, of which Prometheus has scraped none.
async fn drilled_of(
    processes: usize,
    alert: &'static str,
    query: &'static str,
    end: impl Future<Output = ()>,
) -> Drilled {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("A.md");
    std::fs::write(&path, TEXT).expect("it can be written");
    let page = Page::parse(&path, TEXT).expect("it is a page");
    let tasks = Tasks::new();
    let (server, listener) = played::listen().await;
    let mut faults = Noted::default();
    let is_broken = Arc::clone(&faults.is_broken);
    played::serve(&tasks, listener, move |request| {
        let target = request.uri().to_string();
        let body = match (is_broken.load(Ordering::SeqCst), target.contains("ALERTS")) {
            (true, true) => alert,
            (true, false) => query,
            (false, _) => NOTHING,
        };
        async move { Response::new(Full::new(body.into())) }
    });
    let prometheus = Prometheus::new(&tasks, &server.url(), PATIENCE).expect("a URL");
    let ground = Ground { prometheus, processes, hurry: 1, today: jiff::civil::date(2026, 11, 21) };
    let rows = all::all(&[page], &ground, &mut faults, Box::pin(end)).await;
    tasks.shutdown(Duration::ZERO).await;
    Drilled { rows, did: faults.said, page: std::fs::read_to_string(&path).expect("it is there") }
}

const NOTHING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const DOWN: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"instance":"node-1"},"value":[1,"0"]},{"metric":{},"value":[1,"1"]}]}}"#;
const UP: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"instance":"node-1"},"value":[1,"1"]}]}}"#;

#[tokio::test]
async fn drill_that_names_the_cause_is_written_into_the_page() {
    let Drilled { rows, did, page } = drilled(UP, DOWN, pending()).await;
    assert_eq!(did, ["kill-node Gateway", "taken back"]);
    assert_eq!(page, TEXT.replace("last_drilled: never", "last_drilled: 2026-11-21"));
    assert_eq!(all::verdict(&rows), Verdict::Clean);
    let text = all::shown(&rows, Format::Text, Style::plain());
    let expected = "\
page  fault      fired after  cause named by
A     kill-node  0 s          q {instance=\"node-1\"} 0
";
    assert_eq!(text, expected);
    let line = all::shown(&rows, Format::Json, Style::plain());
    let line: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    assert_eq!((&line["page"], &line["fired_after_seconds"]), (&"A".into(), &0.into()));
}

#[tokio::test]
async fn drill_fails_without_alert_and_leaves_the_page() {
    let Drilled { rows, did, page } = drilled(NOTHING, DOWN, pending()).await;
    let text = all::shown(&rows, Format::Text, Style::plain());
    assert!(text.contains("A did not fire within 0s of kill-node"), "{text}");
    assert_eq!(all::verdict(&rows), Verdict::Findings);
    assert_eq!((did.last().map(String::as_str), &page[..]), (Some("taken back"), TEXT));
}

#[tokio::test(start_paused = true)]
async fn drill_fails_when_the_query_names_no_cause() {
    let Drilled { rows, did, page } = drilled(UP, UP, pending()).await;
    let text = all::shown(&rows, Format::Text, Style::plain());
    assert!(text.contains("does not name the cause"), "{text}");
    assert_eq!(all::verdict(&rows), Verdict::Findings);
    assert_eq!((did.last().map(String::as_str), &page[..]), (Some("taken back"), TEXT));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_broken_before_every_process_was_scraped() {
    let Drilled { rows, did, page } = drilled_of(1, UP, DOWN, pending()).await;
    let text = all::shown(&rows, Format::Text, Style::plain());
    assert!(text.contains("0 of 1 processes were scraped"), "{text}");
    assert_eq!((did, &page[..]), (vec!["taken back".to_owned()], TEXT));
}

#[tokio::test]
async fn drill_that_is_interrupted_takes_its_fault_back() {
    let Drilled { rows, did, page } = drilled(UP, DOWN, ready(())).await;
    assert_eq!(all::verdict(&rows), Verdict::CouldNotCheck);
    assert_eq!((did.last().map(String::as_str), &page[..]), (Some("taken back"), TEXT));
}

#[test]
fn probes_are_drilled_first_and_then_what_disturbs_little() {
    let page = |name: &str, slo: &str, fault: &str| {
        let text = TEXT.replace("alert: A", &format!("alert: {name}\nslo: {slo}"));
        let text = text.replace("kill-node", fault);
        Page::parse(Path::new(&format!("{name}.md")), &text).expect("it is a page")
    };
    let none = TEXT.replace(DRILL, "drill: none\nreason: so\n");
    let pages = [
        Page::parse(Path::new("A.md"), &none).expect("it is a page"),
        page("B", "none", "stop-gateway"),
        page("C", "none", "reject-config"),
        page("D", "probe/success", "kill-gateway"),
    ];
    let order: Vec<&str> = all::in_order(&pages).iter().map(|(page, _)| &page.name[..]).collect();
    assert_eq!(order, ["D", "C", "B"]);
}

#[test]
fn every_fault_is_called_what_pages_call_it() {
    for fault in ["slow-peer", "corrupt-front", "stop-nodes"] {
        let text = TEXT.replace("kill-node", fault);
        let page = Page::parse(Path::new("A.md"), &text).expect("it is a page");
        let Some(Plan::Of(drill)) = page.front.drill else { panic!("it has a drill") };
        assert_eq!(drill.fault.to_string(), fault);
    }
}

#[test]
fn a_page_may_have_no_drill_and_none_of_a_fault_that_is_not_known() {
    let page = Page::parse(Path::new("A.md"), &TEXT.replace(DRILL, "")).expect("it is a page");
    assert!(page.front.drill.is_none());
    let none = TEXT.replace(DRILL, "drill: none\n");
    let page = Page::parse(Path::new("A.md"), &none).expect("it is a page");
    assert!(matches!(page.front.drill, Some(Plan::None)));
    let broken = TEXT.replace("kill-node", "kill-all");
    let finding = Page::parse(Path::new("A.md"), &broken).expect_err("no such fault");
    assert_eq!((finding.line, finding.rule), (8, "front-matter"));
    let never = TEXT.replace(DRILL, "drill: never\n");
    let finding = Page::parse(Path::new("A.md"), &never).expect_err("no such drill");
    assert_eq!((finding.line, finding.rule), (7, "front-matter"));
}
