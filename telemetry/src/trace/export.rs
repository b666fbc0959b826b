//! Sends spans to a collector by OTLP over HTTP.
//!
//! A span that ends goes into a bounded queue and is dropped when that is full. A task of its own
//! sends what has gathered: the SDK's own batching runs on a thread where the HTTP client cannot.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use tokio::sync::{mpsc, oneshot};

use super::Config;
use crate::metrics::{Counter, Registry};
use crate::{Process, Tasks, build_info};

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The sample ratio is no share.
    #[error("trace.sample_ratio is {0}: write a number from 0 to 1")]
    Ratio(f64),
    /// The endpoint is no URL that can be used.
    #[error("trace.endpoint is {0}: write an http URL such as http://127.0.0.1:4318/v1/traces")]
    Endpoint(String),
    /// The exporter could not be made.
    #[error("could not make the exporter of spans")]
    Build(#[source] opentelemetry_otlp::ExporterBuildError),
    /// There is no tokio runtime for it.
    #[error("spans are exported from within a tokio runtime")]
    Runtime(#[source] tokio::runtime::TryCurrentError),
}

/// The running export.
#[derive(Debug)]
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
    flush: mpsc::Sender<oneshot::Sender<()>>,
    counts: Counts,
    tasks: Tasks,
}

#[derive(Debug, Clone)]
struct Counts {
    exported: Counter,
    failed: Counter,
    dropped: Counter,
}

impl Exporter {
    /// Starts the export; none when there is no endpoint.
    pub(crate) fn start(config: &Config, process: Process) -> Result<Option<Self>, TraceError> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(None);
        };
        config.check()?;
        tokio::runtime::Handle::try_current().map_err(TraceError::Runtime)?;
        let resource = resource(process, []);
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_timeout(config.timeout)
            .with_retry_policy(opentelemetry_otlp::RetryPolicy::disabled())
            .build()
            .map_err(TraceError::Build)?;
        exporter.set_resource(&resource);

        let counts = Counts::new();
        let (spans, waiting) = mpsc::channel(config.queue_max.max(1));
        let (flush, asked) = mpsc::channel(1);
        let ship =
            Ship { exporter, waiting, asked, counts: counts.clone(), config: config.clone() };
        let tasks = Tasks::new();
        tasks.background("span export", ship.run());
        let ratio = Sampler::TraceIdRatioBased(config.sample_ratio);
        // A gateway's callers are strangers, who would otherwise choose what is kept.
        let sampler = match process {
            Process::Gateway => ratio,
            Process::Node | Process::Ops => Sampler::ParentBased(Box::new(ratio)),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue { spans, dropped: counts.dropped.clone() })
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider, flush, counts, tasks }))
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("bifrost")
    }

    pub(crate) fn register(&self, registry: &Registry) {
        registry.adopt(self.counts.exported.clone());
        registry.adopt(self.counts.failed.clone());
        registry.adopt(self.counts.dropped.clone());
    }

    /// Sends all spans that have ended; false when `deadline` passes first. Then ends the export.
    pub(crate) async fn shutdown(&self, deadline: Duration) -> bool {
        let (done, sent) = oneshot::channel();
        let flush = async {
            // A task that has ended has nothing left to send.
            if self.flush.send(done).await.is_ok() { sent.await.is_ok() } else { true }
        };
        let in_time = tokio::time::timeout(deadline, flush).await;
        self.tasks.shutdown(Duration::ZERO).await;
        in_time.unwrap_or(false)
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            exported: crate::metrics::counter(
                "bifrost_telemetry_trace_exported_spans_total",
                "Spans that the collector took.",
            ),
            failed: crate::metrics::counter(
                "bifrost_telemetry_trace_failed_spans_total",
                "Spans that were lost because the collector did not take them.",
            ),
            dropped: crate::metrics::counter(
                "bifrost_telemetry_trace_dropped_spans_total",
                "Spans that were dropped because the export queue was full.",
            ),
        }
    }
}

/// Takes ended spans into the queue.
#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: Counter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The task that sends.
struct Ship {
    exporter: opentelemetry_otlp::SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    counts: Counts,
    config: Config,
}

impl Ship {
    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            // Spans gather in the queue, so that its bound holds for all that wait.
            let asked = tokio::select! {
                asked = self.asked.recv() => asked,
                () = gathered(&mut self.waiting, &mut batch, self.config.export_every) => None,
            };
            self.send_all(&mut batch).await;
            // Who asked may have stopped waiting, and then nobody is left to be told.
            asked.map(|asked| asked.send(()).ok());
        }
    }

    async fn send_all(&mut self, batch: &mut Vec<SpanData>) {
        let batch_max = self.config.batch_max.max(1);
        loop {
            while batch.len() < batch_max {
                let Ok(span) = self.waiting.try_recv() else {
                    break;
                };
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let count = batch.len() as u64;
            let sent = self.exporter.export(std::mem::take(batch));
            match tokio::time::timeout(self.config.timeout, sent).await {
                Ok(Ok(())) => self.counts.exported.inc_by(count),
                Ok(Err(error)) => {
                    self.counts.failed.inc_by(count);
                    tracing::debug!(%error, count, "the collector did not take spans");
                }
                Err(_) => {
                    self.counts.failed.inc_by(count);
                    tracing::debug!(count, "the collector did not answer in time");
                }
            }
        }
    }
}

/// Waits for a first span, and then for more to come.
///
/// # Cancellation
/// A span that has been taken from the queue is in `batch` by then.
async fn gathered(
    waiting: &mut mpsc::Receiver<SpanData>,
    batch: &mut Vec<SpanData>,
    export_every: Duration,
) {
    if batch.is_empty() {
        match waiting.recv().await {
            Some(span) => batch.push(span),
            // The provider is gone: the end comes by `shutdown`, or with the runtime.
            None => std::future::pending().await,
        }
    }
    tokio::time::sleep(export_every).await;
}

/// Who sends, and what more is to be said of it.
pub(crate) fn resource(process: Process, more: impl IntoIterator<Item = KeyValue>) -> Resource {
    Resource::builder_empty()
        .with_service_name(format!("bifrost-{}", process.text()))
        .with_attribute(KeyValue::new("service.version", build_info::version()))
        .with_attribute(KeyValue::new("vcs.ref.head.revision", build_info::commit()))
        .with_attributes(more)
        .build()
}
