//! Claims about the computed columns, asked of played processes.

use http::Response;
use serde_json::json;

use super::super::At;
use super::*;
use crate::inventory::schema::Role;
use crate::played;

const PEER: &str = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";

fn node(admin: &str) -> Process {
    Process {
        name: "n".into(),
        kind: Kind::Node,
        role: Some(Role::Pool),
        env: "local".into(),
        region: String::new(),
        url: None,
        admin: Some(admin.into()),
        addresses: Vec::new(),
        libp2p: Vec::new(),
        peer_id: Some(PEER.into()),
        dns: Vec::new(),
        owner: "oncall".into(),
        runbook: Some("https://runbooks.example/n".into()),
        expires: None,
        decommission: None,
        status: Status::Active,
    }
}

/// An admin listener of a kind of process that is ready or not.
async fn played(tasks: &Tasks, kind: &'static str, ready: u16) -> String {
    let (server, listener) = played::listen().await;
    played::serve(tasks, listener, move |request| async move {
        let (status, body) = match request.uri().path() {
            "/readyz" => (ready, json!({ "detail": "not ready: draining" })),
            "/version" => (200, json!({ "process": kind, "version": "1.2.3", "commit": "abc" })),
            "/identity" => (200, json!({ "peer_id": PEER })),
            _ => (404, Value::Null),
        };
        let body = Full::new(Bytes::from(body.to_string()));
        Response::builder().status(status).body(body).expect("it is plain")
    });
    server.url()
}

async fn answers(tasks: &Tasks, process: &Process) -> Row {
    let within = Duration::from_secs(5);
    let web = Web::new(tasks, within, ANSWER_BYTES_MAX).expect("TLS is there");
    let live = Live { web, tasks: tasks.clone(), within, token: String::new() };
    row(process, Path::new(""), Some(&live), None).await
}

#[tokio::test]
async fn a_process_that_is_what_the_list_says_is_managed() {
    let tasks = Tasks::new();
    let admin = played(&tasks, "node", 200).await;
    let row = answers(&tasks, &node(&admin)).await;
    assert!(row.is_managed(), "{row:?}");
    assert_eq!(row.answers[3], Answer::yes("1.2.3 abc"));
    assert_eq!(row.answers[4], Answer::yes("equal"));
    assert_eq!(row.document()["answers"]["scraped"]["answer"], "not_asked");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn each_difference_is_said_and_none_is_managed() {
    let tasks = Tasks::new();
    let gateway = played(&tasks, "gateway", 200).await;
    let draining = played(&tasks, "node", 503).await;
    let stranger = Process { peer_id: Some("12D3".into()), ..node(&draining) };
    for (process, question, said) in [
        (node(&gateway), 3, "gateway"),
        (node(&draining), 2, "draining"),
        (stranger, 4, PEER),
        (node("http://127.0.0.1:1"), 1, "reach"),
        (Process { runbook: None, ..node(&gateway) }, 0, "runbook"),
        (Process { runbook: Some("no/Page.md".into()), ..node(&gateway) }, 0, "no/Page.md"),
    ] {
        let row = answers(&tasks, &process).await;
        let Answer::No(why) = &row.answers[question] else { panic!("{row:?}") };
        assert!(why.contains(said), "{why}");
        assert!(!row.is_managed());
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[test]
fn scraped_means_that_prometheus_says_so_of_this_process() {
    let series = |instance: &str, value: f64| Series {
        labels: [("instance", instance), ("job", "node"), ("env", "local")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        points: vec![(0.0, value)],
    };
    let node = node("http://127.0.0.1:1");
    assert_eq!(scraped(&node, &[series("m", 1.0), series("n", 1.0)]), Answer::yes("yes"));
    assert!(matches!(scraped(&node, &[series("n", 0.0)]), Answer::No(_)));
    assert!(matches!(scraped(&node, &[series("m", 1.0)]), Answer::No(_)));
}

#[test]
fn a_certificate_that_ends_soon_is_a_lack() {
    assert_eq!(days_left(21), Answer::yes("21 d"));
    assert!(matches!(days_left(20), Answer::No(_)));
}

#[tokio::test]
async fn what_is_planned_is_not_asked() {
    let tasks = Tasks::new();
    let planned = Process { status: Status::Planned, ..node("http://127.0.0.1:1") };
    let inventory = Inventory { processes: vec![planned], ..Inventory::default() };
    let args = AuditArgs {
        at: At { inventory: "inventory.yaml".into() },
        live: true,
        prometheus: None,
        timeout: Duration::from_secs(1),
        format: Format::Json,
    };
    let verdict = run(&args, &inventory, &tasks).await.expect("it can be asked");
    assert_eq!(verdict, Verdict::Clean);
    tasks.shutdown(Duration::ZERO).await;
}
