//! A small HTTP client for admin listeners on this machine.
//!
//! One connection per request: commands send a handful, and a connection that is never shared needs
//! no pool, no retry and no guess about its state. Every wait ends: connecting, the head of the
//! answer, and each silence within its body.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ipfs::trustless::CAR_TYPE;
use serde_json::Value;
use telemetry::config::Secret;
use telemetry::{TaskHandle, Tasks};
use tokio::net::TcpStream;

use crate::output;

/// Longest answer that is read whole, and longest line of a streamed one.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The variable with the token of admin listeners: that by which the processes get it.
const TOKEN: &str = "BIFROST_ADMIN__TOKEN";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a node gave no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL is not one of ours.
    #[error("{0:?} is not an admin URL: write it as http://127.0.0.1:9180")]
    BadUrl(String),
    /// The token cannot be sent.
    #[error("the token of {TOKEN} cannot be sent: it has to be one line of plain letters")]
    BadToken,
    /// Nobody listens there.
    #[error(
        "nothing listens on {0}: is the fleet running? start it with `bifrost up` or `make run`, or name a running node with --node"
    )]
    NotRunning(String),
    /// The connection could not be made for another reason.
    #[error("could not connect to {url}: {source}")]
    Connect {
        /// The node's admin listener.
        url: String,
        /// What the system said.
        source: io::Error,
    },
    /// No answer came in time.
    #[error(
        "{url} was silent for {}: the node is overloaded or stuck; its log says more",
        humantime::format_duration(*.after)
    )]
    Silent {
        /// The node's admin listener.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection to {url} broke: {source}; the node's log says more")]
    Broken {
        /// The node's admin listener.
        url: String,
        /// What happened to it.
        source: hyper::Error,
    },
    /// It answered, but not with success.
    #[error("{url} refused with {status}: {text}")]
    Status {
        /// The node's admin listener.
        url: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        text: String,
    },
    /// It answered with what is no JSON, or too much of it.
    #[error("{url} gave an answer that is not understood: {text}")]
    Garbled {
        /// The node's admin listener.
        url: String,
        /// The beginning of what it said.
        text: String,
    },
}

/// Where an admin listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    authority: String,
}

impl Endpoint {
    /// Reads `http://host:port`.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`].
    pub(crate) fn parse(url: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl(url.to_owned());
        let uri: http::Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        let bare = uri.path() == "/" && uri.query().is_none() && authority.port_u16().is_some();
        if uri.scheme_str() != Some("http") || !bare || authority.as_str().contains('@') {
            return Err(bad());
        }
        Ok(Self { authority: authority.as_str().to_owned() })
    }

    /// The URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

impl std::str::FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::parse(url)
    }
}

/// Sends requests to admin listeners.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    tasks: Tasks,
    silence: Duration,
    token: Secret,
}

/// The token that an argument has, else that of [`TOKEN`], else that of the file which it names with
/// `_FILE` behind: credentials of services are files.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn token(text: &str) -> Result<Secret, String> {
    if text.is_empty() { Secret::of_variable(TOKEN) } else { Ok(Secret::new(text)) }
}

impl Client {
    /// A client whose connections are tasks of `tasks` and which waits for at most `silence`. It brings the
    /// token of [`TOKEN`], as the processes that it asks have got theirs.
    pub(crate) fn new(tasks: Tasks, silence: Duration) -> Self {
        let token = token("").unwrap_or_else(|problem| {
            output::note(&format!("bifrost: {problem}; asking without a token"));
            Secret::default()
        });
        Self::with_token(tasks, silence, token)
    }

    /// The same with this token; an empty one is not brought.
    fn with_token(tasks: Tasks, silence: Duration, token: Secret) -> Self {
        Self { tasks, silence, token }
    }

