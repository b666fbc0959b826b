//! Claims about rounds: nothing is left out in silence, and every round ends.

use ::http::Response;
use http_body_util::Full;
use telemetry::metrics::Label as _;

use super::*;
use crate::client::Endpoint;
use crate::played;
use crate::probe::ask::Gateway;
use crate::probe::check::Verdict;
use crate::probe::node::Node;

const PACE: Pace = Pace { timeout: Duration::from_millis(300), at_a_time: 4 };

fn gateway(url: &str) -> Gateway {
    Gateway { name: "g".into(), url: url.into(), subdomains: None }
}

/// A probe of one gateway and one node, with everything left out that can be.
fn bare(url: &str) -> Settings {
    let node = Node { name: "n".into(), admin: None, addresses: Vec::new(), peer_id: None };
    Settings {
        gateways: vec![gateway(url)],
        nodes: vec![node],
        page_within: Duration::from_millis(100),
        cold_bytes: 64,
        ..Settings::default()
    }
}

/// A process that answers everything in one way; `None` never answers.
async fn process(tasks: &Tasks, status: Option<u16>, body: &'static str) -> Endpoint {
    let (server, listener) = played::listen().await;
    played::serve(tasks, listener, move |_| async move {
        let Some(status) = status else { return std::future::pending().await };
        Response::builder().status(status).body(Full::new(body.into())).expect("it is plain")
    });
    server
}

#[tokio::test]
async fn a_check_that_lacks_what_it_needs_is_skipped_and_says_so() {
    let tasks = Tasks::new();
    let server = process(&tasks, Some(412), "").await;
    let mut prober = Prober::new(bare(&server.url()), PACE, &tasks);
    let outcomes = prober.round(true).await.expect("TLS is there");
    for check in Check::ALL {
        for lane in check.lanes() {
            let mut of = outcomes.iter().filter(|one| (one.check, one.lane) == (*check, *lane));
            let one = of.next().unwrap_or_else(|| panic!("{check:?} is missing"));
            if check.needs().is_empty() {
                assert_ne!(one.verdict, Verdict::Skipped, "{one:?}");
            } else {
                assert_eq!(one.verdict, Verdict::Skipped, "{one:?}");
                assert!(
                    one.said.contains("not configured") || one.said.contains("known"),
                    "{one:?}"
                );
            }
        }
    }
    assert!(outcomes.iter().any(|one| one.verdict == Verdict::Pass && one.status == Some(412)));
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn lanes_that_are_not_due_are_not_probed() {
    let tasks = Tasks::new();
    let server = process(&tasks, Some(404), "").await;
    let mut prober = Prober::new(bare(&server.url()), PACE, &tasks);
    let outcomes = prober.round(false).await.expect("TLS is there");
    assert!(outcomes.iter().all(|one| one.lane == Lane::Warm), "{outcomes:?}");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_node_that_refuses_content_is_no_pass_and_no_fault_of_a_gateway() {
    let tasks = Tasks::new();
    let server = process(&tasks, Some(412), "").await;
    let full = process(&tasks, Some(507), "{\"error\":\"disk full\"}").await;
    let settings = Settings { seeds: vec![full], ..bare(&server.url()) };
    let mut prober = Prober::new(settings, PACE, &tasks);
    let outcomes = prober.round(true).await.expect("TLS is there");
    for check in [Check::HttpPath, Check::HttpCar, Check::HttpNew] {
        for one in outcomes.iter().filter(|one| one.check == check) {
            assert_eq!(one.verdict, Verdict::Skipped);
            assert!(
                one.said.contains("seeding failed") && one.said.contains("disk full"),
                "{one:?}"
            );
        }
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_gateway_that_never_answers_fails_in_time() {
    let tasks = Tasks::new();
    let silent = process(&tasks, None, "").await;
    let stored = process(&tasks, Some(200), "{\"done\":true}\n").await;
    let settings = Settings { seeds: vec![stored], ..bare(&silent.url()) };
    let mut prober = Prober::new(settings, PACE, &tasks);
    let outcomes = prober.round(true).await.expect("TLS is there");
    let of_gateway = outcomes.iter().filter(|one| one.target == "g");
    let made: Vec<_> = of_gateway.filter(|one| one.verdict != Verdict::Skipped).collect();
    assert!(made.len() >= 10, "{made:?}");
    for one in made {
        assert_eq!(one.verdict, Verdict::Fail, "{one:?}");
        assert!(one.said.contains("within"), "{} {}", one.check.text(), one.said);
    }
    tasks.shutdown(Duration::ZERO).await;
}
