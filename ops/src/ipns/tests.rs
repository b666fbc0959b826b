//! `bifrost ipns` against nodes that are played by this test.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::*;
use crate::client::Client;
use crate::output::Exit;
use crate::played;

const HOUR: Duration = Duration::from_secs(3600);

/// A node that keeps one record, whatever it is, or answers with an error.
#[derive(Clone)]
struct PlayedNode {
    held: Arc<Mutex<Option<Bytes>>>,
    failure: Option<(StatusCode, &'static str)>,
    endpoint: Endpoint,
}

impl PlayedNode {
    async fn start(tasks: &Tasks, failure: Option<(StatusCode, &'static str)>) -> Self {
        let (endpoint, listener) = played::listen().await;
        let node = Self { held: Arc::default(), failure, endpoint };
        let played = node.clone();
        played::serve(tasks, listener, move |request| {
            let played = played.clone();
            async move { played.answer(request).await }
        });
        node
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let said = |status, body: Bytes| {
            let mut response = Response::new(Full::from(body));
            *response.status_mut() = status;
            response
        };
        if let Some((status, text)) = self.failure {
            return said(status, text.into());
        }
        if request.method() == Method::PUT {
            assert_eq!(request.headers()["content-type"], "application/vnd.ipfs.ipns-record");
            let body = request.into_body().collect().await.expect("it comes whole").to_bytes();
            *self.held.lock().expect("no test panics in it") = Some(body);
            return said(StatusCode::OK, "{\"outcome\":\"stored\"}".into());
        }
        match self.held.lock().expect("no test panics in it").clone() {
            Some(record) => said(StatusCode::OK, record),
            None => said(StatusCode::NOT_FOUND, "{\"detail\":\"no valid record\"}".into()),
        }
    }

    fn hold(&self, record: &Record) {
        *self.held.lock().expect("no test panics in it") = Some(record.bytes().clone());
    }
}

fn client(tasks: &Tasks) -> Client {
    Client::new(tasks.clone(), Duration::from_secs(20))
}

fn endpoints(nodes: &[&PlayedNode]) -> Vec<Endpoint> {
    nodes.iter().map(|node| node.endpoint.clone()).collect()
}

fn sign_args(words: &[&str]) -> sign::SignArgs {
    #[derive(clap::Parser)]
    struct Parse {
        #[command(flatten)]
        args: sign::SignArgs,
    }
    let words = ["sign"].into_iter().chain(words.iter().copied());
    <Parse as clap::Parser>::try_parse_from(words).expect("the words are taken").args
}

struct World {
    folder: tempfile::TempDir,
    key: String,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let key = folder.path().join("key").display().to_string();
        Self { folder, key }
    }

