//! Checks of a gateway with content whose bytes are known.
//!
//! Each ends well only if what came was proven: a status or a type that is right proves nothing, and
//! is looked at only to say more.

use bytes::Bytes;
use http::{Method, header};
use ipfs::Block;
use ipfs::trustless::{CAR_TYPE, RAW_TYPE};

use super::ask::{Answer, Ask, Asker, Gateway};
use super::content::{Content, nobody_has};
use super::outcome::{Fault, Trace, wrong};
use super::proof::Proven;

mod names;
mod refusals;

pub(super) use names::{Name, Site, dnslink, ipns, learn, website};
pub(super) use refusals::{denylist, timeout_page};

/// What a check asks, and of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// Who asks.
    pub(super) asker: &'a Asker,
    /// Who is asked.
    pub(super) gateway: &'a Gateway,
}

impl At<'_> {
    /// Asks.
    pub(super) async fn ask(&self, trace: &mut Trace, ask: Ask) -> Result<Answer, Fault> {
        self.asker.ask(trace, self.gateway, ask).await
    }
}

/// That an answer has the bytes of the file.
fn is_file(trace: &mut Trace, answer: &Answer, content: &Content) -> Result<(), Fault> {
    answer.expect(&[200])?;
    if !content.is(&answer.body) {
        let (file, bytes) = (content.file, answer.body.len());
        return Err(Fault::Mismatch(format!("the {bytes} bytes are not the file {file}")));
    }
    trace.verified += answer.body.len() as u64;
    Ok(())
}

/// `http.path`
pub(super) async fn path(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let answer = at.ask(trace, Ask::get(content.path())).await?;
    is_file(trace, &answer, content)
}

/// `http.subdomain`
pub(super) async fn subdomain(
    trace: &mut Trace,
    at: At<'_>,
    content: &Content,
    below: &str,
) -> Result<(), Fault> {
    let host = format!("{}.ipfs.{below}", content.root);
    let answer = at.ask(trace, Ask::get(content.below()).host(host)).await?;
    is_file(trace, &answer, content)
}

/// `http.raw`
pub(super) async fn raw(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let file = content.file.to_v1();
    let ask = Ask::get(format!("/ipfs/{file}?format=raw")).header(header::ACCEPT, RAW_TYPE);
    let answer = at.ask(trace, ask).await?;
    answer.expect(&[200])?;
    let block = Block::verify(file, answer.body.clone());
    let block = block.map_err(|error| Fault::Mismatch(error.to_string()))?;
    trace.verified += block.data().len() as u64;
    is_typed(&answer, RAW_TYPE)
}

/// `http.car`
pub(super) async fn car(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let target = format!("/ipfs/{}?format=car&dag-scope=all", content.root);
    let answer = at.ask(trace, Ask::get(target).header(header::ACCEPT, CAR_TYPE)).await?;
    answer.expect(&[200])?;
    let proven = Proven::read(&answer.body, Some(&content.root))?;
    trace.verified += proven.bytes;
    proven.is_whole(&content.root)?;
    is_typed(&answer, CAR_TYPE)
}

fn is_typed(answer: &Answer, kind: &str) -> Result<(), Fault> {
    if answer.media_type() == kind {
        return Ok(());
    }
    wrong(format!("the bytes are right, and their type is {:?}", answer.media_type()))
}

/// `http.range`: from the middle, over the end of a block where there are several.
pub(super) async fn range(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let size = content.bytes.len();
    if size < 3 {
        return wrong("the canary is too short for a range");
    }
    let (from, to) = (size / 3, size - 2);
    let ask = Ask::get(content.path()).header(header::RANGE, format!("bytes={from}-{to}"));
    let answer = at.ask(trace, ask).await?;
    answer.expect(&[206])?;
    if answer.body != content.bytes.slice(from..=to) {
        let said = format!("the {} bytes are not {from}-{to} of the file", answer.body.len());
        return Err(Fault::Mismatch(said));
    }
    trace.verified += answer.body.len() as u64;
    let place = format!("bytes {from}-{to}/{size}");
    if answer.header("content-range") != place {
        let said = answer.header("content-range");
        return wrong(format!("Content-Range is {said:?} where {place:?} is right"));
    }
    Ok(())
}

