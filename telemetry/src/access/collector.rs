//! Sends records to a collector by OTLP over HTTP.
//!
//! It has a queue and a thread of its own: a collector that is slow or gone costs records there, and
//! neither requests nor the file beside it. What is sent is the record without its clear text, because
//! nobody here can delete it there after a day.

use std::io;
use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_otlp::{LogExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::logs::LogExporter as _;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use super::{AccessError, Config};
use crate::Process;
use crate::trace::resource;

/// What every record is an event of.
const EVENT: &str = "bifrost.access";
/// Most records of one request to the collector.
pub(super) const BATCH_MAX: u64 = 512;
/// Longest time of one such request: within that of a process' last steps.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A collector, from the writer's thread.
pub(super) struct Collector {
    exporter: LogExporter,
    logger: SdkLogger,
    scope: InstrumentationScope,
    runtime: Handle,
}

impl Collector {
    /// Makes the exporter; nothing is connected yet.
    ///
    /// # Errors
    /// [`AccessError::Runtime`] outside of a tokio runtime, [`AccessError::Exporter`].
    pub(super) fn new(
        endpoint: &str,
        config: &Config,
        process: Process,
    ) -> Result<Self, AccessError> {
        let runtime = Handle::try_current().map_err(AccessError::Runtime)?;
        let mut exporter = LogExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_timeout(TIMEOUT)
            .with_retry_policy(opentelemetry_otlp::RetryPolicy::disabled())
            .build()
            .map_err(AccessError::Exporter)?;
        exporter.set_resource(&resource(
            process,
            [
                KeyValue::new("deployment.environment.name", config.env.clone()),
                KeyValue::new("service.instance.id", config.name_of(process).to_owned()),
            ],
        ));
        let scope = InstrumentationScope::builder("bifrost").build();
        // The provider only makes records: it has nothing to give them to.
        let logger = SdkLoggerProvider::builder().build().logger_with_scope(scope.clone());
        Ok(Self { exporter, logger, scope, runtime })
    }

    /// Sends whole lines as one request and waits for its answer.
    ///
    /// # Errors
    /// What the collector said, or that it did not in time.
    pub(super) fn send(&self, lines: &[u8]) -> io::Result<()> {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let fields = lines.map(serde_json::from_slice::<Map<String, Value>>);
        let records = fields
            .map(|fields| Ok(self.record(fields?)))
            .collect::<Result<Vec<SdkLogRecord>, serde_json::Error>>()?;
        let batch: Vec<_> = records.iter().map(|record| (record, &self.scope)).collect();
        let sent = self.exporter.export(LogBatch::new(&batch));
        let within = async { tokio::time::timeout(TIMEOUT, sent).await };
        match self.runtime.block_on(within) {
            Ok(sent) => sent.map_err(io::Error::other),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn record(&self, mut fields: Map<String, Value>) -> SdkLogRecord {
        let mut record = self.logger.create_log_record();
        record.set_event_name(EVENT);
        let time = fields.remove("ts");
        if let Some(Ok(time)) = time.as_ref().and_then(Value::as_str).map(humantime::parse_rfc3339)
        {
            record.set_timestamp(time);
            record.set_observed_timestamp(time);
        }
        let failed = fields.get("status").and_then(Value::as_u64).is_some_and(|code| code >= 500);
        record.set_severity_number(if failed { Severity::Error } else { Severity::Info });
        let trace = fields.remove("trace_id");
        if let Some(Ok(trace)) = trace.as_ref().and_then(Value::as_str).map(TraceId::from_hex) {
            record.set_trace_context(trace, SpanId::INVALID, None);
        }
        record.add_attributes(fields.into_iter().map(|(name, value)| (name, attribute(value))));
        record
    }
}

fn attribute(value: Value) -> AnyValue {
    let whole = value.as_i64().map(AnyValue::Int);
    let number = || value.as_f64().map(AnyValue::Double);
    if let Some(number) = whole.or_else(number) {
        return number;
    }
    match value {
        Value::Bool(value) => AnyValue::Boolean(value),
        Value::String(text) => AnyValue::String(text.into()),
        value @ (Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            AnyValue::String(value.to_string().into())
        }
    }
}
