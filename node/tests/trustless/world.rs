//! A node with its store in a temporary folder and ports of the kernel's choice.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use node::config::Config;
use node::server::Node;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Longest wait for what has to come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) struct World {
    node: Node,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: TempDir,
}

/// An answer with its whole body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A node with further settings.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().display();
        let mut sets = vec![
            format!("dir={dir}"),
            format!("blockstore.dir={dir}/blocks"),
            "http.listen=127.0.0.1:0".to_owned(),
            "admin.listen=127.0.0.1:0".to_owned(),
            "swarm.listen=[/ip4/127.0.0.1/tcp/0]".to_owned(),
            "access.to=off".to_owned(),
        ];
        sets.extend(more.iter().map(|set| (*set).to_owned()));
        let config: Config = telemetry::config::load(None, &sets).expect("a valid configuration");
        let node = Node::start(config, None).await.expect("a node");
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { node, client, _folder: folder }
    }

    /// Where peers reach the node.
    pub(crate) fn peer_addresses(&self) -> Vec<String> {
        self.node.peer_addresses().iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.node.http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::default()).expect("a request")).await
    }

    /// Imports a body; returns the last line of the answer.
    pub(crate) async fn import(&self, kind: &str, body: Vec<u8>) -> serde_json::Value {
        let request = Request::post(format!("http://{}/import", self.node.admin))
            .header("content-type", kind)
            .body(Full::from(body))
            .expect("a request");
        let answer = self.send(request).await;
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
    }

    /// Asks the admin listener.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        let uri = format!("http://{}{path}", self.node.admin);
        let request = Request::builder().method(method).uri(uri).body(Full::from(body));
        self.send(request.expect("a request")).await
    }

    pub(crate) async fn stored_blocks(&self) -> u64 {
        let request = Request::get(format!("http://{}/store", self.node.admin));
        let answer = self.send(request.body(Full::default()).expect("a request")).await;
        answer.json()["blocks"].as_u64().expect("a count")
    }

    pub(crate) async fn metrics(&self) -> String {
        let request = Request::get(format!("http://{}/metrics", self.node.admin));
        let answer = self.send(request.body(Full::default()).expect("a request")).await;
        String::from_utf8(answer.body.to_vec()).expect("text")
    }

    /// Stops the node; returns whether everything had its end.
    pub(crate) async fn stop(self) -> bool {
        drop(self.client);
        self.node.stop().await
    }

    /// Asks, and leaves before there is an answer.
    pub(crate) async fn leave(&self, path: &str) {
        let mut stream = TcpStream::connect(self.node.http).await.expect("connected");
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        // The node has to have read it, or there was no request.
        let begun = Instant::now();
        while !self.metrics().await.contains("bifrost_node_in_flight 1") {
            assert!(begun.elapsed() < PATIENCE, "the request does not begin");
            tokio::task::yield_now().await;
        }
        drop(stream);
        while !self.metrics().await.contains("bifrost_node_in_flight 0") {
            assert!(begun.elapsed() < PATIENCE, "the request does not end");
            tokio::task::yield_now().await;
        }
    }

    /// Sends bytes as they are; returns all that comes until the node closes.
    pub(crate) async fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.node.http).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        // A reset is as good as an end.
        read.expect("the node closes").ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}
