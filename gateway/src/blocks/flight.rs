//! Joins requests for the same block into one fetch.
//!
//! Whoever holds a ticket keeps the fetch going; it learns that the last ticket is gone and stops.
//! A ticket does not hold the block that was fetched, so that a reader whose client is stalled does
//! not pin what was fetched ahead for it.

use std::collections::HashMap;
use std::sync::Arc;

use ipfs::{Block, Multihash};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::outcome::Source;
use crate::upstream::FetchError;

/// What a fetch is known by: the block's hash, and whether the network may be asked.
type Key = (Multihash, bool);

/// A fetched block and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Landed {
    pub(super) block: Block,
    pub(super) source: Source,
    pub(super) node: u8,
    /// How many attempts it took.
    pub(super) tried: u8,
}

type Outcome = Option<Result<Landed, FetchError>>;

/// One fetch under way.
#[derive(Debug)]
struct Flight {
    outcome: watch::Sender<Outcome>,
    /// Whether it is over; its receivers are the tickets.
    over: watch::Sender<bool>,
    began: Instant,
}

/// The fetches under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flying: Mutex<HashMap<Key, Arc<Flight>>>,
}

/// Keeps a fetch going.
#[derive(Debug)]
pub(super) struct Ticket {
    flight: std::sync::Weak<Flight>,
    outcome: Option<watch::Receiver<Outcome>>,
    over: watch::Receiver<bool>,
    began: Instant,
}

impl Ticket {
    /// Waits for the fetch to end; `None` when it ended without a word.
    pub(super) async fn landed(&mut self) -> Outcome {
        let outcome = self.outcome.as_mut()?;
        outcome.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Makes this a ticket that only keeps the fetch going and never holds its block.
    pub(super) fn without_outcome(mut self) -> Self {
        self.outcome = None;
        self
    }

    /// Whether the fetch is over.
    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow() || self.flight.strong_count() == 0
    }

    /// When the fetch began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }
}

impl Flights {
    /// Joins the fetch of this key; `start` is called with its other end when there is none.
    pub(super) fn join(self: &Arc<Self>, key: Key, start: impl FnOnce(Landing)) -> Ticket {
        let mut flying = self.flying.lock();
        if let Some(flight) = flying.get(&key) {
            return ticket(flight);
        }
        let flight = Arc::new(Flight {
            outcome: watch::Sender::new(None),
            over: watch::Sender::new(false),
            began: Instant::now(),
        });
        let ticket = ticket(&flight);
        flying.insert(key, Arc::clone(&flight));
        drop(flying);
        start(Landing { flights: Arc::clone(self), key, flight });
        ticket
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.flying.lock().len()
    }
}

fn ticket(flight: &Arc<Flight>) -> Ticket {
    Ticket {
        flight: Arc::downgrade(flight),
        outcome: Some(flight.outcome.subscribe()),
        over: flight.over.subscribe(),
        began: flight.began,
    }
}

/// The fetching end of a flight. Dropped without a word, as by a panic, it ends the flight too.
#[derive(Debug)]
pub(super) struct Landing {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
}

impl Landing {
    /// Resolves when nobody holds a ticket any more; then nobody can join this flight either.
    pub(super) async fn abandoned(&self) {
        loop {
            self.flight.over.closed().await;
            let mut flying = self.flights.flying.lock();
            if self.flight.over.receiver_count() == 0 {
                self.remove(&mut flying);
                return;
            }
        }
    }

    /// Tells everybody who waits how the fetch ended.
    pub(super) fn land(self, outcome: Result<Landed, FetchError>) {
        self.remove(&mut self.flights.flying.lock());
        self.flight.outcome.send_replace(Some(outcome));
    }

    fn remove(&self, flying: &mut HashMap<Key, Arc<Flight>>) {
        if flying.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            flying.remove(&self.key);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.remove(&mut self.flights.flying.lock());
        self.flight.over.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ipfs::Codec;

    use super::*;

    fn key(block: &Block) -> Key {
        (*block.cid().multihash(), false)
    }

    fn block() -> Block {
        Block::of(Codec::Raw, Bytes::from_static(b"hello")).expect("small")
    }

    #[tokio::test]
    async fn all_who_join_get_what_one_fetch_brought() {
        let flights = Arc::new(Flights::default());
        let block = block();
        let mut landing = None;
        let mut tickets: Vec<_> = (0..100)
            .map(|_| flights.join(key(&block), |end| assert!(landing.replace(end).is_none())))
            .collect();
        let landed = Landed { block: block.clone(), source: Source::Pool, node: 0, tried: 1 };
        landing.expect("a fetch began").land(Ok(landed));
        for ticket in &mut tickets {
            let landed = ticket.landed().await.expect("landed").expect("a block");
            assert_eq!(landed.block, block);
        }
        assert_eq!(flights.count(), 0);
    }

    #[tokio::test]
    async fn fetch_outlives_its_first_ticket_and_not_its_last() {
        let flights = Arc::new(Flights::default());
        let block = block();
        let mut landing = None;
        let leader = flights.join(key(&block), |end| landing = Some(end));
        let follower = flights.join(key(&block), |_| panic!("one fetch is under way"));
        let landing = landing.expect("a fetch began");
        drop(leader);
        assert!(futures::FutureExt::now_or_never(landing.abandoned()).is_none());
        drop(follower);
        landing.abandoned().await;
        assert_eq!(flights.count(), 0);
    }

    #[tokio::test]
    async fn fetch_that_dies_is_not_waited_for() {
        let flights = Arc::new(Flights::default());
        let mut ticket = flights.join(key(&block()), drop);
        assert!(ticket.landed().await.is_none());
        assert!(ticket.is_over());
        assert_eq!(flights.count(), 0);
    }
}
