//! `bifrost add` against a node that is played by this test and believes nothing.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ipfs::Block;
use ipfs::car::{self, Section};
use ipfs::unixfs::import::FileImport;

use super::*;
use crate::played;

/// What the played node has seen.
#[derive(Debug, Default)]
struct Seen {
    blocks: HashMap<Cid, Block>,
    /// Why an import was refused.
    refused: Option<String>,
    replicated: Vec<String>,
}

#[derive(Clone)]
struct PlayedNode {
    seen: Arc<Mutex<Seen>>,
    /// What it answers instead of taking an import.
    failure: Option<(StatusCode, &'static str)>,
    endpoint: Endpoint,
}

impl PlayedNode {
    async fn start(tasks: &Tasks, failure: Option<(StatusCode, &'static str)>) -> Self {
        let (endpoint, listener) = played::listen().await;
        let node = Self { seen: Arc::default(), failure, endpoint };
        let played = node.clone();
        played::serve(tasks, listener, move |request| {
            let played = played.clone();
            async move { played.answer(request).await }
        });
        node
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let target = request.uri().to_string();
        let said = match (target.as_str(), self.failure) {
            ("/livez", _) => "ok\n".to_owned(),
            (_, Some((status, text))) => {
                let mut response = Response::new(Full::from(text));
                *response.status_mut() = status;
                return response;
            }
            ("/import", None) => self.import(request).await,
            (target, None) => {
                let root = target.strip_prefix("/replicate?root=").expect("no other call is made");
                self.seen.lock().expect("no test panics in it").replicated.push(root.to_owned());
                "{\"blocks\":1,\"bytes\":5}\n{\"done\":true}\n".to_owned()
            }
        };
        Response::new(Full::from(said))
    }

    async fn import(&self, request: Request<Incoming>) -> String {
        assert_eq!(request.headers()["content-type"], "application/vnd.ipld.car");
        let mut body = request.into_body();
        let mut reader = car::Reader::new();
        let mut blocks = HashMap::new();
        let taken = loop {
            match body.frame().await {
                None => break reader.finish().map_err(|error| error.to_string()),
                Some(Err(error)) => break Err(format!("cut: {error}")),
                Some(Ok(frame)) => reader.push(&frame.into_data().expect("no trailers are sent")),
            }
            while let Some(section) = reader.next().expect("what is sent is a CAR") {
                if let Section::Block(block) = section {
                    let block = block.prove().expect("what is sent is proven");
                    blocks.insert(*block.cid(), block);
                }
            }
        };
        let mut seen = self.seen.lock().expect("no test panics in it");
        match taken {
            Ok(_) => {
                seen.blocks.extend(blocks);
                "{\"blocks\":1,\"bytes\":2}\n{\"done\":true,\"roots\":[]}".to_owned()
            }
            Err(error) => {
                seen.refused = Some(error.clone());
                json!({ "error": error }).to_string()
            }
        }
    }

    fn has(&self, cid: &Cid) -> bool {
        self.seen.lock().expect("no test panics in it").blocks.contains_key(cid)
    }

    fn is_empty(&self) -> bool {
        self.seen.lock().expect("no test panics in it").blocks.is_empty()
    }
}

async fn adder(tasks: &Tasks, nodes: &[&PlayedNode], replicas: Option<usize>) -> Adder {
    let nodes = nodes.iter().map(|node| node.endpoint.clone()).collect();
    let timeout = Duration::from_secs(20);
    Adder::new(tasks, nodes, replicas, timeout, Progress::new(true)).await.expect("they are alive")
}

fn one(path: &Path) -> Job {
    Job::Paths { paths: vec![(path.to_path_buf(), "it".to_owned())], folder: None }
}

async fn import(adder: &mut Adder, job: Job, hidden: bool) -> Result<Added, AddError> {
    let choice = Choice { hidden };
    let survey = survey(&adder.tasks, choice, job.clone()).await?;
    adder.import(Profile::default(), choice, &job, &survey).await
}

fn arguments(text: &[&str]) -> AddArgs {
    #[derive(clap::Parser)]
    struct Parse {
        #[command(flatten)]
        args: AddArgs,
    }
    let words = ["add"].into_iter().chain(text.iter().copied());
    <Parse as clap::Parser>::try_parse_from(words).expect("the words are taken").args
}

fn sample(bytes: usize) -> Vec<u8> {
    // A prime period, so that no two leaves are alike.
    (0..bytes).map(|at| u8::try_from(at * 7 % 251).expect("below 251")).collect()
}

#[tokio::test]
async fn a_file_of_many_leaves_arrives_whole_and_in_order() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let content = sample(5 * 1024 * 1024 + 3);
    let path = folder.path().join("file");
    fs::write(&path, &content).expect("it can be written");

    let added = import(&mut adder(&tasks, &[&node], None).await, one(&path), true).await;

