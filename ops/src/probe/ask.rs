//! Asks a gateway one thing and reads the answer whole, as a stranger would.
//!
//! Nothing that an answer says of itself is believed: its body is bounded, and one that ends early is
//! no answer, whatever came before.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, Request, header};
use http_body_util::{BodyExt, Full};

use super::outcome::{Fault, Trace, wrong};
use crate::web::{Web, url_of};

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The header by which a gateway tells the requests of probes, from who may send them (`hosts.probes`).
const TRAFFIC_HEADER: &str = "bifrost-traffic";
const USER_AGENT: &str = concat!("bifrost-probe/", env!("CARGO_PKG_VERSION"));

/// A gateway that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    /// Its name.
    pub(crate) name: String,
    /// The public URL, without a slash behind it.
    pub(crate) url: String,
    /// The host below which content has origins of its own, if there is one.
    pub(crate) subdomains: Option<String>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: Method,
    target: String,
    host: Option<String>,
    headers: Vec<(HeaderName, String)>,
}

impl Ask {
    /// A GET of a path and query.
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), host: None, headers: Vec::new() }
    }

    /// With another method.
    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// On another host of the same gateway.
    pub(crate) fn host(self, host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), ..self }
    }
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// That the status is one of these.
    ///
    /// # Errors
    /// [`Fault::Wrong`], with what the body says.
    pub(crate) fn expect(&self, statuses: &[u16]) -> Result<(), Fault> {
        if statuses.contains(&self.status) {
            return Ok(());
        }
        let wanted: Vec<String> = statuses.iter().map(u16::to_string).collect();
        wrong(format!(
            "status {} where {} is right{}",
            self.status,
            wanted.join(" or "),
            self.said()
        ))
    }

    /// The media type without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }

    fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(160)]).into_owned();
        let line = text.lines().next().unwrap_or_default().trim();
        let plain = self.status >= 300 && !line.is_empty() && !line.starts_with('<');
        let clean: String = line.chars().filter(|c| !c.is_control()).collect();
        if plain { format!(": {clean}") } else { String::new() }
    }
}

/// Asks gateways.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    web: Web,
}

impl Asker {
    /// Asks by these connections.
    pub(crate) fn new(web: Web) -> Self {
        Self { web }
    }

    /// Asks, and reads the answer whole. Times, bytes and the status are noted as they come, so that
    /// they are known of an answer that never ends too.
    ///
    /// # Errors
    /// [`Fault::NoAnswer`] for none, or one that is cut; [`Fault::Wrong`] for one that is too long.
    pub(crate) async fn ask(
        &self,
        trace: &mut Trace,
        gateway: &Gateway,
        ask: Ask,
    ) -> Result<Answer, Fault> {
        let answer = self.web.open(request(gateway, ask)?).await;
        let answer = answer.map_err(|error| Fault::NoAnswer(error.to_string()))?;
        let (head, mut body) = answer.into_parts();
        trace.status = Some(head.status.as_u16());
        let cache = head.headers.get("cache-status").or_else(|| head.headers.get("x-cache"));
        trace.cache_status = cache.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let why = telemetry::why(&error);
                Fault::NoAnswer(format!("the body was cut after {} bytes: {why}", whole.len()))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if !data.is_empty() {
                trace.byte_came();
            }
            trace.bytes += data.len() as u64;
            if whole.len() + data.len() > BODY_BYTES_MAX {
                return wrong(format!("the body is longer than {BODY_BYTES_MAX} bytes"));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: whole.freeze() })
    }
}

/// The request on the wire. Over plain HTTP another host is a `Host` header; over TLS it has to be
/// the host that is connected to, or the certificate would be another one's.
fn request(gateway: &Gateway, ask: Ask) -> Result<Request<Full<Bytes>>, Fault> {
    let bad = |error: &dyn std::error::Error| Fault::Wrong(format!("cannot be asked: {error}"));
    let base = url_of(&gateway.url).map_err(|error| bad(&error))?;
    let port = base.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let tls = base.scheme_str() == Some("https");
    let mut request = Request::builder().method(ask.method);
    request = match ask.host {
        Some(host) if tls => request.uri(format!("https://{host}{port}{}", ask.target)),
        Some(host) => request
            .uri(format!("{}{}", gateway.url, ask.target))
            .header(header::HOST, format!("{host}{port}")),
        None => request.uri(format!("{}{}", gateway.url, ask.target)),
    };
    request = request.header(header::USER_AGENT, USER_AGENT).header(TRAFFIC_HEADER, "probe");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    request.body(Full::default()).map_err(|error| bad(&error))
}
