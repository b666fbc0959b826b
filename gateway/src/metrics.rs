//! The gateway's metrics: what each room counts, registered together.
//!
//! The names of the signal contract are declared in [`RequestMetrics`]; the rest belong to rooms.

use telemetry::metrics::{Counter, Family, Gauge, Histogram, Listed, Registry};

use crate::mirror::MirrorMetrics;
use crate::outcome::{Form, Outcome, Source, Traffic};

/// Most nodes of a pool.
pub(crate) const NODES_MAX: usize = 16;
/// Most sources of denylists.
pub(crate) const LISTS_MAX: usize = 16;

const ONE_A_PLACE: &str = "there is a series for every place";

/// Upper bounds for times to the first byte and to the last, in seconds. The two promises are read
/// at 0.3 and at 30.
const TIME_BUCKETS: [f64; 17] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// What is counted of every request.
#[derive(Clone)]
pub(crate) struct RequestMetrics {
    /// Requests, by how they ended.
    pub(crate) requests: Family<(Traffic, Form, Outcome, Source), Counter>,
    /// Time from the last byte of the head to the first byte of the answer.
    pub(crate) first_byte: Family<(Traffic, Source), Histogram>,
    /// Time from the last byte of the head to the last byte of the answer.
    pub(crate) response: Family<(Traffic, Source), Histogram>,
    /// Bytes of answers' bodies.
    pub(crate) response_bytes: Family<(Traffic, Form), Counter>,
    /// Requests that are being answered.
    pub(crate) in_flight: Family<Traffic, Gauge>,
    /// Panics that were caught while answering.
    pub(crate) panics: Counter,
}

/// What connections do.
#[derive(Clone)]
pub(crate) struct AcceptMetrics {
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections that could not be accepted.
    pub(crate) accept_errors: Counter,
    /// Times that a connection had to wait because there were too many.
    pub(crate) full: Counter,
    /// Connections closed because a request's head took too long.
    pub(crate) head_timeouts: Counter,
    /// Connections closed because the client took its bytes too slowly.
    pub(crate) write_timeouts: Counter,
}

/// What the cache does.
#[derive(Clone)]
pub(crate) struct CacheMetrics {
    /// Blocks that were in memory.
    pub(crate) block_hits: Counter,
    /// Blocks that were not.
    pub(crate) block_misses: Counter,
    /// Plans that were in memory.
    pub(crate) plan_hits: Counter,
    /// Plans that were not.
    pub(crate) plan_misses: Counter,
    /// Requests answered by a failure that was still believed.
    pub(crate) failure_hits: Counter,
    /// Bytes of blocks in memory.
    pub(crate) bytes: Gauge,
}

/// What the reader of blocks does.
#[derive(Clone)]
pub(crate) struct BlocksMetrics {
    /// Fetches that were begun; requests for the same block share one.
    pub(crate) fetches: Counter,
    /// Fetches that were stopped because nobody waited for them any more.
    pub(crate) abandoned: Counter,
    /// Looks ahead that were cut short by the bound on all readers together.
    pub(crate) ahead_refused: Counter,
}

/// What the pool does.
#[derive(Clone)]
pub(crate) struct UpstreamMetrics {
    /// Requests that were sent again, or to a second node.
    pub(crate) retries: Counter,
    /// Retries that were not made because the budget was spent.
    pub(crate) retries_refused: Counter,
    nodes: Vec<NodeMetrics>,
}

/// What one node does.
#[derive(Clone)]
pub(crate) struct NodeMetrics {
    /// Requests sent to it.
    pub(crate) requests: Counter,
    /// Requests that it failed.
    pub(crate) failures: Counter,
    /// Times that it was left alone.
    pub(crate) ejections: Counter,
    /// Whether it is left alone.
    pub(crate) ejected: Gauge,
    /// Bytes from it that were not the block.
    pub(crate) unverified_bytes: Counter,
}

/// What admission does.
#[derive(Clone)]
pub(crate) struct LimitMetrics {
    /// Requests refused because this gateway was full.
    pub(crate) full: Counter,
    /// Requests refused because a client was over its share.
    pub(crate) client_share: Counter,
}

/// What the resolution of names does.
#[derive(Clone)]
pub(crate) struct NamesMetrics {
    /// Names whose value was at hand and fresh.
    pub(crate) hits: Counter,
    /// Names that had to be looked up.
    pub(crate) misses: Counter,
    /// Names that were served beyond their time to live because a lookup failed or was slow.
    pub(crate) stale: Counter,
    /// Names that could not be resolved.
    pub(crate) failures: Counter,
    /// Names that were not looked up because too many were.
    pub(crate) busy: Counter,
    /// Records that were refused because one that supersedes them was known.
    pub(crate) rollbacks: Counter,
}