    let mut expected = FileImport::new(Profile::default());
    expected.push(content.into());
    let added = added.expect("it is taken");
    assert_eq!(added.roots, [Root { name: "it".into(), cid: expected.finish().cid }]);
    assert_eq!(added.blocks, 7);
    assert!(node.has(&added.roots[0].cid));
}

#[tokio::test]
async fn an_empty_file_has_the_cid_that_all_know() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("empty");
    fs::write(&path, "").expect("it can be written");
    let added = import(&mut adder(&tasks, &[&node], None).await, one(&path), true).await;
    let root = added.expect("it is taken").roots[0].cid.to_string();
    assert_eq!(root, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
}

#[tokio::test]
async fn hidden_names_and_links_are_kept_and_can_be_left_out() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let mut adder = adder(&tasks, &[&node], None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("a"), "a").expect("it can be written");
    let plain = import(&mut adder, one(folder.path()), true).await.expect("it is taken");
    fs::write(folder.path().join(".b"), "b").expect("it can be written");
    let all = import(&mut adder, one(folder.path()), true).await.expect("it is taken");
    let without = import(&mut adder, one(folder.path()), false).await.expect("it is taken");
    assert_ne!(plain.roots, all.roots);
    assert_eq!(plain.roots, without.roots);
    symlink("nowhere", folder.path().join("link")).expect("a link can be made");
    let linked =
        import(&mut adder, one(folder.path()), true).await.expect("a dangling link is kept");
    assert_eq!(linked.blocks, 4);
}

#[tokio::test]
async fn what_cannot_be_content_is_named_and_nothing_is_sent() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let mut adder = adder(&tasks, &[&node], None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("it can be bound");
    let error =
        import(&mut adder, one(folder.path()), true).await.expect_err("a socket is refused");
    assert!(matches!(&error, AddError::Special(path, "a socket") if *path == socket), "{error}");
    let missing = folder.path().join("missing");
    let error = import(&mut adder, one(&missing), true).await.expect_err("it is not there");
    assert_eq!(error.to_string(), format!("{}: no such file or folder", missing.display()));
    assert!(node.is_empty());
}

#[tokio::test]
async fn a_file_that_is_not_as_long_as_it_was_is_refused() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let mut adder = adder(&tasks, &[&node], None).await;
    // The system says that it is empty, and yet there is something to read.
    let growing = Path::new("/proc/self/status");
    let error = import(&mut adder, one(growing), true).await.expect_err("it is refused");
    assert!(matches!(&error, AddError::Changed(path) if path == growing), "{error}");
    assert!(node.is_empty());
    let refused = node.seen.lock().expect("no test panics in it").refused.clone();
    assert!(refused.is_none_or(|why| why.starts_with("cut")), "it did not end like a whole one");
}

