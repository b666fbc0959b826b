//! Which request this is, across processes: trace context and request id.
//!
//! Both are read strictly: what a client sent and what does not parse is not repaired but replaced,
//! so that neither a log nor a trace ever holds a text that a stranger chose freely.

mod config;
mod export;
mod request_id;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use config::Config;
pub use export::TraceError;
pub(crate) use export::{Exporter, resource};
pub use request_id::RequestId;

/// The header that carries a trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Bytes of a version 00 header: version, trace id, span id, flags and three dashes.
const HEADER_BYTES: usize = 55;
const SAMPLED: u8 = 1;

/// A span's place in its trace, as W3C Trace Context has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    /// The first span of a trace of its own.
    #[must_use]
    pub fn root(sampled: bool) -> Self {
        Self { trace_id: nonzero(rand::random), span_id: nonzero(rand::random), sampled }
    }

    /// The context in the headers of a request; none when there is none or more than one, or when it
    /// is malformed.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        Self::parse(value.to_str().ok()?)
    }

    /// The place of a request in its caller's trace, or in one of its own. `span`, which must not
    /// have been entered, is put there; when spans are not exported the place is drawn all the same,
    /// so that log lines can be joined.
    #[must_use]
    pub fn of_request(headers: &HeaderMap, span: &tracing::Span) -> Self {
        let caller = Self::from_headers(headers);
        let drawn = || caller.map_or_else(|| Self::root(false), Self::child);
        if span.is_disabled() {
            return drawn();
        }
        if let Some(caller) = caller {
            caller.adopt(span);
        }
        Self::of_span(span).unwrap_or_else(drawn)
    }

    /// Reads a `traceparent` header.
    //= https://www.w3.org/TR/trace-context/#traceparent-header-field-values
    //# HEXDIGLC = DIGIT / "a" / "b" / "c" / "d" / "e" / "f" ; lowercase hex character
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let fields = bytes.get(..HEADER_BYTES)?;
        let dashes = [2, 35, 52].iter().all(|place| fields[*place] == b'-');
        let version = hex(&fields[..2])?;
        // A later version may have more fields, after a dash; version ff never comes.
        let length_fits = match version {
            0 => bytes.len() == HEADER_BYTES,
            0xff => false,
            _ => bytes.get(HEADER_BYTES).is_none_or(|byte| *byte == b'-'),
        };
        if !dashes || !length_fits {
            return None;
        }
        let trace_id = hex(&fields[3..35])?;
        let span_id = u64::try_from(hex(&fields[36..52])?).ok()?;
        let flags = u8::try_from(hex(&fields[53..55])?).ok()?;
        let valid = trace_id != 0 && span_id != 0;
        valid.then_some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }

    /// A span below this one.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span_id: nonzero(rand::random), ..self }
    }

    /// The context of a `tracing` span, when spans are exported.
    #[must_use]
    pub fn of_span(span: &tracing::Span) -> Option<Self> {
        let context = span.context();
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| Self {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
            sampled: span.is_sampled(),
        })
    }

    /// Makes a `tracing` span that has not been entered a child of this context; without effect when
    /// spans are not exported.
    pub fn adopt(self, span: &tracing::Span) {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        let parent = SpanContext::new(
            TraceId::from_bytes(self.trace_id.to_be_bytes()),
            SpanId::from_bytes(self.span_id.to_be_bytes()),
            flags,
            true,
            TraceState::NONE,
        );
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        if let Err(error) = span.set_parent(context) {
            tracing::trace!(%error, "span keeps its own trace");
        }
    }

    /// The `traceparent` header, version 00.
    #[must_use]
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.text()).expect("hexadecimal digits and dashes")
    }

    fn text(self) -> [u8; HEADER_BYTES] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let fits = "two digits a byte";
        hex::encode_to_slice(self.trace_id.to_be_bytes(), &mut text[3..35]).expect(fits);
        hex::encode_to_slice(self.span_id.to_be_bytes(), &mut text[36..52]).expect(fits);
        text[54] += u8::from(self.sampled);
        text
    }

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The trace's id.
    pub(crate) fn bits(self) -> u128 {
        self.trace_id
    }

    /// The span's id, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(self) -> String {
        format!("{:016x}", self.span_id)
    }

    /// Whether the trace is kept.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).expect("hexadecimal digits and dashes"))
    }
}

/// Reads lower-case hexadecimal digits, at most 32.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

fn nonzero<T: Default + PartialEq>(draw: impl Fn() -> T) -> T {
    loop {
        let drawn = draw();
        if drawn != T::default() {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests;
