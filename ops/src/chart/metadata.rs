//! What the chart says of itself, in `Chart.yaml` and to Artifact Hub.
//!
//! Catalogues show these words as they are and drop what they do not understand without a word, so they are
//! read here as they read them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use telemetry::build_info;

use super::{ChartError, about};
use crate::findings::Finding;
use crate::whole::read;

/// What begins the keys of Artifact Hub.
const HUB: &str = "artifacthub.io/";
/// Its categories.
const CATEGORIES: [&str; 9] = [
    "ai-machine-learning",
    "database",
    "integration-delivery",
    "monitoring-logging",
    "networking",
    "security",
    "skip-prediction",
    "storage",
    "streaming-messaging",
];
/// Its kinds of changes.
const CHANGES: [&str; 6] = ["added", "changed", "deprecated", "removed", "fixed", "security"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Chart {
    api_version: String,
    name: String,
    description: String,
    r#type: String,
    version: String,
    app_version: String,
    kube_version: String,
    keywords: Vec<String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    kind: String,
    description: String,
}

/// What is wrong with `Chart.yaml`.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn check(chart: &Path) -> Result<Vec<Finding>, ChartError> {
    let path = chart.join("Chart.yaml");
    let said = match serde_yaml::from_str::<Chart>(&read(&path)?) {
        Ok(chart) => wrong(&chart),
        Err(error) => vec![error.to_string()],
    };
    Ok(said.into_iter().map(|text| about(&path, "chart", text)).collect())
}

fn wrong(chart: &Chart) -> Vec<String> {
    let mut said = Vec::new();
    let Chart { api_version, name, r#type, app_version, .. } = chart;
    if [&api_version[..], name, r#type] != ["v2", "bifrost", "application"] {
        said.push("it is no application bifrost of apiVersion v2".to_owned());
    }
    if app_version != build_info::version() {
        let ours = build_info::version();
        said.push(format!("appVersion is {app_version}, and this project is {ours}"));
    }
    let numbers: Vec<_> = chart.version.split('.').map(str::parse::<u32>).collect();
    if numbers.len() != 3 || numbers.iter().any(Result::is_err) {
        said.push(format!("version {} is none of three numbers", chart.version));
    }
    // Without the hyphen, versions of vendors such as 1.33.1-gke.2 would be refused.
    if !chart.kube_version.starts_with(">=") || !chart.kube_version.ends_with("-0") {
        said.push(format!("kubeVersion {} refuses clusters of vendors", chart.kube_version));
    }
    if chart.description.ends_with('.') || chart.keywords.is_empty() {
        said.push("it needs keywords, and a description without full stop".to_owned());
    }
    for (key, value) in &chart.annotations {
        let is_right = match key.strip_prefix(HUB) {
            Some("category") => CATEGORIES.contains(&value.as_str()),
            Some("license") => !value.is_empty(),
            Some("operator" | "prerelease") => matches!(value.as_str(), "true" | "false"),
            Some("changes") => changes(value),
            Some(_) | None => false,
        };
        if !is_right {
            said.push(format!("nobody reads {key}: {value:?}"));
        }
    }
    said
}

fn changes(text: &str) -> bool {
    let read: Result<Vec<Change>, _> = serde_yaml::from_str(text);
    let is_right =
        |one: &Change| CHANGES.contains(&one.kind.as_str()) && !one.description.is_empty();
    read.is_ok_and(|changes| !changes.is_empty() && changes.iter().all(is_right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole::write;

    fn checked(right: &str, wrong: &str) -> Vec<Finding> {
        let text = format!(
            "apiVersion: v2\nname: bifrost\ndescription: A fleet\ntype: application\nversion: 0.1.0\n\
             appVersion: {}\nkubeVersion: \">=1.30.0-0\"\nkeywords: [ipfs]\nannotations:\n  \
             artifacthub.io/category: networking\n  artifacthub.io/prerelease: \"true\"\n  \
             artifacthub.io/changes: |\n    - kind: added\n      description: Much\n",
            build_info::version()
        );
        assert!(text.contains(right), "{right}");
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("Chart.yaml"), text.replacen(right, wrong, 1)).expect("written");
        check(folder.path()).expect("it is read")
    }

    #[test]
    fn what_nobody_would_understand_is_found() {
        assert_eq!(checked("ipfs", "ipfs"), []);
        for (right, wrong) in [
            ("apiVersion: v2", "apiVersion: v1"),
            ("version: 0.1.0", "version: 0.1"),
            ("appVersion: ", "appVersion: 9"),
            (">=1.30.0-0", ">=1.30.0"),
            ("[ipfs]", "[]"),
            ("networking", "network"),
            ("\"true\"", "\"yes\""),
            ("kind: added", "kind: new"),
            ("artifacthub.io/prerelease", "artifacthub.io/preview"),
            ("name: bifrost", "name: bifrost\nicon: none"),
        ] {
            assert!(!checked(right, wrong).is_empty(), "{wrong}");
        }
    }
}
