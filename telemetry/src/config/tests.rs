//! What holds of configurations, and what their refusals say.

use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Sample {
    name: String,
    limit: Limit,
}

#[derive(Debug, Clone, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Limit {
    requests_max: u32,
    #[serde(with = "super::duration")]
    retry_after: Duration,
    #[serde(with = "super::duration::option")]
    patience: Option<Duration>,
    token: Secret,
}

impl Default for Sample {
    fn default() -> Self {
        Self { name: "sample".to_owned(), limit: Limit::default() }
    }
}

impl Default for Limit {
    fn default() -> Self {
        let retry_after = Duration::from_secs(1);
        Self { requests_max: 10, retry_after, patience: None, token: Secret::default() }
    }
}

#[test]
fn nothing_given_is_the_default() {
    let loaded: Sample = load_with(None, [], &[]).expect("loads");
    assert_eq!(loaded, Sample::default());
}

#[test]
fn file_of_comments_is_the_default() {
    let file = file("# nothing\n");
    let loaded: Sample = load_with(Some(file.path()), [], &[]).expect("loads");
    assert_eq!(loaded, Sample::default());
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = file("name: file\nlimit: {requests_max: 1, retry_after: 2s}\n");
    let variables =
        [variable("BIFROST_LIMIT__REQUESTS_MAX", "2"), variable("BIFROST_LIMIT__PATIENCE", "1m")];
    let sets = ["limit.requests_max=3".to_owned()];
    let loaded: Sample = load_with(Some(file.path()), variables, &sets).expect("loads");
    assert_eq!(loaded.name, "file");
    assert_eq!(loaded.limit.requests_max, 3);
    assert_eq!(loaded.limit.retry_after, Duration::from_secs(2));
    assert_eq!(loaded.limit.patience, Some(Duration::from_secs(60)));
}

#[test]
fn unknown_key_in_the_file_is_named_with_its_place() {
    let file = file("limit:\n  request_max: 1\n");
    let message = refusal(Some(file.path()), [], &[]);
    assert!(message.contains(&file.path().display().to_string()), "{message}");
    assert!(message.contains("limit: unknown field `request_max`"), "{message}");
    assert!(message.contains("requests_max") && message.contains("line 2"), "{message}");
}

#[test]
fn wrong_value_in_a_variable_names_the_variable_and_the_key() {
    let variables = [variable("BIFROST_LIMIT__REQUESTS_MAX", "many")];
    let message = refusal(None, variables, &[]);
    assert!(message.starts_with("variable BIFROST_LIMIT__REQUESTS_MAX: "), "{message}");
    assert!(message.contains("limit.requests_max"), "{message}");
    assert!(!message.contains("at line"), "{message}");
}

#[test]
fn unknown_key_in_a_flag_names_the_flag() {
    let message = refusal(None, [], &["limit.burst=1".to_owned()]);
    assert!(message.starts_with("--set limit.burst: "), "{message}");
    assert!(message.contains("unknown field `burst`"), "{message}");
}

#[test]
fn text_keys_take_their_values_as_they_are_written() {
    for text in ["s3cret #1", "0x1F", "123456789012345678901234567890", "~", "1.50", "yes"] {
        let variables =
            [variable("BIFROST_NAME", "none of ours"), variable("BIFROST_LIMIT__TOKEN", text)];
        let loaded: Sample = load_with(None, variables, &[]).expect("loads");
        assert_eq!(loaded.limit.token.expose(), text);
    }
    let loaded: Sample =
        load_with(None, [], &["limit.token=\"quoted \\\" #\"".to_owned()]).expect("loads");
    assert_eq!(loaded.limit.token.expose(), "quoted \" #");
    let loaded: Sample =
        load_with(None, [], &["limit.requests_max= 0x1F".to_owned()]).expect("a number as YAML");
    assert_eq!(loaded.limit.requests_max, 31);
}

#[test]
fn secret_without_a_value_is_none() {
    let variables = [variable("BIFROST_LIMIT__TOKEN", "")];
    let loaded: Sample = load_with(None, variables, &[]).expect("loads");
    assert!(loaded.limit.token.is_empty());
    let file = file("limit:\n  token:\n");
    let sets = ["limit.requests_max=3".to_owned()];
    let loaded: Sample = load_with(Some(file.path()), [], &sets).expect("loads");
    assert!(loaded.limit.token.is_empty());
}

#[test]
fn malformed_flags_are_refused() {
    assert!(refusal(None, [], &["limit".to_owned()]).contains("section.key=value"));
    assert!(refusal(None, [], &["limit..x=1".to_owned()]).contains("empty key"));
    assert!(refusal(None, [], &["name.x=1".to_owned(), "name.x.y=2".to_owned()]).contains("name"));
    assert!(refusal(None, [], &["name=[".to_owned()]).contains("no YAML"));
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables = [
        variable("BIFROST_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        variable("BIFROST_NODE", "http://127.0.0.1:9180"),
        variable("PATH", "/bin"),
    ];
    let loaded: Sample = load_with(None, variables, &[]).expect("loads");
    assert_eq!(loaded, Sample::default());
}

#[test]
fn duration_without_unit_is_refused_with_an_example() {
    let message = refusal(None, [], &["limit.retry_after=30".to_owned()]);
    assert!(message.contains("limit.retry_after") && message.contains("such as 30s"), "{message}");
    let loaded: Sample =
        load_with(None, [], &["limit.retry_after=0".to_owned()]).expect("zero has no unit");
    assert_eq!(loaded.limit.retry_after, Duration::ZERO);
}

#[test]
fn printed_configuration_loads_as_the_same() {
    let mut sample = Sample::default();
    sample.limit.retry_after = Duration::from_millis(1500);
    sample.limit.patience = Some(Duration::from_secs(5400));
    let file = file(&to_yaml(&sample));
    let loaded: Sample = load_with(Some(file.path()), [], &[]).expect("loads");
    assert_eq!(loaded, sample);
}

#[test]
fn secrets_are_never_printed_and_their_stand_in_is_refused() {
    let mut sample = Sample::default();
    sample.limit.token = Secret::new("swordfish");
    let yaml = to_yaml(&sample);
    assert!(yaml.contains("token: REDACTED"), "{yaml}");
    assert!(!format!("{sample:?}{yaml}").contains("swordfish"));
    let file = file(&yaml);
    assert!(refusal(Some(file.path()), [], &[]).contains("write the secret itself"));
}

#[test]
fn secret_matches_only_itself() {
    let secret = Secret::new("swordfish");
    assert!(secret.matches(b"swordfish"));
    for wrong in ["", "s", "swordfis", "swordfishs", "swordfishswordfish", "Swordfish"] {
        assert!(!secret.matches(wrong.as_bytes()), "{wrong}");
    }
    assert!(!Secret::default().matches(b""), "no secret lets nobody in");
}

#[test]
fn missing_file_is_named() {
    let message = refusal(Some(Path::new("/nonexistent/bifrost.yaml")), [], &[]);
    assert!(
        message.contains("/nonexistent/bifrost.yaml") && message.contains("--config"),
        "{message}"
    );
}

fn refusal<const N: usize>(
    file: Option<&Path>,
    variables: [(String, String); N],
    sets: &[String],
) -> String {
    load_with::<Sample>(file, variables, sets).expect_err("is refused").to_string()
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}
