//! Requests that can be asked again: what gateways keep of those that they mirrored, what is kept of
//! differences, and access records with a path in clear text.

use std::path::PathBuf;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use ipfs::answer::ASKED_HEADERS;
use serde_json::Value;

use super::super::MirrorError;
use super::super::read::{found, lines};

/// Most keys: each has some 400 bytes.
const KEYS_MAX: usize = 2_000_000;
/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) method: Method,
    /// The host that was asked for; that of the gateway where the record has none.
    pub(super) host: Option<HeaderValue>,
    pub(super) https: bool,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// When it was asked, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Whether only a name leads to what is asked for, where the record says so.
    pub(super) named: Option<bool>,
}

/// All of them, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) list: Vec<Arc<Key>>,
    pub(super) without_path: u64,
    pub(super) bad_lines: u64,
}

impl Keys {
    /// When the first was asked.
    pub(super) fn first_ms(&self) -> u64 {
        self.list.first().map_or(0, |key| key.at_ms)
    }

    /// From the first to the last.
    pub(super) fn span_ms(&self) -> u64 {
        self.list.last().map_or(0, |key| key.at_ms) - self.first_ms()
    }
}

/// Reads files, and `keys*.ndjson` of folders.
///
/// # Errors
/// `NoKeys` when there are none; `TooManyKeys` when there are more than memory is set aside for; `File`
/// when one cannot be read.
pub(super) fn read(paths: &[PathBuf]) -> Result<Keys, MirrorError> {
    let mut keys = Keys::default();
    for path in paths {
        for file in found(path, "keys")? {
            lines(&file, LINE_BYTES_MAX, |_, line, _| {
                keys.add(line);
                if keys.list.len() > KEYS_MAX {
                    Err(MirrorError::TooManyKeys(KEYS_MAX))
                } else {
                    Ok(())
                }
            })?;
        }
    }
    if keys.list.is_empty() {
        return Err(MirrorError::NoKeys {
            path: paths[0].clone(),
            without_path: keys.without_path,
        });
    }
    keys.list.sort_by_key(|key| key.at_ms);
    Ok(keys)
}

impl Keys {
    fn add(&mut self, line: &[u8]) {
        let Ok(record) = serde_json::from_slice::<Value>(line) else {
            self.bad_lines += 1;
            return;
        };
        match key(&record) {
            Some(key) => self.list.push(Arc::new(key)),
            None => self.without_path += 1,
        }
    }
}

/// The request of a record, if it has a path.
fn key(record: &Value) -> Option<Key> {
    let asked = record.get("request").unwrap_or(record);
    let text = |name: &str| asked.get(name).and_then(Value::as_str);
    let path = text("path").filter(|path| path.starts_with('/'))?;
    let target = match text("query").filter(|query| !query.is_empty()) {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    target.parse::<http::uri::PathAndQuery>().ok()?;
    let method = match text("method").unwrap_or("GET") {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        _ => return None,
    };
    let headers = asked.get("headers").and_then(Value::as_object);
    let headers = headers.into_iter().flatten().filter_map(|(name, value)| {
        let known = ASKED_HEADERS.iter().find(|known| *known == name)?;
        Some((HeaderName::from_static(known), HeaderValue::from_str(value.as_str()?).ok()?))
    });
    let at_ms = record.get("at_ms").and_then(Value::as_u64);
    let at_ms = at_ms.or_else(|| {
        let time = record.get("ts").and_then(Value::as_str)?;
        let time = humantime::parse_rfc3339(time).ok()?;
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    });
    Some(Key {
        method,
        host: text("host").and_then(|host| HeaderValue::from_str(host).ok()),
        https: asked.get("https").and_then(Value::as_bool).unwrap_or(false),
        target,
        headers: headers.collect(),
        at_ms: at_ms.unwrap_or(0),
        named: record.get("named").or(asked.get("named")).and_then(Value::as_bool),
    })
}

impl Key {
    /// The request to a gateway.
    pub(super) fn request(&self, gateway: &str) -> Option<Request<Full<bytes::Bytes>>> {
        let url = format!("{gateway}{}", self.target);
        let mut request = Request::builder().method(self.method.clone()).uri(url);
        if let Some(host) = &self.host {
            request = request.header(http::header::HOST, host);
        }
        if self.https {
            request = request.header("x-forwarded-proto", "https");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        // It is no traffic of people: a gateway that believes the sender counts it apart, and none
        // mirrors it on.
        request.header("bifrost-mirror", "v1; id=replay; env=replay").body(Full::default()).ok()
    }

    /// Whether it shows by itself that only a name leads to what is asked for. A website's does not.
    pub(super) fn is_named(&self) -> bool {
        let host = self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
        self.target.starts_with("/ipns/") || host.contains(".ipns.")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_every_kind_are_read() {
        let kept = json!({"method": "HEAD", "host": "a.example", "https": true, "path": "/ipfs/a",
            "query": "format=raw", "headers": {"range": "bytes=0-1", "cookie": "x"}, "at_ms": 7});
        let key = key(&kept).expect("it has a path");
        assert_eq!((key.method.as_str(), key.target.as_str()), ("HEAD", "/ipfs/a?format=raw"));
        assert_eq!((key.headers.len(), key.at_ms, key.https), (1, 7, true));
        let difference = json!({"at_ms": 9, "request": kept});
        assert_eq!(super::key(&difference).expect("it has one").at_ms, 9);
        let access = json!({"ts": "2026-11-21T10:00:00.250Z", "path": "/ipfs/b", "method": "GET"});
        let key = super::key(&access).expect("it has a path");
        assert_eq!((key.at_ms, key.host, key.named), (1_795_255_200_250, None, None));
    }

    #[test]
    fn whether_a_name_leads_there_is_what_the_record_says() {
        let website = |named| json!({"host": "site.example", "path": "/", "named": named});
        let named = |record: Value| key(&record).and_then(|key| key.named);
        assert_eq!(named(website(true)), Some(true));
        assert_eq!(named(json!({"request": website(true)})), Some(true));
        assert_eq!(named(json!({"request": {"path": "/ipfs/a"}, "named": false})), Some(false));
    }

    #[test]
    fn what_cannot_be_asked_again_is_not() {
        for record in [
            json!({"path_h": "00ff", "method": "GET"}),
            json!({"path": "ipfs/a"}),
            json!({"path": "/ipfs/a b\n"}),
            json!({"path": "/ipfs/a", "method": "POST"}),
            json!([]),
        ] {
            assert_eq!(key(&record), None, "{record}");
        }
    }
}
