//! A client for the tests: one request on a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

/// An answer that has arrived whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's value, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Makes a request such as `GET /path`.
pub(crate) async fn call(address: SocketAddr, request: &str) -> Answer {
    call_with(address, request, &[], Vec::new()).await
}

/// Makes a request with headers and a body.
pub(crate) async fn call_with(
    address: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Answer {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let mut builder = http::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header("host", address.to_string());
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(Full::new(Bytes::from(body))).expect("a request");
    let stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("greets");
    let answered = async {
        let response = sender.send_request(request).await.expect("is answered");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("arrives whole").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    };
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        answer = answered.as_mut() => answer,
        ended = connection.as_mut() => {
            ended.expect("the connection holds");
            answered.await
        }
    }
}
