//! Bad requests get exact statuses, and the process that answered them is as well as before.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use harness::http::{self, Connection};
use harness::{Answer, Fleet, FleetPlan, bytes_of_seed};

/// A CID of the raw codec in base 16, of any hash function: its code as a varint, and its digest.
fn raw_cid(hash_code: &str, digest_bytes: usize) -> String {
    format!("f0155{hash_code}{digest_bytes:02x}{}", "5a".repeat(digest_bytes))
}

/// Method, target, headers, and the status that is due.
type Case = (&'static str, String, Vec<(&'static str, String)>, u16);

fn cases(root: &str) -> Vec<Case> {
    let get = |target: String, status: u16| ("GET", target, Vec::new(), status);
    let with = |name: &'static str, value: &str, status: u16| {
        ("GET", format!("/ipfs/{root}"), vec![(name, value.to_owned())], status)
    };
    vec![
        get("/ipfs/not-a-cid".into(), 400),
        get("/ipfs/".into(), 400),
        get(format!("/ipfs/b{}", "a".repeat(7000)), 400),
        // Unknown, broken and shortened hash functions, and an unknown CID version.
        get(format!("/ipfs/{}", raw_cid("22", 8)), 400),
        get(format!("/ipfs/{}", raw_cid("d501", 16)), 400),
        get(format!("/ipfs/{}", raw_cid("ffff03", 32)), 400),
        get(format!("/ipfs/{}", raw_cid("12", 16)), 400),
        get(format!("/ipfs/{}", raw_cid("12", 32).replace("f01", "f02")), 400),
        // An identity CID holds at most 128 bytes.
        get(format!("/ipfs/f01550081{}{}", "01", "5a".repeat(129)), 400),
        // Paths are decoded once and never climb.
        get(format!("/ipfs/{root}/../x"), 400),
        get(format!("/ipfs/{root}/%2e%2e/x"), 400),
        get(format!("/ipfs/{root}/a/%2E%2E/%2e%2e/x"), 400),
        get(format!("/ipfs/{root}/%00"), 400),
        get(format!("/ipfs/{root}/%ff%fe"), 400),
        get(format!("/ipfs/{root}/{}", "a/".repeat(200)), 400),
        get(format!("/ipfs/{root}/nothing/here"), 404),
        get("/nothing/here".into(), 404),
        get(format!("/ipfs/{root}/{}", "a".repeat(9000)), 414),
        ("GET", format!("/ipfs/{root}"), vec![("X-Long", "a".repeat(20_000))], 431),
        ("GET", format!("/ipfs/{root}"), vec![("X-Many", "a".into()); 80], 431),
        ("POST", format!("/ipfs/{root}"), vec![("Content-Length", "0".into())], 405),
        ("DELETE", format!("/ipfs/{root}"), Vec::new(), 405),
        ("PUT", format!("/ipfs/{root}"), vec![("Content-Length", "0".into())], 405),
        ("TRACE", format!("/ipfs/{root}"), Vec::new(), 405),
        with("Range", "bytes=99999999-", 416),
        with("Service-Worker", "script", 400),
        // What operators see is not public.
        get("/metrics".into(), 404),
        get("/debug/pprof/profile".into(), 404),
        get("/log/level".into(), 404),
        get("/import".into(), 404),
    ]
}

fn send(fleet: &Fleet, case: &Case) -> std::io::Result<Answer> {
    let (method, target, headers, _) = case;
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    http::ask(fleet.gateway.http, method, target, &headers)
}

#[test]
fn bad_requests_get_exact_statuses_and_are_not_cached() {
    let mut fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    let content = bytes_of_seed(101, 2000);
    let root = fleet.import(&content).expect("the import succeeds");

    let mut complaints = Vec::new();
    for case in cases(&root) {
        let (method, target, _, status) = &case;
        let shown: String = target.chars().take(90).collect();
        match send(&fleet, &case) {
            Ok(answer) if answer.status() != *status => {
                complaints.push(format!("{method} {shown}: {} for {status}", answer.status()));
            }
            Ok(answer) if answer.header("cache-control") != Some("no-store") => {
                let sent = answer.header("cache-control");
                complaints.push(format!("{method} {shown}: {status} may be cached: {sent:?}"));
            }
            Ok(answer) if *status == 405 && answer.header("allow").is_none() => {
                complaints.push(format!("{method} {shown}: 405 without Allow"));
            }
            Ok(_) => {}
            Err(error) => complaints.push(format!("{method} {shown}: {error}")),
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));

    assert!(fleet.gateway.process().is_alive());
    assert_eq!(fleet.get(&format!("/ipfs/{root}")).body, content);
}

#[test]
fn content_that_nobody_has_is_explained_in_the_form_that_is_asked_for() {
    let fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let target = format!("/ipfs/{}", raw_cid("12", 32));
    let ask = |accept: &str| {
        let headers = [("Accept", accept)];
        let answer = http::ask(fleet.gateway.http, "GET", &target, &headers);
        let answer = answer.expect("the gateway answers");
        assert_eq!(answer.status(), 502, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("retry-after").is_some(), "502 says when to come back");
        let content_type = answer.header("content-type").unwrap_or_default().to_owned();
        (content_type, answer.text())
    };

    let (kind, page) = ask("text/html");
    assert!(kind.starts_with("text/html"), "{kind}");
    assert!(page.contains("<html"), "{page}");
    let (kind, problem) = ask("application/json");
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    let problem: serde_json::Value = serde_json::from_str(&problem).expect("problem is JSON");
    assert_eq!(problem["status"], 502, "{problem}");
    let (kind, _) = ask("text/plain");
    assert!(kind.starts_with("text/plain"), "{kind}");
}

/// How soon a connection that carried no HTTP is gone.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Requests that no client library would send.
const RAW: [(&str, &[u8]); 7] = [
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("two lengths", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    (
        "a length and chunks",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a bare header", b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
    ("a folded header", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ("no host", b"GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
];

#[test]
fn malformed_http_is_refused_and_the_connection_closed() {
    let mut fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    for (what, bytes) in RAW {
        let mut connection = Connection::open(fleet.gateway.http).expect("the gateway accepts");
        connection.send_raw(bytes).expect("the gateway reads");
        let mut stream = connection.stream().try_clone().expect("sockets can be cloned");
        stream.set_read_timeout(Some(CLOSED_WITHIN)).expect("a time is set");
        let mut answer = Vec::new();
        // A reset is as good as an end; a connection that stays open is neither.
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            ended => drop(ended.unwrap_or_else(|error| panic!("{what}: stays open: {error}"))),
        }
        // Closing without an answer is as good as a 400 when it was no HTTP.
        let answer = String::from_utf8_lossy(&answer);
        let refused =
            ["HTTP/1.1 400 ", "HTTP/1.1 405 "].iter().any(|head| answer.starts_with(head));
        assert!(answer.is_empty() || refused, "{what}: {answer}");
    }
    assert!(fleet.gateway.process().is_alive());
}
