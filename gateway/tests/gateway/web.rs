//! A web server that answers as a test says: a resolver, or a place where lists are kept.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// What the server does.
type Handler = dyn Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync;

/// A web server; it ends when it is dropped.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    running: JoinHandle<()>,
}

impl Web {
    pub(crate) async fn start(
        handler: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        #[expect(clippy::disallowed_methods, reason = "a fake process stops by being dropped")]
        let running = tokio::spawn(run(listener, Arc::new(handler)));
        Self { address, running }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run(listener: TcpListener, handler: Arc<Handler>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepting goes on");
        let handler = Arc::clone(&handler);
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let handler = Arc::clone(&handler);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.expect("a whole body").to_bytes();
                    let response = handler(Request::from_parts(parts, body));
                    Ok::<_, Infallible>(response.map(Full::new))
                }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            // How a connection ends is the gateway's business.
            builder.serve_connection(TokioIo::new(stream), service).await.is_ok()
        });
    }
}
