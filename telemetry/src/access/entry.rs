//! One access record, version 1: what is noted of a request, and what of it is written.
//!
//! This is the one place that knows both the request and the record. Addresses, paths and CIDs come in
//! as they are and leave as keyed hashes; queries, cookies, tokens and the text of headers do not even
//! come in. Fields that a request does not have are left out.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderValue, Method};

use super::keys::Pair;
use super::{Line, who};
use crate::trace::TraceContext;

/// The version of the record.
pub const VERSION: u64 = 1;

/// Every field of a record in its order, with what it says; those of clear text and of `gc` last.
pub const FIELDS: [(&str, &str); 39] = [
    ("ts", "end of the request, UTC to the millisecond"),
    ("v", "version of the record: 1"),
    ("env", "environment, by configuration"),
    ("role", "program: gateway or node"),
    ("node", "process, by configuration"),
    ("build", "version and commit of the program"),
    ("req_id", "request id, the same in gateway and node"),
    ("trace_id", "trace, as in traceparent"),
    ("traffic", "website, gateway, mirror or probe"),
    ("form", "path, subdomain, dnslink, trustless or own; of nodes raw, car, ipns-record or own"),
    ("method", "HTTP method; other when it is none of RFC 9110"),
    ("ns", "ipfs or ipns"),
    ("root_cid_h", "keyed hash of the root's digest"),
    ("codec", "codec of the root"),
    ("format", "form of the answer"),
    ("path_depth", "segments below the root, or of the path when there is none"),
    ("path_h", "keyed hash of those segments"),
    ("range", "true when a range was asked for"),
    ("status", "status; 499 when the client left before there was one"),
    ("outcome", "how it ended"),
    ("cache", "where the bytes came from: none, hit, pool or network"),
    ("ttfb_ms", "time to the first byte of the answer"),
    ("total_ms", "time to the last one"),
    ("bytes", "bytes of body that were sent"),
    ("blocks", "blocks that were read"),
    ("providers", "providers that were found, where the network was asked"),
    ("peers_used", "nodes or peers that gave a block"),
    ("retries", "attempts beyond the first"),
    ("upstream", "index of the node that gave the last block"),
    ("truncated", "true when the answer was cut behind its headers"),
    ("verified", "true when every block of the answer was proven"),
    ("blocked_by", "list and line that deny it"),
    ("ua_class", "browser, bot, cli, ipfs, library, probe, other or none"),
    ("client_net_h", "keyed hash of the client's /24 or /48"),
    ("referrer_host", "site that linked here, cut to its last labels"),
    ("sample_rate", "share of its like that is recorded: count it as one by this"),
    ("root_cid", "clear text, of denied and failed requests only: the root"),
    ("path", "clear text, of denied and failed requests only: the path without query"),
    ("tier", "hashed, in records that are older than a week and have no ids"),
];

/// How much of a request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// It went well: recorded if it is in the sample.
    Sampled,
    /// It was refused: always recorded.
    Whole,
    /// It was denied or failed: always recorded, with clear text where that is configured.
    Clear,
}

/// The root of content.
#[derive(Clone, Copy)]
pub struct Root<'a> {
    /// What is hashed: the digest of its CID, which all spellings share, or the bytes of a name.
    pub digest: &'a [u8],
    /// Its codec.
    pub codec: &'static str,
    /// Its text.
    pub text: &'a dyn fmt::Display,
}

/// What is noted of one request.
pub struct Entry<'a> {
    /// How much of it is recorded.
    pub detail: Detail,
    /// The request's id.
    pub req_id: &'a str,
    /// Its place in a trace.
    pub trace: TraceContext,
    /// Whose traffic it is.
    pub traffic: Option<&'static str>,
    /// The form in which it was asked for.
    pub form: &'static str,
    /// The method.
    pub method: &'a Method,
    /// `ipfs` or `ipns`, when content was asked for.
    pub ns: Option<&'static str>,
    /// The root of that content.
    pub root: Option<Root<'a>>,
    /// The form of the answer.
    pub format: Option<&'static str>,
    /// The path of the URL, without its query.
    pub path: &'a str,
    /// Whether a range was asked for.
    pub range: bool,
    /// The status.
    pub status: u16,
    /// How it ended.
    pub outcome: &'static str,
    /// Where the bytes came from.
    pub cache: &'static str,
    /// Time to the first byte.
    pub first_byte: Duration,
    /// Time to the last one.
    pub total: Duration,
    /// Bytes of body.
    pub bytes: u64,
    /// Counts that are known of some requests: see [`Counts`].
    pub counts: Counts,
    /// Whether the answer was cut behind its headers.
    pub truncated: bool,
    /// The list and line that deny it.
    pub blocked_by: Option<(&'a str, u64)>,
    /// The kind of program that asks, of [`super::agent_class`].
    pub agent: &'static str,
    /// The address that asks.
    pub client: IpAddr,
    /// The `Referer`.
    pub referrer: Option<&'a HeaderValue>,
}

