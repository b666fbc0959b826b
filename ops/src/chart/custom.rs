//! Kinds that Kubernetes itself does not know: what we write of them, and not a key more.
//!
//! Their schemas belong to operators of a cluster and are not at hand, so these types are narrower than
//! theirs: a key that is not here is a mistake, or has to be added here by somebody who looked it up.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::objects::Object;

type Texts = BTreeMap<String, String>;

/// Whether an object is of a kind that is checked here, and not by schemas of Kubernetes.
pub(super) fn is_custom(object: &Object) -> bool {
    let group = object.api.split('/').next().unwrap_or_default();
    group.contains('.') && !group.ends_with(".k8s.io") || group == "gateway.networking.k8s.io"
}

/// What is wrong with such an object.
///
/// # Errors
/// A sentence.
pub(super) fn check(object: &Object) -> Result<(), String> {
    let yaml = object.yaml();
    let wrong = |error: serde_yaml::Error| error.to_string();
    match (object.api.as_str(), object.kind.as_str()) {
        ("monitoring.coreos.com/v1", "PodMonitor") => {
            serde_yaml::from_str::<PodMonitor>(&yaml).map_err(wrong)?.check()
        }
        ("monitoring.coreos.com/v1", "PrometheusRule") => {
            serde_yaml::from_str::<PrometheusRule>(&yaml).map_err(wrong)?.check()
        }
        ("gateway.networking.k8s.io/v1", "HTTPRoute") => {
            serde_yaml::from_str::<HttpRoute>(&yaml).map_err(wrong)?.check()
        }
        (api, kind) => {
            Err(format!("nothing here knows {kind} of {api}: add it to the custom kinds"))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(rename = "name")]
    _name: IgnoredAny,
    #[serde(rename = "labels", default)]
    _labels: Texts,
    #[serde(rename = "annotations", default)]
    _annotations: Texts,
}

/// The head that every object has, and its own part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<S> {
    #[serde(rename = "apiVersion")]
    _api: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(rename = "metadata")]
    _metadata: Metadata,
    spec: S,
}

