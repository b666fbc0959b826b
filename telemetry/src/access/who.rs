//! What is left of who asked: a kind of program, a site, a network, never a person.
//!
//! What a client sends comes out as one of a few words, or as a host that is cut to what names a site.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Method, header};

/// Longest label of a host that is kept; longer ones are keys and CIDs.
const LABEL_BYTES_MAX: usize = 32;

/// The kind of program that a `User-Agent` names.
#[must_use]
pub fn agent_class(headers: &HeaderMap) -> &'static str {
    let Some(agent) = headers.get(header::USER_AGENT) else {
        return "none";
    };
    let agent = agent.as_bytes();
    if is_bot(&agent[..agent.len().min(512)]) {
        return "bot";
    }
    let end = agent.iter().position(|byte| b"/ ;(".contains(byte)).unwrap_or(agent.len());
    let product = &agent[..end];
    let known = AGENTS.iter().find(|(name, _)| product.eq_ignore_ascii_case(name.as_bytes()));
    known.map_or("other", |(_, class)| class)
}

/// Products by the first word of what they call themselves.
const AGENTS: [(&str, &str); 24] = [
    ("mozilla", "browser"),
    ("opera", "browser"),
    ("curl", "cli"),
    ("wget", "cli"),
    ("httpie", "cli"),
    ("aria2", "cli"),
    ("kubo", "ipfs"),
    ("go-ipfs", "ipfs"),
    ("boxo", "ipfs"),
    ("rainbow", "ipfs"),
    ("helia", "ipfs"),
    ("lassie", "ipfs"),
    ("bifrost-gateway", "ipfs"),
    ("bifrost-node", "ipfs"),
    ("bifrost-probe", "probe"),
    ("prometheus", "probe"),
    ("blackbox", "probe"),
    ("kube-probe", "probe"),
    ("go-http-client", "library"),
    ("okhttp", "library"),
    ("axios", "library"),
    ("node", "library"),
    ("python-requests", "library"),
    ("reqwest", "library"),
];

/// Whether a program says of itself that it is a robot.
fn is_bot(agent: &[u8]) -> bool {
    agent.iter().enumerate().any(|(place, byte)| {
        let rest = &agent[place + 1..];
        match byte {
            b'b' | b'B' => rest.starts_with(b"ot"),
            b'c' | b'C' => rest.starts_with(b"rawl"),
            b's' | b'S' => rest.starts_with(b"pider"),
            b'+' => rest.starts_with(b"http"),
            _ => false,
        }
    })
}

/// The method, unless the client made it up.
#[must_use]
pub fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

/// The site that a `Referer` names: the last labels of its host, and nothing when that is an address
/// or a text that is none.
pub(super) fn referrer_site(referrer: &HeaderValue) -> Option<&str> {
    let text = referrer.to_str().ok()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?.trim_end_matches('.');
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut labels = host.rsplit('.');
    let (top, site) = (labels.next()?, labels.next());
    let Some(site) = site else {
        return (top == "localhost").then_some(top);
    };
    if !is_label(top) || !is_label(site) || top.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // `co.uk`, `com.au`: names are given out one label further down.
    let kept = match labels.next() {
        Some(name) if top.len() == 2 && site.len() <= 3 => {
            if !is_label(name) {
                return None;
            }
            name.len() + site.len() + top.len() + 2
        }
        _ => site.len() + top.len() + 1,
    };
    Some(&host[host.len() - kept..])
}

/// The network of an address, as it is hashed: /24 of IPv4, /48 of IPv6, behind their kind.
pub(super) fn network(address: IpAddr) -> [u8; 7] {
    let mut bytes = [0; 7];
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            bytes[0] = 4;
            bytes[1..4].copy_from_slice(&v4.octets()[..3]);
        }
        IpAddr::V6(v6) => {
            bytes[0] = 6;
            bytes[1..7].copy_from_slice(&v6.octets()[..6]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(agent: &'static str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        agent_class(&headers)
    }

    #[test]
    fn agents_are_one_of_a_few_words() {
        assert_eq!(agent_class(&HeaderMap::new()), "none");
        assert_eq!(class("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"), "browser");
        assert_eq!(class("Mozilla/5.0 (compatible; Googlebot/2.1)"), "bot");
        assert_eq!(class("SomeThing (+https://me.example)"), "bot");
        assert_eq!(class("curl/8.9"), "cli");
        assert_eq!(class("kubo/0.40/abc"), "ipfs");
        assert_eq!(class("Jane Doe's own reader"), "other");
    }

    #[test]
    fn referrer_is_cut_to_its_site() {
        for (referrer, site) in [
            ("https://example.org/secret?token=1#x", Some("example.org")),
            ("https://jane:pass@accounts.example.org:8443/", Some("example.org")),
            ("http://www.shop.co.uk", Some("shop.co.uk")),
            ("https://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3.ipfs.gw.net/", Some("gw.net")),
            ("http://localhost:8080/", Some("localhost")),
            ("http://203.0.113.9/", None),
            ("http://[2001:db8::1]/", None),
            ("https://intranet/", None),
            ("android-app://com.example", None),
            ("https://q2w3e4r5t6y7u8i9o0p1a2s3d4f5g6h7j8.example/", None),
        ] {
            let value = HeaderValue::from_static(referrer);
            assert_eq!(referrer_site(&value), site, "{referrer}");
        }
    }

    #[test]
    fn neighbours_are_one_network() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("203.0.113.9"), net("203.0.113.200"));
        assert_eq!(net("203.0.113.9"), net("::ffff:203.0.113.1"));
        assert_ne!(net("203.0.113.9"), net("203.0.114.9"));
        assert_eq!(net("2001:db8:1:2::1"), net("2001:db8:1:ffff::9"));
        assert_ne!(net("2001:db8:1::1"), net("2001:db8:2::1"));
    }

    #[test]
    fn made_up_method_is_not_repeated() {
        assert_eq!(method_word(&Method::GET), "GET");
        assert_eq!(method_word(&Method::from_bytes(b"TOKEN-1").expect("a token")), "other");
    }
}
