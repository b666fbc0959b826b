//! DNS over HTTPS (RFC 8484): one question, posted as a message, one message for an answer.
//!
//! No redirect is followed and no proxy of the environment is used, so that a name is asked of the
//! server that is configured and of nobody else.

use bytes::{Bytes, BytesMut};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use telemetry::Tasks;

use crate::accept::TaskExecutor;

/// Media type of a message.
const MESSAGE: HeaderValue = HeaderValue::from_static("application/dns-message");
/// Longest answer: a message of DNS is no longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A server.
pub(super) struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
}

impl Https {
    /// A server by its URL.
    ///
    /// # Errors
    /// A text that says what is wrong with the URL.
    pub(super) fn new(url: &str, tasks: &Tasks) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "not a URL, `system` or `udp://address`")?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => {}
            (Some("http"), Some(host)) if is_loopback(host) => {}
            _ => return Err("must be https, or http on a loopback address".to_owned()),
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| error.to_string())?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        let mut client = Client::builder(TaskExecutor::new(tasks.clone(), "DNS connection"));
        client.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_max_idle_per_host(4);
        Ok(Self { client: client.build(connector), uri })
    }

    /// The answers to a question for TXT records.
    ///
    /// # Errors
    /// A text that says what went wrong; that there are no records is none.
    pub(super) async fn lookup(&self, name: &str) -> Result<Vec<Record>, String> {
        let mut message = Message::query();
        // RFC 8484 §4.1: zero makes answers the same for every client, and so cacheable.
        message.metadata.id = 0;
        message.metadata.recursion_desired = true;
        let name = Name::from_ascii(format!("{name}.")).map_err(|error| error.to_string())?;
        message.add_query(Query::query(name, RecordType::TXT));
        let question = message.to_vec().map_err(|error| error.to_string())?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(header::CONTENT_TYPE, MESSAGE)
            .header(header::ACCEPT, MESSAGE)
            .body(Full::new(question.into()))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server answered {}", response.status()));
        }
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(|error| error.to_string())?.into_data().unwrap_or_default();
            if bytes.len() + data.len() > ANSWER_BYTES_MAX {
                return Err("the answer is larger than a message can be".to_owned());
            }
            bytes.extend_from_slice(&data);
        }
        let answer = Message::from_vec(&bytes).map_err(|error| error.to_string())?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer.answers),
            code => Err(format!("the server answered {code}")),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
