//! A node that misbehaves on purpose: a proxy in front of a real node that spoils what it forwards.
//!
//! It speaks HTTP/1.1 with one request a connection, so that a fault touches exactly one answer, and
//! counts what it was asked: a test asserts that the faulty node was really on the path.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::http::{Connection, Head};

/// How long a stalled answer is held before the connection is dropped.
const STALL: Duration = Duration::from_secs(90);

/// What the node does with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Forwards it as it is.
    Ok,
    /// Flips one bit in the middle of the body.
    Corrupt,
    /// Sends bytes of the right length that belong to another block.
    WrongBlock,
    /// Closes the connection in the middle of the promised body.
    Truncate,
    /// Sends half the body in chunks and ends it cleanly.
    TruncateClean,
    /// Reads the request and never answers.
    StallHead,
    /// Sends headers and half the body, then nothing.
    StallBody,
    /// Accepts the connection and never reads.
    BlackHole,
    /// Resets the connection after the request.
    Reset,
    /// Sends a body of 400 MiB without a length.
    Huge,
    /// Sends a gzip-encoded body.
    Gzip,
    /// Answers 404.
    NotFound,
    /// Answers 500.
    Failed,
}

impl Mode {
    /// Every mode, in declaration order.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Corrupt,
        Self::WrongBlock,
        Self::Truncate,
        Self::TruncateClean,
        Self::StallHead,
        Self::StallBody,
        Self::BlackHole,
        Self::Reset,
        Self::Huge,
        Self::Gzip,
        Self::NotFound,
        Self::Failed,
    ];
}

/// What the node did so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests read.
    pub requests: AtomicU64,
    /// Answers spoiled.
    pub faults: AtomicU64,
    /// Body bytes sent.
    pub bytes: AtomicU64,
}

struct Shared {
    behind: SocketAddr,
    mode: AtomicU8,
    counters: Counters,
    stopping: AtomicBool,
}

/// The running node. Dropping it closes its port; connections that stall end by themselves.
pub struct FaultyNode {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyNode {
    /// Listens on a port that the kernel chooses, in front of the node at `behind`.
    ///
    /// # Errors
    /// Whatever the bind says.
    pub fn in_front_of(behind: SocketAddr, mode: Mode) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behind,
            mode: AtomicU8::new(mode as u8),
            counters: Counters::default(),
            stopping: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.stopping.load(Ordering::Relaxed) {
                    return;
                }
                served.counters.connections.fetch_add(1, Ordering::Relaxed);
                let served = Arc::clone(&served);
                // The client of a spoiled answer may leave at any moment: that is no failure here.
                std::thread::spawn(move || serve(&served, stream).ok());
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does from the next request on.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// What it did so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

impl Drop for FaultyNode {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is to stop.
        TcpStream::connect(self.address).ok();
    }
}

fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let mode = Mode::ALL[usize::from(shared.mode.load(Ordering::Relaxed))];
    if mode == Mode::BlackHole {
        shared.counters.faults.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(STALL);
        return Ok(());
    }
    let request = read_request(&mut stream)?;
    shared.counters.requests.fetch_add(1, Ordering::Relaxed);
    if mode != Mode::Ok {
        shared.counters.faults.fetch_add(1, Ordering::Relaxed);
    }
    match mode {
        Mode::StallHead => {
            std::thread::sleep(STALL);
            return Ok(());
        }
        Mode::Reset => {
            return rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))
                .map_err(io::Error::from);
        }
        Mode::NotFound => return plain(&mut stream, "404 Not Found"),
        Mode::Failed => return plain(&mut stream, "500 Internal Server Error"),
        Mode::Huge => return endless(shared, &mut stream),
        Mode::Ok
        | Mode::Corrupt
        | Mode::WrongBlock
        | Mode::Truncate
        | Mode::TruncateClean
        | Mode::StallBody
        | Mode::BlackHole
        | Mode::Gzip => {}
    }
    let mut upstream = Connection::open(shared.behind)?;
    upstream.send_raw(&request)?;
    let is_head = request.starts_with(b"HEAD ");
    let answer = upstream.answer(is_head)?;
    spoil(shared, mode, &mut stream, &answer.head, answer.body)
}