    /// Sends a CAR, if anything, and waits for the head of the answer, however long the body takes to
    /// send.
    ///
    /// # Errors
    /// As the variants of [`ClientError`] say; [`ClientError::Status`] for any status but 2xx.
    pub(crate) async fn send<B>(
        &self,
        to: &Endpoint,
        method: Method,
        target: &str,
        body: B,
    ) -> Result<Answer, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.exchange(to, method, target, CAR_TYPE, body).await
    }

    async fn exchange<B>(
        &self,
        to: &Endpoint,
        method: Method,
        target: &str,
        kind: &'static str,
        body: B,
    ) -> Result<Answer, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = self.connect(to).await?;
        let broken = |source| ClientError::Broken { url: to.url(), source };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = self.tasks.spawn("client connection", async move {
            // What goes wrong is told to the request as well.
            connection.await.ok();
        });
        let connection = connection.abort_on_drop();
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, &to.authority)
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .expect("the parts were checked before");
        if !self.token.is_empty() {
            let token = format!("Bearer {}", self.token.expose());
            let token = HeaderValue::try_from(token).map_err(|_| ClientError::BadToken)?;
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let answer = Answer { body: answer.into_body(), _connection: connection };
        if status.is_success() {
            return Ok(answer);
        }
        let text = self.text(to, answer).await.unwrap_or_default();
        Err(ClientError::Status { url: to.url(), status, text: said(&text) })
    }

    /// Gets a JSON document, or posts without a body and takes the one in the answer.
    ///
    /// # Errors
    /// As [`Client::send`], and [`ClientError::Garbled`].
    pub(crate) async fn json(
        &self,
        to: &Endpoint,
        method: Method,
        target: &str,
    ) -> Result<Value, ClientError> {
        let answer = self.head(to, method, target).await?;
        self.document(to, answer).await
    }

    /// Puts a small body of a media type, and takes the JSON document in the answer.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub(crate) async fn put(
        &self,
        to: &Endpoint,
        target: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let sent = self.exchange(to, Method::PUT, target, kind, Full::new(body));
        let answer = self.in_time(to, sent).await?;
        self.document(to, answer).await
    }

    /// Gets the bytes of an answer that is not long.
    ///
    /// # Errors
    /// As [`Client::head`], and [`ClientError::Garbled`] for one that is.
    pub(crate) async fn bytes(&self, to: &Endpoint, target: &str) -> Result<Bytes, ClientError> {
        let answer = self.head(to, Method::GET, target).await?;
        self.whole(to, answer).await
    }

    /// Sends a request without a body whose head must come before the silence is too long.
    ///
    /// # Errors
    /// As [`Client::send`], and [`ClientError::Silent`].
    pub(crate) async fn head(
        &self,
        to: &Endpoint,
        method: Method,
        target: &str,
    ) -> Result<Answer, ClientError> {
        self.in_time(to, self.send(to, method, target, Empty::<Bytes>::new())).await
    }

    /// Waits for the head of an answer until the silence is too long.
    async fn in_time(
        &self,
        to: &Endpoint,
        sent: impl Future<Output = Result<Answer, ClientError>>,
    ) -> Result<Answer, ClientError> {
        tokio::time::timeout(self.silence, sent)
            .await
            .map_err(|_| ClientError::Silent { url: to.url(), after: self.silence })?
    }

    /// The lines of a streamed answer.
    pub(crate) fn lines(&self, to: &Endpoint, answer: Answer) -> Lines {
        Lines { answer, held: BytesMut::new(), url: to.url(), silence: self.silence, ended: false }
    }

    async fn connect(&self, to: &Endpoint) -> Result<TcpStream, ClientError> {
        let url = to.url();
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&to.authority)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).ok();
                Ok(stream)
            }
            Ok(Err(source)) if source.kind() == io::ErrorKind::ConnectionRefused => {
                Err(ClientError::NotRunning(url))
            }
            Ok(Err(source)) => Err(ClientError::Connect { url, source }),
            Err(_) => Err(ClientError::Silent { url, after: CONNECT_TIMEOUT }),
        }
    }

    async fn document(&self, to: &Endpoint, answer: Answer) -> Result<Value, ClientError> {
        let text = self.text(to, answer).await?;
        serde_json::from_str(&text)
            .map_err(|_| ClientError::Garbled { url: to.url(), text: brief(&text) })
    }

    async fn text(&self, to: &Endpoint, answer: Answer) -> Result<String, ClientError> {
        let whole = self.whole(to, answer).await?;
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    async fn whole(&self, to: &Endpoint, mut answer: Answer) -> Result<Bytes, ClientError> {
        let mut whole = Vec::new();
        while let Some(frame) = next_frame(&mut answer.body, self.silence, &to.url()).await? {
            whole.extend_from_slice(&frame);
            if whole.len() > ANSWER_BYTES_MAX {
                let text = format!("more than {ANSWER_BYTES_MAX} bytes");
                return Err(ClientError::Garbled { url: to.url(), text });
            }
        }
        Ok(whole.into())
    }
}

/// A successful answer whose body is still to be read. Dropping it closes its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Incoming,
    _connection: TaskHandle<()>,
}

