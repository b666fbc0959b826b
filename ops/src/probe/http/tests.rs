//! Claims about checks, asked of a gateway that answers rightly and of ones that do not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use telemetry::Tasks;

use super::*;
use crate::played;
use crate::web::Web;

type Played = Response<Full<Bytes>>;

/// What a played gateway does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Nothing,
    /// One byte of every body is another one.
    Lies,
    /// Every status is 200.
    ServesDenied,
    /// Ranges are ignored.
    IgnoresRanges,
    /// An Etag that is not known is taken for one.
    TrustsEtags,
    /// Pages of timeouts do not say when to come again.
    NeverAgain,
    /// An archive lacks a block and ends well.
    Omits,
}

const DENIED: &str = "/ipfs/bafkqaaa";

fn answer(fault: Flaw, content: &Content, request: &Request<Incoming>) -> Played {
    let headers = request.headers();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let built = |status: u16, kind: &str, body: Bytes| {
        let mut bytes = body.to_vec();
        if fault == Flaw::Lies && !bytes.is_empty() {
            bytes[0] ^= 1;
        }
        let answer = Response::builder().status(status).header("content-type", kind);
        let answer = answer.header("access-control-allow-origin", "*");
        let answer = answer.header("access-control-expose-headers", "X-Ipfs-Roots");
        let answer = answer.header("access-control-allow-methods", "GET, HEAD");
        let answer = answer.header("access-control-allow-headers", "Range");
        let answer = answer.header("etag", "\"e\"").header("x-ipfs-path", "/ipfs/x");
        let answer = answer.header("x-ipfs-roots", format!("{},{}", content.root, content.file));
        answer.header("cache-status", "played; hit").body(Full::new(bytes.into())).expect("plain")
    };
    let own_host = header("host").is_some_and(|host| host.starts_with("bafy"));
    let is_file = target == content.path() || own_host && target == content.below();
    if target.starts_with(DENIED) {
        let status = if fault == Flaw::ServesDenied { 200 } else { 451 };
        return built(status, "text/html", Bytes::from_static(b"denied"));
    }
    if target.contains("format=raw") {
        let blocks = content.blocks.iter();
        let mut found = blocks.filter(|block| block.cid().multihash() == content.file.multihash());
        return built(200, RAW_TYPE, found.next().expect("it is ours").data().clone());
    }
    if target.contains("format=car") {
        let mut held = content.clone();
        if fault == Flaw::Omits {
            held.blocks.remove(1);
        }
        return built(200, "application/vnd.ipld.car; version=1", held.car());
    }
    if is_file && request.method() == Method::OPTIONS {
        return built(204, "", Bytes::new());
    }
    if is_file {
        return file(fault, content, request, built);
    }
    if header("cache-control") == Some("only-if-cached") {
        return built(412, "text/plain", Bytes::new());
    }
    let mut page = built(504, "text/html; charset=utf-8", Bytes::from_static(b"<p>late"));
    if fault != Flaw::NeverAgain {
        page.headers_mut().insert("retry-after", http::HeaderValue::from_static("10"));
    }
    page
}

fn file(
    fault: Flaw,
    content: &Content,
    request: &Request<Incoming>,
    built: impl Fn(u16, &str, Bytes) -> Played,
) -> Played {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let size = content.bytes.len();
    if let Some(etag) = header("if-none-match")
        && (etag == "\"e\"" || fault == Flaw::TrustsEtags)
    {
        return built(304, "", Bytes::new());
    }
    if let Some(range) = header("range").filter(|_| fault != Flaw::IgnoresRanges) {
        let (from, to) = range.trim_start_matches("bytes=").split_once('-').expect("a range");
        let (from, to): (usize, usize) = (from.parse().expect("n"), to.parse().expect("n"));
        let mut part = built(206, "text/plain", content.bytes.slice(from..=to));
        let place = format!("bytes {from}-{to}/{size}").parse().expect("it is plain");
        part.headers_mut().insert("content-range", place);
        return part;
    }
    built(200, "text/plain", content.bytes.clone())
}

struct World {
    tasks: Tasks,
    asker: Asker,
    gateway: Gateway,
    content: Content,
}

