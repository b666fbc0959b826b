//! The smallest node that a gateway can use: it serves the blocks of a CAR file, and nothing else.
//!
//! `example_node FILE.car ADDRESS` reads the whole file, proves no block, and answers `/ipfs/{cid}?format=raw`. What
//! a gateway asks of a node is told in ops/reference/trustless-contract.md; it trusts none of them, this one included.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use ipfs::Cid;

type Blocks = HashMap<Vec<u8>, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, address] = &arguments[..] else {
        return Err(
            "usage: example_node FILE.car ADDRESS, as in example_node site.car 127.0.0.1:8180"
                .into(),
        );
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
        let is_old = section.starts_with(&[0x12, 0x20]);
        for _ in 0..if is_old { 1 } else { 3 } {
            number(&mut rest).ok_or("a CID is cut")?;
        }
        let digest = number(&mut rest).ok_or("a CID is cut")?;
        let (_, data) = rest.split_at_checked(digest).ok_or("a CID is cut")?;
        let cid = Cid::from_bytes(&section[..section.len() - data.len()])?;
        blocks.insert(cid.multihash().to_bytes(), data.to_vec());
    }
    Ok(blocks)
}

fn section<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    let (section, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(section)
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Answers what is asked on one connection, until it is closed.
fn serve(stream: TcpStream, blocks: &Blocks) -> std::io::Result<()> {
    let mut to = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let target = line.split(' ').nth(1).unwrap_or_default();
        let cid = target.split('?').next().and_then(|path| path.strip_prefix("/ipfs/"));
        let found = cid.and_then(|cid| blocks.get(&Cid::parse(cid).ok()?.multihash().to_bytes()));
        // 404: this node does not have it, and will not have it by searching.
        let (status, data) = found.map_or(("404 Not Found", &b""[..]), |data| ("200 OK", data));
        let kind = "Content-Type: application/vnd.ipld.raw";
        write!(to, "HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {}\r\n\r\n", data.len())?;
        to.write_all(data)?;
    }
    Ok(())
}
