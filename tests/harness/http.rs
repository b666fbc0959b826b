//! A plain HTTP/1.1 client that says exactly what came over the wire.
//!
//! It tells a complete answer from a cut one, sends bytes as they are given, and reads as slowly as a
//! test wants: a friendly client library hides all three.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one read or write may take before the test fails.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The length that was promised, or the final chunk, arrived.
    Complete,
    /// The connection ended before that.
    Cut,
}

/// Status line and headers.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status line and headers.
    pub head: Head,
    /// The body as far as it came.
    pub body: Vec<u8>,
    /// Whether all of it came.
    pub ending: Ending,
}

impl Answer {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text, with replacement characters where it is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One keep-alive connection.
pub struct Connection {
    reader: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Whatever the connect says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
        Self::over(stream, address)
    }

    /// Speaks over a stream that the caller made, for example with a small receive buffer.
    ///
    /// # Errors
    /// Whatever setting the timeouts says.
    pub fn over(stream: TcpStream, address: SocketAddr) -> io::Result<Self> {
        stream.set_read_timeout(Some(STEP_TIMEOUT))?;
        stream.set_write_timeout(Some(STEP_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(256 * 1024, stream), address })
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// Whatever the write says.
    pub fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send_raw(head.as_bytes())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Whatever the write says.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads status line and headers.
    ///
    /// # Errors
    /// The read's, `UnexpectedEof` when the connection ends first, `InvalidData` when it is no HTTP.
    pub fn head(&mut self) -> io::Result<Head> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| invalid(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| invalid(format!("no header: {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the body that `head` announces and hands every piece to `sink`.
    ///
    /// # Errors
    /// The read's, but for a connection that ends or is reset: that is [`Ending::Cut`].
    pub fn body(&mut self, head: &Head, sink: &mut dyn FnMut(&[u8])) -> io::Result<Ending> {
        if matches!(head.status, 204 | 304) {
            return Ok(Ending::Complete);
        }
        let read = if head.header("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
            self.chunks(sink)
        } else if let Some(length) = head.header("content-length") {
            let length = length.parse().map_err(|_| invalid(format!("length {length:?}")))?;
            self.exactly(length, sink)
        } else {
            self.until_closed(sink)
        };
        match read {
            Ok(()) => Ok(Ending::Complete),
            Err(error) if ended_early(&error) => Ok(Ending::Cut),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// Those of [`Connection::send`], [`Connection::head`] and [`Connection::body`].
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> io::Result<Answer> {
        self.send(method, target, headers)?;
        self.answer(method == "HEAD")
    }

    /// Reads one whole answer; a HEAD request's has no body.
    ///
    /// # Errors
    /// Those of [`Connection::head`] and [`Connection::body`].
    pub fn answer(&mut self, bodiless: bool) -> io::Result<Answer> {
        let head = self.head()?;
        let mut body = Vec::new();
        let ending = if bodiless {
            Ending::Complete
        } else {
            self.body(&head, &mut |piece| body.extend_from_slice(piece))?
        };
        Ok(Answer { head, body, ending })
    }

    /// The socket below, for options that only a test wants.
    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            line.pop();
        }
        String::from_utf8(line).map_err(|error| invalid(error.to_string()))
    }

    fn exactly(&mut self, mut left: u64, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            let piece = self.reader.fill_buf()?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let size = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(&piece[..size]);
            self.reader.consume(size);
            left -= size as u64;
        }
        Ok(())
    }

    fn chunks(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size =
                u64::from_str_radix(size, 16).map_err(|_| invalid(format!("chunk {line:?}")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.exactly(size, sink)?;
            self.line()?;
        }
    }

    fn until_closed(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let size = self.reader.read(&mut piece)?;
            if size == 0 {
                return Ok(());
            }
            sink(&piece[..size]);
        }
    }
}

/// Asks once on a connection of its own.
///
/// # Errors
/// Those of [`Connection::open`] and [`Connection::ask`].
pub fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> io::Result<Answer> {
    let mut headers = headers.to_vec();
    headers.push(("Connection", "close"));
    Connection::open(address)?.ask(method, target, &headers)
}

/// Gets a target once on a connection of its own.
///
/// # Errors
/// Those of [`ask`].
pub fn get(address: SocketAddr, target: &str) -> io::Result<Answer> {
    ask(address, "GET", target, &[])
}

/// Posts a body once on a connection of its own.
///
/// # Errors
/// Those of [`Connection::open`] and [`Connection::answer`].
pub fn post(
    address: SocketAddr,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> io::Result<Answer> {
    send_body(address, ("POST", target), content_type, body)
}

/// Puts a body, as [`post`] posts one.
///
/// # Errors
/// As [`post`].
pub fn put(
    address: SocketAddr,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> io::Result<Answer> {
    send_body(address, ("PUT", target), content_type, body)
}

fn send_body(
    address: SocketAddr,
    (method, target): (&str, &str),
    content_type: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let mut connection = Connection::open(address)?;
    let length = body.len().to_string();
    connection.send(
        method,
        target,
        &[("Content-Type", content_type), ("Content-Length", &length), ("Connection", "close")],
    )?;
    // A server may answer and close before it has read a body that it refuses.
    match connection.send_raw(body) {
        Ok(()) => {}
        Err(error) if ended_early(&error) => {}
        Err(error) => return Err(error),
    }
    connection.answer(false)
}

fn ended_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answered_with(raw: &'static [u8]) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
        let address = listener.local_addr().expect("bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the client connects");
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("sockets clone"));
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).expect("the client sends a head");
            }
            stream.write_all(raw).expect("the client reads");
        });
        let answer = get(address, "/").expect("an answer");
        server.join().expect("the server ends");
        answer
    }

    #[test]
    fn a_short_body_is_cut_and_a_full_one_complete() {
        let short = answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
        assert_eq!((short.body.as_slice(), short.ending), (b"abc".as_slice(), Ending::Cut));
        let full = answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!((full.body.as_slice(), full.ending), (b"abc".as_slice(), Ending::Complete));
    }

    #[test]
    fn chunks_without_the_final_one_are_cut() {
        let cut =
            answered_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        assert_eq!((cut.body.as_slice(), cut.ending), (b"abc".as_slice(), Ending::Cut));
        let whole = answered_with(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        );
        assert_eq!((whole.body.as_slice(), whole.ending), (b"abc".as_slice(), Ending::Complete));
    }
}
