//! A collector that is played: it hands on what it is sent and answers all alike.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;

use super::Tasks;

/// Listens for requests to this path; the URL, and the bodies that come.
pub(crate) async fn played_collector(
    tasks: &Tasks,
    path: &'static str,
    answer: StatusCode,
) -> (String, mpsc::Receiver<Bytes>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has an address");
    let (send, arrived) = mpsc::channel(8);
    tasks.background("collector", async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                let send = send.clone();
                async move {
                    assert_eq!(request.uri().path(), path);
                    let body = request.into_body().collect().await?.to_bytes();
                    send.send(body).await.expect("the test reads it");
                    let mut response = http::Response::new(Empty::<Bytes>::new());
                    *response.status_mut() = answer;
                    Ok::<_, hyper::Error>(response)
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            served.await.expect("serves");
        }
    });
    (format!("http://{address}{path}"), arrived)
}
