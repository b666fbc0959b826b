//! Which checks there are: each has one name for ever, and says what it proves and what it needs.
//!
//! Names are labels of metrics and are linked to pages, so one that is no longer wanted is removed and
//! never given to another check.

use serde_json::json;
use telemetry::label;
use telemetry::metrics::Label as _;

use crate::output::{Format, Style, Table};

label! {
    /// What is asked.
    pub(crate) enum Check: "check" {
        /// A file by its path.
        HttpPath = "http.path",
        /// A file in an origin of its own.
        HttpSubdomain = "http.subdomain",
        /// One block.
        HttpRaw = "http.raw",
        /// A whole DAG.
        HttpCar = "http.car",
        /// A part of a file.
        HttpRange = "http.range",
        /// The headers of a file.
        HttpHead = "http.head",
        /// A copy that is still good.
        HttpEtag304 = "http.etag304",
        /// What may not be fetched.
        HttpOnlyIfCached = "http.only_if_cached",
        /// A name of DNS.
        HttpDnslink = "http.dnslink",
        /// A name of a key.
        HttpIpns = "http.ipns",
        /// What is denied.
        HttpDenylist = "http.denylist",
        /// What nobody has.
        HttpTimeoutPage = "http.timeout_page",
        /// What other origins may do.
        HttpCors = "http.cors",
        /// A website.
        HttpWebsite = "http.website",
        /// Content that did not exist a moment ago.
        HttpNew = "http.new",
        /// A node's own word.
        NodeReadyz = "node.readyz",
        /// Who answers peers.
        Libp2pIdentify = "libp2p.identify",
        /// A block from a peer.
        BitswapCanary = "bitswap.canary",
    }
}

label! {
    /// How the content came to where it is asked for.
    pub(crate) enum Lane: "lane" {
        /// It is asked for again and again.
        Warm = "warm",
        /// A node has it, and no gateway was asked for it before.
        Cold = "cold",
        /// It is asked for from the moment at which it begins to exist.
        New = "new",
    }
}

label! {
    /// How a check ended.
    pub(crate) enum Verdict: "verdict" {
        /// As it should be.
        Pass = "pass",
        /// Not as it should be.
        Fail = "fail",
        /// Not made, for a reason that is said.
        Skipped = "skipped",
    }
}

