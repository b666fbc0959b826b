//! What this gateway remembers: proven blocks, plans and recent failures.
//!
//! Blocks are keyed by multihash, so one entry answers for every CID of a block, and plans by
//! immutable path, so nothing here depends on who asked or how. Rendered answers are never kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use ipfs::{Block, Cid, Multihash};
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::CacheMetrics as Metrics;

/// What an entry costs beside its bytes.
const OVERHEAD_BYTES: usize = 512;
/// Most failures that are remembered.
const FAILURES_MAX: u64 = 65_536;

/// How much is remembered.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of proven blocks that are kept because they are asked for often. Default 256 MiB.
    /// Zero keeps none.
    #[schemars(with = "telemetry::config::SizeText")]
    pub block_bytes: ByteSize,
    /// Bytes of the blocks that came last: what readers fetch ahead waits here to be read. Default
    /// 64 MiB. Less than 8 MiB is refused at start-up.
    #[schemars(with = "telemetry::config::SizeText")]
    pub window_bytes: ByteSize,
    /// Bytes of plans: what immutable paths lead to. Default 32 MiB. Zero keeps none.
    #[schemars(with = "telemetry::config::SizeText")]
    pub plan_bytes: ByteSize,
    /// How long "nobody has it" is believed without asking again. Default 30 s. Zero asks each time.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub no_providers_ttl: Duration,
    /// How long any other failure is believed. Default 500 ms, and more than 1 s is refused at
    /// start-up. Zero asks each time.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub failure_ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            block_bytes: ByteSize::mib(256),
            window_bytes: ByteSize::mib(64),
            plan_bytes: ByteSize::mib(32),
            no_providers_ttl: Duration::from_secs(30),
            failure_ttl: Duration::from_millis(500),
        }
    }
}

impl Config {
    /// Says what is wrong with these bounds, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.window_bytes < ByteSize::mib(8) {
            return Err("cache.window_bytes must be 8 MiB or more".to_owned());
        }
        if self.failure_ttl > Duration::from_secs(1) {
            return Err("cache.failure_ttl must be 1 s or less".to_owned());
        }
        Ok(())
    }
}

/// Something that takes up room in the cache of plans.
pub(crate) trait Weigh {
    /// Its size in bytes.
    fn weight(&self) -> usize;
}

/// What is remembered. `P` is a plan, `F` a failure.
pub(crate) struct Cache<P, F> {
    /// Blocks that are asked for often; a block that is seen once does not push them out.
    often: Moka<Multihash, Block>,
    /// Blocks that came last.
    window: Moka<Multihash, Block>,
    plans: Moka<Arc<str>, Arc<P>>,
    failures: Moka<Multihash, (F, Instant)>,
    metrics: Metrics,
}