    fn sign(&self, more: &[&str]) -> Result<Record, IpnsError> {
        let words = ["--key", &self.key, "--value", "/ipfs/bafkqaaa"];
        sign::sign(&sign_args(&[&words, more].concat()), SystemTime::now())
    }
}

#[test]
fn a_new_key_is_a_name_that_signs_again() {
    let world = World::new();
    let first = world.sign(&["--new-key"]).expect("it is made");
    assert_eq!(first.value(), "/ipfs/bafkqaaa");
    assert_eq!(first.ttl(), HOUR);
    let left = first.validity().duration_since(SystemTime::now()).expect("it is valid");
    assert!(left > HOUR * 47 && left <= HOUR * 48, "{left:?}");
    let more = ["--sequence", "9999999999", "--ttl", "5m", "--valid-for", "1h"];
    let second = world.sign(&more).expect("the key is there");
    assert_eq!((second.name(), second.ttl()), (first.name(), Duration::from_secs(300)));
    assert!(second.supersedes(&first));
}

#[test]
fn a_key_is_never_replaced_and_must_be_private() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let error = world.sign(&[]).expect_err("there is no key");
    assert!(error.to_string().contains("--new-key"), "{error}");
    world.sign(&["--new-key"]).expect("it is made");
    let error = world.sign(&["--new-key"]).expect_err("there is a key");
    assert!(matches!(error, IpnsError::KeyThere(_)), "{error}");
    fs::set_permissions(&world.key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let error = world.sign(&[]).expect_err("others can read it");
    assert!(error.to_string().contains("644") && error.exit() == Exit::Input, "{error}");
}

#[test]
fn a_record_that_cannot_be_made_leaves_no_key_behind() {
    let world = World::new();
    let words = ["--key", &world.key, "--value", "example.org", "--new-key"];
    let error = sign::sign(&sign_args(&words), SystemTime::now()).expect_err("it is no path");
    assert_eq!(error.exit(), Exit::Usage);
    assert!(!Path::new(&world.key).exists());
}

#[test]
fn what_is_no_record_of_the_name_is_not_sent() {
    let (world, other) = (World::new(), World::new());
    let record = world.sign(&["--new-key"]).expect("it is made");
    let stranger = other.sign(&["--new-key"]).expect("it is made");
    let path = world.folder.path().join("record");
    write_record(&record, &path).expect("it can be written");
    let now = SystemTime::now();
    assert_eq!(read_record(record.name(), &path, now).expect("it is one"), record);
    let error = read_record(stranger.name(), &path, now).expect_err("it is another name's");
    assert!(matches!(error, IpnsError::Record { .. }) && error.exit() == Exit::Input, "{error}");
    let error = read_record(record.name(), &path, now + HOUR * 48).expect_err("it has expired");
    assert!(matches!(error, IpnsError::Expired(_)), "{error}");
}

#[tokio::test]
async fn every_node_is_given_the_record_and_a_failing_one_is_named() {
    let tasks = Tasks::new();
    let world = World::new();
    let record = world.sign(&["--new-key"]).expect("it is made");
    let refusal = "{\"detail\":\"sign one with a higher sequence\"}";
    let good = PlayedNode::start(&tasks, None).await;
    let bad = PlayedNode::start(&tasks, Some((StatusCode::CONFLICT, refusal))).await;

    let told = put::put(&client(&tasks), &endpoints(&[&good]), &record).await;
    put::conclude(record.name(), &told).expect("it is held");
    assert_eq!(good.held.lock().expect("no test panics in it").as_ref(), Some(record.bytes()));

    let told = put::put(&client(&tasks), &endpoints(&[&bad, &good]), &record).await;
    let error = put::conclude(record.name(), &told).expect_err("one refuses");
    assert_eq!(error.exit(), Exit::NotReplicated);
    let text = error.to_string();
    assert!(text.contains("on 1 of 2 nodes") && text.contains("higher sequence"), "{text}");

    let told = put::put(&client(&tasks), &endpoints(&[&bad]), &record).await;
    let error = put::conclude(record.name(), &told).expect_err("the only one refuses");
    assert_eq!(error.exit(), Exit::Refused);
}

#[tokio::test]
async fn the_latest_record_is_found_and_a_lying_node_is_passed_over() {
    let tasks = Tasks::new();
    let (world, other) = (World::new(), World::new());
    let old = world.sign(&["--new-key", "--sequence", "1"]).expect("it is made");
    let new = world.sign(&["--sequence", "2"]).expect("it is made");
    let stranger = other.sign(&["--new-key", "--sequence", "3"]).expect("it is made");
    let empty = PlayedNode::start(&tasks, None).await;
    let [behind, ahead, lying] = [
        PlayedNode::start(&tasks, None).await,
        PlayedNode::start(&tasks, None).await,
        PlayedNode::start(&tasks, None).await,
    ];
    behind.hold(&old);
    ahead.hold(&new);
    lying.hold(&stranger);

    let nodes = endpoints(&[&empty, &behind, &ahead, &lying]);
    let now = SystemTime::now();
    let found = get::find(&client(&tasks), &nodes, old.name(), now).await.expect("one has it");
    assert_eq!(found.record, new);
    assert_eq!(found.nodes, [ahead.endpoint.url()]);
    assert_eq!(found.others.len(), 3, "{:?}", found.others);

    let nodes = endpoints(&[&empty, &lying]);
    let error = get::find(&client(&tasks), &nodes, old.name(), now).await.expect_err("none has it");
    assert!(error.to_string().contains("no valid record"), "{error}");
    assert_eq!(error.exit(), Exit::Refused);
}

#[test]
fn names_are_keys_with_or_without_their_prefix() {
    let world = World::new();
    let record = world.sign(&["--new-key"]).expect("it is made");
    let text = record.name().to_string();
    for spelled in [text.clone(), format!("/ipns/{text}"), format!("/ipns/{text}/")] {
        assert_eq!(name(&spelled).as_ref(), Ok(record.name()));
    }
    assert!(name("example.org").expect_err("it is a domain").contains("k51"));
}
