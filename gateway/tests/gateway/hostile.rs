//! Clients that send too much, too slowly, or read too slowly.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::content::{file, folder, noise};
use crate::fake::FakeNode;
use crate::harness::{Gateway, config};

/// Sends bytes and reads until the end of the connection.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The gateway may close before it has read all.
    let sent = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert!(sent.is_ok() || read.is_err() || !answer.is_empty(), "something was answered");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn long_addresses_and_large_heads_are_refused() {
    let node = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&node]).await;
    let address = gateway.server.address();
    let head = "Host: localhost\r\nConnection: close\r\n";
    let long = format!("GET /ipfs/{} HTTP/1.1\r\n{head}\r\n", "x".repeat(9_000));
    assert!(raw(address, long.as_bytes()).await.starts_with("HTTP/1.1 414"));
    let large = format!("GET / HTTP/1.1\r\n{head}X: {}\r\n\r\n", "x".repeat(17_000));
    assert!(raw(address, large.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\n{head}{}\r\n", "X: 1\r\n".repeat(70));
    assert!(raw(address, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let huge = format!("GET / HTTP/1.1\r\n{head}X: {}\r\n\r\n", "x".repeat(200_000));
    let answer = raw(address, huge.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn smuggling_and_odd_hosts_are_refused() {
    let node = FakeNode::start(&[]).await;
    let gateway = Gateway::of(&[&node]).await;
    let address = gateway.server.address();
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let answer = raw(address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
    }
    let answer =
        raw(address, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn stream_is_refused_where_its_end_could_not_be_told_from_a_cut() {
    let tree = folder(&[("a", file(b"a"))]);
    let node = FakeNode::start(&[&tree]).await;
    let gateway = Gateway::of(&[&node]).await;
    let ask = async |path: &str| {
        let head = format!("GET /ipfs/{}{path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", tree.root);
        raw(gateway.server.address(), head.as_bytes()).await
    };
    for streamed in ["/", "?format=car"] {
        let answer = ask(streamed).await;
        assert!(answer.contains(" 505 "), "{streamed}: {answer}");
    }
    let answer = ask("/a").await;
    assert!(answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn slow_heads_are_cut_in_time() {
    let node = FakeNode::start(&[]).await;
    let mut config = config(&[&node]);
    config.accept.header_timeout = Duration::from_millis(500);
    let gateway = Gateway::start(config).await;
    // Nothing at all, a byte that both protocols begin with, and half a head.
    for start in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: "] {
        let mut stream = TcpStream::connect(gateway.server.address()).await.expect("connected");
        stream.write_all(start.as_bytes()).await.expect("sent");
        let began = Instant::now();
        let mut answer = Vec::new();
        // A reset is as good as an end.
        let ended = stream.read_to_end(&mut answer).await.is_ok();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "{start:?} took {took:?}, end: {ended}");
    }
    assert!(gateway.metric("bifrost_gateway_accept_head_timeouts_total", "") >= 4);
}

#[tokio::test]
async fn reader_that_stops_is_cut_and_holds_little() {
    let tree = file(&noise(7, 32 * 1024 * 1024));
    let node = FakeNode::start(&[&tree]).await;
    let mut config = config(&[&node]);
    config.accept.write_timeout = Duration::from_secs(1);
    let gateway = Gateway::start(config).await;
    let mut stream = TcpStream::connect(gateway.server.address()).await.expect("connected");
    let head = format!("GET /ipfs/{} HTTP/1.1\r\nHost: a\r\n\r\n", tree.root);
    stream.write_all(head.as_bytes()).await.expect("sent");
    gateway.metric_becomes("bifrost_gateway_in_flight", "traffic=\"gateway\"", 1).await;
    for _ in 0..600 {
        if gateway.metric("bifrost_gateway_requests_total", "outcome=\"client_abort\"") == 1 {
            assert!(gateway.metric("bifrost_gateway_accept_write_timeouts_total", "") >= 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the reader was not cut");
}
