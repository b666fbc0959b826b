//! How requests are read, and what they mean.

use std::net::SocketAddr;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::content::{file, folder, noise};
use crate::fake::FakeNode;
use crate::harness::Gateway;

/// Sends one request as it is and reads to the end of the connection.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
    let mut answer = Vec::new();
    // A reset behind the answer is as good as an end.
    let ended = stream.read_to_end(&mut answer).await;
    assert!(ended.is_ok() || !answer.is_empty(), "something was answered");
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1).unwrap_or("");
    word.parse().unwrap_or_else(|_| panic!("no status in {answer:?}"))
}

/// B1, B2: paths are decoded once, stay below their root, and hold nothing that is no name.
#[tokio::test]
async fn paths_never_leave_their_root() {
    let tree = folder(&[
        ("a", folder(&[("%2e", file(b"once"))])),
        ("b;x", file(b"semi")),
        ("grün", folder(&[])),
    ]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let address = gateway.server.address();
    let mut table: Vec<(String, u16)> = Vec::new();
    for dots in ["..", "%2e%2e", "%2E.", ".%2e", ".", "%2e", "..%2f..", "%2e%2e%2fetc"] {
        for path in ["{d}", "a/{d}", "a/{d}/b", "{d}/a", "a//{d}", "{d}/{d}/{d}"] {
            table.push((path.replace("{d}", dots), 400));
        }
    }
    for (path, status) in [
        ("a%00b", 400),
        ("%00", 400),
        ("%ff", 400),
        ("%c0%ae%c0%ae", 400),
        ("%ed%a0%80", 400),
        ("a/%252e", 200),
        ("a%2F%252e", 200),
        ("b;x", 200),
        ("a\\b", 404),
        ("%5c..%5c", 404),
        ("%0d%0aSet-Cookie:x", 404),
        ("//a///%252e", 200),
        ("...", 404),
        ("a/%25%32%65", 200),
    ] {
        table.push((path.to_owned(), status));
    }
    // Bytes beyond ASCII as some clients send them, in a folder that is asked for without its slash.
    table.push(("grün?x=ü".to_owned(), 301));
    table.push(("\\a".to_owned(), 404));
    assert!(table.len() >= 60, "{}", table.len());
    for (path, expected) in table {
        let request = format!(
            "GET /ipfs/{}/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            tree.root
        );
        let answer = raw(address, &request).await;
        assert_eq!(status(&answer), expected, "{path}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("\r\nset-cookie"), "{path}: {answer}");
    }
}

/// B2: names in the query cannot end a header.
#[tokio::test]
async fn names_of_the_query_stay_in_their_header() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    for name in ["a%0d%0aSet-Cookie:%20x", "%00", "a%22%3b%20x=y", "%e2%80%ae.txt", "a%ff"] {
        let path = format!("/ipfs/{}?filename={name}&download=true", tree.root);
        let got = gateway.get(&path).await;
        assert!(matches!(got.status.as_u16(), 200 | 400), "{name}: {}", got.status);
        assert!(!got.headers.contains_key("set-cookie"), "{name}");
        let disposition = got.header("content-disposition");
        assert!(disposition.matches('"').count() <= 2, "{disposition}");
    }
}

/// B6: of any number of ranges one is answered.
#[tokio::test]
async fn ranges_give_no_more_than_the_file() {
    let bytes = noise(3, 10_000);
    let tree = file(&bytes);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let many = format!("bytes={}", vec!["0-0"; 500].join(","));
    let whole = format!("bytes={}", vec!["0-"; 500].join(","));
    for (range, status, length) in [
        (many.as_str(), 206, 1),
        (whole.as_str(), 206, 10_000),
        ("bytes=-0", 416, 0),
        ("bytes=9999999999999999999-", 416, 0),
        ("bytes=0-99999999999999999999", 206, 10_000),
        ("bytes=", 400, 0),
        ("bytes=1-0", 400, 0),
        ("bytes=a-b", 400, 0),
        ("lines=0-1", 200, 10_000),
    ] {
        let path = format!("/ipfs/{}?filename=a.bin", tree.root);
        let got = gateway.ask(Method::GET, &path, &[("range", range)]).await;
        assert_eq!(got.status.as_u16(), status, "{range:.60}");
        if status < 300 {
            assert_eq!(got.body.len(), length, "{range:.60}");
        }
    }
}

/// B7, B8: parameters of CARs at their extremes.
#[tokio::test]
async fn parameters_are_refused_or_cut_and_never_overflow() {
    let tree = file(&noise(4, 3_000_000));
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    for (query, status) in [
        ("entity-bytes=-9223372036854775808:*", 200),
        ("entity-bytes=0:9223372036854775807", 200),
        ("entity-bytes=5:1", 400),
        ("entity-bytes=-1:-9223372036854775808", 400),
        ("entity-bytes=9223372036854775807:*", 400),
        ("entity-bytes=9223372036854775808:*", 400),
        ("entity-bytes=a:b", 400),
        ("entity-bytes=", 400),
        ("car-version=2", 400),
        ("car-order=x", 400),
        ("car-dups=maybe", 400),
        ("dag-scope=most", 400),
    ] {
        let path = format!("/ipfs/{}?format=car&{query}", tree.root);
        assert_eq!(gateway.get(&path).await.status.as_u16(), status, "{query}");
    }
    let path = format!("/ipfs/{}", tree.root);
    let long = format!("text/html,{}", "a/b;q=0.1,".repeat(1400));
    for (accept, status) in [
        (long.as_str(), 200),
        ("application/vnd.ipld.car;version=2", 400),
        ("application/vnd.ipld.car;order=x", 400),
        (";;;,,,;q=", 200),
        ("*/*;q=99999999999999999999", 200),
    ] {
        let got = gateway.ask(Method::GET, &path, &[("accept", accept)]).await;
        assert_eq!(got.status.as_u16(), status, "{accept:.60}");
    }
    // The URL wins where both speak.
    let raw = [("accept", "application/vnd.ipld.car;order=x")];
    let got = gateway.ask(Method::GET, &format!("{path}?format=raw"), &raw).await;
    assert_eq!(got.status.as_u16(), 200);
}

/// B9: what a client says that it has is read once, and answered after the content is found.
#[tokio::test]
async fn conditional_requests_are_linear_and_resolve_first() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    let many = "\"x\",".repeat(3_900);
    for (tags, status) in [(many.as_str(), 200), ("*", 304), ("\"", 200), ("W/", 200)] {
        let got = gateway.ask(Method::GET, &path, &[("if-none-match", tags)]).await;
        assert_eq!(got.status.as_u16(), status, "{tags:.20}");
    }
    let missing = format!("/ipfs/{}", file(b"nobody has it").root);
    let got = gateway.ask(Method::GET, &missing, &[("if-none-match", "*")]).await;
    assert_eq!(got.status.as_u16(), 502, "what is not there is not unmodified");
}

/// B10, B11: methods and bodies that reading does not have.
#[tokio::test]
async fn methods_and_bodies_that_reading_has_not_are_refused() {
    let tree = file(b"x");
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let address = gateway.server.address();
    for (line, expected) in [
        ("POST /ipfs/x", 405),
        ("TRACE /", 405),
        ("CONNECT a.example:80", 405),
        ("BREW /", 405),
        ("OPTIONS *", 204),
        ("GET http://localhost/version", 200),
        ("GET http://a@b/version", 400),
    ] {
        let host = if line.contains("a.example") { "a.example:80" } else { "localhost" };
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = raw(address, &request).await;
        assert_eq!(status(&answer), expected, "{line}: {answer}");
        let allow = answer.to_ascii_lowercase().contains("\r\nallow: get, head, options");
        assert_eq!(allow, matches!(expected, 204 | 405), "{line}: {answer}");
    }
    let head = format!("GET /ipfs/{} HTTP/1.1\r\nHost: localhost\r\n", tree.root);
    // A body that is announced and never comes, or waits to be asked for, is not waited for.
    for body in
        ["Content-Length: 1073741824\r\n\r\n", "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer before the body");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
