//! How buckets are reached: the connections that every other question of this program uses.
//!
//! An answer is read whole, since no object is larger than a profile; who asks for plain HTTP gets it
//! only where the store's own settings allow it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpResponse, HttpService,
};
use telemetry::Tasks;

use crate::web::{Web, WebError};

/// Longest wait for one answer.
const WITHIN: Duration = Duration::from_secs(60);
/// Longest answer: a profile or a page of a listing.
const ANSWER_BYTES_MAX: usize = 72 * 1024 * 1024;

/// Makes clients of buckets.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    web: Web,
}

impl Connector {
    /// A maker whose connections are tasks of `tasks`.
    ///
    /// # Errors
    /// [`WebError::Tls`].
    pub(super) fn new(tasks: &Tasks) -> Result<Self, WebError> {
        Ok(Self { web: Web::new(tasks, WITHIN, ANSWER_BYTES_MAX)? })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let plain = allowed.as_deref() == Some("true");
        Ok(HttpClient::new(Service { web: self.web.clone(), plain }))
    }
}

/// One client.
#[derive(Debug)]
struct Service {
    web: Web,
    /// Whether credentials may travel in the clear.
    plain: bool,
}

/// Why a request was not sent, or its answer not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "{0} is no https:// and plain HTTP is not allowed: AWS_ALLOW_HTTP=true and the like allow it"
    )]
    Plain(String),
    #[error("no whole answer within {}", humantime::format_duration(WITHIN))]
    Silent,
    #[error("an answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Broken(String),
}

// Written out since the trait is made for a macro that nothing else here needs.
impl HttpService for Service {
    fn call<'service, 'call>(
        &'service self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'service: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            let asked = tokio::time::timeout(WITHIN, self.exchange(request)).await;
            asked.unwrap_or_else(|_| Err(HttpError::new(HttpErrorKind::Timeout, Refused::Silent)))
        })
    }
}

impl Service {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        if head.uri.scheme_str() != Some("https") && !self.plain {
            let host = head.uri.host().unwrap_or_default().to_owned();
            return Err(HttpError::new(HttpErrorKind::Unknown, Refused::Plain(host)));
        }
        let body = body.collect().await?.to_bytes();
        let sent = self.web.open(Request::from_parts(head, Full::new(body))).await;
        let answer = sent.map_err(|error| {
            let text = match error {
                // What was asked is told by who asked, without signatures in it.
                WebError::Unreachable { text, .. } => text,
                other @ (WebError::BadUrl(_)
                | WebError::Tls(_)
                | WebError::Silent { .. }
                | WebError::TooLong { .. }) => other.to_string(),
            };
            HttpError::new(HttpErrorKind::Connect, Refused::Broken(text))
        })?;
        let (head, body) = answer.into_parts();
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            let (kind, why) = match error.downcast_ref::<LengthLimitError>() {
                Some(_) => (HttpErrorKind::Decode, Refused::TooLong),
                None => (HttpErrorKind::Interrupted, Refused::Broken(error.to_string())),
            };
            HttpError::new(kind, why)
        })?;
        let bytes: Bytes = whole.to_bytes();
        Ok(Response::from_parts(head, bytes.into()))
    }
}
