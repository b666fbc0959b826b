//! What a gateway says of its own answer: its time, its build, where the bytes came from, and whether
//! it drew the body.

use std::time::Duration;

/// The header in which a gateway tells a mirror how long its answer took it (Server Timing).
pub const TIMING_HEADER: &str = "server-timing";
/// The header in which it tells its build.
pub const BUILD_HEADER: &str = "bifrost-build";

/// Longest build that is taken for one.
const BUILD_BYTES_MAX: usize = 128;

/// What is told, as far as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Time to the head, without the way to it.
    pub first_byte: Option<Duration>,
    /// Which build it is.
    pub build: Option<String>,
    /// `hit`, `pool`, `network`, `none`, or `unknown` of a gateway that does not say.
    pub cache: &'static str,
    /// Whether the body is drawn by the gateway.
    pub is_rendered: bool,
}

impl Told {
    /// Reads what the headers tell; `header` gives the value for a name.
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let build = header(BUILD_HEADER);
        Self {
            first_byte: header(TIMING_HEADER).and_then(first_byte),
            build: build.filter(|build| build.len() <= BUILD_BYTES_MAX).map(str::to_owned),
            cache: cache(header("cache-status"), build.is_some()),
            is_rendered: header("etag").is_some_and(is_drawn),
        }
    }
}

/// The value of the header that tells a time.
#[must_use]
pub fn timing(first_byte: Duration) -> String {
    format!("first-byte;dur={:.3}", first_byte.as_secs_f64() * 1000.0)
}

fn first_byte(timing: &str) -> Option<Duration> {
    let metric = timing.split(',').find(|metric| metric.trim().starts_with("first-byte"))?;
    let millis = metric.split(';').find_map(|part| part.trim().strip_prefix("dur="))?;
    Duration::try_from_secs_f64(millis.parse::<f64>().ok()? / 1000.0).ok()
}

/// Where the bytes came from, by `Cache-Status` (RFC 9211).
fn cache(status: Option<&str>, is_ours: bool) -> &'static str {
    match status {
        Some(status) if status.starts_with("bifrost-gateway; hit") => "hit",
        Some(status) if status.starts_with("bifrost-node; hit") => "pool",
        Some(status) if status.starts_with("bifrost-node; fwd") => "network",
        None if is_ours => "none",
        Some(_) | None => "unknown",
    }
}

/// Whether a tag is that of a page which gateways draw.
fn is_drawn(etag: &str) -> bool {
    let etag = etag.trim_start_matches("W/");
    etag.starts_with("\"DirIndex-") || etag.starts_with("\"DagIndex-")
}
