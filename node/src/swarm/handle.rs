//! What the rest of the node holds of the swarm.
//!
//! Every wait ends at the caller's deadline. Dropping a request takes its want back; that must not
//! wait for room in a queue, so it goes through a list that is as long as there are wants at most.

use std::sync::Arc;
use std::time::Instant;

use ipfs::{Block, Cid};
use libp2p::{Multiaddr, PeerId};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout_at;

use super::SwarmError;
use super::config::split_peer;
use crate::bitswap::{Account, SessionId, WantFailure};

/// A block that came from a peer.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The block.
    pub block: Block,
    /// Whether the store kept it.
    pub stored: bool,
}

/// Why a session gave no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GetError {
    /// The search ended.
    #[error(transparent)]
    Failed(#[from] WantFailure),
    /// The caller's deadline passed first.
    #[error("the deadline passed while peers were asked")]
    Deadline,
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
}

/// A connected peer.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Who.
    pub peer: PeerId,
    /// The address of each connection.
    pub addresses: Vec<Multiaddr>,
    /// What it says of its software.
    pub agent: Option<String>,
    /// What was exchanged with it; `None` when it does not speak bitswap.
    pub account: Option<Account>,
}

/// How many peers could be asked, for the state of a retrieval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reachable {
    pub(super) bitswap: u32,
}

/// What is asked of the swarm's task.
#[derive(Debug)]
pub(super) enum Command {
    Dial { address: Multiaddr, reply: oneshot::Sender<Result<PeerId, SwarmError>> },
    Peers { reply: oneshot::Sender<Vec<PeerInfo>> },
    Open { root: Cid, deferred: bool, reply: oneshot::Sender<SessionId> },
    Providers { session: SessionId, peers: Vec<PeerId> },
    Want { session: SessionId, cid: Cid, reply: Reply },
    Stop { reply: oneshot::Sender<()> },
}

/// Who waits for a block.
pub(super) type Reply = oneshot::Sender<Result<Delivered, WantFailure>>;

/// Something that nobody needs any more.
#[derive(Debug)]
pub(super) enum Gone {
    Want(SessionId, Cid),
    Session(SessionId),
}

/// What the swarm's task and its handles share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) listening: Mutex<Vec<Multiaddr>>,
    /// Whether every listener has its first address, or has failed.
    pub(super) all_listen: watch::Sender<bool>,
    pub(super) reachable: Mutex<Reachable>,
    gone: Mutex<Vec<Gone>>,
    gone_bell: Notify,
    added_bell: Notify,
}

impl Shared {
    fn put_gone(&self, gone: Gone) {
        self.gone.lock().push(gone);
        self.gone_bell.notify_one();
    }

    /// # Cancellation
    /// Safe: a ring that nobody heard is kept.
    pub(super) async fn any_added(&self) {
        self.added_bell.notified().await;
    }

    pub(super) fn take_gone(&self) -> Vec<Gone> {
        std::mem::take(&mut *self.gone.lock())
    }

    /// # Cancellation
    /// Safe: what is gone stays in its list.
    pub(super) async fn any_gone(&self) {
        self.gone_bell.notified().await;
    }
}

/// The swarm, from outside of its task.
#[derive(Debug, Clone)]
pub struct Handle {
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn new(peer: PeerId, commands: mpsc::Sender<Command>) -> Self {
        Self { peer, commands, shared: Arc::default() }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Who this node is.
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// Where this node listens: whole addresses that others can dial. Empty until the first listener
    /// is up.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let whole =
            |address: &Multiaddr| address.clone().with_p2p(self.peer).unwrap_or_else(|whole| whole);
        self.shared.listening.lock().iter().map(whole).collect()
    }

