//! What has to hold in every set of values, whatever it says: who may reach what, and under which rights.
//!
//! These are rules of ours that no schema has; each finding names the object that breaks one.

use std::path::Path;

use serde_yaml::Value;

use super::objects::{Object, at, items};

/// Jobs by which rules and dashboards, and the report of profiles, know processes.
const JOBS: [&str; 6] = ["gateway", "node", "staging-gateway", "staging-node", "probe", "profiles"];
/// Labels that every object has.
const LABELS: [&str; 6] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
];
/// Longest name that DNS takes.
const NAME_MAX: usize = 63;
/// Longest name of a StatefulSet: its pods have a label that begins with it.
const STATEFUL_MAX: usize = 52;
/// Seconds of a pod's grace beyond its drain: ends of tasks, logs and stores.
const BEYOND_DRAIN: u64 = 20;

/// What breaks a rule, by object.
pub(super) fn judge(objects: &[Object]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for object in objects {
        let mut say = |text: String| found.push((object.title(), text));
        names(object, &mut say);
        if let Some(pod) = object.pod() {
            restricted(pod, &mut say);
            command(pod, &mut say);
            named(pod, objects, &mut say);
            grace(object, pod, objects, &mut say);
        }
        match object.kind.as_str() {
            "Service" => service(object, objects, &mut say),
            "Secret" => say("secrets are made by operators, never by the chart".to_owned()),
            "ConfigMap" => secrets(object, &mut say),
            "PodMonitor" => jobs(object, &mut say),
            _ => {}
        }
        chosen(object, objects, &mut say);
    }
    found
}

fn names(object: &Object, say: &mut dyn FnMut(String)) {
    let longest = if object.kind == "StatefulSet" { STATEFUL_MAX } else { NAME_MAX };
    if object.name.len() > longest {
        say(format!("its name has {} letters, more than {longest}", object.name.len()));
    }
    let labels = at(&object.value, "metadata.labels");
    for label in LABELS {
        if labels.and_then(|labels| labels.get(label)).is_none() {
            say(format!("it lacks the label {label}"));
        }
    }
}

/// The restricted profile of pod security, and no more of the cluster than that.
fn restricted(template: &Value, say: &mut dyn FnMut(String)) {
    let spec = at(template, "spec").cloned().unwrap_or_default();
    let yes = |path: &str| at(&spec, path).and_then(Value::as_bool) == Some(true);
    let no = |path: &str| at(&spec, path).and_then(Value::as_bool) == Some(false);
    let seccomp = at(&spec, "securityContext.seccompProfile.type").and_then(Value::as_str);
    if !yes("securityContext.runAsNonRoot") || seccomp != Some("RuntimeDefault") {
        say("its pods may be root, or make any system call".to_owned());
    }
    if !no("automountServiceAccountToken") || !no("enableServiceLinks") {
        say("its pods get a token of the cluster, or variables of its Services".to_owned());
    }
    if ["hostNetwork", "hostPID", "hostIPC"].iter().any(|key| spec.get(*key).is_some()) {
        say("its pods share the machine's network or processes".to_owned());
    }
    for container in items(&spec, "containers") {
        let yes = |path: &str| at(container, path).and_then(Value::as_bool) == Some(true);
        let no = |path: &str| at(container, path).and_then(Value::as_bool) == Some(false);
        let dropped = items(container, "securityContext.capabilities.drop");
        if !yes("securityContext.readOnlyRootFilesystem")
            || !no("securityContext.allowPrivilegeEscalation")
            || !dropped.iter().any(|one| one.as_str() == Some("ALL"))
        {
            say("its container can write to its image, or gain rights".to_owned());
        }
        if at(container, "resources.requests").is_none() {
            say("its container asks for no room".to_owned());
        }
        let image = at(container, "image").and_then(Value::as_str).unwrap_or_default();
        let last = image.rsplit('/').next().unwrap_or_default();
        if !last.contains([':', '@']) || last.ends_with(':') || last.ends_with(":latest") {
            say(format!("its image {image} is another one tomorrow"));
        }
    }
    for volume in items(&spec, "volumes") {
        if volume.get("hostPath").is_some() {
            say("it has a folder of the machine".to_owned());
        }
    }
}

/// What is started has to take the words that it is started with.
fn command(pod: &Value, say: &mut dyn FnMut(String)) {
    for container in items(pod, "spec.containers") {
        let program = items(container, "command").first().and_then(Value::as_str);
        let words = items(container, "args").iter().map(|word| word.as_str().unwrap_or_default());
        let words: Vec<&str> = words.collect();
        match program {
            Some("/usr/bin/bifrost") => {
                if let Err(said) = crate::takes(&[&["bifrost"][..], &words].concat()) {
                    say(format!("bifrost refuses its arguments: {said}"));
                }
            }
            Some("/usr/bin/bifrost-gateway" | "/usr/bin/bifrost-node") => {
                let is_there = words.get(1).is_some_and(|file| is_mounted(container, file));
                if words.first() != Some(&"--config") || !is_there {
                    say("it is not started with a configuration that is mounted".to_owned());
                }
            }
            Some(_) | None => say(format!("nothing here is called {program:?}")),
        }
    }
}

fn is_mounted(container: &Value, file: &str) -> bool {
    items(container, "volumeMounts").iter().any(|mount| {
        let path = at(mount, "mountPath").and_then(Value::as_str);
        path.is_some_and(|path| Path::new(file).starts_with(path))
    })
}