impl World {
    async fn with(fault: Flaw) -> Self {
        let content = Content::fixed();
        let shared = Arc::new(content.clone());
        Self::serving(content, move |request| {
            let answer = answer(fault, &shared, &request);
            async move { answer }
        })
        .await
    }

    async fn serving<A, F>(content: Content, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Played> + Send + 'static,
    {
        let tasks = Tasks::new();
        let (server, listener) = played::listen().await;
        played::serve(&tasks, listener, answer);
        let web = Web::new(&tasks, Duration::from_secs(5), 1).expect("TLS is there");
        let gateway = Gateway {
            name: "played".into(),
            url: server.url(),
            subdomains: Some("localhost".into()),
        };
        Self { tasks, asker: Asker::new(web), gateway, content }
    }

    fn at(&self) -> At<'_> {
        At { asker: &self.asker, gateway: &self.gateway }
    }

    /// How each check ended, and how many bytes it proved.
    async fn all(&self) -> Vec<(&'static str, Result<(), Fault>, u64)> {
        let (at, content) = (self.at(), &self.content);
        let mut ended = Vec::new();
        macro_rules! check {
            ($name:ident $(, $more:expr)*) => {{
                let mut trace = Trace::begin();
                let end = $name(&mut trace, at $(, $more)*).await;
                ended.push((stringify!($name), end, trace.verified));
            }};
        }
        check!(path, content);
        check!(subdomain, content, "localhost");
        check!(raw, content);
        check!(car, content);
        check!(range, content);
        check!(head, content);
        check!(etag, content);
        check!(only_if_cached);
        check!(cors, content);
        check!(denylist, DENIED);
        check!(timeout_page, Duration::from_secs(5));
        ended
    }
}

