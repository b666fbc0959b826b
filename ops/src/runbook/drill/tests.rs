//! A drill against a played Prometheus: the alert, the cause, and the fault taken back.

use std::path::Path;

use http::Response;
use http_body_util::Full;
use telemetry::Tasks;

use super::*;
use crate::played;

const TEXT: &str = "---\nalert: A\nsummary: x\nowner: o\nlast_drilled: never\nexpires: 2030-01-01\ndrill:\n  \
                    fault: kill-node\n  within: 0s\n  query: q\n  answer: \"== 0\"\n---\n# A\n\n## First \
                    five minutes\n\n1. Up? Expected: `== 1`\n\n   ```promql q\n   up\n   ```\n";

/// Faults that are only noted.
#[derive(Default)]
struct Noted(Vec<String>);

impl Faults for Noted {
    async fn make(&mut self, fault: Fault) -> Result<(), String> {
        self.0.push(format!("{fault:?}"));
        Ok(())
    }

    async fn take_back(&mut self) -> Result<(), String> {
        self.0.push("taken back".to_owned());
        Ok(())
    }
}

/// Drills against a Prometheus that answers so to the alert and to the query.
async fn drilled(
    alert: &'static str,
    query: &'static str,
) -> (Result<Duration, DrillError>, String) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("A.md");
    std::fs::write(&path, TEXT).expect("it can be written");
    let page = Page::parse(&path, TEXT).expect("it is a page");
    let tasks = Tasks::new();
    let (server, listener) = played::listen().await;
    played::serve(&tasks, listener, move |request| {
        let target = request.uri().to_string();
        let body = if target.contains("ALERTS") { alert } else { query };
        async move { Response::new(Full::new(body.into())) }
    });
    let sources = Sources::new(&tasks, &server.url(), Duration::from_secs(5)).expect("a URL");
    let mut faults = Noted::default();
    let day = jiff::civil::date(2026, 11, 21);
    let outcome = run(&page, &sources, &mut faults, day).await;
    assert_eq!(faults.0, ["KillNode", "taken back"]);
    tasks.shutdown(Duration::ZERO).await;
    (outcome, std::fs::read_to_string(&path).expect("it is there"))
}

const NOTHING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const DOWN: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"instance":"node-1"},"value":[1,"0"]},{"metric":{},"value":[1,"1"]}]}}"#;
const UP: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"instance":"node-1"},"value":[1,"1"]}]}}"#;

#[tokio::test]
async fn drill_that_names_the_cause_is_written_into_the_page() {
    let (outcome, text) = drilled(UP, DOWN).await;
    outcome.expect("it succeeds");
    assert_eq!(text, TEXT.replace("last_drilled: never", "last_drilled: 2026-11-21"));
}

#[tokio::test]
async fn drill_fails_without_alert_and_without_cause_and_leaves_the_page() {
    let (outcome, text) = drilled(NOTHING, DOWN).await;
    let error = outcome.expect_err("no alert");
    assert!(matches!(error, DrillError::Silent { .. }), "{error}");
    assert_eq!(text, TEXT);
    let (outcome, text) = drilled(UP, UP).await;
    let error = outcome.expect_err("astray");
    assert!(error.to_string().contains("does not name the cause"), "{error}");
    assert_eq!(error.verdict(), Verdict::Findings);
    assert_eq!(text, TEXT);
}

#[test]
fn a_page_without_a_drill_is_said_so() {
    let text = TEXT
        .replace("drill:\n  fault: kill-node\n  within: 0s\n  query: q\n  answer: \"== 0\"\n", "");
    let page = Page::parse(Path::new("A.md"), &text).expect("it is a page");
    assert!(page.front.drill.is_none());
    let broken = TEXT.replace("kill-node", "kill-all");
    let finding = Page::parse(Path::new("A.md"), &broken).expect_err("no such fault");
    assert_eq!((finding.line, finding.rule), (8, "front-matter"));
}