/// Files and folders that a gateway's configuration names, and that have to be there when it is read.
pub(super) fn files_of(config: &Value) -> Vec<(&'static str, &str)> {
    let hosts = items(config, "hosts.files").iter().map(|file| ("hosts.files", file));
    let pages = at(config, "pages.templates").map(|folder| ("pages.templates", folder));
    hosts.chain(pages).filter_map(|(key, path)| Some((key, path.as_str()?))).collect()
}

/// Who reads a gateway's configuration needs what it names, gateway or not.
fn named(pod: &Value, objects: &[Object], say: &mut dyn FnMut(String)) {
    let volumes = items(pod, "spec.volumes").iter();
    let sources = volumes.flat_map(|one| [one].into_iter().chain(items(one, "projected.sources")));
    for name in sources.filter_map(|one| at(one, "configMap.name")?.as_str()) {
        let mut maps = objects.iter().filter(|one| one.kind == "ConfigMap");
        let data = maps.find(|one| one.name == name).and_then(|map| map.at("data"));
        let text = data.and_then(|data| data.get("gateway.yaml")?.as_str()).unwrap_or_default();
        let config = serde_yaml::from_str::<Value>(text).unwrap_or_default();
        for (key, path) in files_of(&config) {
            if !items(pod, "spec.containers").iter().all(|one| is_mounted(one, path)) {
                say(format!("it reads {path} of {key}, which is not mounted"));
            }
        }
    }
}

/// A pod that is killed while it drains cuts answers.
fn grace(object: &Object, pod: &Value, objects: &[Object], say: &mut dyn FnMut(String)) {
    let config = objects.iter().find(|one| one.kind == "ConfigMap" && one.name == object.name);
    let file = config.and_then(|config| at(&config.value, "data")).and_then(Value::as_mapping);
    let text = file.and_then(|files| files.values().next()).and_then(Value::as_str);
    let Some(Ok(file)) = text.map(serde_yaml::from_str::<Value>) else { return };
    let seconds = |path: &str| {
        let text = at(&file, path).and_then(Value::as_str)?;
        humantime::parse_duration(text).ok().map(|time| time.as_secs())
    };
    let keys = ["server.drain_window", "server.drain_timeout", "drain.patience"];
    let drain: u64 = keys.into_iter().filter_map(seconds).sum();
    let grace = at(pod, "spec.terminationGracePeriodSeconds").and_then(Value::as_u64);
    if grace.unwrap_or_default() < drain + BEYOND_DRAIN {
        say(format!("its pods drain for {drain} s and are killed after {grace:?}"));
    }
}

fn service(object: &Object, objects: &[Object], say: &mut dyn FnMut(String)) {
    let is_inner = matches!(object.text_at("spec.type"), "" | "ClusterIP");
    for port in items(&object.value, "spec.ports") {
        let to = at(port, "targetPort").and_then(Value::as_str).unwrap_or_default();
        if !is_inner && !matches!(to, "http" | "p2p-tcp" | "p2p-quic") {
            say(format!("it shows the port {to} to others than this cluster"));
        }
        let is_open = |pod: &Value| {
            items(pod, "spec.containers")
                .iter()
                .flat_map(|container| items(container, "ports"))
                .any(|port| at(port, "name").and_then(Value::as_str) == Some(to))
        };
        let selector = object.at("spec.selector");
        let mut pods = objects.iter().filter_map(Object::pod).filter(|pod| has(pod, selector));
        if !pods.any(is_open) {
            say(format!("no pod that it chooses has the port {to}"));
        }
    }
}

/// Whether the labels of a pod's template hold all of a selector.
fn has(pod: &Value, selector: Option<&Value>) -> bool {
    let labels = at(pod, "metadata.labels");
    let Some(selector) = selector.and_then(Value::as_mapping) else { return false };
    selector.iter().all(|(key, value)| {
        // Kubernetes itself labels each pod of a StatefulSet with its name.
        key.as_str() == Some("statefulset.kubernetes.io/pod-name")
            || labels.and_then(|labels| labels.get(key)) == Some(value)
    })
}

/// What chooses pods has to choose some.
fn chosen(object: &Object, objects: &[Object], say: &mut dyn FnMut(String)) {
    let path = match object.kind.as_str() {
        "NetworkPolicy" => "spec.podSelector.matchLabels",
        "Deployment" | "StatefulSet" | "PodDisruptionBudget" | "PodMonitor" => {
            "spec.selector.matchLabels"
        }
        _ => return,
    };
    let selector = object.at(path);
    if !objects.iter().filter_map(Object::pod).any(|pod| has(pod, selector)) {
        say("it chooses no pod".to_owned());
    }
}

fn secrets(object: &Object, say: &mut dyn FnMut(String)) {
    let data = object.at("data").and_then(Value::as_mapping);
    for text in data.into_iter().flat_map(|data| data.values()).filter_map(Value::as_str) {
        let file = serde_yaml::from_str::<Value>(text).unwrap_or_default();
        if at(&file, "admin.token").is_some() {
            say("it has the token of the admin listener in clear text".to_owned());
        }
    }
}

fn jobs(object: &Object, say: &mut dyn FnMut(String)) {
    for endpoint in items(&object.value, "spec.podMetricsEndpoints") {
        for label in items(endpoint, "relabelings") {
            let text = |key: &str| at(label, key).and_then(Value::as_str).unwrap_or_default();
            if text("targetLabel") == "job" && !JOBS.contains(&text("replacement")) {
                say(format!("nothing knows a job {}", text("replacement")));
            }
        }
    }
}

#[cfg(test)]
mod tests;
