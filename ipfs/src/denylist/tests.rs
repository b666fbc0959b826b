//! Claims about lists.

use proptest::prelude::*;
use sha2::Digest;

use super::*;
use crate::{Block, Codec, Multihash};

const ROOT: &str = "QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK";
const OTHER: &str = "QmTuvSQbEDR3sarFAN9kAeXBpiBCyYYNxdxciazBba11eC";
const KEY: &str = "k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf";

fn cid(text: &str) -> Cid {
    Cid::parse(text).expect("a CID")
}

fn list(text: &str) -> List {
    let mut feed = Feed::new("test");
    feed.push(text.as_bytes()).expect("version 1");
    let list = feed.finish().expect("version 1");
    assert_eq!(list.skipped(), &Skipped::default(), "{text}");
    list
}

/// Whether a content path is denied, its root not asked for itself.
fn denies(list: &List, path: &str) -> bool {
    let (space, path) = path[1..].split_once('/').expect("a content path");
    let mut names = path.split('/');
    let root = names.next().expect("a root");
    let names: Vec<&str> = names.collect();
    let verdict = match space {
        "ipfs" if names.is_empty() => list.blocks_cid(&cid(root)),
        "ipfs" => list.blocks_path(&cid(root), &names),
        _ => list.blocks_name(root, &names),
    };
    verdict.is_some_and(|verdict| !verdict.allow)
}

fn check(text: &str, denied: &[&str], served: &[&str]) {
    let list = list(text);
    for path in denied {
        assert!(denies(&list, path), "{text} does not deny {path}");
    }
    for path in served {
        assert!(!denies(&list, path), "{text} denies {path}");
    }
}

/// The same content under other versions, codecs and bases.
fn forms(text: &str) -> Vec<String> {
    let v1 = |codec| Cid::v1(codec, *cid(text).multihash()).expect("a CID");
    let mut forms = vec![text.to_owned()];
    for codec in [Codec::DagPb, Codec::Raw, Codec::DagCbor] {
        forms.push(v1(codec).to_string());
        for base in [multibase::Base::Base16Upper, multibase::Base::Base36Lower] {
            forms.push(multibase::encode(base, v1(codec).to_bytes()));
        }
    }
    forms
}

#[test]
fn cid_is_denied_in_every_form_that_has_its_multihash() {
    for rule in forms(ROOT) {
        let list = list(&format!("/ipfs/{rule}"));
        for asked in forms(ROOT) {
            assert!(denies(&list, &format!("/ipfs/{asked}")), "{rule} {asked}");
            assert!(!denies(&list, &format!("/ipfs/{asked}/a")), "{rule} {asked}");
        }
        assert!(!denies(&list, &format!("/ipfs/{OTHER}")));
    }
    let blake3 = "bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a";
    let rule = "/ipfs/gW7Nhu4HrfDtphEivm3Z9NNE7gpdh5Tga8g6JNZc1S8E47";
    check(rule, &[&format!("/ipfs/{blake3}")], &[]);
}

#[test]
fn path_is_denied_exactly() {
    let rule = format!("/ipfs/{ROOT}/a%20b//c/ gateway_status=410");
    let (denied, served) = (format!("/ipfs/{ROOT}/a b/c"), format!("/ipfs/{ROOT}"));
    let more = [format!("/ipfs/{ROOT}/a b"), format!("/ipfs/{ROOT}/a b/c/d")];
    check(&rule, &[&denied], &[&served, &more[0], &more[1]]);
}

#[test]
fn asterisk_denies_whatever_begins_so() {
    let below = |path: &str| format!("/ipfs/{ROOT}{path}");
    for rule in [below("/ab*"), below("/ab/*")] {
        let denied = [below("/ab"), below("/abc"), below("/ab/c"), below("/abc/d")];
        let served = [below(""), below("/a"), below("/b/ab"), format!("/ipfs/{OTHER}/ab")];
        check(&rule, &denied.each_ref().map(|p| &**p), &served.each_ref().map(|p| &**p));
    }
    check(&below("/*"), &[&below(""), &below("/a"), &below("/a/b")], &[&format!("/ipfs/{OTHER}")]);
    check(&below("/a%2A"), &[&below("/a*")], &[&below("/ab")]);
}

