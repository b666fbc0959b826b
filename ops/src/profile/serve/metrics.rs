//! What is counted of collections. Every combination of labels is there from the start, at zero.

use telemetry::label;
use telemetry::metrics::{Counter, Family, Gauge, Registry};

use super::super::entry::{Kind, Set};
use super::super::targets::Target;
use crate::inventory;

label! {
    /// What a process is that was to be profiled.
    pub(crate) enum Of: "of" {
        /// A gateway.
        Gateway = "gateway",
        /// A node.
        Node = "node",
        /// A process of operators.
        Ops = "ops",
    }
}

impl From<inventory::Kind> for Of {
    fn from(kind: inventory::Kind) -> Self {
        match kind {
            inventory::Kind::Gateway => Of::Gateway,
            inventory::Kind::Node => Of::Node,
            inventory::Kind::Ops => Of::Ops,
        }
    }
}

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Profiles that were stored.
    pub(crate) taken: Family<(Of, Kind), Counter>,
    /// Processes that were not profiled, or not wholly.
    pub(crate) missing: Family<Of, Counter>,
    /// Collections that ended without a set.
    pub(crate) failed: Counter,
    /// Processes that the last set was to have.
    pub(crate) processes: Gauge,
    /// Those that it has wholly.
    pub(crate) profiled: Gauge,
    /// When the last set was begun that lacks nothing, in seconds since 1970; 0 for never.
    pub(crate) complete: Gauge,
}

impl Metrics {
    /// Declares the series.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            taken: registry
                .counter_family("bifrost_profile_taken_total", "Profiles that were stored."),
            missing: registry.counter_family(
                "bifrost_profile_missing_total",
                "Processes of a set that were not profiled, or not wholly.",
            ),
            failed: registry.counter(
                "bifrost_profile_collections_failed_total",
                "Collections that ended without a set.",
            ),
            processes: registry
                .gauge("bifrost_profile_processes", "Processes that the last set was to have."),
            profiled: registry.gauge(
                "bifrost_profile_processes_profiled",
                "Processes of which the last set has every profile.",
            ),
            complete: registry.gauge(
                "bifrost_profile_last_complete_timestamp_seconds",
                "When the last set was begun that lacks nothing; 0 for never.",
            ),
        }
    }

    /// Shows what the store has from before.
    pub(crate) fn seen(&self, sets: &[Set]) {
        if let Some(last) = sets.last() {
            self.show(last);
        }
        if let Some(whole) = sets.iter().rfind(|set| set.is_whole()) {
            self.complete.set(whole.head.started.as_second());
        }
    }

    /// Counts a set that was collected.
    pub(crate) fn count(&self, targets: &[Target], set: &Set) {
        for target in targets {
            let of = Of::from(target.kind);
            let own = |node: &str, env: &str| (node, env) == (&target.name[..], &target.env[..]);
            for entry in set.entries.iter().filter(|entry| own(&entry.node, &entry.env)) {
                self.taken.at((of, entry.kind)).inc();
            }
            if set.head.missing.iter().any(|one| own(&one.node, &one.env)) {
                self.missing.at(of).inc();
            }
        }
        self.show(set);
    }

    fn show(&self, set: &Set) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.processes.set(number(set.head.processes));
        self.profiled.set(number(set.head.profiled));
        if set.is_whole() {
            self.complete.set(set.head.started.as_second());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::entry::Missing;
    use crate::profile::fixture;

    #[test]
    fn what_was_taken_and_what_is_missing_is_counted() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry);
        let target = |name: &str, kind: inventory::Kind| Target {
            name: name.to_owned(),
            kind,
            role: "r".to_owned(),
            env: "local".to_owned(),
            admin: None,
        };
        let targets = [
            target("gateway-0", inventory::Kind::Gateway),
            target("node-0", inventory::Kind::Node),
        ];
        let whole = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        let mut partial = fixture::set("two", "2026-11-21T03:17:00Z", "b");
        metrics.count(&targets, &whole);
        partial.head.profiled = 1;
        partial.head.missing = vec![Missing {
            node: "node-0".to_owned(),
            role: "pool".to_owned(),
            env: "local".to_owned(),
            kind: None,
            why: "gone".to_owned(),
        }];
        metrics.count(&targets, &partial);
        assert_eq!(metrics.taken.at((Of::Gateway, Kind::Heap)).get(), 2);
        assert_eq!(
            (metrics.missing.at(Of::Node).get(), metrics.missing.at(Of::Gateway).get()),
            (1, 0)
        );
        assert_eq!((metrics.processes.get(), metrics.profiled.get()), (2, 1));
        assert_eq!(metrics.complete.get(), whole.head.started.as_second());
        metrics.seen(&[whole, partial]);
        assert_eq!(metrics.profiled.get(), 1);
        assert!(
            registry.text().contains("bifrost_profile_taken_total{of=\"ops\",profile=\"cpu\"} 0")
        );
    }
}
