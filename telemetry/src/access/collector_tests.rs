//! What holds of records on their way to a collector.

use std::collections::BTreeMap;

use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

#[path = "../../tests/process/collector.rs"]
mod collector;

use self::collector::played_collector;
use super::privacy_tests::Asked;
use super::tests::{SOON, config, lines};
use super::*;
use crate::Tasks;

#[tokio::test(flavor = "multi_thread")]
async fn collector_gets_every_record_without_its_clear_text() {
    let folder = tempfile::tempdir().expect("folder");
    let (tasks, registry) = (Tasks::new(), Registry::new());
    let (endpoint, mut arrived) = played_collector(&tasks, "/v1/logs", StatusCode::OK).await;
    let config = config(&folder, |config| {
        config.collector = Some(endpoint);
        config.env = "staging".to_owned();
        config.flush_every = Duration::from_secs(60);
    });
    let log = AccessLog::start(&config, Process::Gateway, &registry).expect("starts");
    Asked::of(Detail::Sampled, "one").record(&log);
    Asked::of(Detail::Clear, "two").record(&log);
    assert!(closed(log).await);

    let request = arrived.recv().await.expect("one request");
    let sent = &ExportLogsServiceRequest::decode(request).expect("a request of OTLP").resource_logs;
    let about = texts(&sent[0].resource.as_ref().expect("a resource").attributes);
    assert_eq!(about["service.name"], "bifrost-gateway");
    assert_eq!(about["deployment.environment.name"], "staging");
    assert_eq!(about["service.instance.id"], "gateway");
    let records = &sent[0].scope_logs[0].log_records;
    assert_eq!(records.len(), 2);
    for (record, id) in records.iter().zip(["one", "two"]) {
        assert_eq!(record.event_name, "bifrost.access");
        assert!(record.time_unix_nano > 0 && record.trace_id.len() == 16);
        let fields = texts(&record.attributes);
        assert_eq!((fields["req_id"].as_str(), fields["outcome"].as_str()), (id, "ok"));
        assert!(!fields.contains_key("root_cid") && !fields.contains_key("path"), "{fields:?}");
        let number = |name: &str| {
            let field = record.attributes.iter().find(|field| field.key == name);
            field.and_then(|field| field.value.as_ref()).and_then(|value| value.value.clone())
        };
        assert_eq!(number("status"), Some(Value::IntValue(200)));
        assert_eq!(number("total_ms"), Some(Value::DoubleValue(2.5)));
    }
    assert_eq!(lines(&folder, "access.log.clear").len(), 1, "the file has the clear text");
    let text = registry.text();
    assert!(text.contains("bifrost_telemetry_access_dropped_lines_total 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_are_sent_in_parts() {
    let folder = tempfile::tempdir().expect("folder");
    let tasks = Tasks::new();
    let (endpoint, mut arrived) = played_collector(&tasks, "/v1/logs", StatusCode::OK).await;
    let config = config(&folder, |config| {
        config.collector = Some(endpoint);
        config.to = Destination::Off;
        config.flush_every = Duration::from_secs(60);
    });
    let log = AccessLog::start(&config, Process::Node, &Registry::new()).expect("starts");
    for _ in 0..1_100 {
        Asked::of(Detail::Whole, "one").record(&log);
    }
    assert!(closed(log).await);
    let mut parts = Vec::new();
    for _ in 0..3 {
        let request = arrived.recv().await.expect("a request");
        let sent = ExportLogsServiceRequest::decode(request).expect("a request of OTLP");
        parts.push(sent.resource_logs[0].scope_logs[0].log_records.len());
    }
    assert_eq!(parts, [512, 512, 76]);
    assert!(!folder.path().join("access.log").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_that_refuses_costs_its_records_and_none_of_the_file() {
    let folder = tempfile::tempdir().expect("folder");
    let (tasks, registry) = (Tasks::new(), Registry::new());
    let (endpoint, _arrived) =
        played_collector(&tasks, "/v1/logs", StatusCode::SERVICE_UNAVAILABLE).await;
    let config = config(&folder, |config| config.collector = Some(endpoint));
    let log = AccessLog::start(&config, Process::Gateway, &registry).expect("starts");
    Asked::of(Detail::Whole, "one").record(&log);
    assert!(closed(log).await);
    assert_eq!(lines(&folder, "access.log").len(), 1);
    let text = registry.text();
    assert!(text.contains("bifrost_telemetry_access_dropped_lines_total 1"), "{text}");
    assert!(text.contains("bifrost_telemetry_access_lines_total 1"), "{text}");
}

#[test]
fn collector_that_is_no_url_is_refused_with_what_to_write() {
    let config = Config { collector: Some("collector:4318".to_owned()), ..Config::default() };
    let error = config.check().expect_err("it is no URL").to_string();
    assert!(error.contains("access.collector") && error.contains("http://"), "{error}");
}

/// Closes it from a thread that may wait.
async fn closed(log: AccessLog) -> bool {
    tokio::task::spawn_blocking(move || log.close(SOON)).await.expect("it closes")
}

fn texts(fields: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |value: &Option<AnyValue>| {
        let Value::StringValue(text) = value.as_ref()?.value.as_ref()? else { return None };
        Some(text.clone())
    };
    fields.iter().filter_map(|field| Some((field.key.as_str(), text(&field.value)?))).collect()
}