    /// Returns when every configured listener has an address, or has failed: from then on
    /// [`Handle::addresses`] is whole. A listener on all interfaces of a machine without any has
    /// none; the caller brings the deadline.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    pub async fn all_listen(&self) {
        let mut all = self.shared.all_listen.subscribe();
        all.wait_for(|all| *all).await.expect("the sender lives as long as this handle");
    }

    /// How many connected peers speak bitswap.
    pub fn bitswap_peers(&self) -> u32 {
        self.shared.reachable.lock().bitswap
    }

    /// The connected peers.
    ///
    /// # Errors
    /// [`SwarmError::Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, SwarmError> {
        self.ask(|reply| Command::Peers { reply }).await
    }

    /// Connects to a peer, or to whoever answers when the address names none.
    ///
    /// # Errors
    /// [`SwarmError::Dial`] when nothing answers or the reach of this node forbids it,
    /// [`SwarmError::Stopped`].
    pub async fn dial(&self, address: Multiaddr) -> Result<PeerId, SwarmError> {
        if split_peer(&address).0 == Some(self.peer) {
            let why = "that is this node".to_owned();
            return Err(SwarmError::Dial { address, why });
        }
        self.ask(|reply| Command::Dial { address, reply }).await?
    }

    /// Opens a session for the DAG below `root`; it asks connected peers, and those that connect
    /// later. Closed when dropped.
    ///
    /// # Errors
    /// [`SwarmError::Stopped`].
    pub async fn session(&self, root: Cid) -> Result<Session, SwarmError> {
        self.open(root, false).await
    }

    /// As [`Handle::session`], for what can wait: peers are asked with the least priority.
    ///
    /// # Errors
    /// [`SwarmError::Stopped`].
    pub async fn deferred_session(&self, root: Cid) -> Result<Session, SwarmError> {
        self.open(root, true).await
    }

    async fn open(&self, root: Cid, deferred: bool) -> Result<Session, SwarmError> {
        let id = self.ask(|reply| Command::Open { root, deferred, reply }).await?;
        Ok(Session { id, handle: self.clone() })
    }

    /// Says that blocks came to the store which did not come from peers: whoever waits for one of them,
    /// here or elsewhere, gets it. To be called once per change, however many blocks it brought.
    pub fn content_added(&self) {
        self.shared.added_bell.notify_one();
    }

    /// Closes every connection and ends the swarm's task; returns when that is done.
    pub async fn stop(&self) {
        self.ask(|reply| Command::Stop { reply }).await.ok();
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, SwarmError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| SwarmError::Stopped)?;
        answer.await.map_err(|_| SwarmError::Stopped)
    }
}

/// One fetch of one DAG: the peers that deliver its first blocks are asked for the next ones.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    handle: Handle,
}

impl Session {
    /// Gets a block from the session's peers.
    ///
    /// # Errors
    /// [`GetError`], by how the search ended.
    ///
    /// # Cancellation
    /// Dropping the future takes the want back, unless another one waits for the same block.
    pub async fn get(&self, cid: Cid, deadline: Instant) -> Result<Delivered, GetError> {
        let (reply, answer) = oneshot::channel();
        let _guard = TakeBack { session: self, cid };
        let command = Command::Want { session: self.id, cid, reply };
        let asked = async {
            self.handle.commands.send(command).await.map_err(|_| GetError::Stopped)?;
            Ok(answer.await.map_err(|_| GetError::Stopped)??)
        };
        timeout_at(deadline.into(), asked).await.map_err(|_| GetError::Deadline)?
    }

    /// Adds peers that are known to provide the content.
    ///
    /// # Errors
    /// [`SwarmError::Stopped`].
    pub async fn add_providers(&self, peers: Vec<PeerId>) -> Result<(), SwarmError> {
        let command = Command::Providers { session: self.id, peers };
        self.handle.commands.send(command).await.map_err(|_| SwarmError::Stopped)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.handle.shared.put_gone(Gone::Session(self.id));
    }
}

/// Says that one waiter less waits for a block; the swarm's task sees whether any is left.
struct TakeBack<'a> {
    session: &'a Session,
    cid: Cid,
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        self.session.handle.shared.put_gone(Gone::Want(self.session.id, self.cid));
    }
}
