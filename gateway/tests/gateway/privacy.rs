//! Nothing that says who asked, or with which secret, is found in anything that a gateway writes.
//!
//! Canaries are words that occur nowhere else: they go into addresses, tokens, cookies, queries,
//! referrers, agents and made-up methods of requests that end in every way this harness can make, and
//! are looked for in the access log, the process's log and the fields of its spans.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use gateway::config::{AnyHost, Class, DenylistSource, Host};
use http::Method;
use parking_lot::Mutex;
use telemetry::Process;
use telemetry::access::{self, AccessLog, Destination};
use telemetry::metrics::Registry;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::content::{Tree, file, folder, noise};
use crate::fake::{FakeNode, Manner};
use crate::harness::{Gateway, config};

/// Rounds of requests of each kind, each with canaries of its own.
const ROUNDS: u64 = 6;
const SEED: u64 = 20_261_121;

/// A place that text is written to, and read from by the test.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What must not be found.
#[derive(Default)]
struct Canaries {
    count: u64,
    words: Vec<String>,
}

impl Canaries {
    /// A word that is nowhere else.
    fn word(&mut self) -> String {
        self.count += 1;
        let random = noise(SEED + self.count, 8);
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let word = format!("canary{hex}");
        self.words.push(word.clone());
        word
    }

    /// An address that is nowhere else; its whole text, and its start as far as it is hashed away.
    fn address(&mut self) -> String {
        self.count += 1;
        let n = noise(SEED + self.count, 4);
        let (text, net) = if self.count.is_multiple_of(2) {
            (format!("203.{}.{}.{}", n[0], n[1], n[2]), format!("203.{}.{}.", n[0], n[1]))
        } else {
            let net = format!("2001:db8:{:x}{:02x}:", 16 + n[0] / 2, n[1]);
            (format!("{net}{:x}::{:x}", 16 + n[2] / 2, 16 + n[3] / 2), net)
        };
        self.words.extend([text.clone(), net]);
        text
    }

    /// The private headers of a request, one canary in each.
    fn headers(&mut self) -> Vec<(&'static str, String)> {
        let mut headers: Vec<_> = PRIVATE
            .iter()
            .map(|(name, shape)| (*name, shape.replace("{}", &self.word())))
            .collect();
        let (client, proxy) = (self.address(), self.address());
        headers.push(("x-forwarded-for", format!("{proxy}, {client}")));
        headers.push(("forwarded", format!("for=\"[{}]\"", self.address())));
        headers.push(("x-real-ip", self.address()));
        headers
    }
}

/// Headers that tell of a person, and how a canary gets into them.
const PRIVATE: [(&str, &str); 12] = [
    ("authorization", "Bearer {}"),
    ("proxy-authorization", "Basic {}"),
    ("cookie", "session={}"),
    ("x-api-key", "{}"),
    ("user-agent", "Mozilla/5.0 ({}) reader"),
    ("referer", "https://me:{}@sub.example.org/inbox?token=secret"),
    ("origin", "https://{}.example.org"),
    ("if-none-match", "\"{}\""),
    ("accept-language", "{}"),
    ("x-amzn-trace-id", "{}"),
    ("traceparent", "{}"),
    ("from", "{}@example.org"),
];

/// A request that ends in a certain way.
struct Kind {
    outcome: &'static str,
    method: Method,
    path: String,
    /// Headers that it needs, over the private ones.
    needs: Vec<(&'static str, &'static str)>,
    manner: Manner,
}

fn kind(outcome: &'static str, path: impl Into<String>) -> Kind {
    let (method, needs, manner) = (Method::GET, Vec::new(), Manner::Well);
    Kind { outcome, method, path: path.into(), needs, manner }
}

