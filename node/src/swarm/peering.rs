//! Which peers to stay connected to, and when to dial each again.
//!
//! Time and randomness come in as parameters. A peer that fails is dialled ever more rarely, and
//! never in step with others that lost it at the same moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

/// Shortest wait between two dials of one peer.
const WAIT_MIN: Duration = Duration::from_millis(10);

/// The static peering list.
#[derive(Debug)]
pub(super) struct Peering {
    first: Duration,
    longest: Duration,
    peers: BTreeMap<PeerId, Friend>,
}

#[derive(Debug)]
struct Friend {
    addresses: Vec<Multiaddr>,
    failures: u32,
    /// Since when it is connected.
    connected: Option<Instant>,
    /// When to dial; `None` while connected or being dialled.
    due: Option<Instant>,
}

impl Peering {
    pub(super) fn new(
        peers: Vec<(PeerId, Multiaddr)>,
        first: Duration,
        longest: Duration,
        now: Instant,
    ) -> Self {
        let mut known: BTreeMap<PeerId, Friend> = BTreeMap::new();
        for (peer, address) in peers {
            let friend = known.entry(peer).or_insert_with(|| Friend {
                addresses: Vec::new(),
                failures: 0,
                connected: None,
                due: Some(now),
            });
            friend.addresses.push(address);
        }
        Self { first: first.max(WAIT_MIN), longest: longest.max(WAIT_MIN), peers: known }
    }

    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    pub(super) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(friend) = self.peers.get_mut(peer) {
            friend.connected.get_or_insert(now);
            friend.due = None;
        }
    }

    /// The last connection to a peer is gone, or a dial failed. `chance` is in 0..1.
    ///
    /// Only a connection that outlived the longest wait makes up for failures: a peer that accepts
    /// and hangs up is dialled as rarely as one that does not answer.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant, chance: f64) {
        let Some(friend) = self.peers.get_mut(peer) else { return };
        let lived = friend.connected.take().map(|since| now.saturating_duration_since(since));
        if lived.is_some_and(|lived| lived >= self.longest) {
            friend.failures = 0;
        }
        let wait = self.first.saturating_mul(2_u32.saturating_pow(friend.failures.min(16)));
        let wait = wait.min(self.longest).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        friend.failures = friend.failures.saturating_add(1);
        friend.due = Some(now + wait);
    }

    /// The next peer to dial, if one is due; it counts as being dialled until
    /// [`Peering::connected`] or [`Peering::lost`].
    pub(super) fn next_due(&mut self, now: Instant) -> Option<(PeerId, Vec<Multiaddr>)> {
        let due = |friend: &Friend| friend.due.is_some_and(|due| due <= now);
        let (peer, friend) = self.peers.iter_mut().find(|(_, friend)| due(friend))?;
        friend.due = None;
        Some((*peer, friend.addresses.clone()))
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.peers.values().filter_map(|friend| friend.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Peering, PeerId, Instant) {
        let (peer, now) = (PeerId::random(), Instant::now());
        let address = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        let longest = Duration::from_secs(10);
        (Peering::new(vec![(peer, address)], Duration::from_secs(1), longest, now), peer, now)
    }

    #[test]
    fn peer_is_dialled_at_once_and_only_once() {
        let (mut peering, peer, now) = one();
        assert_eq!(peering.next_due(now).map(|(id, _)| id), Some(peer));
        assert!(peering.next_due(now).is_none());
        assert_eq!(peering.wake_at(), None);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let (mut peering, peer, now) = one();
        let mut waits = Vec::new();
        for _ in 0..6 {
            peering.next_due(now + Duration::from_secs(1000));
            peering.lost(&peer, now, 0.0);
            waits.push(peering.wake_at().expect("a dial is due") - now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 10, 10].map(Duration::from_secs));
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most() {
        let (mut peering, peer, now) = one();
        peering.lost(&peer, now, 1.0);
        assert_eq!(peering.wake_at(), Some(now + Duration::from_millis(500)));
    }

    #[test]
    fn only_a_long_connection_forgets_failures() {
        for (lived, wait) in [(0, 4), (9, 4), (10, 1)] {
            let (mut peering, peer, now) = one();
            peering.lost(&peer, now, 0.0);
            peering.lost(&peer, now, 0.0);
            peering.connected(&peer, now);
            assert_eq!(peering.wake_at(), None);
            let end = now + Duration::from_secs(lived);
            peering.lost(&peer, end, 0.0);
            let due = Some(end + Duration::from_secs(wait));
            assert_eq!(peering.wake_at(), due, "after {lived} s");
        }
    }
}
