//! Checks of names: what a gateway says that they lead to, and that the bytes are that.
//!
//! A stranger cannot know where a DNSLink leads, so the root that the gateway names is taken, all
//! below it is proven from an archive, and the page is compared with that. Of keys the record itself
//! is proven.

use std::time::SystemTime;

use http::header;
use ipfs::Cid;
use ipfs::ipns::{Name as Key, Record};
use ipfs::path::ContentPath;
use ipfs::trustless::{CAR_TYPE, IPNS_RECORD_TYPE};

use super::{At, is_bytes, is_file};
use crate::probe::ask::{Answer, Ask};
use crate::probe::content::Content;
use crate::probe::outcome::{Fault, Trace, wrong};
use crate::probe::proof::{End, Proven};

/// What is shown for a folder.
const INDEX: &str = "index.html";

/// A website that is asked for.
#[derive(Debug, Clone)]
pub(in crate::probe) struct Site {
    /// Its host.
    pub(in crate::probe) host: String,
    /// A path of it.
    pub(in crate::probe) path: String,
}

/// A name that is asked for.
#[derive(Debug, Clone)]
pub(in crate::probe) struct Name {
    /// The name: of DNS, or of a key.
    pub(in crate::probe) name: String,
    /// A path below it.
    pub(in crate::probe) path: String,
    /// Where it has to lead, if that is known.
    pub(in crate::probe) root: Option<Cid>,
}

/// `http.website`
pub(in crate::probe) async fn website(
    trace: &mut Trace,
    at: At<'_>,
    site: &Site,
) -> Result<(), Fault> {
    let ask = Ask::get(site.path.clone()).host(site.host.clone());
    let answer = at.ask(trace, ask).await?;
    leads_to_proof(trace, at, &answer, None).await
}

/// `http.dnslink`
pub(in crate::probe) async fn dnslink(
    trace: &mut Trace,
    at: At<'_>,
    name: &Name,
) -> Result<(), Fault> {
    let answer = at.ask(trace, Ask::get(format!("/ipns/{}{}", name.name, name.path))).await?;
    leads_to_proof(trace, at, &answer, name.root.as_ref()).await
}

/// `http.ipns`: the record is the key's and valid, and the path leads where it says. With content
/// that the probe made, the page has its bytes.
pub(in crate::probe) async fn ipns(
    trace: &mut Trace,
    at: At<'_>,
    name: &Name,
    content: Option<&Content>,
) -> Result<(), Fault> {
    let key = Key::parse(&name.name).map_err(|error| Fault::Wrong(error.to_string()))?;
    let target = format!("/ipns/{key}?format=ipns-record");
    let answer = at.ask(trace, Ask::get(target).header(header::ACCEPT, IPNS_RECORD_TYPE)).await?;
    answer.expect(&[200])?;
    let record = Record::verify(&key, &answer.body);
    let record = record.map_err(|error| Fault::Mismatch(format!("the record: {error}")))?;
    trace.verified += answer.body.len() as u64;
    if !record.is_valid_at(SystemTime::now()) {
        return wrong("the record is no longer valid");
    }
    let root = ContentPath::parse(record.value()).ok().map(|path| path.root);
    let answer = at.ask(trace, Ask::get(format!("/ipns/{key}{}", name.path))).await?;
    match content {
        Some(content) => {
            is_root(&answer, Some(&content.root))?;
            is_file(trace, &answer, content)
        }
        None => leads_to_proof(trace, at, &answer, root.as_ref()).await,
    }
}

/// That a page has the bytes of what the gateway says that it is.
async fn leads_to_proof(
    trace: &mut Trace,
    at: At<'_>,
    answer: &Answer,
    root: Option<&Cid>,
) -> Result<(), Fault> {
    answer.expect(&[200])?;
    is_root(answer, root)?;
    let last = *roots(answer)?.last().expect("there is one, or it would have failed");
    let proven = file(at, last, Vec::new()).await?;
    is_bytes(trace, answer, &proven.bytes)
}

fn is_root(answer: &Answer, root: Option<&Cid>) -> Result<(), Fault> {
    answer.expect(&[200])?;
    let Some(root) = root else { return Ok(()) };
    let first = roots(answer)?[0];
    if first.multihash() == root.multihash() {
        return Ok(());
    }
    wrong(format!("the name leads to {first} where {root} is right"))
}

/// The CIDs of the path, from its root to its end: at least one.
fn roots(answer: &Answer) -> Result<Vec<Cid>, Fault> {
    let said = answer.header("x-ipfs-roots");
    let roots: Result<Vec<Cid>, _> = said.split(',').map(|cid| Cid::parse(cid.trim())).collect();
    roots.map_err(|_| Fault::Wrong(format!("X-Ipfs-Roots is {said:?}, and not a list of CIDs")))
}

/// Learns the bytes of a file that the operator named, by proof; of a folder, those of its index.
///
/// # Errors
/// As the other checks.
pub(in crate::probe) async fn learn(at: At<'_>, path: &ContentPath) -> Result<Content, Fault> {
    file(at, path.root, path.segments.clone()).await
}

/// A file and its bytes, proven from an archive; of a folder, its index.
async fn file(at: At<'_>, root: Cid, mut names: Vec<String>) -> Result<Content, Fault> {
    // The numbers of a check are those of the page and not those of its proof.
    let mut apart = Trace::begin();
    for _ in 0..2 {
        let path = ContentPath { root, segments: names.clone(), trailing_slash: false };
        let target = format!("{}?format=car&dag-scope=entity", path.encoded());
        let ask = Ask::get(target).header(header::ACCEPT, CAR_TYPE);
        let answer = at.ask(&mut apart, ask).await?;
        answer.expect(&[200])?;
        // What the names lead through has to be there, whatever the header says.
        let named = names.is_empty().then_some(&root);
        match Proven::read(&answer.body, named)?.follow(root, names.clone())? {
            End::File(file, bytes) => {
                let root = root.to_v1();
                return Ok(Content { root, names, file, profile: None, bytes, blocks: Vec::new() });
            }
            End::Folder => names.push(INDEX.to_owned()),
        }
    }
    wrong(format!("{root} is a folder, and its {INDEX} is one too"))
}