#[test]
fn last_rule_that_matches_wins() {
    let below = |path| format!("/ipfs/{ROOT}/{path}");
    let rules =
        ["blocked*", "blockednot", "blocked/not", "blocked/exceptions*"].map(below).join("\n!");
    let denied = [below("blocked"), below("blocked2"), below("blocked/x"), below("blockednot/x")];
    let served = [below("blockednot"), below("blocked/not"), below("blocked/exceptions2")];
    check(&rules, &denied.each_ref().map(|p| &**p), &served.each_ref().map(|p| &**p));
    check("!/ipns/a.b\n/ipns/a.b", &["/ipns/a.b"], &[]);
    check("/ipns/a.b\n!/ipns/a.b", &[], &["/ipns/a.b", "/ipns/a.b/c"]);
    let verdict = list(&format!("\n{}\n!{}", below("x"), below("x")))
        .blocks_path(&cid(ROOT), &["x"])
        .expect("a rule");
    assert_eq!((verdict.line, verdict.allow, verdict.status()), (3, true, None));
}

#[test]
fn names_are_denied_in_every_form() {
    check(
        "/ipns/Domain.Example\n/ipns/other.example/path/*\n/ipns/third.example/*\n!/ipns/third.example",
        &[
            "/ipns/domain.example",
            "/ipns/DOMAIN.example./a",
            "/ipns/other.example/path/a",
            "/ipns/third.example/a",
        ],
        &["/ipns/a.example", "/ipns/other.example", "/ipns/third.example"],
    );
    check("/ipns/a.b\n!/ipns/a.b/ok", &["/ipns/a.b", "/ipns/a.b/c"], &["/ipns/a.b/ok"]);
    let key = cid(KEY);
    let base58 = multibase::Base::Base58Btc.encode(key.multihash().to_bytes());
    for rule in [KEY.to_owned(), key.to_string(), base58.clone()] {
        let denied = [KEY, &key.to_string(), &base58].map(|name| format!("/ipns/{name}"));
        check(&format!("/ipns/{rule}"), &denied.each_ref().map(|p| &**p), &[]);
    }
}

#[test]
fn double_hashes_of_the_specification_are_found() {
    let root = "QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR";
    let same = forms(root).into_iter().map(|form| format!("/ipfs/{form}")).collect::<Vec<_>>();
    let same: Vec<&str> = same.iter().map(String::as_str).collect();
    check("//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM", &same, &[]);
    let blake3 = "/ipfs/bafyb4ieqht3b2rssdmc7sjv2cy2gfdilxkfh7623nvndziyqnawkmo266a";
    check(
        "//gW813G35CnLsy7gRYYHuf63hrz71U1xoLFDVeV7actx6oX",
        &[&format!("{blake3}/path")],
        &[blake3, &format!("{blake3}/path2")],
    );
    let legacy = "/ipfs/bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e";
    check(
        "//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7",
        &[legacy],
        &[&format!("{legacy}/path"), same[0]],
    );
    check(
        "//3f8b9febd851873b3774b937cce126910699ceac56e72e64b866f8e258d09572",
        &[&format!("{legacy}/path")],
        &[legacy, &format!("{legacy}/path/a")],
    );
    check(
        "//C555C4DE78827BA42527DD3DC5398DB38D6C0A8C345A88E0158B2D100F317E50",
        &["/ipns/bad-domain-name.tld", "/ipns/bad-domain-name.tld/a"],
        &["/ipns/good-domain-name.tld"],
    );
}

