//! Names: records from nodes, DNSLinks from resolvers, and what is served when neither can be had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway::config::{Config, Resolver};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record};
use http::{Method, Response};
use ipfs::ipns::{self, Name};
use libp2p_identity::Keypair;
use parking_lot::Mutex;

use crate::content::{Tree, file, folder};
use crate::fake::{FakeNode, Manner};
use crate::harness::{Gateway, config};
use crate::web::Web;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A key and the records that it signs.
pub(crate) struct Key {
    pair: Keypair,
    pub(crate) name: Name,
}

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        let pair = Keypair::ed25519_from_bytes([seed; 32]).expect("32 bytes are a key");
        let name = Name::of_key(&pair.public().encode_protobuf());
        Self { pair, name }
    }

    pub(crate) fn record(&self, value: &str, sequence: u64, ttl: Duration) -> Bytes {
        self.until(value, sequence, ttl, SystemTime::now() + DAY)
    }

    fn until(&self, value: &str, sequence: u64, ttl: Duration, end: SystemTime) -> Bytes {
        ipns::create(&self.pair, value, sequence, end, ttl).expect("a good record")
    }
}

fn path(tree: &Tree) -> String {
    format!("/ipfs/{}", tree.root)
}

#[tokio::test]
async fn record_leads_to_its_content_for_as_long_as_it_says() {
    let tree = folder(&[("a", folder(&[("b.txt", file(b"hello"))]))]);
    let node = FakeNode::start(&[&tree]).await;
    let key = Key::new(1);
    let value = format!("{}/a", path(&tree));
    node.publish(&key.name.to_string(), key.record(&value, 1, Duration::from_secs(1800)));
    let gateway = Gateway::of(&[&node]).await;
    let asked = format!("/ipns/{}/b.txt", key.name);
    let got = gateway.get(&asked).await;
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &b"hello"[..]), "{}", got.text());
    assert_eq!(got.header("x-ipfs-path"), asked);
    let age: u64 =
        got.header("cache-control").trim_start_matches("public, max-age=").parse().expect("secs");
    assert!((1790..=1800).contains(&age), "{age}");
    for _ in 0..3 {
        assert_eq!(gateway.get(&asked).await.status.as_u16(), 200);
    }
    assert_eq!(node.asked_for_name(&key.name.to_string()), 1, "the record is kept");
    let raw = gateway.get(&format!("/ipns/{}/b.txt?format=raw", key.name)).await;
    assert!(raw.header("cache-control").starts_with("public, max-age=1"));
}

#[tokio::test]
async fn record_is_given_as_it_is_signed() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let key = Key::new(2);
    let record = key.record(&path(&tree), 1, Duration::from_secs(600));
    node.publish(&key.name.to_string(), record.clone());
    let gateway = Gateway::of(&[&node]).await;
    let asked = format!("/ipns/{}", key.name);
    let accept = [("accept", "application/vnd.ipfs.ipns-record")];
    let got = gateway.ask(Method::GET, &asked, &accept).await;
    assert_eq!((got.status.as_u16(), &got.body), (200, &record));
    assert_eq!(got.header("content-type"), "application/vnd.ipfs.ipns-record");
    assert_eq!(got.header("cache-control"), "public, max-age=600");
    assert_eq!(got.header("vary"), "Accept");
    let known = [("if-none-match", got.header("etag"))];
    let again = gateway.ask(Method::GET, &format!("{asked}?format=ipns-record"), &known).await;
    assert_eq!(again.status.as_u16(), 304);
    for bad in [format!("{asked}/x"), "/ipns/docs.example.org".into(), path(&tree)] {
        let got = gateway.get(&format!("{bad}?format=ipns-record")).await;
        assert_eq!(got.status.as_u16(), 400, "{bad}");
    }
}

#[tokio::test]
async fn what_is_no_valid_record_is_a_fault_of_the_name() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let (key, other) = (Key::new(3), Key::new(4));
    let gateway = Gateway::of(&[&node]).await;
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let minute = Duration::from_secs(60);
    for (seed, record) in [
        (10, Bytes::from_static(b"nonsense")),
        (11, Bytes::from(vec![0; 11 * 1024])),
        (12, other.record(&path(&tree), 1, minute)),
        (13, Key::new(13).until(&path(&tree), 1, minute, hour_ago)),
    ] {
        let name = Key::new(seed).name;
        node.publish(&name.to_string(), record);
        let got = gateway.get(&format!("/ipns/{name}")).await;
        assert_eq!(got.status.as_u16(), 502, "{seed}: {}", got.text());
        assert!(!got.header("retry-after").is_empty());
        assert_eq!(got.header("cache-control"), "no-store");
    }
    let got = gateway.get(&format!("/ipns/{}", key.name)).await;
    assert_eq!(got.status.as_u16(), 502, "no record at all");
    let counted = gateway.metric("bifrost_gateway_requests_total", "outcome=\"name_unresolved\"");
    assert_eq!(counted, 5);
    assert_eq!(gateway.get("/ipns/nonsense").await.status.as_u16(), 400);
}

