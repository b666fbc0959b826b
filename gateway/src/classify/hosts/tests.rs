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
    hosts.place(&Caller::read(&parts, peer, hosts, hosts.is_uniform())?)
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

fn with_files(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Hosts, String>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let table = vec![Host::of("own.example", Class::Path)];
    let config = Config { table, files: vec![folder.path().into()], ..Config::default() };
    let hosts = Hosts::new(&config, false);
    (folder, hosts)
}

#[test]
fn rows_of_files_are_rows_of_the_table() {
    let (_folder, hosts) = with_files(&[
        ("b.yaml", "# B\n- { name: b.example, class: dnslink }\n"),
        ("a.yaml", "- name: a.example\n  class: site\n  root: /ipns/docs.example\n"),
        ("empty.yaml", "# nobody yet\n"),
        (".hidden.yaml", "no rows"),
        ("notes.txt", "no rows"),
    ]);
    let hosts = hosts.expect("they are read");
    for host in ["own.example", "a.example", "b.example"] {
        assert!(place(&hosts, host).is_ok(), "{host}");
    }
    assert_eq!(hosts.len(), 3);
    assert!(place(&hosts, "c.example").is_err());
}

#[test]
fn wrong_row_of_a_file_is_named_by_file_and_line() {
    let good = "- { name: a.example, class: dnslink }\n";
    for (wrong, line, why) in [
        ("- { name: a.example, class: dnslink }\n", 2, "is there twice"),
        ("\n- { name: own.example, class: path }\n", 3, "is there twice"),
        ("- { name: b.example, class: site }\n", 2, "is missing"),
        ("- { name: b.example, klass: site }\n", 2, "unknown field"),
        ("- { name: b.example, class: tld }\n", 2, "unknown variant"),
    ] {
        let (folder, hosts) = with_files(&[("a.yaml", &format!("{good}{wrong}"))]);
        let said = hosts.expect_err("it is refused");
        let place = format!("hosts: {}:{line}: ", folder.path().join("a.yaml").display());
        assert!(said.starts_with(&place) && said.contains(why), "{said}");
    }
}

#[test]
fn file_of_hosts_that_is_not_there_is_named() {
    let config = Config { files: vec!["/nowhere/hosts.yaml".into()], ..Config::default() };
    let said = Hosts::new(&config, false).expect_err("it is refused");
    assert!(said.contains("/nowhere/hosts.yaml"), "{said}");
}

#[test]
fn thousands_of_hosts_are_one_table() {
    let rows: String =
        (0..5000).map(|n| format!("- {{ name: s{n}.example, class: dnslink }}\n")).collect();
    let (_folder, hosts) = with_files(&[("many.yaml", &rows)]);
    let hosts = hosts.expect("they are read");
    assert!(hosts.len() == 5001 && place(&hosts, "s4999.example").is_ok());
}
