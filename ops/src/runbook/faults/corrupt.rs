//! What stands in front of a node and flips a bit in each of its answers.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use telemetry::{TaskHandle, Tasks};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::web::Web;

/// Longest answer that is spoiled: a block is at most 4 MiB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A proxy that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Corrupting {
    /// Where it listens.
    pub(super) url: String,
    _stop: DropGuard,
    _accepting: TaskHandle<()>,
}

impl Corrupting {
    /// Listens in front of the node at this URL.
    pub(super) async fn in_front_of(node: &str, web: &Web, tasks: &Tasks) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let stop = CancellationToken::new();
        let (node, web, owner) = (node.to_owned(), web.clone(), tasks.clone());
        let stopped = stop.clone();
        let accepting = tasks.background("corrupting proxy", async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = stopped.cancelled() => return,
                };
                let Ok((stream, _)) = accepted else { return };
                let (node, web, stopped) = (node.clone(), web.clone(), stopped.clone());
                let _serving = owner.background("corrupting connection", async move {
                    let service = service_fn(|request| {
                        let (node, web) = (node.clone(), web.clone());
                        async move { Ok::<_, Infallible>(spoiled(request, &node, &web).await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    tokio::select! {
                        // Who asks may leave at any moment.
                        _ = http.serve_connection(TokioIo::new(stream), service) => {}
                        () = stopped.cancelled() => {}
                    }
                });
            }
        });
        Ok(Self {
            url: format!("http://{address}"),
            _stop: stop.drop_guard(),
            _accepting: accepting,
        })
    }
}

async fn spoiled(request: Request<Incoming>, node: &str, web: &Web) -> Response<Full<Bytes>> {
    match forwarded(request, node, web).await {
        Some((status, headers, body)) => {
            let mut answer = Response::new(Full::new(flipped(body)));
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            answer
        }
        None => {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }
    }
}

async fn forwarded(
    request: Request<Incoming>,
    node: &str,
    web: &Web,
) -> Option<(StatusCode, HeaderMap, Bytes)> {
    let (head, _) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut asked = Request::new(Full::default());
    *asked.method_mut() = head.method;
    *asked.uri_mut() = format!("{node}{target}").parse().ok()?;
    *asked.headers_mut() = head.headers;
    asked.headers_mut().remove(header::HOST);
    let (head, body) = web.open(asked).await.ok()?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
    let mut headers = head.headers;
    // The length stays; how it was sent is this connection's own.
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    Some((head.status, headers, body))
}

/// The same bytes with one bit in the middle another.
fn flipped(body: Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::played;

    #[tokio::test]
    async fn each_answer_has_one_bit_another_and_is_else_as_it_was() {
        let tasks = Tasks::new();
        let (server, listener) = played::listen().await;
        played::serve(&tasks, listener, |request| async move {
            let body = request.uri().to_string();
            Response::builder().header("x-kept", "1").body(Full::new(body.into())).expect("plain")
        });
        let web = Web::new(&tasks, Duration::from_secs(5), 100).expect("TLS is there");
        let proxy = Corrupting::in_front_of(&server.url(), &web, &tasks).await.expect("it listens");
        let asked = Request::get(format!("{}/a?b", proxy.url)).body(Full::default());
        let answer = web.open(asked.expect("plain")).await.expect("it answers");
        assert_eq!(answer.headers()["x-kept"], "1");
        let body = answer.into_body().collect().await.expect("it is whole").to_bytes();
        assert_eq!(&body[..], b"/a>b");
        drop(proxy);
        tasks.shutdown(Duration::from_secs(1)).await;
        assert_eq!(tasks.names_alive(), Vec::<&str>::new());
    }
}