#[test]
fn double_hash_knows_codecs_spellings_and_names() {
    let hex = |text: String| {
        sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let modern = |text: String| {
        let hash = Multihash::wrap(0x12, &sha2::Sha256::digest(text)).expect("32 bytes");
        multibase::Base::Base58Btc.encode(hash.to_bytes())
    };
    let raw = Cid::v1(Codec::Raw, *cid(ROOT).multihash()).expect("a CID");
    let legacy = format!("//{}", hex(format!("{raw}/")));
    let denied = forms(ROOT).into_iter().map(|form| format!("/ipfs/{form}")).collect::<Vec<_>>();
    check(&legacy, &denied.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    for path in ["a b/ü", "a%20b/%C3%BC"] {
        let asked = format!("/ipfs/{ROOT}/a b/ü");
        check(&format!("//{}", modern(format!("{ROOT}/{path}"))), &[&asked], &[]);
        check(&format!("//{}", hex(format!("{raw}/{path}"))), &[&asked], &[]);
    }
    let key = cid(KEY);
    let hash = multibase::Base::Base58Btc.encode(key.multihash().to_bytes());
    for rule in [hex(format!("{key}/")), modern(hash), modern("/ipns/a.b".to_owned())] {
        let list = list(&format!("//{rule}"));
        assert!(denies(&list, &format!("/ipns/{KEY}")) != denies(&list, "/ipns/a.b"));
    }
    check(&format!("{legacy}\n!/ipfs/{ROOT}"), &[], &[&denied[0]]);
}

#[test]
fn header_and_hints_say_why() {
    let text = format!(
        "version: 1\nname: \"A list\" # ours\nauthor: me\nhints:\n  gateway_status: 451\n  reason: court\n\
         other:\n  status: 410\n---\n# comment\n\n/ipfs/{ROOT}\r\n/ipfs/{OTHER} status:410 x:y reason=spam%20mail\n"
    );
    let list = list(&text);
    assert_eq!((list.name(), list.header().author.as_deref()), ("A list", Some("me")));
    let verdict = list.blocks_cid(&cid(ROOT)).expect("denied");
    assert_eq!((verdict.line, verdict.status()), (12, Some(451)));
    assert_eq!(verdict.reason.as_deref(), Some("court"));
    let verdict = list.blocks_cid(&cid(OTHER)).expect("denied");
    assert_eq!((verdict.line, verdict.status()), (13, Some(410)));
    assert_eq!(verdict.reason.as_deref(), Some("spam mail"));
    let mut feed = Feed::new("test");
    let refused = feed.push(b"version: 2\n---\n");
    assert_eq!(refused, Err(FeedError::Version("2".to_owned())));
}

#[test]
fn lines_that_are_no_rules_are_skipped_and_counted() {
    let mut feed = Feed::new("test");
    let long = "x".repeat(LINE_BYTES_MAX);
    let bad = [
        "name: no header",
        "/ipfs/x",
        "/mime/text",
        "+/ipns/a.b",
        "/ipns/localhost",
        "//zz",
        "/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/../a",
        &long,
        "\u{0}",
    ];
    for line in bad {
        feed.push(line.as_bytes()).expect("no header");
        feed.push(b"\n").expect("no header");
    }
    feed.push(b"\xff\n").expect("no header");
    feed.push(format!("/ipfs/{ROOT}").as_bytes()).expect("no header");
    assert!(feed.list().is_empty(), "the last line has not ended");
    let list = feed.finish().expect("no header");
    assert_eq!(list.skipped().lines, 10);
    assert_eq!(list.skipped().first[7], (8, LineError::TooLong));
    assert_eq!(list.skipped().first[9], (10, LineError::NotUtf8));
    assert!(denies(&list, &format!("/ipfs/{ROOT}")));
}

#[test]
fn header_without_an_end_is_no_header() {
    let hints = "hints:\n  status: 451\n";
    for text in [
        format!("{hints}/ipfs/{ROOT}\n"),
        format!("{hints}# {}\n# {}\n/ipfs/{ROOT}\n", "x".repeat(600_000), "x".repeat(600_000)),
        format!("\u{feff}/ipfs/{ROOT}\n---\n"),
    ] {
        let mut feed = Feed::new("test");
        feed.push(text.as_bytes()).expect("no header");
        let verdict = feed.list().blocks_cid(&cid(ROOT)).expect("read at once");
        assert_eq!(verdict.status(), Some(410));
        assert!(feed.list().skipped().lines > 0);
    }
}

#[test]
fn fifth_hash_function_is_refused() {
    let mut list = List::new("test");
    for size in 20..24 {
        list.push_line(&format!("//{}", blake3_hash(size)));
    }
    assert_eq!(list.skipped().lines, 0);
    list.push_line(&format!("//{}", blake3_hash(24)));
    assert_eq!(list.skipped().first, [(5, LineError::TooManyHashes)]);
}

#[test]
fn reasons_are_bounded_and_no_rule_is_lost_to_them() {
    let mut list = List::new("test");
    for nth in 0..10_000 {
        list.push_line(&format!(
            "/ipfs/{} status=451 reason={nth}{}",
            nth_cid(nth),
            "x".repeat(999)
        ));
    }
    let first = list.blocks_cid(&nth_cid(0)).expect("denied");
    assert_eq!(first.reason.map(|reason| reason.len()), Some(REASON_BYTES_MAX));
    let last = list.blocks_cid(&nth_cid(9_999)).expect("denied");
    assert_eq!((last.status(), last.reason), (Some(451), None));
    assert!(list.heap_bytes() < 3 << 20, "{}", list.heap_bytes());
}

#[test]
fn rule_takes_less_than_sixty_bytes() {
    let mut hashed = List::new("hashed");
    let mut plain = List::new("plain");
    for nth in 0..100_000_u32 {
        hashed.push_line(&format!("//{}", blake3::hash(&nth.to_le_bytes()).to_hex()));
        plain.push_line(&format!("/ipfs/{}", nth_cid(nth)));
        if nth > 100 {
            for list in [&hashed, &plain] {
                let each = list.heap_bytes() / (nth as usize + 1);
                assert!(each < 60, "{each} bytes for each of {nth} rules");
            }
        }
    }
    assert_eq!((hashed.skipped().lines, plain.skipped().lines), (0, 0));
    assert!(plain.blocks_cid(&nth_cid(99_999)).is_some());
    assert!(plain.blocks_cid(&nth_cid(100_000)).is_none());
}

fn nth_cid(nth: u32) -> Cid {
    *Block::of(Codec::Raw, nth.to_le_bytes().to_vec().into()).expect("small").cid()
}

fn blake3_hash(size: usize) -> String {
    let hash = Multihash::wrap(0x1e, &[7; 64][..size]).expect("short");
    multibase::Base::Base58Btc.encode(hash.to_bytes())
}

proptest! {
    #[test]
    fn cuts_on_the_way_change_nothing(text in "([a-z]{1,4}: ?[a-z0-9]{0,3}\n|---\n|#\n|hints:\n| status: 451\n|!?/ipns/[ab].c(/[a*]{0,2})?\n){0,12}", piece in 1..9_usize) {
        let mut feeds = [Feed::new("test"), Feed::new("test")];
        let whole = feeds[0].push(text.as_bytes());
        let cut = text.as_bytes().chunks(piece).try_for_each(|piece| feeds[1].push(piece));
        prop_assert_eq!(whole.clone(), cut);
        let [Ok(whole), Ok(cut)] = feeds.map(Feed::finish) else { return Ok(()) };
        prop_assert_eq!((whole.lines(), whole.skipped()), (cut.lines(), cut.skipped()));
        for name in ["a.c", "b.c"] {
            for path in [&[][..], &["a"], &["aa", "a"]] {
                prop_assert_eq!(whole.blocks_name(name, path), cut.blocks_name(name, path));
            }
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>, text in "!?/(ip[fn]s|)/\\PC{0,60}") {
        let mut feed = Feed::new("test");
        let read = feed.push(&bytes).and_then(|()| feed.push(text.as_bytes()));
        if read.is_ok() {
            drop(std::hint::black_box(feed.finish()));
        }
    }
}
