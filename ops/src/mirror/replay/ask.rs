//! One request to both gateways at once, read as far as it is compared.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use ipfs::Cid;
use ipfs::answer::{self, Agreement, Answer, Class, Digest, Question, Shape, Told};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use telemetry::Tasks;
use telemetry::pairs::{Pair, Side, VERSION, micros, millis};

use super::keys::Key;
use crate::mirror::MirrorError;
use crate::web::{Web, url_of};

/// Asks gateways.
pub(super) struct Asker {
    web: Web,
    to: String,
    against: Option<String>,
    within: Duration,
    limit: u64,
    /// What keys are hashed with.
    secret: [u8; 16],
}

/// What came of one key.
pub(super) struct Both {
    /// The answer of the gateway that is tried.
    pub(super) tried: Got,
    /// Both answers, where there is another gateway.
    pub(super) pair: Option<Pair>,
    /// Whether what came is proven not to be what it is named.
    pub(super) is_wrong: bool,
    reference: Option<Got>,
}

/// An answer, or why there is none.
pub(super) struct Got {
    pub(super) answer: Option<Answer>,
    pub(super) failure: Option<&'static str>,
    pub(super) first_byte: Duration,
    total: Duration,
    cache: &'static str,
    build: Option<String>,
    is_rendered: bool,
    /// Whether it says that a name led to it.
    is_named: bool,
    etag: Option<String>,
}

impl Asker {
    /// Asks `to`, and `against` beside it.
    ///
    /// # Errors
    /// `Url` when one of them is none.
    pub(super) fn new(
        tasks: &Tasks,
        (to, against): (&str, Option<&str>),
        within: Duration,
        limit: u64,
    ) -> Result<Self, MirrorError> {
        let bare = |url: &str| {
            url_of(url).map_err(|error| MirrorError::Url(error.to_string()))?;
            Ok(url.trim_end_matches('/').to_owned())
        };
        let web =
            Web::new(tasks, within, 0).map_err(|error| MirrorError::Url(error.to_string()))?;
        let (to, against) = (bare(to)?, against.map(bare).transpose()?);
        Ok(Self { web, to, against, within, limit, secret: rand::random() })
    }

    /// Asks for a key.
    pub(super) async fn ask(&self, key: &Key) -> Both {
        let tried = self.one(&self.to, key);
        let Some(against) = &self.against else {
            let tried = tried.await;
            let is_wrong = tried.is_wrong(key);
            return Both { tried, pair: None, is_wrong, reference: None };
        };
        // At once, so that neither is asked at a better moment.
        let (reference, tried) = tokio::join!(self.one(against, key), tried);
        let is_wrong = tried.is_wrong(key);
        let pair = self.pair(key, &reference, &tried);
        Both { tried, pair: Some(pair), is_wrong, reference: Some(reference) }
    }

    async fn one(&self, gateway: &str, key: &Key) -> Got {
        let began = Instant::now();
        let mut got = Got::nothing();
        let Some(request) = key.request(gateway) else {
            got.failure = Some("connect");
            return got;
        };
        let asked = tokio::time::timeout(self.within, self.web.open(request)).await;
        got.first_byte = began.elapsed();
        let response = match asked {
            Err(_) => return Got { failure: Some("timeout"), ..got },
            Ok(Err(_)) => return Got { failure: Some("connect"), ..got },
            Ok(Ok(response)) => response,
        };
        let (head, mut body) = response.into_parts();
        got.head(head.status, &head.headers);
        let shape = match head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) {
            Some(kind) if kind.starts_with(b"application/vnd.ipld.car") => Shape::Archive,
            _ if got.is_rendered => Shape::Page,
            _ => Shape::Bytes,
        };
        let mut digest = Digest::new(shape, true, self.limit);
        let until = began + self.within;
        while digest.bytes() <= self.limit {
            match tokio::time::timeout_at(until.into(), body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    frame.data_ref().into_iter().for_each(|data| digest.update(data))
                }
                Ok(None) => break,
                Ok(Some(Err(_))) => {
                    got.failure = Some("reset");
                    break;
                }
                Err(_) => {
                    got.failure = Some("timeout");
                    break;
                }
            }
        }
        got.total = began.elapsed();
        let whole = got.failure.is_none();
        if let Some(answer) = &mut got.answer {
            answer.body = digest.finish(whole);
        }
        got
    }

    fn pair(&self, key: &Key, reference: &Got, tried: &Got) -> Pair {
        let (class, agreement) = match (&reference.answer, &tried.answer) {
            (Some(one), Some(two)) => answer::compare(&reference.question(key), one, two),
            (Some(_) | None, _) => (Class::Network, Agreement::Rates),
        };
        let differences = agreement.differences().iter().map(|found| found.text()).collect();
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(key.target.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        Pair {
            v: VERSION,
            at_ms: millis(SystemTime::now()),
            env: "replay".to_owned(),
            gateway: "replay".to_owned(),
            key: hex::encode(&hash[..8]),
            lane: "staging".to_owned(),
            class: class.word().to_owned(),
            format: key.format(),
            production: reference.side().unwrap_or_else(|| Side {
                status: 0,
                cache: "unknown".to_owned(),
                first_byte_us: micros(reference.first_byte),
                total_us: micros(reference.first_byte),
                bytes: 0,
                whole: false,
                build: None,
            }),
            staging: tried.side(),
            failure: tried.failure.map(str::to_owned),
            retried: false,
            unasked: 0,
            result: agreement.word().to_owned(),
            differences,
        }
    }

    /// What is kept of two answers that differ.
    pub(super) fn difference(&self, both: &Both, key: &Key) -> Value {
        let pair = both.pair.as_ref();
        let shown = |got: Option<&Got>| got.and_then(|got| got.answer.as_ref()).map(shown);
        json!({
            "at_ms": pair.map(|pair| pair.at_ms),
            "gateway": "replay",
            "differences": pair.map(|pair| &pair.differences),
            "request": key.shown(),
            "production": shown(both.reference.as_ref()),
            "staging": shown(Some(&both.tried)),
            "replay": format!("bifrost mirror replay --keys differences.ndjson --to {} --against {}",
                self.to, self.against.as_deref().unwrap_or_default()),
        })
    }
}

