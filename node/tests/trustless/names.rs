//! Signed records of names: put by the operator, given to whoever asks.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use ipfs::ipns::{Name, Record, create};
use libp2p_identity::{Keypair, PeerId};

use crate::world::{Answer, World};

const HOUR: Duration = Duration::from_secs(3600);

fn record(key: &Keypair, sequence: u64, valid_for: Duration, ttl: Duration) -> Vec<u8> {
    let end = SystemTime::now() + valid_for;
    create(key, "/ipfs/bafkqaaa", sequence, end, ttl).expect("it can be signed").to_vec()
}

fn name(key: &Keypair) -> Name {
    Name::of_key(&key.public().encode_protobuf())
}

async fn put(world: &World, name: &Name, record: Vec<u8>) -> Answer {
    world.admin(Method::PUT, &format!("/ipns/{name}"), record).await
}

fn max_age(answer: &Answer) -> u64 {
    let value = answer.header("cache-control").unwrap_or_default();
    let age = value.strip_prefix("public, max-age=").and_then(|age| age.parse().ok());
    age.unwrap_or_else(|| panic!("{value:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_put_is_given_with_the_headers_of_the_protocol() {
    let world = World::start().await;
    let key = Keypair::generate_ed25519();
    let (name, bytes) = (name(&key), record(&key, 7, HOUR * 48, HOUR / 2));
    let done = put(&world, &name, bytes.clone()).await;
    assert_eq!(done.status, StatusCode::OK);
    let said = done.json();
    assert_eq!((&said["outcome"], &said["sequence"]), (&"stored".into(), &7.into()), "{said}");
    assert_eq!(put(&world, &name, bytes.clone()).await.json()["outcome"], "held");

    let path = format!("/ipns/{name}?format=ipns-record");
    let got = world.get(&path).await;
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &bytes[..]));
    let proven = Record::verify(&name, &got.body).expect("it is the name's");
    assert_eq!(proven.value(), "/ipfs/bafkqaaa");
    let expected = [
        ("content-type", "application/vnd.ipfs.ipns-record".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("cache-control", "public, max-age=1800".to_owned()),
        ("content-length", bytes.len().to_string()),
        ("x-ipfs-path", format!("/ipns/{name}")),
        ("vary", "Accept".to_owned()),
        ("access-control-allow-origin", "*".to_owned()),
        ("cache-status", "bifrost-node; hit".to_owned()),
    ];
    for (header, value) in expected {
        assert_eq!(got.header(header), Some(value.as_str()), "{header}");
    }
    let disposition = got.header("content-disposition").unwrap_or_default();
    assert!(disposition.starts_with(&format!("attachment; filename=\"{name}.ipns-record\"")));

    let etag = got.header("etag").expect("a tag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let same = world.ask(Method::GET, &path, &[("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let head = world.ask(Method::HEAD, &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), got.header("content-length"));
    let counted =
        "bifrost_node_requests_total{cache=\"hit\",format=\"ipns-record\",outcome=\"ok\"} 2";
    let metrics = world.metrics().await;
    assert!(metrics.contains(counted), "{metrics}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_has_many_spellings_and_a_download_any_name() {
    let world = World::start().await;
    let key = Keypair::generate_ed25519();
    put(&world, &name(&key), record(&key, 1, HOUR, HOUR)).await;
    let peer = PeerId::from_public_key(&key.public()).to_string();
    let base32 = name(&key).cid().to_string();
    let accept = [("accept", "application/vnd.ipfs.ipns-record")];
    for spelled in [peer, base32, format!("{}/", name(&key))] {
        let got = world.ask(Method::GET, &format!("/ipns/{spelled}"), &accept).await;
        assert_eq!(got.status, StatusCode::OK, "{spelled}");
        let location = format!("/ipns/{}?format=ipns-record", spelled.trim_end_matches('/'));
        assert_eq!(got.header("content-location"), Some(location.as_str()));
    }
    let path = format!(
        "/ipns/{}?format=ipns-record&filename=test%D1%82%D0%B5%D1%81%D1%82.x-y",
        name(&key)
    );
    let got = world.get(&path).await;
    let expected =
        "attachment; filename=\"test____.x-y\"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.x-y";
    assert_eq!(got.header("content-disposition"), Some(expected));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_kept_no_longer_than_it_is_valid() {
    let world = World::start().await;
    let key = Keypair::generate_ed25519();
    put(&world, &name(&key), record(&key, 1, HOUR, HOUR * 100)).await;
    let got = world.get(&format!("/ipns/{}?format=ipns-record", name(&key))).await;
    let age = max_age(&got);
    assert!((3000..3600).contains(&age), "{age}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_of_a_key_is_told_from_what_is_not_there() {
    let world = World::start().await;
    let key = Keypair::generate_ed25519();
    put(&world, &name(&key), record(&key, 1, HOUR, HOUR)).await;
    let (held, absent) = (name(&key), name(&Keypair::generate_ed25519()));
    let cases = [
        (format!("/ipns/{absent}?format=ipns-record"), 404),
        (format!("/ipns/{held}/a?format=ipns-record"), 400),
        ("/ipns/example.org?format=ipns-record".to_owned(), 400),
        ("/ipns/bafkqaaa?format=ipns-record".to_owned(), 400),
        (format!("/ipns/{held}?format=raw"), 406),
        (format!("/ipns/{held}?format=car"), 406),
        (format!("/ipns/{held}"), 406),
        ("/ipfs/bafkqaaa?format=ipns-record".to_owned(), 406),
        ("/ipns/".to_owned(), 404),
    ];
    for (path, status) in cases {
        let answer = world.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_refused_with_what_to_do() {
    let world = World::start_with(&["records.records_max=1"]).await;
    let key = Keypair::generate_ed25519();
    let name_of = name(&key);
    let good = record(&key, 2, HOUR, HOUR);
    let other = Keypair::generate_ed25519();
    assert_eq!(put(&world, &name_of, good.clone()).await.status, StatusCode::OK);
    let cases = [
        (name_of, b"hello".to_vec(), 400, "malformed"),
        (name(&other), good, 400, "signature is invalid"),
        (name_of, record(&key, 3, Duration::ZERO, HOUR), 400, "expired"),
        (name_of, record(&key, 1, HOUR, HOUR), 409, "higher sequence"),
        (name_of, vec![0; 10 * 1024 + 1], 413, "10240"),
        (name(&other), record(&other, 1, HOUR, HOUR), 507, "records.records_max"),
    ];
    for (name, bytes, status, word) in cases {
        let answer = put(&world, &name, bytes).await;
        assert_eq!(answer.status.as_u16(), status, "{word}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{word}");
        let said = answer.json();
        assert!(said["detail"].as_str().is_some_and(|said| said.contains(word)), "{said}");
    }
    let bad = world.admin(Method::PUT, "/ipns/example.org", Vec::new()).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let shown = world.admin(Method::GET, &format!("/ipns/{name_of}"), Vec::new()).await;
    assert_eq!(Record::verify(&name_of, &shown.body).expect("it is the name's").sequence(), 2);
    let delete = world.admin(Method::DELETE, &format!("/ipns/{name_of}"), Vec::new()).await;
    assert_eq!((delete.status.as_u16(), delete.header("allow")), (405, Some("GET, PUT")));
    world.stop().await;
}