#[tokio::test]
async fn a_car_is_passed_on_and_a_cut_or_forged_one_stores_nothing() {
    let tasks = Tasks::new();
    let node = PlayedNode::start(&tasks, None).await;
    let mut adder = adder(&tasks, &[&node], None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("a.car");
    let block = Block::of(ipfs::Codec::Raw, "hello".into()).expect("it is small");
    let mut archive = car::header(&[*block.cid()]);
    archive.extend(car::section_prefix(block.cid(), 5));
    archive.extend(b"hello");

    for (bytes, wrong) in [
        (archive[..archive.len() - 1].to_vec(), "CAR is cut short after 0 whole blocks"),
        ([&archive[..archive.len() - 5], b"jello"].concat(), "block 0 is not what it claims"),
        (b"<!doctype html><title>404</title>".repeat(9), "not a CAR"),
    ] {
        fs::write(&path, bytes).expect("it can be written");
        let job = Job::Archive(path.clone());
        let error = import(&mut adder, job, true).await.expect_err("it is refused").to_string();
        assert!(error.contains(wrong) && error.contains("a.car"), "{error}");
        assert!(node.is_empty());
    }
    fs::write(&path, archive).expect("it can be written");
    let added = import(&mut adder, Job::Archive(path), true).await.expect("it is taken");
    assert_eq!(added.roots, [Root { name: "a.car".into(), cid: *block.cid() }]);
    assert!(node.has(block.cid()));
}

#[tokio::test]
async fn as_many_nodes_as_asked_for_fetch_it_and_a_failing_one_is_passed_over() {
    let tasks = Tasks::new();
    let first = PlayedNode::start(&tasks, None).await;
    let bad = PlayedNode::start(&tasks, Some((StatusCode::SERVICE_UNAVAILABLE, "draining"))).await;
    let good = PlayedNode::start(&tasks, None).await;
    let cid = *Block::of(ipfs::Codec::Raw, "x".into()).expect("it is small").cid();

    let fleet = adder(&tasks, &[&first, &bad, &good], None).await;
    let held = fleet.replicate(cid, 1).await.expect("two nodes hold it");
    assert_eq!(held, [first.endpoint.url(), good.endpoint.url()]);
    let replicated = good.seen.lock().expect("no test panics in it").replicated.clone();
    assert_eq!(replicated, [cid.to_string()]);

    let all = adder(&tasks, &[&first, &bad, &good], Some(3)).await;
    let error = all.replicate(cid, 1).await.expect_err("one node fails");
    assert_eq!(error.exit(), crate::output::Exit::NotReplicated);
    assert!(
        error.to_string().contains("on 2 of 3 nodes") && error.to_string().contains("draining")
    );
}

#[tokio::test]
async fn a_node_that_refuses_is_quoted() {
    let tasks = Tasks::new();
    let full = "{\"error\":\"the disk of the blockstore is full\",\"kind\":\"disk_full\"}\n";
    let node = PlayedNode::start(&tasks, Some((StatusCode::OK, full))).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("file");
    fs::write(&path, "x").expect("it can be written");
    let mut adder = adder(&tasks, &[&node], None).await;
    let error = import(&mut adder, one(&path), true).await.expect_err("it refuses").to_string();
    assert!(
        error.contains("blockstore is full; free space") && error.contains("--data"),
        "{error}"
    );
}

#[tokio::test]
async fn where_one_disk_is_full_the_next_node_takes_it() {
    let tasks = Tasks::new();
    let full = "{\"error\":\"the disk of the blockstore is full\",\"kind\":\"disk_full\"}\n";
    let full = PlayedNode::start(&tasks, Some((StatusCode::OK, full))).await;
    let good = PlayedNode::start(&tasks, None).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("file");
    fs::write(&path, "x").expect("it can be written");
    let mut adder = adder(&tasks, &[&full, &good], Some(1)).await;
    let added = import(&mut adder, one(&path), true).await.expect("the second takes it");
    assert!(good.has(&added.roots[0].cid));
    let held = adder.replicate(added.roots[0].cid, 1).await.expect("one is enough");
    assert_eq!(held, [good.endpoint.url()]);
}

#[tokio::test]
async fn an_archive_that_lacks_a_block_is_not_said_to_be_held() {
    let tasks = Tasks::new();
    let said = "{\"error\":\"nobody provides the block\",\"kind\":\"other\"}\n";
    let node = PlayedNode::start(&tasks, Some((StatusCode::OK, said))).await;
    let adder = adder(&tasks, &[&node], None).await;
    let cid = *Block::of(ipfs::Codec::Raw, "x".into()).expect("it is small").cid();
    let error = adder.confirm(cid, 1).await.expect_err("a block is nowhere");
    assert_eq!(error.exit(), crate::output::Exit::Input);
    assert!(error.to_string().contains("does not hold all of"), "{error}");
}

#[test]
fn names_that_nobody_could_ask_for_are_refused() {
    for name in ["", ".", "..", "a/b", "a\0b"] {
        let refused = jobs(&arguments(&["--name", name, "a"]));
        assert!(matches!(refused, Err(AddError::BadName(_))), "{name:?}: {refused:?}");
    }
    assert!(matches!(jobs(&arguments(&["--name", "n", "a", "b"])), Err(AddError::NameOfMany)));
}

#[tokio::test]
async fn a_node_that_is_not_there_is_said_to_be_not_running() {
    let tasks = Tasks::new();
    let (nobody, listener) = played::listen().await;
    drop(listener);
    let nodes = vec![nobody];
    let progress = Progress::new(true);
    let made = Adder::new(&tasks, nodes, None, Duration::from_secs(5), progress).await;
    let error = made.err().expect("nobody listens");
    assert_eq!(error.exit(), crate::output::Exit::Unreachable);
    assert!(error.to_string().contains("bifrost up"), "{error}");
}

#[test]
fn paths_become_imports_as_the_flags_say() {
    let jobs = |words: &[&str]| jobs(&arguments(words));
    let archive = |job: &Job| matches!(job, Job::Archive(_));
    let each = jobs(&["a", "b.CAR", "c.car"]).expect("they are taken");
    assert_eq!(each.iter().map(archive).collect::<Vec<_>>(), [false, true, true]);
    let as_file = jobs(&["--as-file", "b.car"]).expect("it is taken");
    assert!(!archive(&as_file[0]));
    let wrapped = jobs(&["--wrap", "a", "x/b"]).expect("they are taken");
    let [Job::Paths { paths, folder: Some(_) }] = &wrapped[..] else { panic!("{wrapped:?}") };
    assert_eq!(paths.iter().map(|(_, name)| &name[..]).collect::<Vec<_>>(), ["a", "b"]);
    assert!(matches!(jobs(&["--wrap", "a", "x/a"]), Err(AddError::NameTaken(name)) if name == "a"));
    let named = jobs(&["--name", "other", "a"]).expect("it is taken");
    let [Job::Paths { paths, folder: Some(_) }] = &named[..] else { panic!("{named:?}") };
    assert_eq!(paths[0].1, "other");
}

#[test]
fn hidden_takes_its_value_behind_an_equals_sign_only() {
    assert!(arguments(&["a"]).hidden);
    assert!(!arguments(&["--hidden=false", "a"]).hidden);
    let args = arguments(&["--hidden", "a"]);
    assert!(args.hidden && args.paths == [PathBuf::from("a")]);
}