/// An answer of JSON lines, read one at a time.
#[derive(Debug)]
pub(crate) struct Lines {
    answer: Answer,
    held: BytesMut,
    url: String,
    silence: Duration,
    ended: bool,
}

impl Lines {
    /// The next line, or `None` behind the last one.
    ///
    /// # Errors
    /// [`ClientError::Silent`], [`ClientError::Broken`], [`ClientError::Garbled`].
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line = self.held.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.read(&line).map(Some);
            }
            if self.ended {
                let rest = self.held.split();
                let rest = rest.trim_ascii();
                return if rest.is_empty() { Ok(None) } else { self.read(rest).map(Some) };
            }
            if self.held.len() > ANSWER_BYTES_MAX {
                return Err(self.garbled(&self.held));
            }
            match next_frame(&mut self.answer.body, self.silence, &self.url).await? {
                Some(bytes) => self.held.extend_from_slice(&bytes),
                None => self.ended = true,
            }
        }
    }

    fn read(&self, line: &[u8]) -> Result<Value, ClientError> {
        serde_json::from_slice(line).map_err(|_| self.garbled(line))
    }

    fn garbled(&self, bytes: &[u8]) -> ClientError {
        let text = brief(&String::from_utf8_lossy(bytes));
        ClientError::Garbled { url: self.url.clone(), text }
    }
}

async fn next_frame(
    body: &mut Incoming,
    silence: Duration,
    url: &str,
) -> Result<Option<Bytes>, ClientError> {
    loop {
        let frame = tokio::time::timeout(silence, body.frame())
            .await
            .map_err(|_| ClientError::Silent { url: url.to_owned(), after: silence })?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|source| ClientError::Broken { url: url.to_owned(), source })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// What an answer that is no success says: the field of a JSON document, or its first line.
fn said(text: &str) -> String {
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let document: Value =
        serde_json::from_str(text).or_else(|_| serde_json::from_str(last)).unwrap_or_default();
    ["error", "detail", "title"]
        .iter()
        .find_map(|key| document[*key].as_str().map(str::to_owned))
        .unwrap_or_else(|| brief(text))
}

fn brief(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
    if line.is_empty() { "nothing".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::played;

    #[test]
    fn only_plain_admin_urls_are_taken() {
        assert!(Endpoint::parse("http://127.0.0.1:9180").is_ok());
        assert!(Endpoint::parse("http://[::1]:9180/").is_ok());
        for url in ["127.0.0.1:9180", "https://a:1", "http://a", "http://a:1/x", "http://u@a:1"] {
            assert!(matches!(Endpoint::parse(url), Err(ClientError::BadUrl(_))), "{url}");
        }
    }

    #[test]
    fn the_reason_is_found_in_what_was_said() {
        assert_eq!(said(r#"{"error":"disk full"}"#), "disk full");
        assert_eq!(said("{\"blocks\":1}\n{\"error\":\"late\"}\n"), "late");
        assert_eq!(said(r#"{"title":"Overloaded","status":503}"#), "Overloaded");
        assert_eq!(said("plain words\nmore"), "plain words");
        assert_eq!(said(""), "nothing");
    }

    #[tokio::test]
    async fn token_is_brought_and_one_that_cannot_be_is_told() {
        let (node, listener) = played::listen().await;
        let tasks = Tasks::new();
        played::serve(&tasks, listener, |request| async move {
            let given = request.headers().get(header::AUTHORIZATION);
            let given = given.map(|value| value.to_str().expect("plain").to_owned());
            http::Response::new(Full::from(serde_json::json!(given).to_string()))
        });
        for (token, wanted) in [("", Value::Null), ("hush", "Bearer hush".into())] {
            let within = Duration::from_secs(20);
            let client = Client::with_token(tasks.clone(), within, Secret::new(token));
            let given = client.json(&node, Method::GET, "/").await.expect("it answers");
            assert_eq!(given, wanted);
        }
        let client = Client::with_token(tasks, Duration::from_secs(20), Secret::new("a\nb"));
        let error = client.json(&node, Method::GET, "/").await.expect_err("two lines");
        assert!(matches!(error, ClientError::BadToken), "{error}");
    }

    #[test]
    fn errors_say_what_to_do() {
        let text = ClientError::NotRunning("http://127.0.0.1:9180".into()).to_string();
        assert!(text.contains("bifrost up") && text.contains("--node"), "{text}");
    }
}
