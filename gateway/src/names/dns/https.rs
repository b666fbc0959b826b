//! DNS over HTTPS (RFC 8484): one question, posted as a message, one message for an answer.

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use telemetry::Tasks;

use crate::outbound::{self, Client};

/// Media type of a message.
const MESSAGE: HeaderValue = HeaderValue::from_static("application/dns-message");
/// Longest answer: a message of DNS is no longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A server.
pub(super) struct Https {
    client: Client,
    uri: Uri,
}

impl Https {
    /// A server by its URL.
    ///
    /// # Errors
    /// A text that says what is wrong with the URL.
    pub(super) fn new(url: &str, tasks: &Tasks) -> Result<Self, String> {
        let uri = outbound::server(url)?;
        Ok(Self { client: outbound::client(tasks, "DNS connection")?, uri })
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
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| error.to_string())?.to_bytes();
        let answer = Message::from_vec(&bytes).map_err(|error| error.to_string())?;
        let code = answer.metadata.response_code;
        if matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            Ok(answer.answers)
        } else {
            Err(format!("the server answered {code}"))
        }
    }
}
