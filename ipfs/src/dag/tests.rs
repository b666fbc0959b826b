//! Claims about blocks of structured data.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::block::Block;
use crate::dag_pb::{self, Link, Node};

const CODECS: [Codec; 4] = [Codec::DagCbor, Codec::DagJson, Codec::Cbor, Codec::Json];

fn block(codec: Codec, bytes: &[u8]) -> Block {
    Block::of(codec, Bytes::copy_from_slice(bytes)).expect("small")
}

fn events(codec: Codec, bytes: &[u8]) -> Result<Vec<Event<'_>>, DagError> {
    let mut reader = Reader::new(codec, bytes)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok(events)
}

fn convert_from(from: Codec, bytes: &[u8], to: Codec) -> Result<Vec<u8>, DagError> {
    convert(&block(from, bytes), to)
}

fn what(error: DagError) -> &'static str {
    match error {
        DagError::Malformed { what, .. } | DagError::Unwritable { what, .. } => what,
        other @ (DagError::Codec(_)
        | DagError::Cid(_)
        | DagError::TooLarge
        | DagError::DagPb(_)) => panic!("{other}"),
    }
}

fn cid() -> Cid {
    *block(Codec::Raw, b"hello").cid()
}

/// One of everything, in dag-json.
fn everything() -> String {
    format!(
        concat!(
            r#"{{"":[],"a":[true,false,null,0,-1,18446744073709551615,-18446744073709551616],"#,
            r#""aa":{{"/":"{}"}},"b":{{"/":{{"bytes":"AQID"}}}},"c":[1.0,-0.5,1e300,5e-324],"#,
            r#""d":"\"\\\n\u0001 é","e":{{"/":1}},"f":{{"/":{{"x":0}}}}}}"#
        ),
        cid()
    )
}

#[test]
fn everything_is_read_from_both() {
    let json = everything();
    let read = events(Codec::DagJson, json.as_bytes()).expect("well formed");
    assert!(read.contains(&Event::Link(cid())));
    assert!(read.contains(&Event::Bytes(vec![1, 2, 3].into())));
    assert!(read.contains(&Event::Int(-(1 << 64))));
    assert!(read.contains(&Event::Float(5e-324)));
    assert!(read.contains(&Event::Text("\"\\\n\u{1} é".into())));
    let cbor = convert_from(Codec::DagJson, json.as_bytes(), Codec::DagCbor).expect("sound");
    let mut from_cbor = events(Codec::DagCbor, &cbor).expect("well formed");
    // Only the order of the keys is another one: shorter ones come first.
    let position = |read: &[Event], key: &str| {
        read.iter().position(|event| *event == Event::Key(key.to_owned().into())).expect(key)
    };
    assert!(position(&from_cbor, "aa") > position(&from_cbor, "f"));
    let link = position(&from_cbor, "aa");
    let moved: Vec<Event> = from_cbor.drain(link..link + 2).collect();
    let before = position(&from_cbor, "b");
    from_cbor.splice(before..before, moved);
    assert_eq!(from_cbor, read);
    let again = convert_from(Codec::DagCbor, &cbor, Codec::DagJson).expect("sound");
    assert_eq!(String::from_utf8(again), Ok(json));
}

#[test]
fn numbers_of_every_width_are_read() {
    for (bytes, number) in [
        (&[0xf9, 0x3c, 0x00][..], 1.0),
        (&[0xf9, 0xc4, 0x00], -4.0),
        (&[0xf9, 0x00, 0x01], 5.960_464_477_539_063e-8),
        (&[0xf9, 0x7b, 0xff], 65504.0),
        (&[0xf9, 0x04, 0x00], 0.000_061_035_156_25),
        (&[0xfa, 0x47, 0xc3, 0x50, 0x00], 100_000.0),
        (&[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], 1.1),
        (&[0xf9, 0xfc, 0x00], f64::NEG_INFINITY),
    ] {
        assert_eq!(events(Codec::Cbor, bytes), Ok(vec![Event::Float(number)]));
    }
    let nan = events(Codec::Cbor, &[0xf9, 0x7e, 0x00]).expect("well formed");
    assert!(matches!(nan[..], [Event::Float(number)] if number.is_nan()));
    let infinite = convert_from(Codec::Cbor, &[0xf9, 0x7c, 0x00], Codec::Json);
    assert_eq!(infinite.map_err(what), Err("such a number"));
}

