//! What the page says: what is so, what is not known, and nothing of others.

use std::time::Duration;

use http::Response;
use http_body_util::Full;
use telemetry::Tasks;

use super::*;
use crate::played;

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
fn questions_can_be_asked() {
    for question in processes().into_iter().chain([newest(), FIRING.to_owned()]) {
        let read = promql_parser::parser::parse(&question);
        assert!(read.is_ok(), "{question}: {read:?}");
    }
}

#[test]
fn states_follow_from_what_was_measured() {
    let quiet = Measured { failing: None, burn: None, ..WELL };
    for (measured, silent, answering) in [
        (WELL, State::Up, State::Up),
        (Measured::default(), State::Unknown, State::Up),
        // What is left of a budget stays for long after the last request.
        (quiet, State::Unknown, State::Up),
        (Measured { left: Some(-0.1), ..quiet }, State::Unknown, State::Spent),
        (Measured { failing: Some(0.6), ..WELL }, State::Down, State::Down),
        (Measured { promised: Some(1.0), failing: Some(1e-6), ..WELL }, State::Down, State::Down),
        (Measured { burn: Some(14.0), left: Some(-1.0), ..WELL }, State::Burning, State::Burning),
        (Measured { left: Some(-0.1), ..WELL }, State::Spent, State::Spent),
    ] {
        assert_eq!(measured.state(false), silent, "{measured:?}");
        assert_eq!(measured.state(true), answering, "{measured:?}");
    }
}

#[test]
fn the_page_says_what_is_so() {
    let page = |status: &Status| page(status, None).main;
    let mut burning = status("gateway/availability", Measured { burn: Some(20.0), ..WELL });
    burning.firing.insert("GatewayAvailability".to_owned(), "page".to_owned());
    burning.processes.insert("node".to_owned(), [0, 2]);
    burning.newest_at = Some(1_799_999_988.0);
    let burning = page(&burning);
    for said in [
        "Down: nodes.",
        "<a href=\"runbooks/GatewayAvailability.html\">",
        "0 of 2 processes answer.",
        "Users of the gateway get errors or cut answers.",
        "the newest measurement was 12 s old then",
    ] {
        assert!(burning.contains(said), "{said}: {burning}");
    }
    let nothing = page(&Status::default());
    assert!(nothing.contains("holds no figures") && !nothing.contains("as promised"), "{nothing}");
}

#[test]
fn what_is_not_known_is_said_and_hidden_by_nothing() {
    let lead = |status: &Status| status.overall(&services());
    let mut partly = status("gateway/availability", WELL);
    let of = "All that was measured is as promised. No data for public gateway (first-byte, \
              first-byte-network), websites, right bytes, names and denylists, nodes, probes.";
    assert_eq!(lead(&partly), of);
    let shown = page(&partly, None).main;
    assert!(
        shown.contains("no data for public gateway (first-byte, first-byte-network)<"),
        "{shown}"
    );
    assert!(shown.contains("no data for nodes<"), "{shown}");

    for kind in ["gateway", "node", "probe"] {
        partly.processes.insert(kind.to_owned(), [1, 2]);
    }
    assert_eq!(lead(&partly), "All is as promised.", "who answers was not asked");
    partly.processes.insert("probe".to_owned(), [0, 1]);
    assert_eq!(lead(&partly), "Down: probes. No data for right bytes, probes.");

    // Nothing runs any more, and budgets of the last weeks are still there.
    let left = Measured { failing: None, burn: None, ..WELL };
    let gone = lead(&status("gateway/availability", left));
    assert!(gone.starts_with("Nothing was measured. No data for public gateway, "), "{gone}");
}

#[test]
fn what_is_of_others_is_not_told() {
    let mut shared = status("gateway/availability", WELL);
    shared.objectives.insert("payments/availability".to_owned(), WELL);
    for (name, severity) in [
        ("GatewayAvailability", "page"),
        ("NodeDiskFull", "ticket"),
        ("PaymentsDown", "page"),
        ("TargetMissing", "somebody else's"),
    ] {
        shared.firing.insert(name.to_owned(), severity.to_owned());
    }
    let runbooks = ["GatewayAvailability", "NodeDiskFull", "TargetMissing"].map(str::to_owned);
    let ours = shared.ours(&runbooks);
    assert!(ours.firing.keys().eq(["GatewayAvailability", "NodeDiskFull"]), "{:?}", ours.firing);
    assert!(ours.objectives.keys().eq(["gateway/availability"]), "{:?}", ours.objectives);
}

#[tokio::test]
async fn an_alert_is_as_urgent_as_its_worst_rule() {
    for severities in [["page", "ticket"], ["ticket", "page"], ["page", "other"]] {
        let rows = severities.map(|severity| {
            format!("{{\"metric\":{{\"alertname\":\"A\",\"severity\":\"{severity}\"}},\"value\":[1,\"1\"]}}")
        });
        let body = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{}]}}}}",
            rows.join(",")
        );
        let (tasks, (place, listener)) = (Tasks::new(), played::listen().await);
        played::serve(&tasks, listener, move |_| {
            let body = body.clone();
            async move { Response::new(Full::new(body.into())) }
        });
        let prometheus = Prometheus::new(&tasks, &place.url(), Duration::from_secs(10));
        let dictionary = Dictionary::shipped();
        let asked = ask(&prometheus.expect("a URL"), &dictionary, SystemTime::now()).await;
        assert_eq!(asked.expect("it answers").firing["A"], "page", "{severities:?}");
        tasks.shutdown(Duration::ZERO).await;
    }
}
