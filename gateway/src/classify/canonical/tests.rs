//! Claims about better addresses.

use std::net::IpAddr;

use super::*;

const V0: &str = "QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB";
const V1: &str = "bafybeiasb5vpmaounyilfuxbd3lryvosl4yefqrfahsb2esg46q6tu6y5q";
const RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const PEER: &str = "12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK";
const KEY: &str = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8";

fn caller(https: bool) -> Caller {
    let client = IpAddr::from([127, 0, 0, 1]);
    Caller { client, host: "gw.example".to_owned(), port: ":81".to_owned(), https }
}

fn location(redirect: &Redirect) -> &str {
    redirect.location.to_str().expect("plain text")
}

#[test]
fn paths_lead_to_the_origin_of_their_root() {
    for (path, query, expected) in [
        (format!("/ipfs/{V1}/a%20b"), None, format!("http://{V1}.ipfs.gw.example:81/a%20b")),
        (format!("/ipfs/{V0}"), Some("a=b"), format!("http://{V1}.ipfs.gw.example:81/?a=b")),
        (format!("/ipns/{PEER}/"), None, format!("http://{KEY}.ipns.gw.example:81/")),
        (
            "/ipns/en.wikipedia-on-ipfs.org/wiki/".to_owned(),
            None,
            "http://en-wikipedia--on--ipfs-org.ipns.gw.example:81/wiki/".to_owned(),
        ),
    ] {
        let split = split(&path).expect("a path of content");
        let redirect = to_origin(&split, query, &caller(false)).expect("an origin");
        assert_eq!(location(&redirect), expected);
        assert_eq!(redirect.status, StatusCode::MOVED_PERMANENTLY);
    }
    let path = format!("/ipfs/{V1}");
    let redirect = to_origin(&split(&path).expect("a path"), None, &caller(true));
    assert!(location(&redirect.expect("an origin")).starts_with("https://"));
}

#[test]
fn roots_that_no_label_holds_are_refused() {
    let long = ipfs::Cid::identity(ipfs::Codec::Raw, &[7; 60]).expect("short enough").to_string();
    let path = format!("/ipfs/{long}/");
    let error = to_origin(&split(&path).expect("a path"), None, &caller(false));
    assert!(matches!(error, Err(AskError::LabelTooLong)));
    assert!(matches!(origin("ipfs", &long), Err(AskError::LabelTooLong)));
    let error = to_origin(&split("/ipfs/QmInvalidCID").expect("a path"), None, &caller(false));
    let text = error.expect_err("no CID").to_string();
    assert!(text.starts_with("invalid path \"/ipfs/QmInvalidCID\""), "{text}");
    let error = to_origin(&split("/ipns/not-a-domain").expect("a path"), None, &caller(false));
    assert!(matches!(error, Err(AskError::BadName(_))));
}

#[test]
fn labels_have_one_form() {
    let root = |namespace: &str, id: &str| Origin::Root(format!("/{namespace}/{id}"));
    assert_eq!(origin("ipfs", V1).expect("a CID"), root("ipfs", V1));
    assert_eq!(origin("ipns", KEY).expect("a key"), root("ipns", KEY));
    let key = Name::parse(KEY).expect("a key").cid().to_text(Base::Base32Lower);
    assert_eq!(origin("ipns", &key).expect("a key"), Origin::Elsewhere(KEY.to_owned()));
    let base36 = Cid::parse(V1).expect("a CID").to_text(Base::Base36Lower);
    assert_eq!(origin("ipfs", &base36).expect("a CID"), Origin::Elsewhere(V1.to_owned()));
    let inlined = origin("ipns", "en-wikipedia--on--ipfs-org").expect("a domain");
    assert_eq!(inlined, root("ipns", "en.wikipedia-on-ipfs.org"));
    let plain = origin("ipns", "en.wikipedia-on-ipfs.org").expect("a domain");
    assert_eq!(plain, root("ipns", "en.wikipedia-on-ipfs.org"));
    assert!(origin("ipfs", "nonsense").is_err());
    assert!(origin("ipns", "nonsense").is_err());
}

#[test]
fn handed_over_addresses_become_paths() {
    for (query, expected) in [
        (format!("uri=ipfs%3A%2F%2F{RAW}%2Fa"), Some(format!("/ipfs/{RAW}/a"))),
        (format!("uri=ipfs://{RAW}/a%20b?x=y"), Some(format!("/ipfs/{RAW}/a%20b?x=y"))),
        ("x=1&uri=ipns://docs.example.org".to_owned(), Some("/ipns/docs.example.org".to_owned())),
        ("x=1".to_owned(), None),
    ] {
        let split = split("/ipfs/").expect("a path of content");
        let redirect = uri(&split, Some(&query)).expect("an address");
        assert_eq!(redirect.as_ref().map(location), expected.as_deref(), "{query}");
    }
    let elsewhere = split("/ipfs/x").expect("a path of content");
    assert_eq!(uri(&elsewhere, Some("uri=http://evil.example")).expect("none of ours"), None);
}

#[test]
fn handed_over_addresses_lead_to_content_only() {
    for uri_ in [
        "//evil.example",
        "http://evil.example",
        "javascript:alert(1)",
        "ipfs://",
        "ipfs:///evil.example",
        "ipfs://..//evil.example",
        "ipfs://%2F%2Fevil.example",
        "ipfs:\\evil.example",
        "ipfs://\\evil.example",
        "IPFS:evil",
        "%ff",
    ] {
        let query = format!("uri={uri_}");
        let split = split("/ipfs/").expect("a path of content");
        match uri(&split, Some(&query)) {
            Err(error) => assert!(matches!(error, AskError::BadUri), "{uri_}"),
            Ok(redirect) => {
                let redirect = redirect.expect("it names the parameter");
                let location = location(&redirect);
                assert!(location.starts_with("/ipfs/") && !location.starts_with("/ipfs//"));
            }
        }
    }
}

#[test]
fn doubled_namespaces_and_bare_keys_are_mended() {
    for (path, status, expected) in [
        (format!("/ipfs/ipfs/{RAW}/a"), 301, format!("/ipfs/{RAW}/a?q")),
        (format!("/ipfs/ipns/{KEY}"), 301, format!("/ipns/{KEY}?q")),
        (format!("/ipns/{PEER}/root2/"), 302, format!("/ipns/{KEY}/root2/?q")),
    ] {
        let redirect = on_paths(&split(&path).expect("a path"), Some("q")).expect("a good one");
        let redirect = redirect.expect("a better one");
        assert_eq!((redirect.status.as_u16(), location(&redirect)), (status, expected.as_str()));
    }
    for path in [format!("/ipfs/{RAW}"), "/ipfs/ipfs/x".to_owned(), format!("/ipns/{KEY}/a")] {
        let redirect = on_paths(&split(&path).expect("a path"), None).expect("a good one");
        assert_eq!(redirect, None, "{path}");
    }
}
