//! Claims about what domains lead to.

use multibase::Base;
use proptest::prelude::*;

use super::*;

const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const KEY: &str = "k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf";

fn parse(value: &str) -> Result<Link, DnslinkError> {
    parse_txt(&format!("dnslink={value}"))
}

#[test]
fn path_of_a_record_is_read() {
    let link = parse(&format!("/ipfs/{CID}/a%20b//c/")).expect("a valid record");
    assert_eq!(link.root, Root::Ipfs(Cid::parse(CID).expect("a CID")));
    assert_eq!(link.segments, ["a b", "c"]);
    let link = parse("/ipns/B.Example.NET./path-b").expect("a valid record");
    assert_eq!(link.root, Root::Domain("b.example.net".to_owned()));
    assert_eq!(link.segments, ["path-b"]);
}

#[test]
fn record_that_leads_nowhere_says_why() {
    assert_eq!(parse_txt("v=spf1 -all"), Err(DnslinkError::NotDnslink));
    assert_eq!(parse_txt("DNSLINK=/ipfs/x"), Err(DnslinkError::NotDnslink));
    assert_eq!(parse("/ipld/x"), Err(DnslinkError::Namespace));
    assert_eq!(parse(CID), Err(DnslinkError::Namespace));
    for root in ["/ipfs/", "/ipfs/x", "/ipns/", "/ipns/localhost", "/ipns/127.0.0.1"] {
        assert_eq!(parse(root), Err(DnslinkError::Root), "{root}");
    }
    let path = format!("/ipfs/{CID}/a/..");
    assert_eq!(parse(&path), Err(DnslinkError::Path(PathError::Relative)));
    assert_eq!(parse(&"x".repeat(TXT_BYTES_MAX)), Err(DnslinkError::TooMuch));
}

#[test]
fn key_has_one_root_however_it_is_written() {
    let bytes = [&[1, 0x72, 0, 36, 8, 1, 18, 32][..], &[7; 32]].concat();
    let cid = Cid::from_bytes(&bytes).expect("an Ed25519 key");
    let root = Root::Key(Name::from_cid(&cid).expect("a key"));
    for name in [
        cid.to_string(),
        multibase::encode(Base::Base36Lower, &bytes),
        multibase::encode(Base::Base16Upper, &bytes),
        Base::Base58Btc.encode(&bytes[2..]),
    ] {
        assert_eq!(Root::ipns(&name), Some(root.clone()), "{name}");
    }
    assert!(matches!(Root::ipns(KEY), Some(Root::Key(_))));
    let rsa = "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR";
    let name = Name::parse(rsa).expect("a peer id");
    assert_eq!(Root::ipns(rsa), Some(Root::Key(name)));
    assert_eq!(Root::ipns(CID), None);
}

#[test]
fn choice_does_not_depend_on_the_order_of_records() {
    let (a, b) = (format!("dnslink=/ipfs/{CID}/a"), format!("dnslink=/ipfs/{CID}/b"));
    let chosen = parse_txt(&a);
    let mut txts = [b.as_str(), "dnslink=/ipns/example.org", "v=spf1", "dnslink=/ipfs/x", &a];
    for _ in 0..txts.len() {
        txts.rotate_left(1);
        assert_eq!(choose(txts), chosen);
    }
    assert_eq!(choose(["v=spf1"]), Err(DnslinkError::NotDnslink));
    assert_eq!(choose(["dnslink=/ipns/x", "dnslink=/x"]), Err(DnslinkError::Root));
    assert_eq!(choose([]), Err(DnslinkError::NotDnslink));
}

#[test]
fn answers_are_bounded() {
    assert_eq!(choose([a_record().as_str(); TXT_COUNT_MAX]), parse_txt(&a_record()));
    assert_eq!(choose(["x"; TXT_COUNT_MAX + 1]), Err(DnslinkError::TooMuch));
    let long = "x".repeat(TXT_BYTES_MAX / 2);
    assert_eq!(choose([long.as_str(), &long, "x"]), Err(DnslinkError::TooMuch));
}

#[test]
fn domains_are_told_from_what_only_looks_like_one() {
    for name in ["en.wikipedia-on-ipfs.org", "_a.b", "xn--bcher-kva.example", "1.2.3.4a", "A.B."] {
        assert!(is_domain(name), "{name}");
    }
    for name in [
        "",
        ".",
        "a",
        "a.",
        "a..b",
        ".a.b",
        "a.b..",
        "-a.b",
        "a-.b",
        "a.b-",
        "a b.c",
        "bücher.de",
        "1.2.3.4",
        "a.1",
        "a.0x7f",
        "a.0x",
        "[::1]",
        "a.b:80",
        "a/b.c",
        "a.b\0",
    ] {
        assert!(!is_domain(name), "{name}");
    }
    assert_eq!(domain("Example.ORG.").as_deref(), Some("example.org"));
    let label = "x".repeat(LABEL_BYTES_MAX);
    assert!(is_domain(&format!("{label}.a")));
    assert!(!is_domain(&format!("{label}x.a")));
    let long = [&label[..], &label, &label, &label[..61]].join(".");
    assert_eq!(long.len(), DOMAIN_BYTES_MAX);
    assert!(is_domain(&long) && !is_domain(&format!("x{long}")));
}

#[test]
fn names_are_inlined_as_the_specification_shows() {
    let (name, label) = ("en.wikipedia-on-ipfs.org", "en-wikipedia--on--ipfs-org");
    assert_eq!(inline(name).as_deref(), Some(label));
    assert_eq!(uninline(label), name);
    assert_eq!(inline("xn--a.b").as_deref(), Some("xn----a-b"));
    assert_eq!(inline(&format!("{}.b", "a".repeat(62))), None);
    assert_eq!(inline("no domain"), None);
    assert_eq!(uninline("a---b"), "a-.b");
    assert_eq!(query_name("example.org"), "_dnslink.example.org");
}

fn a_record() -> String {
    format!("dnslink=/ipfs/{CID}")
}

proptest! {
    #[test]
    fn inlined_names_are_found_again(name in "[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?(\\.[a-z]([a-z-]{0,4}[a-z])?){1,4}") {
        prop_assert!(is_domain(&name));
        let label = inline(&name).expect("short");
        prop_assert!(!label.contains('.'));
        prop_assert_eq!(uninline(&label), name);
    }

    #[test]
    fn no_text_breaks_the_reader(text: String, name in "[a-zA-Z0-9.-]{0,80}") {
        drop(std::hint::black_box((parse(&text), Root::ipns(&text), domain(&text))));
        if let Some(label) = inline(&name) {
            prop_assert_eq!(Some(uninline(&label)), domain(&name));
        }
    }
}