#[tokio::test]
async fn right_answers_pass_every_check() {
    let world = World::with(Flaw::Nothing).await;
    for (name, ended, _) in world.all().await {
        assert!(ended.is_ok(), "{name}: {ended:?}");
    }
    let mut trace = Trace::begin();
    path(&mut trace, world.at(), &world.content).await.expect("it is right");
    assert_eq!(trace.verified, world.content.bytes.len() as u64);
    assert_eq!((trace.status, trace.cache_status.as_deref()), (Some(200), Some("played; hit")));
    assert!(trace.first_byte.is_some());
    world.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn wrong_bytes_of_the_right_type_are_told_from_other_failures() {
    let world = World::with(Flaw::Lies).await;
    for (name, ended, verified) in world.all().await {
        match name {
            "path" | "subdomain" | "raw" | "range" | "etag" => {
                assert!(matches!(ended, Err(Fault::Mismatch(_))), "{name}: {ended:?}");
                assert_eq!(verified, 0, "{name}");
            }
            // The lie is in the header of the archive.
            "car" => assert!(ended.is_err()),
            _ => assert!(ended.is_ok(), "{name}: {ended:?}"),
        }
    }
    world.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn each_misbehaviour_fails_its_own_check_and_no_other() {
    for (fault, check) in [
        (Flaw::ServesDenied, "denylist"),
        (Flaw::IgnoresRanges, "range"),
        (Flaw::TrustsEtags, "etag"),
        (Flaw::NeverAgain, "timeout_page"),
        (Flaw::Omits, "car"),
    ] {
        let world = World::with(fault).await;
        for (name, ended, _) in world.all().await {
            assert_eq!(ended.is_err(), name == check, "{fault:?}: {name}: {ended:?}");
        }
        world.tasks.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_page_that_does_not_come_is_said_to_be_late() {
    let world = World::serving(Content::fixed(), |_| std::future::pending()).await;
    let mut trace = Trace::begin();
    let ended = timeout_page(&mut trace, world.at(), Duration::from_millis(50)).await;
    let Err(Fault::Wrong(why)) = ended else { panic!("{ended:?}") };
    assert!(why.contains("no page within"), "{why}");
    world.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_body_that_is_cut_is_no_answer_however_right_its_beginning() {
    let tasks = Tasks::new();
    let content = Content::fixed();
    let (server, listener) = played::listen().await;
    let bytes = content.bytes.clone();
    let _cutting = tasks.background("cutting gateway", async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read(&mut [0; 4096]).await.unwrap_or_default();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
            let cut = [head.as_bytes(), &bytes[..100]].concat();
            stream.write_all(&cut).await.unwrap_or_default();
        }
    });
    let web = Web::new(&tasks, Duration::from_secs(5), 1).expect("TLS is there");
    let gateway = Gateway { name: "g".into(), url: server.url(), subdomains: None };
    let asker = Asker::new(web);
    let mut trace = Trace::begin();
    let ended = path(&mut trace, At { asker: &asker, gateway: &gateway }, &content).await;
    let Err(Fault::NoAnswer(why)) = ended else { panic!("{ended:?}") };
    assert!(why.contains("cut after"), "{why}");
    assert_eq!(trace.verified, 0);
    tasks.shutdown(Duration::ZERO).await;
}

/// A gateway with one website and one name of a key, both of which show the file.
async fn named(lie: bool) -> (World, Name, Content) {
    let content = Content::fixed();
    let key = libp2p_identity::Keypair::generate_ed25519();
    let name = ipfs::ipns::Name::of_key(&key.public().encode_protobuf());
    let end = std::time::SystemTime::now() + Duration::from_secs(60);
    let value = format!("/ipfs/{}", content.root);
    let record =
        ipfs::ipns::create(&key, &value, 1, end, Duration::from_secs(1)).expect("a record");
    let shared = Arc::new(content.clone());
    let world = World::serving(content.clone(), move |request| {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
        let (record, content) = (record.clone(), Arc::clone(&shared));
        async move {
            let body = match &target {
                target if target.contains("ipns-record") => record,
                // The archive is that of what the page is said to be.
                target if target.contains("format=car") => content.car_of_file(),
                _ if lie => Bytes::from_static(b"another page"),
                _ => content.bytes.clone(),
            };
            let answer = Response::builder();
            let answer =
                answer.header("x-ipfs-roots", format!("{},{}", content.root, content.file));
            answer.body(Full::new(body)).expect("plain")
        }
    })
    .await;
    let name = Name { name: name.to_string(), path: content.below(), root: None };
    (world, name, content)
}

#[tokio::test]
async fn names_and_websites_are_proven_by_what_they_say_they_show() {
    let (world, name, content) = named(false).await;
    let site = Site { host: "site.localhost".into(), path: "/".into() };
    let mut trace = Trace::begin();
    website(&mut trace, world.at(), &site).await.expect("it is what it says");
    assert_eq!(trace.verified, content.bytes.len() as u64);
    dnslink(&mut trace, world.at(), &name).await.expect("it is what it says");
    ipns(&mut trace, world.at(), &name, None).await.expect("record and page agree");
    ipns(&mut trace, world.at(), &name, Some(&content)).await.expect("the page is ours");
    let moved = Name { root: Some(nobody_has()), ..name.clone() };
    let ended = dnslink(&mut trace, world.at(), &moved).await;
    assert!(matches!(ended, Err(Fault::Wrong(_))), "{ended:?}");
    world.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_page_that_is_not_what_it_says_is_wrong_bytes() {
    let (world, name, content) = named(true).await;
    let site = Site { host: "site.localhost".into(), path: "/".into() };
    let mut trace = Trace::begin();
    let at = world.at();
    for ended in [
        website(&mut trace, at, &site).await,
        dnslink(&mut trace, at, &name).await,
        ipns(&mut trace, at, &name, None).await,
        ipns(&mut trace, at, &name, Some(&content)).await,
    ] {
        assert!(matches!(ended, Err(Fault::Mismatch(_))), "{ended:?}");
    }
    let other = libp2p_identity::Keypair::generate_ed25519();
    let other = ipfs::ipns::Name::of_key(&other.public().encode_protobuf());
    let stolen = Name { name: other.to_string(), ..name };
    let ended = ipns(&mut trace, at, &stolen, None).await;
    assert!(matches!(ended, Err(Fault::Mismatch(_))), "{ended:?}");
    world.tasks.shutdown(Duration::ZERO).await;
}
