//! What one peer is told that we want, as differences to what it was told before.
//!
//! Holds two states, what the peer knows and what it should know, and says the difference when the
//! stream is free. A want that ends before it was said is therefore never said, and a message in
//! flight gathers all that changes meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ipfs::Cid;
use ipfs::cid::Multihash;

use super::ByHash;
use super::wire::{WantEntry, WantType};

/// One wanted block. Ascends in the order in which blocks were wanted, which is their urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WantId(pub(super) u64);

/// The first of the wants that can wait: they come after all others, whenever they were wanted.
const DEFERRED: u64 = 1 << 62;

impl WantId {
    /// The want with this number, among those that can wait if it is deferred.
    pub(super) fn new(number: u64, deferred: bool) -> Self {
        Self(if deferred { DEFERRED | number } else { number })
    }

    /// Earlier wants are more urgent.
    fn priority(self) -> i32 {
        i32::MAX.saturating_sub(i32::try_from(self.0).unwrap_or(i32::MAX))
    }
}

/// Most wants taken back whose blocks are still recognised when they come too late.
const RECENT_MAX: usize = 1024;

/// Our wantlist at one peer.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    desired: BTreeMap<WantId, (Arc<Cid>, WantType)>,
    known: BTreeMap<WantId, (Arc<Cid>, WantType)>,
    changed: BTreeSet<WantId>,
    /// Whether the peer's view is unknown, so that the next list has to replace it.
    unsynced: bool,
    /// Whether that view may have wants that are not desired any more: then even an empty list has to
    /// be said.
    stale: bool,
    recent: VecDeque<ByHash>,
    recent_set: BTreeMap<ByHash, usize>,
}

impl Outgoing {
    /// The wantlist of a peer that has just connected and may remember another one.
    pub(super) fn unsynced() -> Self {
        Self { unsynced: true, ..Self::default() }
    }

    pub(super) fn want(&mut self, id: WantId, cid: Arc<Cid>, want_type: WantType) {
        self.desired.insert(id, (cid, want_type));
        self.changed.insert(id);
    }

    /// Takes a want back: a CANCEL, unless the peer was never told.
    pub(super) fn cancel(&mut self, id: WantId) {
        self.desired.remove(&id);
        let Some((cid, _)) = self.known.get(&id) else {
            self.changed.remove(&id);
            return;
        };
        let cid = Arc::clone(cid);
        self.changed.insert(id);
        self.remember(ByHash(cid));
    }

    /// The peer answered in full and dropped the want by itself.
    pub(super) fn answered(&mut self, id: WantId) {
        self.desired.remove(&id);
        self.known.remove(&id);
        self.changed.remove(&id);
    }