#[test]
fn plain_codecs_have_no_links() {
    let json = format!(r#"{{"/":"{}"}}"#, cid());
    let read = events(Codec::Json, json.as_bytes()).expect("well formed");
    assert_eq!(read[1], Event::Key("/".into()));
    let cbor = convert_from(Codec::DagJson, json.as_bytes(), Codec::DagCbor).expect("sound");
    let read = events(Codec::Cbor, &cbor).expect("tags are skipped");
    assert!(matches!(read[..], [Event::Bytes(_)]));
    for to in [Codec::Cbor, Codec::Json] {
        let refused = convert_from(Codec::DagCbor, &cbor, to);
        assert_eq!(refused.map_err(what), Err("a link"));
    }
    assert_eq!(convert_from(Codec::Cbor, &[0x40], Codec::Json).map_err(what), Err("bytes"));
    assert_eq!(convert_from(Codec::Cbor, &[0xc1, 0x01], Codec::Json), Ok(b"1".to_vec()));
    let reserved = convert_from(Codec::Json, json.as_bytes(), Codec::DagJson);
    assert_eq!(reserved.map_err(what), Err("a map that looks like a reserved form"));
}

#[test]
fn malformed_json_is_refused() {
    let texts = [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        "{1:2}",
        r#"{"a":1,}"#,
        "1 2",
        "nul",
        "truth",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "1e999",
        "NaN",
        "18446744073709551616",
        "-18446744073709551617",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "[1}",
        "{\"a\":1]",
        "]",
        "\"\\é\"",
        "\"\\u00é\"",
    ];
    for text in texts {
        for codec in [Codec::DagJson, Codec::Json] {
            assert!(events(codec, text.as_bytes()).is_err(), "{text}");
        }
    }
    assert!(events(Codec::Json, b"\"\xff\"").is_err());
    let escaped = events(Codec::Json, br#""\u00e9\ud83d\ude00\/\b\f\r\t""#).expect("well formed");
    assert_eq!(escaped, [Event::Text("é😀/\u{8}\u{c}\r\t".into())]);
}

#[test]
fn malformed_forms_are_refused() {
    let sound = format!(r#"{{ "/" : "{}" }}"#, cid());
    assert_eq!(events(Codec::DagJson, sound.as_bytes()), Ok(vec![Event::Link(cid())]));
    let escaped = sound.replace('/', r"\u002f");
    assert_eq!(events(Codec::DagJson, escaped.as_bytes()), Ok(vec![Event::Link(cid())]));
    let more = format!(r#"{{"/":"{}","a":1}}"#, cid());
    for text in [
        &*more,
        r#"{"/":"x"}"#,
        r#"{"/":{"bytes":"A"}}"#,
        r#"{"/":{"bytes":"AQID","a":1}}"#,
        r#"{"/":{"bytes":"AQID"},"a":1}"#,
        r#"{"/":{"bytes":"****"}}"#,
    ] {
        assert!(events(Codec::DagJson, text.as_bytes()).is_err(), "{text}");
        assert!(events(Codec::Json, text.as_bytes()).is_ok(), "{text}");
    }
    for text in [r#"{"/":1}"#, r#"{"/":{"bytes":1}}"#, r#"{"/":{"a":"b"}}"#, r#"{"/":{}}"#] {
        assert!(events(Codec::DagJson, text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn malformed_cbor_is_refused() {
    for bytes in [
        &[][..],
        &[0x18],
        &[0x61],
        &[0x61, 0xff],
        &[0x9f, 0xff],
        &[0x5f, 0x41, 0, 0xff],
        &[0x1c],
        &[0xe0],
        &[0xf8, 0x20],
        &[0xff],
        &[0x00, 0x00],
        &[0x81],
        &[0xa1, 0x61, 0x61],
        &[0xa1, 0x01, 0x01],
        &[0xa1, 0x80, 0x01],
    ] {
        for codec in [Codec::DagCbor, Codec::Cbor] {
            assert!(events(codec, bytes).is_err(), "{bytes:x?}");
        }
    }
    let malformed = [&[0xc1, 0x01][..], &[0xd8, 42, 0x01], &[0xd8, 42, 0x41, 1], &[0xd8, 42, 0x40]];
    for bytes in malformed {
        assert!(events(Codec::DagCbor, bytes).is_err(), "{bytes:x?}");
        assert!(events(Codec::Cbor, bytes).is_ok(), "{bytes:x?}");
    }
    assert!(matches!(events(Codec::DagCbor, &[0xd8, 42, 0x42, 0, 9]), Err(DagError::Cid(_))));
}

#[test]
fn bombs_are_refused_on_a_small_stack() {
    let read = || {
        for codec in [Codec::DagCbor, Codec::Cbor] {
            for byte in [0x81, 0xa1, 0xc1, 0xd8] {
                assert!(events(codec, &vec![byte; 200_000]).is_err());
            }
            for head in [0x9b, 0xbb, 0x5b, 0x7b] {
                assert!(events(codec, &[head, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err());
            }
        }
        for codec in [Codec::DagJson, Codec::Json] {
            for text in ["[", r#"{"a":"#, r#"{"/":"#, r#"{"/":{"bytes":"#] {
                let deep = text.repeat(100_000);
                assert_eq!(events(codec, deep.as_bytes()).map_err(what), Err("nested too deep"));
            }
        }
    };
    let small = std::thread::Builder::new().stack_size(256 * 1024).spawn(read);
    small.expect("a thread").join().expect("no bomb goes off");
}

#[test]
fn keys_are_written_in_order_and_once() {
    let json = br#"{"b":1,"aa":2,"a":3,"a!":4,"\"":5,"\\":6}"#;
    let cbor = convert_from(Codec::Json, json, Codec::DagCbor).expect("sound");
    let keys: Vec<_> = events(Codec::DagCbor, &cbor)
        .expect("our own")
        .into_iter()
        .filter_map(|event| if let Event::Key(key) = event { Some(key) } else { None })
        .collect();
    assert_eq!(keys, ["\"", "\\", "a", "b", "a!", "aa"]);
    let json = convert_from(Codec::DagCbor, &cbor, Codec::DagJson).expect("sound");
    assert_eq!(json, br#"{"\"":5,"\\":6,"a":3,"a!":4,"aa":2,"b":1}"#);
    for to in CODECS {
        let twice = convert_from(Codec::Json, br#"{"a":1,"b":2,"a":3}"#, to);
        assert_eq!(twice.map_err(what), Err("a key twice"));
    }
}

#[test]
fn long_lists_and_maps_have_long_heads() {
    for items in [0, 1, 23, 24, 255, 256, 70_000] {
        let list = format!("[{}]", vec!["1"; items].join(","));
        let cbor = convert_from(Codec::Json, list.as_bytes(), Codec::Cbor).expect("sound");
        assert_eq!(convert_from(Codec::Cbor, &cbor, Codec::Json), Ok(list.into_bytes()));
        let entries: Vec<String> = (0..items).map(|item| format!("\"{item:05}\":1")).collect();
        let map = format!("{{{}}}", entries.join(","));
        let cbor = convert_from(Codec::Json, map.as_bytes(), Codec::Cbor).expect("sound");
        assert_eq!(convert_from(Codec::Cbor, &cbor, Codec::Json), Ok(map.into_bytes()));
    }
}

#[test]
fn what_is_written_is_bounded() {
    // A byte of CBOR each, and six of JSON.
    let falses =
        |count: u32| [&[0x9a][..], &count.to_be_bytes(), &vec![0xf4; count as usize]].concat();
    let fits = convert_from(Codec::Cbor, &falses(1_390_000), Codec::Json).expect("six times");
    assert!(fits.len() > 8_000_000 && fits.len() <= CONVERTED_BYTES_MAX);
    let more = convert_from(Codec::Cbor, &falses(1_400_000), Codec::Json);
    assert_eq!(more, Err(DagError::TooLarge));
}

#[test]
fn disorder_at_every_level_is_refused_before_it_costs() {
    let levels = 120;
    let deep = r#"{"b":1,"a":"#.repeat(levels)
        + "\""
        + &"x".repeat(2_000_000)
        + "\""
        + &"}".repeat(levels);
    let refused = convert_from(Codec::Json, deep.as_bytes(), Codec::DagCbor);
    assert_eq!(refused.map_err(what), Err("too much out of order, too deep"));
}

#[test]
fn dag_pb_is_written_in_its_logical_form() {
    let link = Link { cid: cid(), name: Bytes::from_static(b"a"), tsize: 5 };
    let node = Node { links: vec![link], data: Some(Bytes::from_static(&[8, 1])) };
    let block = block(Codec::DagPb, &dag_pb::encode(&node));
    let json = convert(&block, Codec::DagJson).expect("sound");
    let wanted = format!(
        r#"{{"Data":{{"/":{{"bytes":"CAE"}}}},"Links":[{{"Hash":{{"/":"{}"}},"Name":"a","Tsize":5}}]}}"#,
        cid()
    );
    assert_eq!(String::from_utf8(json), Ok(wanted));
    assert!(convert(&block, Codec::DagCbor).is_ok());
    assert!(convert(&block, Codec::Json).is_err());
    assert_eq!(convert(&block, Codec::Raw), Err(DagError::Codec(0x55)));
}

#[test]
fn names_are_followed_to_the_first_link() {
    let json = format!(r#"{{"a":[0,{{"b":{{"/":"{}"}}}}],"c":{{"a":1,"/":2}}}}"#, cid());
    let block = block(Codec::DagJson, json.as_bytes());
    let find = |names: &[&str]| lookup(&block, names.iter().copied()).expect("well formed");
    assert_eq!(find(&["a", "1", "b"]), Found::Link { cid: cid(), taken: 3 });
    assert_eq!(find(&["a", "1", "b", "x", "y"]), Found::Link { cid: cid(), taken: 3 });
    assert_eq!(find(&[]), Found::Value { taken: 0 });
    assert_eq!(find(&["a"]), Found::Value { taken: 1 });
    assert_eq!(find(&["c", "/"]), Found::Value { taken: 2 });
    assert_eq!(find(&["c", "a", "x"]), Found::Missing { taken: 2 });
    for place in ["2", "01", "+1", "-1", "", "99999999999999999999999", "b"] {
        assert_eq!(find(&["a", place]), Found::Missing { taken: 1 }, "{place}");
    }
}

/// Data that every codec of ours can hold with its links and bytes.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        any::<Vec<u8>>()
            .prop_map(|bytes| { json!({"/": {"bytes": multibase::Base::Base64.encode(bytes)}}) }),
        "[a-z]{0,9}"
            .prop_map(|text| json!({"/": block(Codec::Raw, text.as_bytes()).cid().to_string()})),
    ];
    leaf.prop_recursive(6, 64, 30, |inner| {
        let key = prop_oneof!["[a-c]{0,3}", ".{0,3}"].prop_filter("reserved", |key| key != "/");
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..30).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..30)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn data_survives_another_codec(tree in tree()) {
        let json = tree.to_string();
        let canonical = convert_from(Codec::DagJson, json.as_bytes(), Codec::DagJson).expect("sound");
        let cbor = convert_from(Codec::DagJson, json.as_bytes(), Codec::DagCbor).expect("sound");
        let again = convert_from(Codec::DagCbor, &cbor, Codec::DagCbor).expect("our own");
        prop_assert_eq!(&again, &cbor);
        let back = convert_from(Codec::DagCbor, &cbor, Codec::DagJson).expect("our own");
        prop_assert_eq!(back, canonical);
    }

    #[test]
    fn no_bytes_break_the_readers(bytes: Vec<u8>, text in r#"[\[\]{}",:/0-9a-z\\ .e-]{0,60}"#) {
        for from in CODECS {
            for bytes in [&bytes[..], text.as_bytes()] {
                for to in CODECS {
                    drop(std::hint::black_box(convert_from(from, bytes, to)));
                }
                drop(std::hint::black_box(lookup(&block(from, bytes), ["a", "0", "/"])));
            }
        }
    }
}
