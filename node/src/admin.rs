//! What this node takes from its operator, on the admin listener: content and IPNS records in, copies
//! made, peers shown and dialled.
//!
//! Long work answers at once with lines of JSON: progress, and a last line that says `done` or
//! `error`, so that whoever waits sees how far it is and cannot mistake a cut answer for success.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use ipfs::Cid;
use ipfs::trustless::CAR_TYPE;
use ipfs::unixfs::import::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use telemetry::admin::{Body, Routes};
use telemetry::{Drain, InFlight, Tasks};
use tokio::sync::mpsc;

mod names;

use crate::blockstore::{Blockstore, StoreError};
use crate::import::{self, ImportError, Kind};
use crate::records::Records;
use crate::retrieve::{FetchError, Retrieve};

/// Lines of progress that wait for whoever reads them; further ones are not said.
const LINES_WAITING_MAX: usize = 16;

/// How the operator's calls are bounded.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Longest time that the copy of one DAG may take. Default 6 h.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub replicate_timeout: Duration,
    /// Longest time for an IPNS record to come and be stored, or to be read. Default 30 s. Zero
    /// refuses each.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub record_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            replicate_timeout: Duration::from_secs(6 * 3600),
            record_timeout: Duration::from_secs(30),
        }
    }
}

/// The node's own admin calls.
pub(crate) struct Admin {
    pub(crate) config: Config,
    pub(crate) import: import::Config,
    pub(crate) store: Blockstore,
    pub(crate) records: Records,
    pub(crate) retrieve: Retrieve,
    pub(crate) tasks: Tasks,
    /// Imports and copies are in flight as requests are.
    pub(crate) drain: Drain,
}

impl Routes for Admin {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Option<Response<Body>>> {
        Box::pin(async move { self.route(request).await })
    }

    fn list(&self) -> &'static [&'static str] {
        &[
            "POST /import (a CAR as application/vnd.ipld.car, or any bytes as one file; ?profile=)",
            "POST /replicate?root=CID",
            "GET /has?cid=CID",
            "PUT /ipns/KEY (a signed IPNS record of at most 10 KiB)",
            "GET /ipns/KEY",
            "GET /identity",
            "GET /peers",
            "POST /peers?address=MULTIADDR",
            "GET /store",
        ]
    }
}