/// `http.head`
pub(super) async fn head(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let answer = at.ask(trace, Ask::get(content.path()).method(Method::HEAD)).await?;
    answer.expect(&[200])?;
    if !answer.body.is_empty() {
        return wrong("it has a body");
    }
    let (length, size) = (answer.header("content-length"), content.bytes.len());
    if length != size.to_string() {
        return wrong(format!("Content-Length is {length:?} where {size} is right"));
    }
    for name in ["content-type", "etag", "x-ipfs-path"] {
        if answer.header(name).is_empty() {
            return wrong(format!("it has no {name}"));
        }
    }
    Ok(())
}

/// `http.etag304`
pub(super) async fn etag(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let head = at.ask(trace, Ask::get(content.path()).method(Method::HEAD)).await?;
    let etag = head.header("etag").to_owned();
    if etag.is_empty() {
        return wrong("it has no Etag");
    }
    let with = |etag: &str| Ask::get(content.path()).header(header::IF_NONE_MATCH, etag);
    let other = at.ask(trace, with("\"another\"")).await?;
    is_file(trace, &other, content)?;
    let answer = at.ask(trace, with(&etag)).await?;
    answer.expect(&[304])?;
    if !answer.body.is_empty() {
        return wrong("304 has a body");
    }
    Ok(())
}

/// `http.only_if_cached`: what nobody has is not there, and is not looked for.
pub(super) async fn only_if_cached(trace: &mut Trace, at: At<'_>) -> Result<(), Fault> {
    let target = format!("/ipfs/{}", nobody_has());
    let ask = Ask::get(target).header(header::CACHE_CONTROL, "only-if-cached");
    at.ask(trace, ask).await?.expect(&[412])
}

/// `http.cors`
pub(super) async fn cors(trace: &mut Trace, at: At<'_>, content: &Content) -> Result<(), Fault> {
    let ask = |method: Method| {
        Ask::get(content.path()).method(method).header(header::ORIGIN, "https://app.example")
    };
    let read = at.ask(trace, ask(Method::HEAD)).await?;
    read.expect(&[200])?;
    allows(&read)?;
    let exposed = read.header("access-control-expose-headers").to_ascii_lowercase();
    if !exposed.contains("x-ipfs-roots") {
        return wrong("Access-Control-Expose-Headers does not name X-Ipfs-Roots");
    }
    let preflight = ask(Method::OPTIONS).header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let preflight = preflight.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "range");
    let answer = at.ask(trace, preflight).await?;
    answer.expect(&[200, 204])?;
    allows(&answer)?;
    let methods = answer.header("access-control-allow-methods");
    let headers = answer.header("access-control-allow-headers").to_ascii_lowercase();
    if !methods.contains("GET") || !(headers.contains("range") || headers == "*") {
        return wrong(format!("a preflight allows {methods:?} with {headers:?}"));
    }
    Ok(())
}

fn allows(answer: &Answer) -> Result<(), Fault> {
    let origin = answer.header("access-control-allow-origin");
    if origin == "*" || origin == "https://app.example" {
        return Ok(());
    }
    wrong(format!("Access-Control-Allow-Origin is {origin:?}"))
}

/// That an answer has these bytes, which were proven.
fn is_bytes(trace: &mut Trace, answer: &Answer, proven: &Bytes) -> Result<(), Fault> {
    if answer.body != *proven {
        let (came, right) = (answer.body.len(), proven.len());
        return Err(Fault::Mismatch(format!("{came} bytes came that are not the {right} proven")));
    }
    trace.verified += proven.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests;