#[tokio::test]
async fn node_that_is_too_busy_for_records_is_spared_and_not_held_to_have_failed() {
    let node = FakeNode::start(&[]).await;
    let mut config = config(&[&node]);
    config.upstream.eject_after = 1;
    let gateway = Gateway::start(config).await;
    for (seed, status) in [(21, 503), (22, 429)] {
        node.behave(Manner::Status(status, vec![("retry-after", "0")]));
        let asked = format!("/ipns/{}", Key::new(seed).name);
        let got = gateway.get(&asked).await;
        assert!(got.status.is_server_error(), "{}", got.text());
    }
    assert_eq!(gateway.metric("bifrost_gateway_pool_requests_total", ""), 2);
    assert_eq!(gateway.metric("bifrost_gateway_pool_failures_total", ""), 0);
    assert_eq!(gateway.metric("bifrost_gateway_pool_ejections_total", ""), 0);
}

#[tokio::test]
async fn record_is_never_followed_by_an_older_one() {
    let (first, second) = (file(b"first"), file(b"second"));
    let nodes = [FakeNode::start(&[&first, &second]).await, FakeNode::start(&[&first]).await];
    let key = Key::new(5);
    let name = key.name.to_string();
    // A record without a time to live is looked up for every request.
    nodes[0].publish(&name, key.record(&path(&second), 7, Duration::ZERO));
    nodes[1].publish(&name, key.record(&path(&first), 6, Duration::ZERO));
    let gateway = Gateway::of(&[&nodes[0], &nodes[1]]).await;
    let asked = format!("/ipns/{name}");
    assert_eq!(gateway.get(&asked).await.text(), "second", "of several the latest counts");
    nodes[0].publish(&name, key.record(&path(&first), 6, Duration::ZERO));
    for _ in 0..3 {
        assert_eq!(gateway.get(&asked).await.text(), "second");
    }
    assert!(gateway.metric("bifrost_gateway_names_rollbacks_total", "") > 0);
    nodes[0].publish(&name, key.record(&path(&first), 8, Duration::ZERO));
    assert_eq!(gateway.get(&asked).await.text(), "first", "a later one counts at once");
}

#[tokio::test]
async fn last_good_record_serves_while_it_is_valid() {
    let tree = file(b"kept");
    let node = FakeNode::start(&[&tree]).await;
    let key = Key::new(6);
    node.publish(&key.name.to_string(), key.record(&path(&tree), 1, Duration::ZERO));
    let mut config = config(&[&node]);
    config.names.refresh_wait = Duration::from_millis(100);
    let gateway = Gateway::start(config).await;
    let asked = format!("/ipns/{}", key.name);
    let first = gateway.get(&asked).await;
    assert_eq!((first.text().as_str(), first.header("bifrost-name-age")), ("kept", ""));
    for manner in [Manner::Status(500, Vec::new()), Manner::Silent] {
        node.behave(manner);
        let got = gateway.get(&asked).await;
        assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "kept"));
        assert_eq!(got.header("cache-control"), "public, max-age=0");
        assert!(!got.header("bifrost-name-age").is_empty(), "its age is told");
    }
    assert!(gateway.metric("bifrost_gateway_names_stale_total", "") >= 2);
}

/// Domains, as they are asked for, and their texts.
type Texts = Arc<Mutex<Vec<(String, Vec<String>)>>>;

/// A resolver over HTTPS that knows some names, and counts questions.
struct Doh {
    web: Web,
    asked: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
    texts: Texts,
}

impl Doh {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let broken = Arc::new(AtomicBool::new(false));
        let texts: Texts = Arc::default();
        let (count, fails, known) = (Arc::clone(&asked), Arc::clone(&broken), Arc::clone(&texts));
        let web = Web::start(move |request| {
            count.fetch_add(1, SeqCst);
            assert_eq!(request.headers()["content-type"], "application/dns-message");
            let question = Message::from_vec(request.body()).expect("a message");
            let query = question.queries[0].clone();
            let name = query.name().to_string();
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.add_query(query.clone());
            if fails.load(SeqCst) {
                answer.metadata.response_code = ResponseCode::ServFail;
            }
            for (_, texts) in known.lock().iter().filter(|(known, _)| *known == name) {
                for text in texts {
                    let data = RData::TXT(TXT::new(vec![text.clone()]));
                    answer.add_answer(Record::from_rdata(query.name().clone(), 300, data));
                }
            }
            Response::new(answer.to_vec().expect("a message").into())
        })
        .await;
        Self { web, asked, broken, texts }
    }

    fn know(&self, domain: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.texts.lock().push((format!("_dnslink.{domain}."), texts));
    }

    fn config(&self, node: &FakeNode, suffix: &str) -> Config {
        let url = format!("http://{}/dns-query", self.web.address);
        let mut config = config(&[node]);
        config.names.resolvers = vec![Resolver { suffix: suffix.to_owned(), url }];
        config.names.failure_ttl = Duration::ZERO;
        config
    }
}

