//! Series of one name: found by array index, never by hashing a text.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{Counter, Gauge, Labels};

/// A kind of series.
pub trait Metric: Clone + Send + Sync + 'static {}

impl Metric for Counter {}
impl Metric for Gauge {}
impl Metric for Histogram {}

/// The series of one name, one for each combination of its labels.
pub struct Family<L, M> {
    series: Arc<[M]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels, M: Metric> Family<L, M> {
    /// Makes each series, checking that the labels number themselves as declared.
    pub(super) fn build(mut make: impl FnMut(&[&'static str]) -> M) -> Self {
        let series = L::all()
            .into_iter()
            .enumerate()
            .map(|(place, (labels, texts))| {
                assert_eq!(labels.index(), place, "label values are in the order of their index");
                make(&texts)
            })
            .collect();
        Self { series, labels: PhantomData }
    }

    /// The series of these labels.
    #[must_use]
    pub fn at(&self, labels: L) -> &M {
        &self.series[labels.index()]
    }
}

impl<L, M> Clone for Family<L, M> {
    fn clone(&self) -> Self {
        Self { series: Arc::clone(&self.series), labels: PhantomData }
    }
}

impl<L, M> fmt::Debug for Family<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("series", &self.series.len()).finish()
    }
}

/// The series of one name with a label or two whose values come from the configuration, such as the
/// nodes of a pool: found by the place of the value in the list.
pub struct Listed<M> {
    series: Arc<[M]>,
}

impl<M: Metric> Listed<M> {
    pub(super) fn build<V>(values: &[V], make: impl FnMut(&V) -> M) -> Self {
        Self { series: values.iter().map(make).collect() }
    }

    /// The series of the value at this place; none when the list is shorter.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&M> {
        self.series.get(place)
    }
}

impl<M> Clone for Listed<M> {
    fn clone(&self) -> Self {
        Self { series: Arc::clone(&self.series) }
    }
}

impl<M> fmt::Debug for Listed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed").field("series", &self.series.len()).finish()
    }
}

/// A distribution over fixed buckets.
#[derive(Clone)]
pub struct Histogram {
    inner: prometheus::Histogram,
}

impl Histogram {
    pub(super) fn new(inner: prometheus::Histogram) -> Self {
        Self { inner }
    }

    /// Counts one value.
    pub fn observe(&self, value: f64) {
        self.inner.observe(value);
    }

    /// Counts one duration, in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.inner.observe(duration.as_secs_f64());
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inner.get_sample_count()
    }

    /// The sum of the values that were counted.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.inner.get_sample_sum()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}