/// What the denylists do.
#[derive(Clone)]
pub(crate) struct DenylistMetrics {
    /// Names, paths and blocks that were denied.
    pub(crate) denied: Counter,
    /// Names, paths and blocks that lists in a dry run would have denied.
    pub(crate) dry_run: Counter,
    /// Times that a list could not be read again.
    pub(crate) failures: Counter,
    lines: Gauge,
    skipped: Gauge,
    age: Gauge,
}

/// All of them.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) requests: RequestMetrics,
    pub(crate) accept: AcceptMetrics,
    pub(crate) cache: CacheMetrics,
    pub(crate) blocks: BlocksMetrics,
    pub(crate) upstream: UpstreamMetrics,
    pub(crate) limit: LimitMetrics,
    pub(crate) names: NamesMetrics,
    pub(crate) denylist: DenylistMetrics,
    pub(crate) mirror: MirrorMetrics,
    pub(crate) reloads_rejected: Counter,
}

impl Metrics {
    /// Declares every metric of the gateway.
    pub(crate) fn new(r: &Registry) -> Self {
        Self {
            requests: RequestMetrics::new(r),
            accept: AcceptMetrics::new(r),
            cache: CacheMetrics::new(r),
            blocks: BlocksMetrics::new(r),
            upstream: UpstreamMetrics::new(r),
            limit: LimitMetrics::new(r),
            names: NamesMetrics::new(r),
            denylist: DenylistMetrics::new(r),
            mirror: MirrorMetrics::new(r),
            reloads_rejected: r.counter(
                "bifrost_gateway_config_reloads_rejected_total",
                "Configurations that were read again and refused.",
            ),
        }
    }
}

impl RequestMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            requests: r
                .counter_family("bifrost_gateway_requests_total", "Requests, by how they ended."),
            first_byte: r.histogram_family(
                "bifrost_gateway_first_byte_seconds",
                "Time from the last byte of the head to the first byte of the answer.",
                &TIME_BUCKETS,
            ),
            response: r.histogram_family(
                "bifrost_gateway_response_seconds",
                "Time from the last byte of the head to the last byte of the answer.",
                &TIME_BUCKETS,
            ),
            response_bytes: r.counter_family(
                "bifrost_gateway_response_bytes_total",
                "Bytes of answers' bodies.",
            ),
            in_flight: r
                .gauge_family("bifrost_gateway_in_flight", "Requests that are being answered."),
            panics: r.counter(
                "bifrost_gateway_request_panics_total",
                "Panics that were caught while answering.",
            ),
        }
    }
}

impl AcceptMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            connections: r.gauge("bifrost_gateway_accept_connections", "Open connections."),
            accept_errors: r.counter(
                "bifrost_gateway_accept_errors_total",
                "Connections that could not be accepted.",
            ),
            full: r.counter(
                "bifrost_gateway_accept_full_total",
                "Times that a connection had to wait because there were too many.",
            ),
            head_timeouts: r.counter(
                "bifrost_gateway_accept_head_timeouts_total",
                "Connections closed because a request's head took too long.",
            ),
            write_timeouts: r.counter(
                "bifrost_gateway_accept_write_timeouts_total",
                "Connections closed because the client took its bytes too slowly.",
            ),
        }
    }
}

impl CacheMetrics {
    fn new(r: &Registry) -> Self {
        let counter = |what: &str, help: &str| {
            r.counter(&format!("bifrost_gateway_cache_{what}_total"), help)
        };
        Self {
            block_hits: counter("block_hits", "Blocks that were in memory."),
            block_misses: counter("block_misses", "Blocks that were not in memory."),
            plan_hits: counter("plan_hits", "Plans that were in memory."),
            plan_misses: counter("plan_misses", "Plans that were not in memory."),
            failure_hits: counter(
                "failure_hits",
                "Requests answered by a failure that was still believed.",
            ),
            bytes: r.gauge("bifrost_gateway_cache_block_bytes", "Bytes of blocks in memory."),
        }
    }

    /// Metrics that nobody reads.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Self::new(&Registry::new())
    }
}