    /// Whether a block of this hash was wanted of the peer and taken back a short time ago; each
    /// want excuses one block.
    pub(super) fn excuse(&mut self, hash: &Multihash) -> bool {
        let Some(count) = self.recent_set.get_mut(hash) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.recent_set.remove(hash);
        }
        true
    }

    /// The peer's view is lost: everything is to be said again, as a full list.
    pub(super) fn reset(&mut self) {
        self.stale |= !self.known.is_empty();
        self.known.clear();
        self.changed = self.desired.keys().copied().collect();
        self.unsynced = true;
    }

    /// Says a want again that the peer seems to have lost.
    pub(super) fn repeat(&mut self, id: WantId) {
        if self.desired.contains_key(&id) {
            self.known.remove(&id);
            self.changed.insert(id);
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty() || self.stale
    }

    /// The next changes, at most `max` of them, and whether they are a full list.
    pub(super) fn take(&mut self, max: usize) -> (Vec<WantEntry>, bool) {
        let mut entries = Vec::with_capacity(max.min(self.changed.len()));
        while entries.len() < max {
            let Some(id) = self.changed.pop_first() else {
                break;
            };
            entries.extend(self.settle(id));
        }
        let full = self.unsynced && (self.stale || !entries.is_empty());
        self.unsynced &= !full;
        self.stale &= !full;
        (entries, full)
    }

    /// Makes known what is desired of one want; returns what has to be said for it.
    fn settle(&mut self, id: WantId) -> Option<WantEntry> {
        let desired = self.desired.get(&id).cloned();
        let known = match &desired {
            Some(want) => self.known.insert(id, want.clone()),
            None => self.known.remove(&id),
        };
        let cancel = desired.is_none();
        let unchanged = match (&desired, &known) {
            (Some((_, desired)), Some((_, known))) => desired == known,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if unchanged {
            return None;
        }
        let (cid, want_type) = desired.or(known)?;
        let priority = if cancel { 0 } else { id.priority() };
        Some(WantEntry { cid: *cid, priority, cancel, want_type, send_dont_have: !cancel })
    }

    fn remember(&mut self, hash: ByHash) {
        if self.recent.len() >= RECENT_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.excuse(oldest.0.multihash());
        }
        *self.recent_set.entry(hash.clone()).or_insert(0) += 1;
        self.recent.push_back(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ipfs::{Block, Codec};

    fn cid(text: &'static str) -> Arc<Cid> {
        let block = Block::of(Codec::Raw, Bytes::from_static(text.as_bytes()));
        Arc::new(*block.expect("a short block").cid())
    }

    #[test]
    fn a_want_taken_back_before_it_was_said_is_never_said() {
        let mut list = Outgoing::unsynced();
        list.want(WantId(1), cid("a"), WantType::Block);
        list.cancel(WantId(1));
        assert!(!list.has_changes());
        assert_eq!(list.take(10), (Vec::new(), false));
    }

    #[test]
    fn only_the_first_list_after_a_connection_is_full() {
        let mut list = Outgoing::unsynced();
        list.want(WantId(1), cid("a"), WantType::Block);
        assert!(list.take(10).1);
        list.want(WantId(2), cid("b"), WantType::Block);
        let (entries, full) = list.take(10);
        assert!(!full);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].cid, *cid("b"));
    }

    #[test]
    fn a_lost_view_is_said_again_in_full() {
        let mut list = Outgoing::unsynced();
        list.want(WantId(1), cid("a"), WantType::Block);
        list.want(WantId(2), cid("b"), WantType::Have);
        assert_eq!(list.take(10).0.len(), 2);
        list.answered(WantId(1));
        list.reset();
        let (entries, full) = list.take(10);
        assert!(full);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].want_type, WantType::Have);
    }

    #[test]
    fn a_lost_view_of_wants_that_ended_is_replaced_by_an_empty_list() {
        let mut list = Outgoing::unsynced();
        list.want(WantId(1), cid("a"), WantType::Block);
        assert_eq!(list.take(10).0.len(), 1);
        list.cancel(WantId(1));
        list.reset();
        assert!(list.has_changes());
        assert_eq!(list.take(10), (Vec::new(), true));
        assert!(!list.has_changes());
        assert!(list.excuse(cid("a").multihash()), "it may still come");
    }

    #[test]
    fn a_repeated_want_is_said_again() {
        let mut list = Outgoing::unsynced();
        list.want(WantId(1), cid("a"), WantType::Block);
        let said = list.take(10).0;
        list.repeat(WantId(1));
        list.repeat(WantId(2));
        assert_eq!(list.take(10), (said, false));
    }

    #[test]
    fn a_cancel_excuses_one_late_block() {
        let mut list = Outgoing::default();
        list.want(WantId(1), cid("a"), WantType::Block);
        assert_eq!(list.take(10).0.len(), 1);
        list.cancel(WantId(1));
        let (entries, _) = list.take(10);
        assert!(entries[0].cancel);
        assert!(list.excuse(cid("a").multihash()));
        assert!(!list.excuse(cid("a").multihash()));
    }

    #[test]
    fn urgency_falls_in_the_order_of_wanting() {
        let (normal, deferred) = (WantId::new(1_000_000, false), WantId::new(1, true));
        assert!(normal < deferred && normal.priority() > deferred.priority());
        assert!(WantId(1).priority() > WantId(2).priority());
        assert!(WantId(u64::MAX).priority() >= 0);
    }
}
