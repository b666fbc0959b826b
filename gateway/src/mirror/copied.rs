//! The request as staging gets it: nothing that says who asked, and nothing secret.
//!
//! Headers and parameters are taken by list, so that what nobody thought of stays behind.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use ipfs::answer::ASKED_HEADERS;
use serde_json::{Value, json};

use crate::classify::Caller;

/// The parameters that an answer can depend on; those of websites are for scripts of theirs.
const PARAMETERS: [&str; 10] = [
    "format",
    "filename",
    "download",
    "dag-scope",
    "entity-bytes",
    "car-version",
    "car-order",
    "car-dups",
    "page",
    "uri",
];

/// What tells a mirrored request from others.
pub(crate) const MARK: HeaderName = HeaderName::from_static("bifrost-mirror");

/// A copy of a request.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    pub(super) method: Method,
    /// The host and port that were asked for.
    pub(super) host: HeaderValue,
    /// Whether the client spoke TLS to a proxy in front.
    pub(super) https: bool,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) request_id: HeaderValue,
}

impl Copied {
    /// A copy; none when the host cannot be told.
    pub(super) fn of(parts: &Parts, caller: &Caller, request_id: &HeaderValue) -> Option<Self> {
        let headers = ASKED_HEADERS.iter().flat_map(|name| {
            let values = parts.headers.get_all(*name).iter();
            values.map(|value| (HeaderName::from_static(name), value.clone()))
        });
        Some(Self {
            method: parts.method.clone(),
            host: HeaderValue::try_from(caller.authority()).ok()?,
            https: caller.https,
            target: with_counted(parts.uri.path(), parts.uri.query().unwrap_or_default()),
            headers: headers.collect(),
            request_id: request_id.clone(),
        })
    }

    /// The request to a gateway, with this mark.
    ///
    /// # Errors
    /// When the parts are no request, which those of a request never are.
    pub(super) fn request(
        &self,
        gateway: &Uri,
        mark: &HeaderValue,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let uri = Uri::builder()
            .scheme(gateway.scheme_str().unwrap_or("http"))
            .authority(gateway.authority().map_or("", http::uri::Authority::as_str))
            .path_and_query(self.target.as_str())
            .build()?;
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        request = request.header(header::HOST, &self.host).header(MARK, mark);
        request = request.header("x-request-id", &self.request_id);
        if self.https {
            request = request.header("x-forwarded-proto", "https");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::default())
    }

    /// The request as records have it.
    pub(super) fn shown(&self) -> Value {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let headers = self.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), json!(String::from_utf8_lossy(value.as_bytes())))
        });
        json!({
            "method": self.method.as_str(),
            "host": String::from_utf8_lossy(self.host.as_bytes()),
            "https": self.https,
            "path": path,
            "query": query,
            "headers": headers.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// A command that asks a gateway the same.
    pub(super) fn command(&self, gateway: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let mut command = "curl -sS -D - -o /dev/null".to_owned();
        if self.method == Method::HEAD {
            command.push_str(" -I");
        }
        let header = |name: &str, value: &HeaderValue| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            format!(" -H {}", quoted(&format!("{name}: {value}")))
        };
        command.push_str(&header("Host", &self.host));
        for (name, value) in &self.headers {
            command.push_str(&header(name.as_str(), value));
        }
        let url = format!("{}{}", gateway.trim_end_matches('/'), self.target);
        format!("{command} {}", quoted(&url))
    }
}

/// An address with the parameters that count.
pub(super) fn counted(address: &str) -> String {
    let (address, fragment) = address.split_at(address.find('#').unwrap_or(address.len()));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    with_counted(path, query) + fragment
}

fn with_counted(path: &str, query: &str) -> String {
    let mut target = path.to_owned();
    let counted = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        PARAMETERS.contains(&name)
    });
    for (place, pair) in counted.enumerate() {
        target.push(if place == 0 { '?' } else { '&' });
        target.push_str(pair);
    }
    target
}

/// Whether another gateway can be asked the same: a request that reads, is no copy, and does not depend on what
/// happens to be cached.
pub(super) fn is_comparable(parts: &Parts) -> bool {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    is_read && !parts.headers.contains_key(MARK) && !is_of_cache(&parts.headers)
}

/// Whether what is not cached is not wanted.
fn is_of_cache(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives =
        values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    directives.any(|directive| directive.trim().eq_ignore_ascii_case("only-if-cached"))
}

/// Whether a request has credentials, so that its answer may be for its sender alone.
pub(super) fn is_private(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::PROXY_AUTHORIZATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(uri: &str, headers: &[(&str, &str)]) -> Copied {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let caller = Caller {
            client: [192, 0, 2, 1].into(),
            host: "site.example".into(),
            port: ":8080".into(),
            https: true,
        };
        Copied::of(&parts, &caller, &HeaderValue::from_static("an-id")).expect("a host")
    }

    #[test]
    fn who_asked_and_what_is_secret_stays_behind() {
        let secret = [
            ("cookie", "session=CANARY"),
            ("authorization", "Bearer CANARY"),
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("referer", "https://a.example/CANARY"),
            ("user-agent", "CANARY"),
            ("x-api-key", "CANARY"),
            ("accept", "text/html"),
            ("range", "bytes=0-9"),
        ];
        let copy = copied("/ipfs/a/b?token=CANARY&format=raw&x=CANARY&filename=f", &secret);
        let gateway = Uri::from_static("http://staging:8080");
        let mark = HeaderValue::from_static("v1");
        let request = copy.request(&gateway, &mark).expect("a request");
        let sent = format!("{request:?} {} {}", copy.shown(), copy.command("http://staging"));
        assert!(!sent.contains("CANARY") && !sent.contains("192.0.2.1"), "{sent}");
        assert_eq!(request.uri(), "http://staging:8080/ipfs/a/b?format=raw&filename=f");
        for (name, value) in [
            ("host", "site.example:8080"),
            ("accept", "text/html"),
            ("range", "bytes=0-9"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "an-id"),
            ("bifrost-mirror", "v1"),
        ] {
            assert_eq!(request.headers()[name], value);
        }
    }

    #[test]
    fn what_depends_on_caches_is_not_copied() {
        let comparable = |cache: &str| {
            let request = Request::builder().header("cache-control", cache).body(());
            is_comparable(&request.expect("a request").into_parts().0)
        };
        assert!(comparable("no-cache") && comparable("max-age=0, no-transform"));
        assert!(!comparable("only-if-cached") && !comparable("max-age=9 , Only-If-Cached"));
    }

    #[test]
    fn a_command_is_one_whatever_the_path_holds() {
        let copy = copied("/ipfs/a'$(reboot)'", &[("accept", "a';b")]);
        let command = copy.command("http://staging:8080/");
        let expected = "curl -sS -D - -o /dev/null -H 'Host: site.example:8080' \
                        -H 'accept: a'\\'';b' 'http://staging:8080/ipfs/a'\\''$(reboot)'\\'''";
        assert_eq!(command, expected);
    }
}