impl Check {
    /// The check of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|check| check.text() == name)
    }

    /// The lanes in which it is made.
    pub(crate) fn lanes(self) -> &'static [Lane] {
        match self {
            Check::HttpPath | Check::HttpCar => &[Lane::Warm, Lane::Cold],
            Check::HttpTimeoutPage | Check::HttpOnlyIfCached => &[Lane::Cold],
            Check::HttpNew => &[Lane::New],
            Check::HttpSubdomain
            | Check::HttpRaw
            | Check::HttpRange
            | Check::HttpHead
            | Check::HttpEtag304
            | Check::HttpDnslink
            | Check::HttpIpns
            | Check::HttpDenylist
            | Check::HttpCors
            | Check::HttpWebsite
            | Check::NodeReadyz
            | Check::Libp2pIdentify
            | Check::BitswapCanary => &[Lane::Warm],
        }
    }

    /// What it proves.
    pub(crate) fn proves(self) -> &'static str {
        match self {
            Check::HttpPath => "a file by its path has the bytes that its CID names",
            Check::HttpSubdomain => "so it has on a host of its own",
            Check::HttpRaw => "a block hashes to its CID",
            Check::HttpCar => "every block of a CAR hashes to its CID, and none is missing",
            Check::HttpRange => "a range has the bytes of that place, and says which",
            Check::HttpHead => "HEAD says the length and the type, and has no body",
            Check::HttpEtag304 => "a copy with its Etag is 304, with another Etag 200",
            Check::HttpOnlyIfCached => "only-if-cached of what is not there is 412, at once",
            Check::HttpDnslink => "a DNSLink is followed, to bytes that are proven",
            Check::HttpIpns => "a record is signed and valid, and its path leads where it says",
            Check::HttpDenylist => "what is denied is 410 or 451, and not a byte of it is sent",
            Check::HttpTimeoutPage => {
                "what nobody has is 502 or 504, with a page and Retry-After, in time"
            }
            Check::HttpCors => "other origins may read, and preflights are answered",
            Check::HttpWebsite => "a website's host shows bytes that are proven",
            Check::HttpNew => "new content is served, and how long that takes from its import on",
            Check::NodeReadyz => "a node says that it is ready",
            Check::Libp2pIdentify => {
                "a node answers peers under its peer ID, by each of its addresses"
            }
            Check::BitswapCanary => "a node sends a wanted block, and it hashes to its CID",
        }
    }

    /// What it needs beside a gateway or a node; empty for nothing.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Check::HttpPath | Check::HttpRaw | Check::HttpCar | Check::HttpRange => CANARY,
            Check::HttpHead | Check::HttpEtag304 | Check::HttpCors => CANARY,
            Check::HttpSubdomain => "a canary, and `subdomains` of the gateway",
            Check::HttpDnslink => "dnslinks, or --dnslink NAME",
            Check::HttpIpns => "--seed-node ADMIN, or names, or --ipns NAME",
            Check::HttpDenylist => "denied, or --denied /ipfs/CID",
            Check::HttpWebsite => "websites, or --website HOST",
            Check::HttpNew => "--seed-node ADMIN",
            Check::BitswapCanary => "--seed-node ADMIN of the node",
            Check::Libp2pIdentify => "libp2p addresses of the node",
            Check::NodeReadyz => "the admin listener of the node",
            Check::HttpOnlyIfCached | Check::HttpTimeoutPage => "",
        }
    }

    /// The page that says what to do when it fails.
    pub(crate) fn page(self) -> &'static str {
        match self {
            Check::HttpPath
            | Check::HttpSubdomain
            | Check::HttpRaw
            | Check::HttpCar
            | Check::HttpRange
            | Check::BitswapCanary => "UnverifiedBytes",
            Check::HttpHead | Check::HttpEtag304 | Check::HttpCors | Check::HttpWebsite => {
                "GatewayNotReady"
            }
            Check::HttpOnlyIfCached
            | Check::HttpDnslink
            | Check::HttpIpns
            | Check::HttpNew
            | Check::HttpTimeoutPage => "GatewayFirstByteNetwork",
            Check::HttpDenylist => "Takedown",
            Check::NodeReadyz | Check::Libp2pIdentify => "NodeUnreachable",
        }
    }
}

const CANARY: &str = "a canary: --seed-node ADMIN, or canaries, or --canary /ipfs/CID/file";

/// All checks, for people or for programs.
pub(crate) fn list(format: Format) -> String {
    if format == Format::Json {
        let line = |check: &Check| {
            let lanes: Vec<&str> = check.lanes().iter().map(|lane| lane.text()).collect();
            let runbook = format!("runbooks/{}.md", check.page());
            json!({ "check": check.text(), "lanes": lanes, "proves": check.proves(),
                    "needs": check.needs(), "runbook": runbook })
        };
        return Check::ALL.iter().map(|check| format!("{}\n", line(check))).collect();
    }
    let mut table = Table::default();
    table.row(["CHECK", "LANES", "PROVES", "NEEDS"]);
    for check in Check::ALL {
        let lanes: Vec<&str> = check.lanes().iter().map(|lane| lane.text()).collect();
        table.row([check.text(), &lanes.join(" "), check.proves(), check.needs()]);
    }
    table.render("", Style::stdout())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_each_has_a_page() {
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
        for check in Check::ALL {
            assert_eq!(Check::named(check.text()), Some(*check));
            assert!(!check.lanes().is_empty());
            let page = pages.join(format!("{}.md", check.page()));
            assert!(page.is_file(), "{} has no page {}", check.text(), page.display());
        }
        assert_eq!(Check::named("http.nothing"), None);
        assert_eq!(list(Format::Json).lines().count(), Check::ALL.len());
    }
}
