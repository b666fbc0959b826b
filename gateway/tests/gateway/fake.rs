//! A node that does as it is told: well, or badly in one of many ways.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ipfs::{Block, Cid, Multihash};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::content::Tree;

type Body = BoxBody<Bytes, std::io::Error>;

/// How a node answers for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Well,
    /// After a while.
    Slow(Duration),
    /// Never.
    Silent,
    /// With one bit turned.
    Lying,
    /// With half of the bytes, and a clean end.
    Short,
    /// With half of the bytes, and a cut connection.
    Cut,
    /// With half of the bytes, and then nothing.
    Stalling,
    /// With bytes without end.
    Huge,
    /// Said to be compressed.
    Compressed,
    /// With a status and headers.
    Status(u16, Vec<(&'static str, &'static str)>),
}

struct State {
    blocks: Mutex<HashMap<Multihash, Block>>,
    /// IPNS records by name.
    records: Mutex<HashMap<String, Bytes>>,
    manner: Mutex<Manner>,
    requests: AtomicUsize,
    asked: Mutex<HashMap<String, usize>>,
    headers: Mutex<HeaderMap>,
    open: AtomicUsize,
}

/// A node.
pub(crate) struct FakeNode {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl FakeNode {
    /// A node that has these blocks.
    pub(crate) async fn start(trees: &[&Tree]) -> Self {
        let state = Arc::new(State {
            blocks: Mutex::default(),
            records: Mutex::default(),
            manner: Mutex::new(Manner::Well),
            requests: AtomicUsize::new(0),
            asked: Mutex::default(),
            headers: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        #[expect(clippy::disallowed_methods, reason = "a fake process stops by being dropped")]
        let running = tokio::spawn(run(listener, Arc::clone(&state)));
        let node = Self { address, state, running: Some(running) };
        for tree in trees {
            node.hold(tree);
        }
        node
    }

    /// Gives it the blocks of a tree.
    pub(crate) fn hold(&self, tree: &Tree) {
        let mut blocks = self.state.blocks.lock();
        for block in &tree.blocks {
            blocks.insert(*block.cid().multihash(), block.clone());
        }
    }

    /// Gives it the record of a name, in the place of the one before.
    pub(crate) fn publish(&self, name: &str, record: Bytes) {
        self.state.records.lock().insert(name.to_owned(), record);
    }

    /// Takes a block away.
    pub(crate) fn lose(&self, cid: &Cid) {
        self.state.blocks.lock().remove(cid.multihash());
    }

    /// From here on it answers in this manner.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock() = manner;
    }

    /// How many requests it got.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(SeqCst)
    }

    /// How many requests it is answering.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(SeqCst)
    }

    /// How many requests it got for the record of a name.
    pub(crate) fn asked_for_name(&self, name: &str) -> usize {
        self.state.asked.lock().get(name).copied().unwrap_or(0)
    }

    /// How many requests it got for a block.
    pub(crate) fn asked_for(&self, cid: &Cid) -> usize {
        self.state.asked.lock().get(&cid.to_string()).copied().unwrap_or(0)
    }

    /// The headers of the last request.
    pub(crate) fn last_headers(&self) -> HeaderMap {
        self.state.headers.lock().clone()
    }

    /// Ends it as a crash would: listener and connections at once.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            assert!(running.await.is_err(), "it was aborted");
        }
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

async fn run(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepting goes on");
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(answer(state, request).await) }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            // How a connection ends is the gateway's business.
            builder.serve_connection(TokioIo::new(stream), service).await.is_ok()
        });
    }
}

/// Counts a request for as long as it is answered.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Body> {
    state.open.fetch_add(1, SeqCst);
    let open = Open(Arc::clone(&state));
    state.requests.fetch_add(1, SeqCst);
    *state.headers.lock() = request.headers().clone();
    if let Some(name) = request.uri().path().strip_prefix("/ipns/") {
        *state.asked.lock().entry(name.to_owned()).or_insert(0) += 1;
        return record(&state, name).await;
    }
    let text = request.uri().path().trim_start_matches("/ipfs/").to_owned();
    *state.asked.lock().entry(text.clone()).or_insert(0) += 1;
    let cid = Cid::parse(&text).expect("the gateway asks for CIDs");
    let manner = state.manner.lock().clone();
    let block = state.blocks.lock().get(cid.multihash()).cloned();
    let only_if_cached = request.headers().get("cache-control").is_some();
    match manner {
        Manner::Silent => {
            std::future::pending::<()>().await;
            drop(open);
        }
        Manner::Slow(pause) => tokio::time::sleep(pause).await,
        Manner::Status(status, headers) => return of_status(status, headers),
        Manner::Well
        | Manner::Lying
        | Manner::Short
        | Manner::Cut
        | Manner::Stalling
        | Manner::Huge
        | Manner::Compressed => {
            return match block {
                Some(block) => badly(&manner, block.data().clone()),
                None => missing(only_if_cached),
            };
        }
    }
    match block {
        Some(block) => Response::new(full(block.into_data())),
        None => missing(only_if_cached),
    }
}

fn of_status(status: u16, headers: Vec<(&'static str, &'static str)>) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

/// Answers for the record of a name, in the manner of the node.
async fn record(state: &State, name: &str) -> Response<Body> {
    let record = state.records.lock().get(name).cloned();
    let manner = state.manner.lock().clone();
    match (manner, record) {
        (Manner::Silent, _) => std::future::pending().await,
        (Manner::Status(status, headers), _) => of_status(status, headers),
        (manner, Some(record)) => badly(&manner, record),
        (_, None) => {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn badly(manner: &Manner, data: Bytes) -> Response<Body> {
    let half = data.slice(..data.len() / 2);
    match manner {
        Manner::Lying => {
            let mut bytes = data.to_vec();
            bytes[0] ^= 1;
            Response::new(full(bytes.into()))
        }
        Manner::Short => Response::new(full(half)),
        Manner::Cut => {
            let parts = [Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
            Response::new(BodyExt::boxed(StreamBody::new(futures::stream::iter(parts))))
        }
        Manner::Stalling => {
            let first = futures::stream::iter([Ok(Frame::data(half))]);
            let parts = first.chain(futures::stream::pending());
            Response::new(BodyExt::boxed(StreamBody::new(parts)))
        }
        Manner::Huge => {
            let part = Bytes::from(vec![7; 1024 * 1024]);
            let parts = futures::stream::repeat_with(move || Ok(Frame::data(part.clone())));
            Response::new(BodyExt::boxed(StreamBody::new(parts)))
        }
        Manner::Compressed => {
            let mut response = Response::new(full(data));
            response.headers_mut().insert("content-encoding", "gzip".parse().expect("a header"));
            response
        }
        Manner::Well | Manner::Slow(_) | Manner::Silent | Manner::Status(..) => {
            let mut response = Response::new(full(data));
            let status = "bifrost-node; hit".parse().expect("a header");
            response.headers_mut().insert("cache-status", status);
            response
        }
    }
}

fn missing(only_if_cached: bool) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() =
        if only_if_cached { StatusCode::PRECONDITION_FAILED } else { StatusCode::BAD_GATEWAY };
    if !only_if_cached {
        let state = "phase=done, providers=0, connected=0, elapsed=7, outcome=no_providers";
        let state = state.parse().expect("a header");
        response.headers_mut().insert("bifrost-retrieval", state);
    }
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}
