//! The register of a process's series, and their text exposition.
//!
//! Declaring a series twice, or under a name that Prometheus does not take, is a fault of the
//! program that any start shows; it ends the process rather than to run without the series.

use std::fmt;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, TextEncoder,
    process_collector::ProcessCollector,
};

use super::{Counter, Family, Gauge, Histogram, Labels, Listed};
use crate::{Process, build_info};

const VALID: &str = "metric names, help texts and labels are valid";
const ONE_TEXT_EACH: &str = "each label has one text";

/// A process's series. Clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    inner: prometheus::Registry,
}

/// What is known of a series without its values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name in the exposition.
    pub name: String,
    /// What it counts.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels, in alphabetic order.
    pub labels: Vec<String>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what each process shows: its processor time, memory and descriptors, and its build.
    ///
    /// # Panics
    /// When called twice.
    pub fn describe_process(&self, process: Process) {
        self.adopt(ProcessCollector::for_self());
        let opts = Opts::new("bifrost_build_info", "The build that runs; its value is always 1.")
            .const_label("version", build_info::version())
            .const_label("commit", build_info::commit())
            .const_label("process", process.text());
        let info = Gauge::with_opts(opts).expect(VALID);
        info.set(1);
        self.adopt(info);
    }

    /// A counter without labels.
    ///
    /// # Panics
    /// When the name is taken or invalid, as do all that declare.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.adopted(counter(name, help))
    }

    /// A gauge without labels.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.adopted(gauge(name, help))
    }

    /// A histogram without labels; `buckets` are its upper bounds, ascending.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        Histogram::new(self.adopted(prometheus::Histogram::with_opts(opts).expect(VALID)))
    }

    /// Counters, one for each combination of labels.
    #[must_use]
    pub fn counter_family<L: Labels>(&self, name: &str, help: &str) -> Family<L, Counter> {
        let vector = IntCounterVec::new(Opts::new(name, help), &L::names()).expect(VALID);
        let vector = self.adopted(vector);
        Family::build(|texts| vector.get_metric_with_label_values(texts).expect(ONE_TEXT_EACH))
    }

    /// Gauges, one for each combination of labels.
    #[must_use]
    pub fn gauge_family<L: Labels>(&self, name: &str, help: &str) -> Family<L, Gauge> {
        let vector = IntGaugeVec::new(Opts::new(name, help), &L::names()).expect(VALID);
        let vector = self.adopted(vector);
        Family::build(|texts| vector.get_metric_with_label_values(texts).expect(ONE_TEXT_EACH))
    }

    /// Histograms, one for each combination of labels; `buckets` are their upper bounds, ascending.
    #[must_use]
    pub fn histogram_family<L: Labels>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Family<L, Histogram> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let vector = self.adopted(HistogramVec::new(opts, &L::names()).expect(VALID));
        Family::build(|texts| {
            Histogram::new(vector.get_metric_with_label_values(texts).expect(ONE_TEXT_EACH))
        })
    }

    /// Counters, one for each of `values`, which come from the configuration and are few.
    #[must_use]
    pub fn counter_list(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: &[String],
    ) -> Listed<Counter> {
        let vector =
            self.adopted(IntCounterVec::new(Opts::new(name, help), &[label]).expect(VALID));
        Listed::build(values, |text| {
            vector.get_metric_with_label_values(&[text]).expect(ONE_TEXT_EACH)
        })
    }

    /// Gauges, one for each of `values`, which come from the configuration and are few.
    #[must_use]
    pub fn gauge_list(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: &[String],
    ) -> Listed<Gauge> {
        let vector = self.adopted(IntGaugeVec::new(Opts::new(name, help), &[label]).expect(VALID));
        Listed::build(values, |text| {
            vector.get_metric_with_label_values(&[text]).expect(ONE_TEXT_EACH)
        })
    }

    /// Gauges, one for each of `rows`, the values of two labels, which come from the configuration,
    /// are few and differ.
    #[must_use]
    pub fn gauge_pairs(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
        rows: &[[String; 2]],
    ) -> Listed<Gauge> {
        let vector = self.adopted(IntGaugeVec::new(Opts::new(name, help), &labels).expect(VALID));
        Listed::build(rows, |row| vector.get_metric_with_label_values(row).expect(ONE_TEXT_EACH))
    }

    /// A counter that another library keeps: `read` gives its value, which never falls.
    pub(crate) fn counter_read(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let shown = IntCounter::with_opts(Opts::new(name, help)).expect(VALID);
        self.adopt(ReadCounter { shown, read });
    }

    /// All series in the text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.inner.gather())
            .expect("gathered series are complete and go to memory")
    }

    /// Every series that has a value, by name.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        let families = self.inner.gather();
        let mut all: Vec<_> = families.iter().map(describe).collect();
        all.sort();
        all
    }

    pub(crate) fn adopt(&self, collector: impl Collector + 'static) {
        self.inner.register(Box::new(collector)).expect("each series is declared once");
    }

    fn adopted<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.adopt(collector.clone());
        collector
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// A counter that is read when it is shown.
struct ReadCounter<F> {
    shown: IntCounter,
    read: F,
}

impl<F: Fn() -> u64 + Send + Sync> Collector for ReadCounter<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.shown.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.shown.inc_by((self.read)().saturating_sub(self.shown.get()));
        self.shown.collect()
    }
}

/// A counter that is in no registry yet.
pub(crate) fn counter(name: &str, help: &str) -> Counter {
    Counter::new(name, help).expect(VALID)
}

/// A gauge that is in no registry yet.
pub(crate) fn gauge(name: &str, help: &str) -> Gauge {
    Gauge::new(name, help).expect(VALID)
}

fn describe(family: &prometheus::proto::MetricFamily) -> Described {
    use prometheus::proto::MetricType;
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    };
    let first = family.get_metric().first();
    let pairs = first.map(|metric| metric.get_label()).unwrap_or_default();
    let mut labels: Vec<_> = pairs.iter().map(|pair| pair.name().to_owned()).collect();
    labels.sort();
    Described { name: family.name().to_owned(), help: family.help().to_owned(), kind, labels }
}
