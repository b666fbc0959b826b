//! Claims about what hosts stand for.

use std::net::IpAddr;

use super::*;

const ROOT: &str = "/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

fn hosts(loopback: bool) -> Hosts {
    let table = vec![
        Host::of("gw.example", Class::Path),
        Host::of("sub.example", Class::Subdomain),
        Host::of("verify.example", Class::Trustless),
        Host::of("*.linked.example", Class::Dnslink),
        Host::of("plain.linked.example", Class::Pages),
        Host::site("Docs.example", &format!("{ROOT}/")),
    ];
    Hosts::new(&Config { table, ..Config::default() }, loopback).expect("a valid table")
}

fn place(hosts: &Hosts, authority: &str) -> Result<Place, AskError> {
    let request = http::Request::builder().uri("/").header("host", authority).body(());
    let parts = request.expect("valid").into_parts().0;
    let peer = IpAddr::from([127, 0, 0, 1]);
    hosts.place(&Caller::read(&parts, peer, hosts.trusted(), hosts.is_uniform())?)
}

#[test]
fn hosts_stand_for_what_the_table_says() {
    let hosts = hosts(false);
    for host in ["gw.example", "GW.example.", "gw.example:8080"] {
        let place = place(&hosts, host);
        assert!(matches!(place, Ok(Place::Paths { trustless: false })), "{host}");
    }
    for host in ["docs.example", "DOCS.example:80"] {
        let Ok(Place::Site(site)) = place(&hosts, host) else { panic!("{host} is a site") };
        assert_eq!(site.path, ROOT);
    }
    let trustless = place(&hosts, "verify.example");
    assert!(matches!(trustless, Ok(Place::Paths { trustless: true })));
    assert!(matches!(place(&hosts, "sub.example"), Ok(Place::Subdomains)));
    for host in ["other.example", "ipfs.sub.example", "linked.example", "a.gw.example"] {
        assert!(matches!(place(&hosts, host), Err(AskError::UnknownHost(_))), "{host}");
    }
}

#[test]
fn exact_names_win_over_wildcards() {
    let hosts = hosts(false);
    let Ok(Place::Site(site)) = place(&hosts, "a.b.linked.example") else { panic!("a site") };
    assert_eq!(site.path, "/ipns/a.b.linked.example");
    assert!(matches!(place(&hosts, "plain.linked.example"), Ok(Place::Pages)));
}

#[test]
fn origins_are_split_at_the_namespace_before_their_gateway() {
    let hosts = hosts(false);
    for (host, expected) in [
        ("bafy.ipfs.sub.example:81", ("bafy", "ipfs", "sub.example:81")),
        ("en.wiki.org.ipns.sub.example", ("en.wiki.org", "ipns", "sub.example")),
        ("x.ipfs.org.ipns.sub.example", ("x.ipfs.org", "ipns", "sub.example")),
    ] {
        let Ok(Place::Origin { namespace, id, gateway }) = place(&hosts, host) else {
            panic!("{host} is an origin")
        };
        assert_eq!((id.as_str(), namespace, gateway.as_str()), expected);
    }
    for host in ["bafy.ipfs.gw.example", "bafy.ipld.sub.example", "bafy.sub.example"] {
        assert!(matches!(place(&hosts, host), Err(AskError::UnknownHost(_))), "{host}");
    }
}

#[test]
fn any_host_is_answered_on_loopback_only() {
    for host in ["other.example", "[::1]:8080"] {
        assert!(matches!(place(&hosts(true), host), Ok(Place::Paths { trustless: false })));
    }
}

#[test]
fn wrong_rows_are_refused_with_their_name() {
    for (host, why) in [
        (Host::of("a/b", Class::Path), "\"a/b\" is not a host"),
        (Host::of("a:80", Class::Path), "\"a:80\" is not a host"),
        (Host::of("a.example", Class::Site), "is missing"),
        (Host::site("a.example", "/ipfs/x"), "invalid CID"),
        (Host { root: Some(ROOT.into()), ..Host::of("a.example", Class::Path) }, "only a site"),
    ] {
        let config = Config { table: vec![host], ..Config::default() };
        let error = Hosts::new(&config, true).expect_err("a refusal");
        assert!(error.contains(why), "{error}");
    }
    let twice = vec![Host::of("a.example", Class::Path), Host::of("A.example", Class::Pages)];
    assert!(Hosts::new(&Config { table: twice, ..Config::default() }, true).is_err());
    let tunnel = Config { tunnel: true, ..Config::default() };
    assert!(Hosts::new(&tunnel, false).is_err());
}
