//! Carries out what the bitswap engine decides, and tells it how that went.
//!
//! A received block is stored before anyone gets it, so that whoever has it can rely on the node
//! having it. Blocks that arrive while the store is busy go to it together.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use ipfs::{Block, Cid};
use libp2p::PeerId;
use libp2p::swarm::Swarm;
use tokio::sync::{mpsc, oneshot};

use super::Room;
use crate::bitswap::{
    Account, Action, Engine, Found, Lookup, LookupBounds, SessionId, Ticket, WantFailure, WantType,
};
use crate::swarm::behaviour::Event;
use crate::swarm::config::Config;
use crate::swarm::handle::{Delivered, Gone, Reply};
use crate::swarm::host::Host;
use crate::swarm::metrics::{Metrics, level};
use crate::swarm::store::{Store, StoreFault};

/// Wants of sessions in one lookup, and the bytes that it may bring.
const RECHECK_WANTS: usize = 256;
const RECHECK_BYTES: u64 = 4 * 1024 * 1024;

/// The exchange of blocks, as the swarm's task sees it.
pub(super) struct Exchange {
    engine: Engine,
    store: Arc<dyn Store>,
    tasks: telemetry::Tasks,
    metrics: Metrics,
    peers: BTreeSet<PeerId>,
    waiters: HashMap<(SessionId, Cid), Vec<Reply>>,
    lookups: Lookups,
    storing: Storing,
    rechecking: Recheck,
    ended: mpsc::Sender<Done>,
    ends: mpsc::Receiver<Done>,
}

/// Lookups for the wants of peers: some in tasks, the others in line. The engine has one under way
/// per peer, so the line is no longer than there are peers.
struct Lookups {
    line: VecDeque<Query>,
    running: usize,
    running_max: usize,
}

/// One lookup.
struct Query {
    ticket: Ticket,
    wants: Vec<(Cid, WantType)>,
    bounds: LookupBounds,
}

/// Blocks on their way to the store: one batch in a task, the others waiting for the next.
struct Storing {
    waiting: Vec<(SessionId, Block)>,
    busy: bool,
    bytes: u64,
    bytes_max: u64,
}

/// Whether the wants of sessions are being looked up in the store, and have to be once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recheck {
    Idle,
    Running,
    Again,
}

/// Work outside of the swarm's task that ended.
#[derive(Debug)]
pub(super) enum Done {
    LookedUp(Ticket, Result<Lookup, StoreFault>),
    Stored(Vec<(SessionId, Block)>, Result<(), StoreFault>),
    /// Blocks that sessions want and the store has.
    Here(Vec<Block>),
    Rechecked,
}

impl Exchange {
    pub(super) fn new(engine: Engine, config: &Config, room: &Room<'_>) -> Self {
        let running_max = config.lookups_max.max(1);
        let bytes_max = config.storing_bytes_max.as_u64().max(1);
        // Room for every task that can be running, so that none waits to say that it ended.
        let (ended, ends) = mpsc::channel(running_max + 2);
        Self {
            engine,
            store: room.store.clone(),
            tasks: room.tasks.clone(),
            metrics: room.metrics.clone(),
            peers: BTreeSet::new(),
            waiters: HashMap::new(),
            lookups: Lookups { line: VecDeque::new(), running: 0, running_max },
            storing: Storing { waiting: Vec::new(), busy: false, bytes: 0, bytes_max },
            rechecking: Recheck::Idle,
            ended,
            ends,
        }
    }

    /// Does all that the engine asks for.
    pub(super) fn work(&mut self, swarm: &mut Swarm<Host>) {
        while let Some(action) = self.engine.poll() {
            match action {
                Action::Send { peer, message } => {
                    swarm.behaviour_mut().bitswap.send(peer, message);
                }
                Action::Lookup { ticket, wants, bounds, .. } => {
                    self.lookups.line.push_back(Query { ticket, wants, bounds });
                }
                Action::Deliver { session, block } => {
                    self.storing.bytes += block.data().len() as u64;
                    self.storing.waiting.push((session, block));
                }
                Action::Failed { session, cid, why } => self.answer(session, &cid, || Err(why)),
                Action::Disconnect { peer, why } => {
                    tracing::debug!(%peer, %why, "peer is disconnected");
                    // It may have left by itself, which is as well.
                    swarm.disconnect_peer_id(peer).ok();
                }
            }
        }
        self.look_up();
        self.store();
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.engine.wake_at()
    }