/// How nodes make a request for this content fail, and what becomes of it.
fn failures(trees: &[Tree]) -> Vec<Kind> {
    let said = |state| vec![("bifrost-retrieval", state)];
    let none = said("phase=done, providers=0, connected=0, elapsed=5, outcome=no_providers");
    let away = said("phase=data, providers=3, connected=1, elapsed=9, outcome=unreachable");
    let late = said("phase=providers, providers=0, connected=0, elapsed=5, outcome=timeout");
    let bad = said("phase=done, providers=1, connected=1, elapsed=5, outcome=bad_content");
    let manners = [
        ("no_providers", Manner::Status(502, none)),
        ("unreachable", Manner::Status(504, away)),
        ("timeout", Manner::Status(504, late)),
        ("bad_content", Manner::Status(500, bad)),
        ("blocked", Manner::Status(410, vec![])),
        ("overload", Manner::Status(503, vec![("retry-after", "1")])),
        ("upstream_fault", Manner::Lying),
        ("upstream_fault", Manner::Cut),
    ];
    let kinds = manners.into_iter().zip(trees).map(|((outcome, manner), tree)| Kind {
        manner,
        ..kind(outcome, format!("/ipfs/{}", tree.root))
    });
    kinds.collect()
}

fn kinds(tree: &Tree, denied: &Tree, cut: &Tree) -> Vec<Kind> {
    let root = &tree.root;
    let other = |method: Method| Kind { method, ..kind("client_error", "/") };
    let needing = |outcome, path: String, needs: &[(&'static str, &'static str)]| Kind {
        needs: needs.to_vec(),
        ..kind(outcome, path)
    };
    vec![
        kind("ok", format!("/ipfs/{root}/f")),
        kind("ok", format!("/ipfs/{root}/")),
        kind("ok", format!("/ipfs/{root}?format=car")),
        kind("ok", "/help"),
        needing("ok", format!("/ipfs/{root}/f"), &[("range", "bytes=1-2")]),
        needing("ok", format!("/ipfs/{root}/"), &[("host", "sub.example")]),
        needing("ok", "/f".to_owned(), &[("host", "site.example")]),
        needing("client_error", format!("/ipfs/{root}/f"), &[("range", "bytes=99-")]),
        needing("client_error", "/".to_owned(), &[("host", "verify.example")]),
        needing("not_modified", format!("/ipfs/{root}/f"), &[("if-none-match", "*")]),
        kind("client_error", "/ipfs/QmNoCid"),
        kind("client_error", format!("/ipfs/{root}?format=car&dag-scope=canary")),
        other(Method::POST),
        other(Method::from_bytes(b"CANARYMETHOD").expect("a token")),
        kind("not_found", format!("/ipfs/{root}/nothing")),
        kind("blocked", format!("/ipfs/{}", denied.root)),
        kind(
            "name_unresolved",
            "/ipns/k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8",
        ),
        kind("truncated", format!("/ipfs/{}", cut.root)),
    ]
}

/// A gateway with hosts and a list, whose access log is in this folder.
async fn gateway(node: &FakeNode, site: &Tree, dir: &std::path::Path) -> (Gateway, AccessLog) {
    let mut config = config(&[node]);
    config.upstream.eject_after = 0;
    config.cache.failure_ttl = Duration::ZERO;
    config.cache.no_providers_ttl = Duration::ZERO;
    config.hosts.any = AnyHost::Always;
    config.hosts.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a net")];
    config.hosts.table.push(Host::of("sub.example", Class::Subdomain));
    config.hosts.table.push(Host::of("verify.example", Class::Trustless));
    let mut row = Host::of("site.example", Class::Site);
    row.root = Some(format!("/ipfs/{}", site.root));
    config.hosts.table.push(row);
    let file = Some(dir.join("bad.deny"));
    config.denylist.lists.push(DenylistSource { file, ..DenylistSource::default() });
    let access = access::Config {
        to: Destination::File,
        path: dir.join("access.log"),
        flush_every: Duration::from_millis(1),
        name: "gateway-0".to_owned(),
        ..access::Config::default()
    };
    let log = AccessLog::start(&access, Process::Gateway, &Registry::new()).expect("a log");
    (Gateway::try_start_logged(config, log.clone()).await.expect("a gateway"), log)
}

