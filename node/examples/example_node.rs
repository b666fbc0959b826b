//! The smallest node that a gateway can use: it serves the blocks of a CAR file, and nothing else.
//!
//! `example_node FILE.car ADDRESS` reads the whole file, proves no block, and answers `/ipfs/{cid}?format=raw`. What
//! a gateway asks of a node is told in ops/reference/trustless-contract.md; it trusts none of them, this one included.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ipfs::Cid;

const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Longest silence: longer than gateways keep a connection without asking.
const PATIENCE: Duration = Duration::from_secs(60);
const REFUSED: &[u8] = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
const KIND: &str = "Content-Type: application/vnd.ipld.raw";

type Blocks = HashMap<Vec<u8>, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, address] = &arguments[..] else {
        return Err("usage: example_node FILE.car ADDRESS, such as 127.0.0.1:8180".into());
    };
    let blocks = Arc::new(blocks(&std::fs::read(file)?)?);
    let listener = TcpListener::bind(address)?;
    writeln!(std::io::stderr(), "{} blocks at http://{}", blocks.len(), listener.local_addr()?)?;
    for stream in listener.incoming() {
        let blocks = Arc::clone(&blocks);
        // A gateway keeps connections open and asks one thing after the other on each.
        std::thread::spawn(move || serve(stream?, &blocks));
    }
    Ok(())
}

/// The blocks of a CAR by their hash: a header and sections, each with its length before it.
fn blocks(mut car: &[u8]) -> Result<Blocks, Box<dyn Error>> {
    let mut blocks = Blocks::new();
    section(&mut car).ok_or("the file has no header")?;
    while !car.is_empty() {
        let section = section(&mut car).ok_or("the file ends within a section")?;
        let mut rest = section;
        // A CID is four numbers and a digest; the old kind begins with the number of its hash.
        for _ in 0..if section.starts_with(&[0x12, 0x20]) { 1 } else { 3 } {
            number(&mut rest).ok_or("a CID is cut")?;
        }
        self::section(&mut rest).ok_or("a CID is cut")?;
        let cid = Cid::from_bytes(&section[..section.len() - rest.len()])?;
        blocks.insert(cid.multihash().to_bytes(), rest.to_vec());
    }
    Ok(blocks)
}

fn section<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    bytes.split_off(..length)
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let length = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (digits, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(digits.iter().rev().fold(0, |number, byte| (number << 7) | usize::from(byte & 0x7f)))
}

/// Answers what is asked on one connection, until it is closed or silent.
fn serve(mut stream: TcpStream, blocks: &Blocks) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        // A head is bounded as a whole, or one that never ends would fill the memory.
        let mut head = (&mut reader).take(HEAD_BYTES_MAX);
        let (mut first, mut line) = (String::new(), String::new());
        head.read_line(&mut first)?;
        while head.read_line(&mut line)? > 0 && !line.trim().is_empty() {
            line.clear();
        }
        let [method, target, _] = first.split(' ').collect::<Vec<_>>()[..] else { return Ok(()) };
        if !line.ends_with('\n') || !["GET", "HEAD"].contains(&method) {
            // What follows may be a body, so no further request is looked for.
            return stream.write_all(REFUSED);
        }
        let cid = target.split('?').next().and_then(|path| path.strip_prefix("/ipfs/"));
        let found = cid.and_then(|cid| blocks.get(&Cid::parse(cid).ok()?.multihash().to_bytes()));
        // 404: this node does not have it, and will not have it by searching.
        let (status, data) = found.map_or(("404 Not Found", &b""[..]), |data| ("200 OK", data));
        let head = format!("HTTP/1.1 {status}\r\n{KIND}\r\nContent-Length: {}\r\n\r\n", data.len());
        let body = if method == "HEAD" { b"" } else { data };
        // In one piece, or the second would wait until the first is confirmed.
        stream.write_all(&[head.as_bytes(), body].concat())?;
    }
}