    pub(super) fn tick(&mut self) {
        self.engine.tick(Instant::now());
    }

    /// Whether more blocks may be read from the network.
    pub(super) fn has_room(&self) -> bool {
        self.storing.bytes < self.storing.bytes_max
    }

    pub(super) fn peers(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn account(&self, peer: &PeerId) -> Option<Account> {
        self.engine.account(peer)
    }

    pub(super) fn event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Joined(peer, version) => {
                self.peers.insert(peer);
                self.engine.peer_connected(peer, now);
                self.engine.peer_version(&peer, version);
            }
            Event::Version(peer, version) => self.engine.peer_version(&peer, version),
            Event::Left(peer) => {
                self.peers.remove(&peer);
                self.engine.peer_disconnected(&peer, now);
            }
            Event::Received(peer, message) => self.engine.received(&peer, *message, now),
            Event::Sent(peer) => self.engine.sent(&peer, now),
            Event::SendFailed(peer) => self.engine.send_failed(&peer, now),
            Event::Lost(peer) => self.engine.stream_lost(&peer, now),
        }
    }

    pub(super) fn open(&mut self, root: Cid, deferred: bool, reply: oneshot::Sender<SessionId>) {
        let id = self.engine.open_session(root, Vec::new(), Instant::now());
        if deferred {
            self.engine.defer(id);
        }
        if reply.send(id).is_err() {
            self.engine.close_session(id);
        }
    }

    pub(super) fn providers(&mut self, session: SessionId, peers: &[PeerId]) {
        self.engine.add_candidates(session, peers, Instant::now());
    }

    pub(super) fn want(&mut self, session: SessionId, cid: Cid, reply: Reply) {
        // Whoever left before its command was read has taken the want back already.
        if reply.is_closed() {
            return;
        }
        let waiters = self.waiters.entry((session, cid)).or_default();
        let first = waiters.is_empty();
        waiters.push(reply);
        if first {
            self.engine.want(session, cid, Instant::now());
        }
    }

    /// Takes back what nobody waits for any more.
    pub(super) fn forget(&mut self, gone: Vec<Gone>) {
        for gone in gone {
            match gone {
                Gone::Want(session, cid) => {
                    let Some(waiters) = self.waiters.get_mut(&(session, cid)) else { continue };
                    waiters.retain(|waiter| !waiter.is_closed());
                    if waiters.is_empty() {
                        self.waiters.remove(&(session, cid));
                        self.engine.cancel(session, &cid, Instant::now());
                    }
                }
                Gone::Session(session) => self.engine.close_session(session),
            }
        }
    }

    /// Waits for work outside of this task to end.
    ///
    /// # Cancellation
    /// Safe: nothing is lost.
    pub(super) async fn done(&mut self) -> Done {
        self.ends.recv().await.expect("this end holds a sender")
    }

    /// Takes work that ended, and what ended beside it.
    pub(super) fn finish_all(&mut self, first: Done) {
        self.finish(first);
        while let Ok(done) = self.ends.try_recv() {
            self.finish(done);
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::LookedUp(ticket, found) => {
                self.lookups.running -= 1;
                let found = found.unwrap_or_else(|error| {
                    tracing::warn!(%error, "wants of a peer could not be looked up");
                    self.metrics.lookup_failures.inc();
                    Lookup::default()
                });
                self.engine.looked_up(ticket, found, Instant::now());
            }
            Done::Stored(batch, result) => self.stored(batch, result),
            Done::Here(blocks) => self.engine.have_locally(&blocks, Instant::now()),
            Done::Rechecked => {
                if std::mem::replace(&mut self.rechecking, Recheck::Idle) == Recheck::Again {
                    self.recheck();
                }
            }
        }
    }

    /// Blocks came to the store that did not come through here: who waits for them gets them.
    pub(super) fn recheck(&mut self) {
        if self.rechecking != Recheck::Idle {
            self.rechecking = Recheck::Again;
            return;
        }
        let wanted = self.engine.recheck(Instant::now());
        if wanted.is_empty() {
            return;
        }
        self.rechecking = Recheck::Running;
        let (store, ended) = (self.store.clone(), self.ended.clone());
        drop(self.tasks.spawn("bitswap recheck", async move {
            find_wanted(&*store, &ended, &wanted).await;
            ended.send(Done::Rechecked).await.ok();
        }));
    }

    fn stored(&mut self, batch: Vec<(SessionId, Block)>, result: Result<(), StoreFault>) {
        self.storing.busy = false;
        let stored = result.is_ok();
        if let Err(error) = result {
            tracing::warn!(%error, blocks = batch.len(), "blocks could not be stored");
            self.metrics.store_failures.inc_by(batch.len() as u64);
        }
        for (session, block) in batch {
            self.storing.bytes -= block.data().len() as u64;
            if stored {
                self.engine.have_locally(std::slice::from_ref(&block), Instant::now());
            }
            let cid = *block.cid();
            self.answer(session, &cid, || Ok(Delivered { block: block.clone(), stored }));
        }
    }

    fn answer(
        &mut self,
        session: SessionId,
        cid: &Cid,
        with: impl Fn() -> Result<Delivered, WantFailure>,
    ) {
        for waiter in self.waiters.remove(&(session, *cid)).into_iter().flatten() {
            // One that left meanwhile needs no answer.
            waiter.send(with()).ok();
        }
    }

    fn look_up(&mut self) {
        while self.lookups.running < self.lookups.running_max {
            let Some(Query { ticket, wants, bounds }) = self.lookups.line.pop_front() else {
                return;
            };
            // The peer may have left while it stood in line.
            if !self.engine.awaits(ticket) {
                continue;
            }
            self.lookups.running += 1;
            let (found, ended) = (self.store.look_up(wants, bounds), self.ended.clone());
            drop(self.tasks.spawn("bitswap lookup", async move {
                let found = found.await;
                // Without the swarm's task nobody asks.
                ended.send(Done::LookedUp(ticket, found)).await.ok();
            }));
        }
    }

    fn store(&mut self) {
        level(&self.metrics.storing_bytes, self.storing.bytes);
        if self.storing.busy || self.storing.waiting.is_empty() {
            return;
        }
        self.storing.busy = true;
        let batch = std::mem::take(&mut self.storing.waiting);
        let blocks = batch.iter().map(|(_, block)| block.clone()).collect();
        let (kept, ended) = (self.store.keep(blocks), self.ended.clone());
        drop(self.tasks.spawn("bitswap store", async move {
            let kept = kept.await;
            ended.send(Done::Stored(batch, kept)).await.ok();
        }));
    }
}

/// Gives the swarm's task those blocks that the store has.
async fn find_wanted(store: &dyn Store, ended: &mpsc::Sender<Done>, wanted: &[Cid]) {
    let bounds = LookupBounds { bytes: RECHECK_BYTES, have_bytes: 0 };
    let mut rest = wanted;
    while !rest.is_empty() {
        let batch = rest.iter().take(RECHECK_WANTS).map(|cid| (*cid, WantType::Block)).collect();
        let Ok(Lookup { found }) = store.look_up(batch, bounds).await else { return };
        rest = &rest[found.len().clamp(1, rest.len())..];
        let here = found.into_iter().filter_map(|found| match found {
            Found::Block(block) => Some(block),
            Found::Have | Found::Missing => None,
        });
        let here: Vec<Block> = here.collect();
        if !here.is_empty() && ended.send(Done::Here(here)).await.is_err() {
            return;
        }
    }
}
