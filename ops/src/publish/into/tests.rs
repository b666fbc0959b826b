//! Who is away is told, and takes nothing from the others.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::*;
use crate::output::Exit;
use crate::played;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A node that takes what it is sent; of names it thinks so.
async fn node(tasks: &Tasks, of_names: StatusCode) -> Endpoint {
    let (place, listener) = played::listen().await;
    played::serve(tasks, listener, move |request: Request<Incoming>| async move {
        let is_name = request.method() == Method::PUT;
        request.into_body().collect().await.expect("it comes whole");
        let said = if is_name { "{\"outcome\":\"stored\"}" } else { "{\"done\":true}\n" };
        let mut response = Response::new(Full::new(Bytes::from(said)));
        *response.status_mut() = if is_name { of_names } else { StatusCode::OK };
        response
    });
    place
}

fn nowhere() -> Endpoint {
    Endpoint::parse(NOWHERE).expect("a URL")
}

/// Publishes a folder there, with the name of a key.
async fn publish(
    nodes: Vec<Endpoint>,
    also: Vec<Endpoint>,
    tasks: &Tasks,
) -> (Result<Published, PublishError>, String) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (site, key) = (folder.path().join("site"), folder.path().join("key"));
    std::fs::create_dir(&site).expect("a folder can be made");
    std::fs::write(site.join("index.html"), "text").expect("it is written");
    let name = ipns::name_of(&key).expect("a key is made");
    let times = [Duration::from_secs(10), Duration::from_secs(3600)];
    let target = Target { also, key: Some(&key), times, ..Target::of(nodes) };
    (target.publish(&site, tasks).await, name)
}

fn rules(published: &Published) -> Vec<&'static str> {
    published.findings.iter().map(|finding| finding.rule).collect()
}

#[tokio::test]
async fn a_node_that_is_away_is_a_finding_and_the_name_leads_there() {
    let tasks = Tasks::new();
    let nodes = vec![nowhere(), node(&tasks, StatusCode::OK).await];
    let (published, name) = publish(nodes, Vec::new(), &tasks).await;
    let published = published.expect("a node has it");
    assert_eq!(published.name, Some(name));
    assert_eq!(rules(&published), ["not-replicated", "not-led"]);
    let reason = &published.findings[1].text;
    assert!(reason.contains("1 of 2 nodes") && reason.contains("127.0.0.1:1"), "{reason}");
}

#[tokio::test]
async fn staging_that_is_away_is_a_finding() {
    let tasks = Tasks::new();
    let nodes = vec![node(&tasks, StatusCode::OK).await];
    let (published, name) = publish(nodes, vec![nowhere()], &tasks).await;
    let published = published.expect("the node has it");
    assert_eq!((rules(&published), published.name), (vec!["not-led"], Some(name)));
}

#[tokio::test]
async fn a_name_that_no_node_of_the_fleet_takes_is_an_error() {
    let tasks = Tasks::new();
    let nodes = vec![node(&tasks, StatusCode::INTERNAL_SERVER_ERROR).await];
    let staging = node(&tasks, StatusCode::OK).await;
    let (published, _) = publish(nodes, vec![staging], &tasks).await;
    let error = published.expect_err("it leads nowhere");
    assert!(matches!(error, PublishError::Name(_)), "{error}");
    assert_eq!(error.exit(), Exit::Refused);
}
