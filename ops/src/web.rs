//! Questions to servers by URL: Prometheus, Alertmanager, gateways under a probe, logs of elsewhere.
//!
//! Every answer is bounded in bytes and every wait has a deadline. No redirect is followed and no
//! proxy of the environment is used: what is asked is asked of whom the operator named.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use telemetry::Tasks;

/// Why a server gave no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// It is no URL that can be asked.
    #[error("{0:?} is not a URL: write it as http://127.0.0.1:9090 or https://host")]
    BadUrl(String),
    /// There is no provider of TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// There is no connection.
    #[error("could not reach {url}: {text}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        text: String,
    },
    /// No whole answer came in time.
    #[error("{url} gave no whole answer within {}", humantime::format_duration(*.after))]
    Silent {
        /// What was asked.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// More bytes than anybody would read.
    #[error("{url} answered with more than {max} bytes")]
    TooLong {
        /// What was asked.
        url: String,
        /// The most bytes that are taken.
        max: usize,
    },
}

/// An answer that was read whole, whatever its status.
#[derive(Debug)]
pub(crate) struct Page {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Bytes,
}

/// A client of servers. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    client: Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>,
    within: Duration,
    bytes_max: usize,
}

impl Web {
    /// A client that waits for an answer for at most `within` and takes at most `bytes_max` of it. Its
    /// connections are tasks of `tasks`.
    ///
    /// # Errors
    /// [`WebError::Tls`].
    pub(crate) fn new(tasks: &Tasks, within: Duration, bytes_max: usize) -> Result<Self, WebError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| WebError::Tls(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        let mut client = Pooled::builder(Connections { tasks: tasks.clone() });
        client.pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        Ok(Self { client: client.build(connector), within, bytes_max })
    }

    /// Gets a page, whatever its status.
    ///
    /// # Errors
    /// As the variants of [`WebError`] say.
    pub(crate) async fn get(&self, url: &str) -> Result<Page, WebError> {
        let uri = url_of(url)?;
        let request = Request::get(uri).body(Full::default()).expect("a URL is all it has");
        self.ask(request).await
    }

    /// Sends a request that carries its whole URL, and reads the answer whole.
    ///
    /// # Errors
    /// As the variants of [`WebError`] say.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Page, WebError> {
        let url = request.uri().to_string();
        let asked = tokio::time::timeout(self.within, self.exchange(&url, request));
        asked.await.map_err(|_| WebError::Silent { url: url.clone(), after: self.within })?
    }

    /// Sends a request that carries its whole URL, and gives the answer with its body still to be
    /// read. The caller brings the deadline and the bound.
    ///
    /// # Errors
    /// [`WebError::Unreachable`].
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, WebError> {
        let url = request.uri().to_string();
        let answer = self.client.request(request).await;
        answer.map_err(|error| WebError::Unreachable { url, text: telemetry::why(&error) })
    }

    async fn exchange(&self, url: &str, request: Request<Full<Bytes>>) -> Result<Page, WebError> {
        let broken = |error: &dyn std::error::Error| WebError::Unreachable {
            url: url.to_owned(),
            text: telemetry::why(error),
        };
        let answer = self.client.request(request).await.map_err(|error| broken(&error))?;
        let (head, mut body) = answer.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            if let Ok(data) = frame.into_data() {
                if whole.len() + data.len() > self.bytes_max {
                    return Err(WebError::TooLong { url: url.to_owned(), max: self.bytes_max });
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(Page { status: head.status, body: whole.freeze() })
    }
}

/// Reads a URL that can be asked.
///
/// # Errors
/// [`WebError::BadUrl`].
pub(crate) fn url_of(url: &str) -> Result<Uri, WebError> {
    let bad = || WebError::BadUrl(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if known && plain { Ok(uri) } else { Err(bad()) }
}

/// Runs connections as tasks with an owner.
#[derive(Debug, Clone)]
struct Connections {
    tasks: Tasks,
}

impl<F> hyper::rt::Executor<F> for Connections
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        // The owner ends it; nobody waits for it.
        let _running = self.tasks.background("web connection", future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::played;

    #[tokio::test]
    async fn an_answer_is_read_whole_whatever_its_status() {
        let tasks = Tasks::new();
        let (server, listener) = played::listen().await;
        played::serve(&tasks, listener, |_| async {
            Response::builder().status(503).body(Full::new("not now".into())).expect("it is plain")
        });
        let web = Web::new(&tasks, Duration::from_secs(5), 7).expect("TLS is there");
        let page = web.get(&server.url()).await.expect("it answers");
        assert_eq!((page.status.as_u16(), &page.body[..]), (503, &b"not now"[..]));
        let short = Web::new(&tasks, Duration::from_secs(5), 6).expect("TLS is there");
        let refused = short.get(&server.url()).await;
        assert!(matches!(refused, Err(WebError::TooLong { max: 6, .. })), "{refused:?}");
        tasks.shutdown(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn silence_and_absence_are_told_apart() {
        let tasks = Tasks::new();
        let (silent, listener) = played::listen().await;
        let web = Web::new(&tasks, Duration::from_millis(50), 100).expect("TLS is there");
        let answer = web.get(&silent.url()).await;
        assert!(matches!(answer, Err(WebError::Silent { .. })), "{answer:?}");
        drop(listener);
        let patient = Web::new(&tasks, Duration::from_secs(5), 100).expect("TLS is there");
        let answer = patient.get(&silent.url()).await;
        assert!(matches!(answer, Err(WebError::Unreachable { .. })), "{answer:?}");
        tasks.shutdown(Duration::ZERO).await;
    }

    #[test]
    fn a_url_needs_a_scheme_a_host_and_no_password() {
        for bad in ["127.0.0.1:9090", "ftp://a", "/x", "http://u:p@a", ""] {
            assert!(url_of(bad).is_err(), "{bad}");
        }
        assert!(url_of("https://prometheus.example/base").is_ok());
    }
}
