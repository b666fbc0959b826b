//! Checks of a node: its own word, its identity, and a block from it.

use std::time::Duration;

use http::Method;
use ipfs::{Block, Cid};

use super::outcome::{Fault, Trace, wrong};
use super::peer::{self, Peer};
use crate::client::{Client, Endpoint};
use crate::web::Web;

/// A node that is probed.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// Its admin listener.
    pub(crate) admin: Option<String>,
    /// Where peers dial it.
    pub(crate) addresses: Vec<String>,
    /// Its identity.
    pub(crate) peer_id: Option<String>,
}

impl Node {
    /// A node of which only the admin listener is known.
    pub(crate) fn at(name: &str, admin: &str) -> Self {
        let admin = Some(admin.trim_end_matches('/').to_owned());
        Self { name: name.to_owned(), admin, addresses: Vec::new(), peer_id: None }
    }

    /// Asks the node itself for what nobody wrote down: where peers dial it, and who it is.
    pub(crate) async fn fill(&mut self, client: &Client) {
        let Some(admin) = self.admin.as_deref().and_then(|url| Endpoint::parse(url).ok()) else {
            return;
        };
        if !self.addresses.is_empty() && self.peer_id.is_some() {
            return;
        }
        // One that does not answer fails the checks that ask it.
        let Ok(said) = client.json(&admin, Method::GET, "/identity").await else { return };
        if self.peer_id.is_none() {
            self.peer_id = said["peer_id"].as_str().map(str::to_owned);
        }
        if self.addresses.is_empty() {
            let told = said["addresses"].as_array().into_iter().flatten();
            self.addresses = told.filter_map(|one| one.as_str().map(str::to_owned)).collect();
        }
    }
}

/// `node.readyz`
pub(super) async fn readyz(trace: &mut Trace, web: &Web, admin: &str) -> Result<(), Fault> {
    let answer = web.get(&format!("{admin}/readyz")).await;
    let answer = answer.map_err(|error| Fault::NoAnswer(error.to_string()))?;
    trace.byte_came();
    trace.status = Some(answer.status.as_u16());
    trace.bytes += answer.body.len() as u64;
    if answer.status.is_success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.body);
    let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    wrong(format!("{} {}", answer.status, said["detail"].as_str().unwrap_or_default()))
}

/// `libp2p.identify`: at one of its addresses.
pub(super) async fn identify(
    trace: &mut Trace,
    node: &Node,
    address: &str,
    within: Duration,
) -> Result<(), Fault> {
    let mut peer = dial(node, address, within).await?;
    trace.byte_came();
    let identity = peer.identify().await?;
    trace.bytes += identity.bytes;
    if identity.peer != peer.id() {
        let said =
            format!("identify says {}, and the connection is {}'s", identity.peer, peer.id());
        return Err(Fault::Mismatch(said));
    }
    if !identity.protocols.iter().any(|protocol| protocol == peer::BITSWAP) {
        return wrong(format!("{} does not speak {}", identity.agent, peer::BITSWAP));
    }
    trace.note = Some(format!("{}, {} protocols", identity.agent, identity.protocols.len()));
    Ok(())
}

/// `bitswap.canary`
pub(super) async fn bitswap(
    trace: &mut Trace,
    node: &Node,
    cid: Cid,
    within: Duration,
) -> Result<(), Fault> {
    let Some(address) = node.addresses.first() else {
        return wrong("it has no address that peers could dial");
    };
    let mut peer = dial(node, address, within).await?;
    let candidates = peer.want(&cid).await?;
    trace.byte_came();
    trace.bytes += candidates.iter().map(|data| data.len() as u64).sum::<u64>();
    let mut proven = candidates.iter().filter_map(|data| Block::verify(cid, data.clone()).ok());
    let Some(block) = proven.next() else {
        return Err(Fault::Mismatch(format!("the block that came is not {cid}")));
    };
    trace.verified += block.data().len() as u64;
    Ok(())
}

/// A connection to the node, and to no other one.
async fn dial(node: &Node, address: &str, within: Duration) -> Result<Peer, Fault> {
    let peer = Peer::dial(address, within).await?;
    match &node.peer_id {
        Some(listed) if *listed != peer.id().to_string() => {
            Err(Fault::Wrong(format!("{} answers at {address}, and {listed} should", peer.id())))
        }
        Some(_) | None => Ok(peer),
    }
}