fn spoil(
    shared: &Shared,
    mode: Mode,
    stream: &mut TcpStream,
    head: &Head,
    mut body: Vec<u8>,
) -> io::Result<()> {
    let middle = body.len() / 2;
    if mode == Mode::Corrupt {
        body.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
    } else if mode == Mode::WrongBlock {
        body.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let framing = if mode == Mode::TruncateClean {
        "Transfer-Encoding: chunked\r\n".to_owned()
    } else if mode == Mode::Gzip {
        format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", body.len())
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    stream.write_all(forwarded_head(head, &framing).as_bytes())?;
    let sent = if matches!(mode, Mode::Truncate | Mode::TruncateClean | Mode::StallBody) {
        &body[..middle]
    } else {
        &body[..]
    };
    shared.counters.bytes.fetch_add(sent.len() as u64, Ordering::Relaxed);
    if mode == Mode::TruncateClean {
        write!(stream, "{:x}\r\n", sent.len())?;
        stream.write_all(sent)?;
        return stream.write_all(b"\r\n0\r\n\r\n");
    }
    stream.write_all(sent)?;
    if mode == Mode::StallBody {
        std::thread::sleep(STALL);
    }
    Ok(())
}

fn forwarded_head(head: &Head, framing: &str) -> String {
    let kept = head.headers.iter().filter(|(name, _)| {
        !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "trailer")
    });
    let headers: String = kept.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {} Forwarded\r\n{headers}{framing}Connection: close\r\n\r\n", head.status)
}

fn plain(stream: &mut TcpStream, status: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn endless(shared: &Shared, stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ipld.raw\r\nConnection: close\r\n\r\n",
    )?;
    let piece = vec![0; 1 << 20];
    for _ in 0..400 {
        stream.write_all(&piece)?;
        shared.counters.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads a request head byte by byte up to the empty line, with `Connection: close` added.
fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 64 * 1024 || stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Answer, Ending, get};

    /// A node with one block, and a faulty one in front of it.
    fn answer_in(mode: Mode) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let faulty = FaultyNode::in_front_of(listener.local_addr()?, mode)?;
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                read_request(&mut stream).expect("the proxy sends a head");
                let head = b"HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: 1000\r\n\r\n";
                stream.write_all(&[&head[..], &[7; 1000]].concat()).expect("the proxy reads");
            }
        });
        let answer = get(faulty.address(), "/ipfs/x");
        assert_eq!(faulty.counters().requests.load(Ordering::Relaxed), 1);
        answer
    }

    #[test]
    fn a_node_in_order_forwards_what_it_is_given() {
        let answer = answer_in(Mode::Ok).expect("an answer");
        assert_eq!((answer.body, answer.ending), (vec![7; 1000], Ending::Complete));
        assert_eq!(answer.head.header("x-kept"), Some("yes"));
    }

    #[test]
    fn a_corrupt_answer_differs_in_one_bit() {
        let answer = answer_in(Mode::Corrupt).expect("an answer");
        let wrong: Vec<u8> = answer.body.into_iter().filter(|byte| *byte != 7).collect();
        assert_eq!(wrong, [6]);
    }

    #[test]
    fn a_truncated_answer_is_cut_and_the_clean_one_looks_whole() {
        let cut = answer_in(Mode::Truncate).expect("an answer");
        assert_eq!((cut.body.len(), cut.ending), (500, Ending::Cut));
        let clean = answer_in(Mode::TruncateClean).expect("an answer");
        assert_eq!((clean.body.len(), clean.ending), (500, Ending::Complete));
    }

    #[test]
    fn a_reset_leaves_no_answer_and_a_failure_a_status() {
        assert!(answer_in(Mode::Reset).is_err());
        assert_eq!(answer_in(Mode::Failed).expect("an answer").status(), 500);
    }
}