/// Sends one request with canaries wherever one fits.
async fn send(gateway: &Gateway, node: &FakeNode, kind: &Kind, canaries: &mut Canaries) {
    node.behave(kind.manner.clone());
    let mark = if kind.path.contains('?') { '&' } else { '?' };
    let (one, two) = (canaries.word(), canaries.word());
    let path = format!("{}{mark}token={one}&filename={two}.txt", kind.path);
    let private = canaries.headers();
    let mut headers: Vec<(&str, &str)> =
        private.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.retain(|(name, _)| kind.needs.iter().all(|(needed, _)| needed != name));
    headers.extend(kind.needs.iter().copied());
    gateway.ask(kind.method.clone(), &path, &headers).await;
    node.behave(Manner::Well);
}

/// A client that leaves while it waits, and one whose head is no request.
async fn leave(gateway: &Gateway, node: &FakeNode, tree: &Tree, canaries: &mut Canaries) {
    node.behave(Manner::Silent);
    for start in ["GET /ipfs/ROOT?k=CANARY HTTP/1.1\r\n", "GET /CANARY CANARY CANARY\r\n"] {
        let start = start.replace("ROOT", &tree.root.to_string());
        let start = start.replace("CANARY", &canaries.word());
        let cookie = canaries.word();
        let head = format!("{start}Host: a\r\nCookie: {cookie}\r\n\r\n");
        let mut stream = TcpStream::connect(gateway.server.address()).await.expect("connected");
        stream.write_all(head.as_bytes()).await.expect("sent");
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    let series = "bifrost_gateway_requests_total";
    gateway.metric_becomes(series, "outcome=\"client_abort\"", 1).await;
    node.behave(Manner::Well);
}

#[tokio::test]
async fn no_sink_holds_what_a_client_keeps_to_itself() {
    let shown = Kept::default();
    let writer = shown.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("trace,hyper=info,hyper_util=info,h2=info,mio=info")
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let logged = tracing::subscriber::set_default(subscriber);
    let dir = tempfile::tempdir().expect("a folder");
    let site = folder(&[("f", file(b"hello"))]);
    let (denied, cut) = (file(b"denied"), file(&noise(6, 20 * 1024 * 1024)));
    let left = file(b"left");
    let failing: Vec<Tree> = (0..8).map(|seed| file(&noise(seed + 50, 100))).collect();
    std::fs::write(dir.path().join("bad.deny"), format!("/ipfs/{}\n", denied.root))
        .expect("the list is written");
    let node = FakeNode::start(&[&site, &denied, &cut, &left]).await;
    failing.iter().for_each(|tree| node.hold(tree));
    node.lose(cut.blocks[15].cid());
    let (gateway, log) = gateway(&node, &site, dir.path()).await;
    let mut canaries = Canaries::default();
    canaries.words.push("CANARYMETHOD".to_owned());
    let mut kinds = kinds(&site, &denied, &cut);
    kinds.extend(failures(&failing));
    for round in 0..ROUNDS {
        for kind in &kinds {
            // The large one is slow, and the same each time.
            if round == 0 || kind.outcome != "truncated" {
                send(&gateway, &node, kind, &mut canaries).await;
            }
        }
    }
    leave(&gateway, &node, &left, &mut canaries).await;
    drop(gateway);
    assert!(log.close(Duration::from_secs(10)));
    drop(logged);

    let mut sinks = vec![("the process's log", shown.0.lock().clone())];
    for name in ["access.log", "access.log.clear"] {
        sinks.push((name, std::fs::read(dir.path().join(name)).expect("it is there")));
    }
    for (name, bytes) in &sinks {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.is_empty(), "{name} was written");
        for word in &canaries.words {
            let line = text.lines().find(|line| line.contains(word.as_str()));
            assert!(line.is_none(), "seed {SEED}: {word} is in {name}: {}", line.unwrap_or(""));
        }
        assert!(!text.contains("127.0.0.1\""), "{name} has the address of a peer");
    }
    let access = String::from_utf8_lossy(&sinks[1].1);
    for kind in &kinds {
        let outcome = format!("\"outcome\":\"{}\"", kind.outcome);
        assert!(access.contains(&outcome), "{} was not made", kind.outcome);
    }
    assert!(access.contains("\"referrer_host\":\"example.org\""), "the site itself is kept");
}