impl Got {
    fn nothing() -> Self {
        Self {
            answer: None,
            failure: None,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            cache: "unknown",
            build: None,
            is_rendered: false,
            is_named: false,
            etag: None,
        }
    }

    fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let length = text("content-length").and_then(|length| length.parse().ok());
        self.answer = Some(Answer::new(status.as_u16(), length, |name| {
            headers.get_all(name).iter().map(HeaderValue::as_bytes)
        }));
        // A gateway that takes this for mirrored tells its own time, without the way to it.
        let told = Told::of(text);
        self.first_byte = told.first_byte.unwrap_or(self.first_byte);
        (self.cache, self.build, self.is_rendered) = (told.cache, told.build, told.is_rendered);
        self.is_named = text("x-ipfs-path").is_some_and(|path| path.starts_with("/ipns/"));
        self.etag = text("etag").map(str::to_owned);
    }

    fn question(&self, key: &Key) -> Question {
        Question {
            is_named: key.named.unwrap_or_else(|| key.is_named() || self.is_named),
            is_rendered: self.is_rendered,
            is_head: key.method == http::Method::HEAD,
            block: self.block(key),
        }
    }

    /// The block that the whole body has to be: of a raw block, its tag names it.
    fn block(&self, key: &Key) -> Option<Cid> {
        let status = self.answer.as_ref()?.status;
        let is_get = key.method == http::Method::GET;
        let tag = self.etag.as_deref()?.trim_matches('"').strip_suffix(".raw")?;
        Cid::parse(tag).ok().filter(|_| status == 200 && is_get)
    }

    /// Whether it is proven not to be what it is named.
    fn is_wrong(&self, key: &Key) -> bool {
        let Some(answer) = self.answer.as_ref().filter(|answer| answer.status == 200) else {
            return false;
        };
        // Compared with itself it can only be what it is named, or not.
        !answer::compare(&self.question(key), answer, answer).1.differences().is_empty()
    }

    pub(super) fn side(&self) -> Option<Side> {
        let answer = self.answer.as_ref()?;
        Some(Side {
            status: answer.status,
            cache: self.cache.to_owned(),
            first_byte_us: micros(self.first_byte),
            total_us: micros(self.total),
            bytes: answer.body.bytes,
            whole: answer.body.whole,
            build: self.build.clone(),
        })
    }
}

impl Key {
    /// The form that is asked for, as pairs name it.
    fn format(&self) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let format = query.split('&').find_map(|pair| pair.strip_prefix("format="));
        format.unwrap_or("page").chars().take(16).collect()
    }

    fn shown(&self) -> Value {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers =
            self.headers.iter().map(|(name, value)| (name.to_string(), json!(text(value))));
        json!({
            "method": self.method.as_str(),
            "host": self.host.as_ref().map(text),
            "https": self.https,
            "path": path,
            "query": query,
            "headers": headers.collect::<serde_json::Map<_, _>>(),
            "named": self.named,
        })
    }
}

fn shown(answer: &Answer) -> Value {
    json!({
        "status": answer.status,
        "length": answer.length,
        "bytes": answer.body.bytes,
        "sha256": hex::encode(answer.body.sha256),
    })
}
