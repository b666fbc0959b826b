//! What of a release cannot be changed by the next one: Kubernetes refuses it, or forgets a volume.
//!
//! `ci/previous` holds these fields of the release before; a difference means that operators have to delete
//! and make anew, which the changelog has to tell them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::{Mapping, Value};

use super::objects::Object;
use super::{ChartError, about};
use crate::findings::Finding;
use crate::whole::{read, write};

/// The sets whose fields are kept.
pub(super) const SETS: [&str; 5] =
    ["default", "production-staging", "two-groups", "profiles-nightly", "families"];

/// Fields that cannot be changed, by kind.
const FIXED: [(&str, &[&str]); 5] = [
    ("Deployment", &["spec.selector"]),
    (
        "StatefulSet",
        &[
            "spec.selector",
            "spec.serviceName",
            "spec.podManagementPolicy",
            "spec.volumeClaimTemplates",
        ],
    ),
    ("Service", &["spec.clusterIP", "spec.ipFamilies"]),
    ("PersistentVolumeClaim", &["spec.accessModes", "spec.storageClassName", "spec.volumeName"]),
    ("CronJob", &[]),
];
/// Kinds whose loss loses data, or the way to it.
const KEPT: [&str; 2] = ["StatefulSet", "PersistentVolumeClaim"];

/// Fields by object.
type Fields = BTreeMap<String, BTreeMap<String, Value>>;

/// The fields of what was rendered that cannot be changed.
fn fields(objects: &[Object]) -> Fields {
    let of = |object: &Object| {
        let (_, fixed) = FIXED.iter().find(|(kind, _)| *kind == object.kind)?;
        let field = |path: &&str| Some(((*path).to_owned(), object.at(path)?.clone()));
        Some((object.title(), fixed.iter().filter_map(field).collect()))
    };
    objects.iter().filter_map(of).collect()
}

/// Keeps what cannot be changed of a release, for the one after it.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn keep(folder: &Path, rendered: &[(String, Vec<Object>)]) -> Result<(), ChartError> {
    for (name, objects) in rendered.iter().filter(|(name, _)| SETS.contains(&name.as_str())) {
        let text = serde_yaml::to_string(&fields(objects)).expect("it was YAML");
        write(&folder.join(format!("{name}.yaml")), &text)?;
    }
    Ok(())
}

/// What an operator could not upgrade to.
///
/// # Errors
/// [`ChartError::File`].
pub(super) fn check(
    folder: &Path,
    rendered: &[(String, Vec<Object>)],
) -> Result<Vec<Finding>, ChartError> {
    let mut found = Vec::new();
    for (name, objects) in rendered.iter().filter(|(name, _)| SETS.contains(&name.as_str())) {
        let path = folder.join(format!("{name}.yaml"));
        match serde_yaml::from_str(&read(&path)?) {
            Ok(before) => {
                let said = differences(&before, &fields(objects));
                found.extend(said.into_iter().map(|text| about(&path, "upgrade", text)));
            }
            Err(error) => found.push(about(&path, "malformed", error.to_string())),
        }
    }
    Ok(found)
}

fn differences(before: &Fields, after: &Fields) -> Vec<String> {
    let mut said = Vec::new();
    for (object, fields) in before {
        let Some(there) = after.get(object) else {
            if KEPT.iter().any(|kind| object.starts_with(&format!("{kind} "))) {
                said.push(format!(
                    "{object} is gone: an upgrade would leave its volumes to nobody"
                ));
            }
            continue;
        };
        let nothing = Value::Mapping(Mapping::new());
        for path in fields.keys().chain(there.keys().filter(|path| !fields.contains_key(*path))) {
            let one = fields.get(path).unwrap_or(&nothing);
            let other = there.get(path).unwrap_or(&nothing);
            // Another family may be added behind the first one.
            let is_same = match path.as_str() {
                "spec.ipFamilies" => one.get(0) == other.get(0),
                _ => one == other,
            };
            if !is_same {
                said.push(format!("{object}: {path} cannot be changed by an upgrade"));
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::objects::split;

    const BEFORE: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: node}
spec:
  replicas: 2
  serviceName: node
  podManagementPolicy: Parallel
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: v1
kind: Service
metadata: {name: node}
spec: {clusterIP: None, ipFamilies: [IPv4]}
";

    fn after(right: &str, wrong: &str) -> Vec<String> {
        let of = |text: &str| fields(&split(text).expect("it is YAML"));
        assert!(BEFORE.contains(right), "{right}");
        differences(&of(BEFORE), &of(&BEFORE.replace(right, wrong)))
    }

    #[test]
    fn fields_that_cannot_be_changed_are_found() {
        for (right, wrong) in [
            ("serviceName: node", "serviceName: nodes"),
            ("Parallel", "OrderedReady"),
            ("matchLabels: {a: b}", "matchLabels: {a: c}"),
            ("storage: 1Gi", "storage: 2Gi"),
            ("clusterIP: None, ", ""),
            ("[IPv4]", "[IPv6, IPv4]"),
            ("kind: StatefulSet\nmetadata: {name: node}", "kind: StatefulSet\nmetadata: {name: n}"),
        ] {
            assert_eq!(after(right, wrong).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn what_may_be_changed_is_not_found() {
        for (right, wrong) in [
            ("replicas: 2", "replicas: 3"),
            ("labels: {a: b}}", "labels: {a: b, c: d}}"),
            ("[IPv4]", "[IPv4, IPv6]"),
        ] {
            assert_eq!(after(right, wrong), Vec::<String>::new(), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_is_what_is_compared() {
        let folder = tempfile::tempdir().expect("a folder");
        let objects = split(BEFORE).expect("it is YAML");
        let rendered: Vec<_> =
            SETS.iter().map(|name| ((*name).to_owned(), objects.clone())).collect();
        keep(folder.path(), &rendered).expect("written");
        assert_eq!(check(folder.path(), &rendered).expect("read"), []);
    }
}