/// What is counted while a request is answered; what is not known is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Blocks that were read; all of them are proven.
    pub blocks: u64,
    /// Providers that were found.
    pub providers: Option<u64>,
    /// Nodes or peers that gave a block.
    pub peers_used: Option<u64>,
    /// Attempts beyond the first.
    pub retries: u64,
    /// The index of the node that gave the last block.
    pub upstream: Option<u64>,
}

impl Entry<'_> {
    /// Writes the record without clear text; `about` is what all records of a process share.
    pub(super) fn write(&self, line: &mut Line, about: &str, keys: &Pair, rate: &str) {
        line.raw(about).str("req_id", self.req_id);
        line.hex128("trace_id", self.trace.bits());
        line.opt("traffic", self.traffic).str("form", self.form);
        line.str("method", who::method_word(self.method)).opt("ns", self.ns);
        if let Some(root) = &self.root {
            line.hash("root_cid_h", &keys.hashes, root.digest).str("codec", root.codec);
        }
        line.opt("format", self.format);
        let below = below(self.path);
        let depth = below.split('/').filter(|segment| !segment.is_empty()).count();
        line.u64("path_depth", depth as u64);
        if depth > 0 {
            line.hash("path_h", &keys.hashes, below.as_bytes());
        }
        if self.range {
            line.bool("range", true);
        }
        line.u64("status", u64::from(self.status)).str("outcome", self.outcome);
        line.str("cache", self.cache);
        line.millis("ttfb_ms", self.first_byte).millis("total_ms", self.total);
        line.u64("bytes", self.bytes);
        self.write_counts(line);
        if self.truncated {
            line.bool("truncated", true);
        }
        if self.counts.blocks > 0 {
            line.bool("verified", true);
        }
        if let Some((list, number)) = self.blocked_by {
            line.numbered("blocked_by", list, number);
        }
        line.str("ua_class", self.agent);
        line.hash("client_net_h", &keys.hashes, &who::network(self.client));
        line.opt("referrer_host", self.referrer.and_then(who::referrer_site));
        line.number("sample_rate", rate);
    }

    fn write_counts(&self, line: &mut Line) {
        let counts = &self.counts;
        for (name, count) in [
            ("blocks", Some(counts.blocks).filter(|blocks| *blocks > 0)),
            ("providers", counts.providers),
            ("peers_used", counts.peers_used),
            ("retries", Some(counts.retries).filter(|retries| *retries > 0)),
            ("upstream", counts.upstream),
        ] {
            if let Some(count) = count {
                line.u64(name, count);
            }
        }
    }

    /// Adds what is clear text.
    pub(super) fn write_clear(&self, line: &mut Line) {
        if let Some(root) = &self.root {
            line.show("root_cid", root.text);
        }
        line.str("path", self.path);
    }
}

/// The part of a path below the root that it names, without slashes at its ends.
fn below(path: &str) -> &str {
    let rest = path.strip_prefix("/ipfs/").or_else(|| path.strip_prefix("/ipns/"));
    let below = match rest {
        Some(rest) => rest.split_once('/').map_or("", |(_, below)| below),
        None => path,
    };
    below.trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_what_is_below_its_root() {
        assert_eq!(below("/ipfs/bafy/a/b/"), "a/b");
        assert_eq!(below("/ipns/name"), "");
        assert_eq!(below("/a/b"), "a/b", "on a host that stands for the root");
        assert_eq!(below("/"), "");
    }

    #[test]
    fn no_field_is_named_twice() {
        for (place, (name, _)) in FIELDS.iter().enumerate() {
            assert!(FIELDS[..place].iter().all(|(other, _)| other != name), "{name}");
        }
    }
}
