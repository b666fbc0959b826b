//! Which texts are names, addresses and URLs.
//!
//! Only what a rendered file can hold as it is passes: what does not is a finding, not an escape.

use ipfs::ipns::Name;

/// Whether a text is a host name of DNS; a first label of `*` is one too.
pub(crate) fn is_dns(text: &str) -> bool {
    let labels = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && labels.split('.').all(is_label)
}

/// Whether a text can be the name of a process or an environment.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
}

/// Whether a text is a peer ID.
pub(crate) fn is_peer_id(text: &str) -> bool {
    Name::is_peer_id(text) && Name::parse(text).is_ok()
}

/// Whether a text is a multiaddr that peers can dial: a host, a port, and no peer ID.
pub(crate) fn is_multiaddr(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    let [host_kind, host, transport, port, rest @ ..] = &parts[..] else { return false };
    let host = match *host_kind {
        "ip4" => host.parse::<std::net::Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<std::net::Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => is_dns(host),
        _ => false,
    };
    let port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let stack = match *transport {
        "tcp" => matches!(rest, [] | ["ws" | "wss"] | ["tls", "ws"]),
        "udp" => matches!(rest, ["quic-v1"] | ["quic-v1", "webtransport"]),
        _ => false,
    };
    host && port && stack
}

/// Whether a text is the URL of a listener: a scheme, a host, and nothing behind it.
pub(crate) fn is_origin(text: &str) -> bool {
    origin(text).is_some()
}

/// The host and port of the URL of a listener, and whether it speaks TLS.
pub(crate) fn origin(text: &str) -> Option<(String, u16, bool)> {
    let uri = crate::web::url_of(text).ok()?;
    let tls = uri.scheme_str() == Some("https");
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host = uri.host().filter(|host| !host.is_empty() && bare)?;
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Some((host.to_owned(), port, tls))
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_peers_cannot_dial_are_refused() {
        for good in [
            "/ip4/127.0.0.1/tcp/4180",
            "/ip4/127.0.0.1/udp/4180/quic-v1",
            "/ip6/2001:db8::1/tcp/4001",
            "/dns4/node.example/tcp/443/wss",
            "/dns/node.example/udp/4001/quic-v1/webtransport",
        ] {
            assert!(is_multiaddr(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:4180",
            "/ip4/300.0.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/0",
            "/ip4/127.0.0.1/tcp/4180/p2p/12D3",
            "/ip4/127.0.0.1/udp/4180",
            "/dnsaddr/x/tcp/1",
            "/ip4/127.0.0.1",
        ] {
            assert!(!is_multiaddr(bad), "{bad}");
        }
    }

    #[test]
    fn a_listener_is_a_scheme_a_host_and_a_port() {
        assert_eq!(origin("http://[::1]:9080"), Some(("[::1]".into(), 9080, false)));
        assert_eq!(origin("https://a.example"), Some(("a.example".into(), 443, true)));
        for bad in ["a.example:1", "http://a/x", "http://a?x", "ftp://a"] {
            assert!(!is_origin(bad), "{bad}");
        }
        assert!(is_loopback("[::1]") && is_loopback("127.0.0.2") && !is_loopback("a.example"));
    }

    #[test]
    fn names_of_dns_are_lower_case_labels() {
        for good in ["a", "gateway-0.example", "*.ipfs.example"] {
            assert!(is_dns(good), "{good}");
        }
        for bad in ["", "A.example", "a..b", "-a", "a_b", "a.*.b", "a.example."] {
            assert!(!is_dns(bad), "{bad}");
        }
    }
}
