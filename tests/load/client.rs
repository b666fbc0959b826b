//! Clients that are cheaper than what they measure.
//!
//! The many-small-requests client is one thread that keeps one request in flight on every connection
//! and takes them in turn: one write and one read a request, no parsing beyond the first answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::Ending;
use harness::fleet::Member;
use harness::http::Connection;
use harness::process::processor_seconds;

/// Requests per second for one target over keep-alive connections.
///
/// # Errors
/// An answer that is not the first answer's length, or not 200.
pub(crate) fn requests_per_second(
    address: SocketAddr,
    target: &str,
    connections: usize,
    time: Duration,
) -> Result<f64> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
    let size = answer_bytes(address, &request)?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(&request)?;
        streams.push(stream);
    }
    let mut buffer = vec![0; size];
    let (begun, mut done) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        for stream in &mut streams {
            stream.read_exact(&mut buffer).context("an answer is missing")?;
            ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
            stream.write_all(&request)?;
            done += 1;
        }
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// What a gateway did under all the load that it takes.
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Processor time of a request, in microseconds.
    pub(crate) processor: f64,
}

/// Measures a gateway for so long, after a moment of warming up.
///
/// # Errors
/// As [`requests_per_second`].
pub(crate) fn loaded(
    gateway: &Member,
    target: &str,
    connections: usize,
    time: Duration,
) -> Result<Load> {
    requests_per_second(gateway.http, target, connections, Duration::from_millis(500))?;
    let before = processor_seconds(gateway.process_id())?;
    let rate = requests_per_second(gateway.http, target, connections, time)?;
    let used = processor_seconds(gateway.process_id())? - before;
    Ok(Load { rate, processor: used * 1e6 / (rate * time.as_secs_f64()) })
}

/// Does some work while a gateway has all the load that it takes; gives the requests that it served
/// meanwhile as well.
///
/// # Errors
/// As [`requests_per_second`], and what the work says.
pub(crate) fn while_loaded<T>(
    address: SocketAddr,
    target: &str,
    connections: usize,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, f64)> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| -> Result<f64> {
            let (mut served, time) = (0.0, Duration::from_millis(500));
            while !done.load(Ordering::Relaxed) {
                let rate = requests_per_second(address, target, connections, time)?;
                served += rate * time.as_secs_f64();
            }
            Ok(served)
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let served = load.join().expect("the load does not panic")?;
        Ok((worked?, served))
    })
}

/// The size of a whole answer, head included. The second answer counts: a first one may say that it
/// came from elsewhere.
fn answer_bytes(address: SocketAddr, request: &[u8]) -> Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut size = 0;
    for _ in 0..3 {
        stream.write_all(request)?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("a small answer has a length")?;
        let length: usize = length.trim().parse()?;
        stream.read_exact(&mut vec![0; length])?;
        size = answer.len() + length;
    }
    Ok(size)
}

/// Requests per second as `wrk` measures them, or `None` where it is not installed.
pub(crate) fn wrk(address: SocketAddr, target: &str, connections: usize) -> Option<f64> {
    let output = std::process::Command::new("wrk")
        .args(["-t1", "-d5s", &format!("-c{connections}"), &format!("http://{address}{target}")])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("Requests/sec:"))?.trim().parse().ok()
}

/// Bytes per second of one download on a connection of its own.
///
/// # Errors
/// Anything but a complete 200 of this size.
pub(crate) fn bytes_per_second(address: SocketAddr, target: &str, size: u64) -> Result<f64> {
    let begun = Instant::now();
    let mut connection = Connection::open(address)?;
    connection.send("GET", target, &[])?;
    let head = connection.head()?;
    let mut received = 0;
    let ending = connection.body(&head, &mut |piece| received += piece.len() as u64)?;
    ensure!(head.status == 200, "status {}", head.status);
    ensure!(ending == Ending::Complete && received == size, "{received} bytes, {ending:?}");
    Ok(size as f64 / begun.elapsed().as_secs_f64())
}

/// The middle of several measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