type PodMonitor = Whole<PodMonitorSpec>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitorSpec {
    selector: Selector,
    pod_metrics_endpoints: Vec<MetricsEndpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetricsEndpoint {
    port: String,
    path: String,
    #[serde(rename = "interval")]
    _interval: String,
    authorization: Authorization,
    relabelings: Vec<Relabeling>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    r#type: String,
    credentials: SecretKey,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretKey {
    name: String,
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Relabeling {
    #[serde(default)]
    source_labels: Vec<String>,
    target_label: String,
    replacement: Option<String>,
}

impl PodMonitor {
    fn check(&self) -> Result<(), String> {
        let PodMonitorSpec { selector, pod_metrics_endpoints } = &self.spec;
        if selector.match_labels.is_empty() || pod_metrics_endpoints.is_empty() {
            return Err("it chooses every pod, or scrapes none".to_owned());
        }
        for endpoint in pod_metrics_endpoints {
            let Authorization { r#type, credentials } = &endpoint.authorization;
            let has_token =
                r#type == "Bearer" && !credentials.name.is_empty() && !credentials.key.is_empty();
            if endpoint.port != "admin" || endpoint.path != "/metrics" || !has_token {
                return Err("it does not scrape /metrics of `admin` with the token".to_owned());
            }
            let targets: Vec<_> =
                endpoint.relabelings.iter().map(|label| label.target_label.as_str()).collect();
            if let Some(missing) =
                ["job", "env", "instance"].iter().find(|one| !targets.contains(one))
            {
                return Err(format!("rules and dashboards need the label {missing}"));
            }
            if let Some(label) = endpoint
                .relabelings
                .iter()
                .find(|label| label.replacement.is_none() == label.source_labels.is_empty())
            {
                return Err(format!("{} has two sources or none", label.target_label));
            }
        }
        Ok(())
    }
}

type PrometheusRule = Whole<Groups>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    #[serde(rename = "interval")]
    _interval: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    #[serde(rename = "expr")]
    _expr: String,
    #[serde(rename = "for")]
    _for: Option<String>,
    #[serde(rename = "labels", default)]
    _labels: Texts,
    #[serde(default)]
    annotations: Texts,
}

impl PrometheusRule {
    fn check(&self) -> Result<(), String> {
        let mut names = Vec::new();
        for group in &self.spec.groups {
            if names.contains(&&group.name) {
                return Err(format!("two groups have the name {}", group.name));
            }
            names.push(&group.name);
            for rule in &group.rules {
                if rule.record.is_some() == rule.alert.is_some() {
                    return Err(format!("a rule of {} is both or neither", group.name));
                }
                if let Some(alert) = &rule.alert
                    && !rule.annotations.contains_key("runbook_url")
                {
                    return Err(format!("the alert {alert} has no runbook_url"));
                }
            }
        }
        if names.is_empty() { Err("it has no groups".to_owned()) } else { Ok(()) }
    }
}

type HttpRoute = Whole<Route>;

/// Hosts that one route may have.
const HOSTS_MAX: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Route {
    parent_refs: Vec<Parent>,
    hostnames: Vec<String>,
    rules: Vec<RouteRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parent {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "namespace")]
    _namespace: Option<String>,
    #[serde(rename = "sectionName")]
    _section_name: Option<String>,
    #[serde(rename = "group")]
    _group: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "port")]
    _port: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RouteRule {
    matches: Vec<Match>,
    backend_refs: Vec<Backend>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    path: PathMatch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathMatch {
    r#type: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "port")]
    _port: u16,
}

impl HttpRoute {
    fn check(&self) -> Result<(), String> {
        let Route { parent_refs, hostnames, rules } = &self.spec;
        if parent_refs.is_empty() || hostnames.is_empty() || hostnames.len() > HOSTS_MAX {
            return Err(format!("it needs a parent, and 1 to {HOSTS_MAX} hosts"));
        }
        let is_whole = |one: &Match| one.path.r#type == "PathPrefix" && one.path.value == "/";
        let all = rules
            .iter()
            .all(|rule| !rule.backend_refs.is_empty() && rule.matches.iter().all(is_whole));
        if all && !rules.is_empty() {
            Ok(())
        } else {
            Err("it does not lead all paths on".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::objects::split;

    fn checked(text: &str) -> Result<(), String> {
        let object = split(text).expect("it is YAML").remove(0);
        assert!(is_custom(&object), "{text}");
        check(&object)
    }

    const MONITOR: &str = "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: a}\nspec:\n  \
        selector: {matchLabels: {a: b}}\n  podMetricsEndpoints:\n  - {port: admin, path: /metrics, interval: 15s, \
        authorization: {type: Bearer, credentials: {name: a, key: b}}, relabelings: [{targetLabel: job, \
        replacement: a}, {targetLabel: env, replacement: a}, {targetLabel: instance, sourceLabels: [a]}]}\n";

    #[test]
    fn keys_that_nobody_looked_up_are_refused() {
        assert_eq!(checked(MONITOR), Ok(()));
        for (right, wrong) in [
            ("interval:", "intervall:"),
            ("port: admin", "port: http"),
            ("targetLabel: env", "targetLabel: environment"),
            ("type: Bearer", "type: Basic"),
            ("{a: b}", "{}"),
        ] {
            assert!(checked(&MONITOR.replace(right, wrong)).is_err(), "{wrong}");
        }
        let other = checked("apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n");
        assert!(other.is_err_and(|said| said.contains("nothing here knows Thing")));
    }

    #[test]
    fn alerts_without_runbook_and_twofold_rules_are_refused() {
        let rule = |rule: &str| {
            checked(&format!(
                "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: a}}\nspec: \
                 {{groups: [{{name: a, rules: [{rule}]}}]}}\n"
            ))
        };
        assert_eq!(rule("{record: a, expr: up}"), Ok(()));
        assert_eq!(rule("{alert: a, expr: up, annotations: {runbook_url: /a}}"), Ok(()));
        assert!(rule("{alert: a, expr: up}").is_err());
        assert!(rule("{alert: a, record: a, expr: up}").is_err());
    }

    #[test]
    fn routes_lead_every_path_of_a_few_hosts() {
        let route = |hosts: &str, path: &str| {
            checked(&format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: a}}\nspec: \
                 {{parentRefs: [{{name: a}}], hostnames: [{hosts}], rules: [{{matches: [{{path: {{type: \
                 PathPrefix, value: {path}}}}}], backendRefs: [{{name: a, port: 80}}]}}]}}\n"
            ))
        };
        assert_eq!(route("a.example", "/"), Ok(()));
        assert!(route("a.example", "/ipfs").is_err());
        assert!(route(&["a.example"; 17].join(","), "/").is_err());
    }
}