impl<P, F> Cache<P, F>
where
    P: Weigh + Send + Sync + 'static,
    F: Clone + Send + Sync + 'static,
{
    /// An empty cache.
    pub(crate) fn new(config: &Config, metrics: Metrics) -> Self {
        let longest = config.no_providers_ttl.max(config.failure_ttl);
        Self {
            often: blocks(config.block_bytes, EvictionPolicy::tiny_lfu()),
            window: blocks(config.window_bytes, EvictionPolicy::lru()),
            plans: Moka::builder()
                .max_capacity(config.plan_bytes.as_u64())
                .weigher(|path: &Arc<str>, plan: &Arc<P>| weight(path.len() + plan.weight()))
                .build(),
            failures: Moka::builder().max_capacity(FAILURES_MAX).time_to_live(longest).build(),
            metrics,
        }
    }

    /// The block of a CID, if it is kept here.
    pub(crate) fn block(&self, cid: &Cid) -> Option<Block> {
        let hash = cid.multihash();
        let found = self.often.get(hash).or_else(|| {
            let block = self.window.get(hash)?;
            // Asked for again: it competes for the larger cache.
            self.often.insert(*hash, block.clone());
            Some(block)
        });
        match found.and_then(|block| block.under(*cid)) {
            Some(block) => {
                self.metrics.block_hits.inc();
                Some(block)
            }
            None => {
                self.metrics.block_misses.inc();
                None
            }
        }
    }

    /// Whether the block of a CID is kept here; does not count as asking for it.
    pub(crate) fn has_block(&self, cid: &Cid) -> bool {
        let hash = cid.multihash();
        self.window.contains_key(hash) || self.often.contains_key(hash)
    }

    /// Keeps a block that came from a node.
    pub(crate) fn keep_block(&self, block: &Block) {
        let hash = block.cid().multihash();
        self.window.insert(*hash, block.clone());
        self.often.insert(*hash, block.clone());
        self.failures.invalidate(hash);
    }

    /// The plan of a path, if it is kept here.
    pub(crate) fn plan(&self, path: &str) -> Option<Arc<P>> {
        let found = self.plans.get(path);
        match &found {
            Some(_) => self.metrics.plan_hits.inc(),
            None => self.metrics.plan_misses.inc(),
        }
        found
    }

    /// Keeps the plan of a path.
    pub(crate) fn keep_plan(&self, path: &str, plan: &Arc<P>) {
        self.plans.insert(path.into(), Arc::clone(plan));
    }

    /// A failure to get this block that is still to be believed.
    pub(crate) fn failure(&self, cid: &Cid) -> Option<F> {
        let (failure, until) = self.failures.get(cid.multihash())?;
        (Instant::now() < until).then(|| {
            self.metrics.failure_hits.inc();
            failure
        })
    }

    /// Believes a failure to get this block for a while.
    pub(crate) fn keep_failure(&self, cid: &Cid, failure: F, believe: Duration) {
        if !believe.is_zero() {
            self.failures.insert(*cid.multihash(), (failure, Instant::now() + believe));
        }
    }

    /// Bytes of blocks that are kept, for the gauge; a block in both caches counts twice.
    pub(crate) fn block_bytes(&self) -> u64 {
        self.often.weighted_size() + self.window.weighted_size()
    }
}

fn blocks(capacity: ByteSize, policy: EvictionPolicy) -> Moka<Multihash, Block> {
    Moka::builder()
        .max_capacity(capacity.as_u64())
        .eviction_policy(policy)
        .weigher(|_: &Multihash, block: &Block| weight(block.data().len()))
        .build()
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes + OVERHEAD_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ipfs::Codec;

    use super::*;

    impl Weigh for u8 {
        fn weight(&self) -> usize {
            1
        }
    }

    fn cache(config: &Config) -> Cache<u8, &'static str> {
        Cache::new(config, Metrics::detached())
    }

    fn block(text: &'static str) -> Block {
        Block::of(Codec::Raw, Bytes::from_static(text.as_bytes())).expect("small")
    }

    #[test]
    fn block_answers_for_every_cid_of_its_hash() {
        let cache = cache(&Config::default());
        let block = block("hello");
        cache.keep_block(&block);
        let other = Cid::v1(Codec::DagPb, *block.cid().multihash()).expect("acceptable");
        assert_eq!(cache.block(&other).expect("kept").cid(), &other);
        assert!(cache.has_block(block.cid()));
    }

    #[test]
    fn what_came_last_is_there_even_when_the_larger_cache_refuses_it() {
        let config = Config { block_bytes: ByteSize::b(0), ..Config::default() };
        let cache = cache(&config);
        let block = block("hello");
        cache.keep_block(&block);
        assert_eq!(cache.block(block.cid()), Some(block));
    }

    #[test]
    fn failure_is_believed_no_longer_than_said() {
        let cache = cache(&Config::default());
        let block = block("hello");
        cache.keep_failure(block.cid(), "nobody", Duration::ZERO);
        assert_eq!(cache.failure(block.cid()), None);
        cache.keep_failure(block.cid(), "nobody", Duration::from_secs(30));
        assert_eq!(cache.failure(block.cid()), Some("nobody"));
        cache.keep_block(&block);
        assert_eq!(cache.failure(block.cid()), None);
    }

    #[test]
    fn bytes_are_bounded() {
        let config = Config { block_bytes: ByteSize::mib(1), ..Config::default() };
        let cache = cache(&config);
        for index in 0..400_u32 {
            let mut bytes = vec![0; 256 * 1024];
            bytes[..4].copy_from_slice(&index.to_be_bytes());
            cache.keep_block(&Block::of(Codec::Raw, bytes.into()).expect("small"));
        }
        cache.often.run_pending_tasks();
        cache.window.run_pending_tasks();
        let bound = config.block_bytes.as_u64() + config.window_bytes.as_u64();
        assert!(cache.block_bytes() <= bound, "{}", cache.block_bytes());
    }
}