impl Admin {
    async fn route(self: Arc<Self>, request: Request<Incoming>) -> Option<Response<Body>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if let Some(name) = path.strip_prefix("/ipns/") {
            return Some(self.name(name, request).await);
        }
        Some(match (method, path.as_str()) {
            (Method::POST, "/import") => self.import(request),
            (Method::POST, "/replicate") => self.replicate(&request),
            (Method::GET, "/has") => self.has(&request),
            (Method::GET, "/identity") => self.identity(),
            (Method::GET, "/peers") => self.peers().await,
            (Method::POST, "/peers") => self.dial(&request).await,
            (Method::GET, "/store") => {
                let stats = self.store.stats();
                answer(StatusCode::OK, &json!({"blocks": stats.blocks, "bytes": stats.bytes}))
            }
            (_, "/import" | "/replicate") => not_allowed("POST"),
            (_, "/has" | "/identity" | "/store") => not_allowed("GET"),
            (_, "/peers") => not_allowed("GET, POST"),
            _ => return None,
        })
    }

    /// Takes content in.
    fn import(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let is_car = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == CAR_TYPE));
        let profile = parameter(&request, "profile");
        let kind = match (is_car, profile.as_deref()) {
            (true, _) => Kind::Car,
            (false, None) => Kind::File(Profile::default()),
            (false, Some(name)) => match Profile::from_name(name) {
                Some(profile) => Kind::File(profile),
                None => return refuse("profile is one of unixfs-v1-2025, unixfs-v0-2015"),
            },
        };
        let tasks = self.tasks.clone();
        lines(&tasks, self.drain.in_flight(), "import", move |lines| async move {
            let told = lines.clone();
            let imported = import::import(
                &self.store,
                &self.tasks,
                &self.import,
                kind,
                request.into_body(),
                |sums| told.hint(json!(sums)),
            )
            .await;
            match imported {
                Ok(done) => {
                    let roots: Vec<String> = done.roots.iter().map(Cid::to_string).collect();
                    self.retrieve.swarm().content_added();
                    let (blocks, bytes) = (done.sums.blocks, done.sums.bytes);
                    json!({"done": true, "roots": roots, "blocks": blocks, "bytes": bytes})
                }
                Err(error) => {
                    failure(&error, matches!(error, ImportError::Store(StoreError::DiskFull)))
                }
            }
        })
    }

    /// Fetches a whole DAG from connected peers.
    fn replicate(self: Arc<Self>, request: &Request<Incoming>) -> Response<Body> {
        let root = match cid_parameter(request, "root") {
            Ok(root) => root,
            Err(response) => return *response,
        };
        let tasks = self.tasks.clone();
        lines(&tasks, self.drain.in_flight(), "replicate", move |lines| async move {
            let deadline = Instant::now() + self.config.replicate_timeout;
            let mut told = Instant::now();
            let progress = |sum: crate::retrieve::Progress| {
                if told.elapsed() >= Duration::from_millis(100) {
                    told = Instant::now();
                    lines.hint(json!({"blocks": sum.blocks, "bytes": sum.bytes}));
                }
            };
            match self.retrieve.fetch_dag(&root, progress, deadline).await {
                Ok(sum) => json!({"done": true, "blocks": sum.blocks, "bytes": sum.bytes}),
                // Blocks are kept by another task, which does not say why it could not.
                Err(error @ (FetchError::NotKept(_) | FetchError::Retrieve(_)))
                    if self.store.is_full() =>
                {
                    failure(&format!("{error}: {}", StoreError::DiskFull), true)
                }
                Err(error) => failure(&error, false),
            }
        })
    }

    fn has(&self, request: &Request<Incoming>) -> Response<Body> {
        match cid_parameter(request, "cid") {
            Ok(cid) => {
                let has = cid.identity_data().is_some() || self.store.has(cid.multihash());
                answer(StatusCode::OK, &json!({"cid": cid.to_string(), "has": has}))
            }
            Err(response) => *response,
        }
    }

    fn identity(&self) -> Response<Body> {
        let swarm = self.retrieve.swarm();
        let addresses: Vec<String> = swarm.addresses().iter().map(ToString::to_string).collect();
        let peer = swarm.peer_id().to_string();
        answer(StatusCode::OK, &json!({"peer_id": peer, "addresses": addresses}))
    }

    async fn peers(&self) -> Response<Body> {
        match self.retrieve.swarm().peers().await {
            Ok(peers) => {
                let peers: Vec<Value> = peers
                    .iter()
                    .map(|peer| {
                        let addresses: Vec<String> =
                            peer.addresses.iter().map(ToString::to_string).collect();
                        json!({
                            "peer_id": peer.peer.to_string(),
                            "addresses": addresses,
                            "agent": peer.agent,
                            "bitswap": peer.account.is_some(),
                            "exchanged": peer.account,
                        })
                    })
                    .collect();
                answer(StatusCode::OK, &json!({"peers": peers}))
            }
            Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        }
    }

    async fn dial(&self, request: &Request<Incoming>) -> Response<Body> {
        let address = parameter(request, "address").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            return refuse("address is a multiaddr such as /ip4/127.0.0.1/tcp/4180/p2p/12D3…");
        };
        match self.retrieve.swarm().dial(address).await {
            Ok(peer) => answer(StatusCode::OK, &json!({"peer_id": peer.to_string()})),
            Err(error) => problem(StatusCode::BAD_GATEWAY, &error.to_string()),
        }
    }
}

/// The last line of work that failed: why, and of which kind, for who can mend it.
fn failure(error: &dyn std::fmt::Display, is_full: bool) -> Value {
    json!({"error": error.to_string(), "kind": if is_full { DISK_FULL } else { "other" }})
}

/// The kind of a failure for want of room.
const DISK_FULL: &str = "disk_full";

/// Where long work says how far it is.
#[derive(Clone)]
struct Lines(mpsc::Sender<Value>);

impl Lines {
    /// Says how far the work is, unless nobody reads.
    fn hint(&self, line: Value) {
        self.0.try_send(line).unwrap_or_default();
    }
}

/// Runs long work and answers with its lines; the work ends when nobody reads them any more.
fn lines<F, W>(tasks: &Tasks, alive: InFlight, name: &'static str, work: F) -> Response<Body>
where
    F: FnOnce(Lines) -> W,
    W: Future<Output = Value> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(LINES_WAITING_MAX);
    let working = work(Lines(sender.clone()));
    let task = tasks.spawn(name, async move {
        let last = working.await;
        drop(alive);
        sender.send(last).await.unwrap_or_default();
    });
    let task = task.abort_on_drop();
    let frames = futures::stream::poll_fn(move |cx| {
        // The task is held here: it ends with the body.
        let _held = &task;
        receiver
            .poll_recv(cx)
            .map(|line| line.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n"))))))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn parameter<B>(request: &Request<B>, name: &str) -> Option<String> {
    let pairs = request.uri().query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    Some(percent_encoding::percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

fn cid_parameter<B>(request: &Request<B>, name: &str) -> Result<Cid, Box<Response<Body>>> {
    let text = parameter(request, name).unwrap_or_default();
    Cid::parse(&text).map_err(|error| Box::new(refuse(&format!("{name}={text:.80}: {error}"))))
}

fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("{value}\n")));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn refuse(why: &str) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, why)
}

fn problem(status: StatusCode, why: &str) -> Response<Body> {
    answer(status, &json!({"error": why}))
}

fn not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allow}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
