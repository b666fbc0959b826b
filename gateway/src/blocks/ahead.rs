//! Fetches what a walk will want, within a budget of bytes.
//!
//! What arrives goes into the cache and nowhere else: a client that stalls leaves tickets behind,
//! not blocks.

use ipfs::walk::Walk;
use ipfs::{Cid, Codec};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Reader;
use super::flight::Ticket;

/// What a block is thought to weigh before the first one was seen, and at least.
const GUESS_BYTES: usize = 256 * 1024;
const LEAST_BYTES: usize = 16 * 1024;
/// Most blocks that one reader has under way.
const AHEAD_BLOCKS_MAX: usize = 64;
/// How often a reader whose blocks are all in memory looks further ahead, in blocks.
const LOOK_EVERY: u32 = 8;

/// What one reader has under way.
#[derive(Default)]
pub(super) struct Ahead {
    flying: Vec<(Cid, Ticket, OwnedSemaphorePermit)>,
    /// Bytes of the largest block so far.
    block_bytes: usize,
    /// Blocks since it was last looked ahead.
    since: u32,
}

impl Ahead {
    /// Notes the size of a block of this walk.
    pub(super) fn saw(&mut self, block_bytes: usize) {
        self.block_bytes = self.block_bytes.max(block_bytes);
    }

    /// Looks ahead, if it is time to: always after a block that had to be fetched.
    pub(super) fn look(&mut self, walk: &mut Walk, reader: &Reader, fetched: bool) {
        self.since += 1;
        if fetched || !self.flying.is_empty() || self.since >= LOOK_EVERY {
            self.since = 0;
            self.fill(walk, reader);
        }
    }

    fn fill(&mut self, walk: &mut Walk, reader: &Reader) {
        let memory = &reader.blocks.memory;
        self.flying.retain(|(_, ticket, _)| !ticket.is_over());
        let guess = if self.block_bytes == 0 { GUESS_BYTES } else { self.block_bytes };
        let guess = guess.max(LEAST_BYTES);
        let budget = usize::try_from(reader.blocks.config.ahead_bytes.as_u64());
        let count = (budget.unwrap_or(usize::MAX) / guess).min(AHEAD_BLOCKS_MAX);
        if count == 0 {
            return;
        }
        let wanted: Vec<Cid> = walk.wanted(count + 1).skip(1).collect();
        for cid in wanted {
            if self.flying.len() >= count {
                break;
            }
            if cid.identity_data().is_some() || self.flying.iter().any(|(one, ..)| *one == cid) {
                continue;
            }
            if memory.has_block(&cid) {
                if cid.codec() == Codec::DagPb
                    && let Some(block) = memory.block(&cid)
                {
                    walk.expand(&block);
                }
                continue;
            }
            if memory.failure(&cid).is_some() {
                break;
            }
            let permits = u32::try_from(guess / 1024).unwrap_or(u32::MAX);
            let Ok(permit) = reader.blocks.ahead.clone().try_acquire_many_owned(permits) else {
                reader.blocks.metrics.ahead_refused.inc();
                break;
            };
            let told = Instant::now() + reader.blocks.config.stall_timeout;
            let ticket = reader.blocks.join(cid, &reader.origin, told, &reader.provenance);
            let ticket = ticket.without_outcome();
            self.flying.push((cid, ticket, permit));
        }
    }
}