impl BlocksMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            fetches: r.counter(
                "bifrost_gateway_blocks_fetches_total",
                "Fetches of blocks that were begun; requests for the same block share one.",
            ),
            abandoned: r.counter(
                "bifrost_gateway_blocks_abandoned_total",
                "Fetches that were stopped because nobody waited for them any more.",
            ),
            ahead_refused: r.counter(
                "bifrost_gateway_blocks_ahead_refused_total",
                "Looks ahead that were cut short by the bound on all readers together.",
            ),
        }
    }
}

impl UpstreamMetrics {
    fn new(r: &Registry) -> Self {
        let places: Vec<String> = (0..NODES_MAX).map(|place| place.to_string()).collect();
        let counters = |name: &str, help: &str| r.counter_list(name, help, "node", &places);
        let requests = counters("bifrost_gateway_pool_requests_total", "Requests sent to a node.");
        let failures =
            counters("bifrost_gateway_pool_failures_total", "Requests that a node failed.");
        let ejections =
            counters("bifrost_gateway_pool_ejections_total", "Times that a node was left alone.");
        let unverified = counters(
            "bifrost_gateway_unverified_bytes_total",
            "Bytes from a node that were not the block that was asked for.",
        );
        let ejected = r.gauge_list(
            "bifrost_gateway_pool_ejected",
            "Whether a node is left alone.",
            "node",
            &places,
        );
        let at = |list: &Listed<Counter>, place| list.at(place).cloned().expect(ONE_A_PLACE);
        let nodes = (0..NODES_MAX).map(|place| NodeMetrics {
            requests: at(&requests, place),
            failures: at(&failures, place),
            ejections: at(&ejections, place),
            ejected: ejected.at(place).cloned().expect(ONE_A_PLACE),
            unverified_bytes: at(&unverified, place),
        });
        Self {
            nodes: nodes.collect(),
            retries: r.counter(
                "bifrost_gateway_pool_retries_total",
                "Requests to nodes that were sent again, or to a second node.",
            ),
            retries_refused: r.counter(
                "bifrost_gateway_pool_retries_refused_total",
                "Retries that were not made because the budget was spent.",
            ),
        }
    }

    /// The metrics of the node at this place in the pool.
    pub(crate) fn node(&self, index: u8) -> NodeMetrics {
        self.nodes[usize::from(index)].clone()
    }
}

impl LimitMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            full: r.counter(
                "bifrost_gateway_limit_full_total",
                "Requests refused because this gateway was full.",
            ),
            client_share: r.counter(
                "bifrost_gateway_limit_client_share_total",
                "Requests refused because a client was over its share.",
            ),
        }
    }
}

impl NamesMetrics {
    fn new(r: &Registry) -> Self {
        let counter = |what: &str, help: &str| {
            r.counter(&format!("bifrost_gateway_names_{what}_total"), help)
        };
        Self {
            hits: counter("hits", "Names whose value was at hand and fresh."),
            misses: counter("misses", "Names that had to be looked up."),
            stale: counter(
                "stale",
                "Names served beyond their time to live because a lookup failed or was slow.",
            ),
            failures: counter("failures", "Names that could not be resolved."),
            busy: counter("busy", "Names that were not looked up because too many were."),
            rollbacks: counter(
                "rollbacks",
                "Records refused because one that supersedes them was known.",
            ),
        }
    }
}

impl DenylistMetrics {
    fn new(r: &Registry) -> Self {
        Self {
            denied: r.counter(
                "bifrost_gateway_denylist_denied_total",
                "Names, paths and blocks that were denied.",
            ),
            dry_run: r.counter(
                "bifrost_gateway_denylist_dry_run_total",
                "Names, paths and blocks that lists in a dry run would have denied.",
            ),
            failures: r.counter(
                "bifrost_gateway_denylist_failures_total",
                "Times that a list could not be read again, so that the one before stayed.",
            ),
            lines: r.gauge("bifrost_gateway_denylist_lines", "Lines of all lists in force."),
            skipped: r.gauge(
                "bifrost_gateway_denylist_skipped_lines",
                "Lines of lists in force that are no rules, and so deny nothing.",
            ),
            age: r.gauge(
                "bifrost_gateway_denylist_age_seconds",
                "How long ago the list that was not read for the longest time was read.",
            ),
        }
    }

    /// Says how long the lists in force are, and how many of their lines are no rules.
    pub(crate) fn set(&self, lines: u64, skipped: u64) {
        self.lines.set(i64::try_from(lines).unwrap_or(i64::MAX));
        self.skipped.set(i64::try_from(skipped).unwrap_or(i64::MAX));
    }

    /// Says how old the oldest reading is.
    pub(crate) fn set_age(&self, age: std::time::Duration) {
        self.age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }
}