#[tokio::test]
async fn dnslink_is_asked_of_the_resolver_of_its_suffix() {
    let tree = folder(&[("docs", folder(&[("x", file(b"docs"))]))]);
    let node = FakeNode::start(&[&tree]).await;
    let doh = Doh::start().await;
    let value = format!("dnslink={}/docs", path(&tree));
    doh.know("site.eth", &["v=spf1 -all", &value, "dnslink=/ipns/later.example"]);
    let gateway = Gateway::start(doh.config(&node, "eth")).await;
    let got = gateway.get("/ipns/site.eth/x").await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "docs"), "{}", got.text());
    assert!(got.header("cache-control").starts_with("public, max-age=2"));
    assert_eq!(gateway.get("/ipns/SITE.eth/x").await.status.as_u16(), 200);
    assert_eq!(doh.asked.load(SeqCst), 1, "an answer is kept for its time");
    let got = gateway.get("/ipns/site.other/x").await;
    assert_eq!(got.status.as_u16(), 502, "no resolver is responsible");
    assert_eq!(gateway.get("/ipns/none.eth").await.status.as_u16(), 502);
}

#[tokio::test]
async fn last_good_dnslink_serves_while_its_resolver_fails() {
    let tree = file(b"kept");
    let node = FakeNode::start(&[&tree]).await;
    let doh = Doh::start().await;
    doh.know("site.example", &[&format!("dnslink={}", path(&tree))]);
    let mut config = doh.config(&node, ".");
    (config.names.ttl_min, config.names.ttl_max) = (Duration::ZERO, Duration::ZERO);
    let gateway = Gateway::start(config).await;
    assert_eq!(gateway.get("/ipns/site.example").await.text(), "kept");
    doh.broken.store(true, SeqCst);
    doh.texts.lock().clear();
    let got = gateway.get("/ipns/site.example").await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "kept"));
    assert!(!got.header("bifrost-name-age").is_empty());
    let got = gateway.get("/ipns/other.example").await;
    assert_eq!(got.status.as_u16(), 502, "what was never known cannot serve");
    // That there is no DNSLink any more is an answer, and not a failure.
    doh.broken.store(false, SeqCst);
    assert_eq!(gateway.get("/ipns/site.example").await.status.as_u16(), 502);
}

#[tokio::test]
async fn names_that_lead_in_circles_or_too_far_are_refused() {
    let node = FakeNode::start(&[]).await;
    let doh = Doh::start().await;
    doh.know("a.example", &["dnslink=/ipns/b.example"]);
    doh.know("b.example", &["dnslink=/ipns/a.example"]);
    doh.know("bad.example", &["dnslink=/ipld/x"]);
    let many: Vec<String> = (0..200).map(|i| format!("dnslink=/ipns/c{i}.example")).collect();
    doh.know("many.example", &many.iter().map(String::as_str).collect::<Vec<_>>());
    let gateway = Gateway::start(doh.config(&node, ".")).await;
    let got = gateway.get("/ipns/a.example").await;
    assert_eq!(got.status.as_u16(), 400, "{}", got.text());
    assert!(doh.asked.load(SeqCst) <= 2, "each is asked once");
    for name in ["bad.example", "many.example"] {
        assert_eq!(gateway.get(&format!("/ipns/{name}")).await.status.as_u16(), 502, "{name}");
    }
}

#[tokio::test]
async fn requests_for_one_name_share_one_lookup() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let key = Key::new(7);
    let ttl = Duration::from_secs(60);
    node.publish(&key.name.to_string(), key.record(&path(&tree), 1, ttl));
    let gateway = Gateway::of(&[&node]).await;
    let asked = format!("/ipns/{}", key.name);
    let got = futures::future::join_all((0..50).map(|_| gateway.get(&asked))).await;
    assert!(got.iter().all(|got| got.status.as_u16() == 200));
    assert_eq!(node.asked_for_name(&key.name.to_string()), 1);
    let only = [("cache-control", "only-if-cached")];
    let got = gateway.ask(Method::GET, "/ipns/unknown.example", &only).await;
    assert_eq!(got.status.as_u16(), 412);
}

#[tokio::test]
async fn value_of_a_record_is_a_path_as_it_is() {
    let tree = folder(&[("50%20off", file(b"sale")), ("a b", file(b"space"))]);
    let node = FakeNode::start(&[&tree]).await;
    for (seed, name, text) in [(20, "50%20off", "sale"), (21, "a b", "space")] {
        let key = Key::new(seed);
        let value = format!("{}/{name}", path(&tree));
        node.publish(&key.name.to_string(), key.record(&value, 1, Duration::from_secs(60)));
        let gateway = Gateway::of(&[&node]).await;
        assert_eq!(gateway.get(&format!("/ipns/{}", key.name)).await.text(), text);
    }
}
