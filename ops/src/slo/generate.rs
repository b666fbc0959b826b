//! Writes what is made of the objectives, or says where it differs from what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::findings::Finding;

use super::causes::{self, Causes};
use super::fixtures::{self, Tests};
use super::model::{self, Service};
use super::rules::{self, Group, Groups, INTERVAL, Making};

/// The first line of every file that is made; only files that begin so are ever removed.
const MARK: &str = "# Made by `bifrost slo generate`: change the files it is made from.\n";

/// All that is read from a folder of objectives.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The objectives.
    pub(crate) services: Vec<Service>,
    /// The alerts by cause, when there is a file of them.
    pub(crate) causes: Option<Causes>,
}

/// Reads a folder.
///
/// # Errors
/// When it cannot be read. What is wrong in it are findings.
pub(crate) fn read(folder: &Path) -> std::io::Result<Result<Sources, Vec<Finding>>> {
    let (services, mut findings) = model::folder(folder)?;
    let path = folder.join("alerts.yaml");
    let causes = match std::fs::read_to_string(&path) {
        Ok(text) => match causes::read(&path, &text) {
            Ok(causes) => Some(causes),
            Err(found) => {
                findings.extend(found);
                None
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(if findings.is_empty() { Ok(Sources { services, causes }) } else { Err(findings) })
}

impl Sources {
    /// How rules are made, with runbooks where the caller or else the file of causes says.
    pub(crate) fn making(&self, runbooks: Option<&str>) -> Making {
        let said = self.causes.as_ref().map(|causes| causes.runbooks.as_str());
        let runbooks = runbooks.or(said).unwrap_or("/runbooks").to_owned();
        Making { runbooks, interval: INTERVAL }
    }

    /// The groups of a service.
    pub(crate) fn groups(service: &Service, making: &Making) -> Vec<Group> {
        service.slos.iter().flat_map(|slo| rules::groups(slo, making)).collect()
    }

    /// The files by their names within the folder of what is made.
    pub(crate) fn files(&self, making: &Making) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut all = Vec::new();
        let causes = self.causes.as_ref();
        for service in &self.services {
            let groups = Self::groups(service, making);
            all.extend(groups.clone());
            let name = &service.name;
            files.insert(format!("{name}.rules.yaml").into(), text(&Groups { groups }));
            let tests: Vec<_> = service.slos.iter().flat_map(fixtures::cases).collect();
            if !tests.is_empty() && causes.is_some() {
                let rules = [format!("../{name}.rules.yaml"), "../causes.rules.yaml".to_owned()];
                files.insert(format!("tests/{name}.yaml").into(), text(&of(rules.into(), tests)));
            }
        }
        if let Some(causes) = causes {
            let group = causes::group(causes, &self.services, making);
            all.push(group.clone());
            files.insert("causes.rules.yaml".into(), text(&Groups { groups: vec![group] }));
            let tests = of(vec!["../causes.rules.yaml".into()], fixtures::causes(causes));
            files.insert("tests/causes.yaml".into(), text(&tests));
        }
        files.insert("prometheus-rule.yaml".into(), text(&resource(&all)));
        files
    }
}

fn of(rule_files: Vec<String>, tests: Vec<fixtures::Test>) -> Tests {
    Tests { rule_files, evaluation_interval: format!("{INTERVAL}s"), tests }
}

/// The same groups for the operator of Prometheus on Kubernetes.
fn resource(groups: &[Group]) -> impl Serialize {
    serde_json::json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "bifrost-slo",
            "labels": {
                "app.kubernetes.io/name": "bifrost",
                "app.kubernetes.io/component": "slo",
            },
        },
        "spec": {"groups": groups},
    })
}

/// A document with the mark, in a form that is the same every time.
pub(crate) fn text(document: &impl Serialize) -> String {
    let text = serde_yaml::to_string(document).expect("rules are plain texts and lists");
    format!("{MARK}{text}")
}

/// Writes what is made, and removes what was made and is not any more.
///
/// # Errors
/// When a file cannot be written or removed.
pub(crate) fn write(files: &BTreeMap<PathBuf, String>, out: &Path) -> std::io::Result<usize> {
    let mut changed = 0;
    for (name, text) in files {
        let path = out.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        std::fs::create_dir_all(path.parent().unwrap_or(out))?;
        std::fs::write(&path, text)?;
        changed += 1;
    }
    for path in left_over(files, out)? {
        std::fs::remove_file(path)?;
        changed += 1;
    }
    Ok(changed)
}

/// Where what is there differs from what would be made.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn drift(
    files: &BTreeMap<PathBuf, String>,
    out: &Path,
) -> std::io::Result<Vec<Finding>> {
    const DO: &str = "run `bifrost slo generate`";
    let mut findings = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        match std::fs::read_to_string(&path) {
            Ok(there) if there == *text => {}
            Ok(there) => {
                let differs = there.lines().zip(text.lines()).position(|(one, other)| one != other);
                let shorter = there.lines().count().min(text.lines().count());
                let line = differs.unwrap_or(shorter) + 1;
                findings.push(Finding::at(path, line, "drift", format!("it is out of date: {DO}")));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                findings.push(Finding::at(path, 0, "drift", format!("it is missing: {DO}")));
            }
            Err(error) => return Err(error),
        }
    }
    let left = left_over(files, out)?;
    let stale = |path| Finding::at(path, 0, "drift", format!("nothing makes it any more: {DO}"));
    findings.extend(left.into_iter().map(stale));
    Ok(findings)
}

/// Files that were made, and are not any more.
fn left_over(files: &BTreeMap<PathBuf, String>, out: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for folder in ["", "tests"] {
        let listing = match std::fs::read_dir(out.join(folder)) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in listing {
            let entry = entry?;
            let name = Path::new(folder).join(entry.file_name());
            let ours =
                || std::fs::read_to_string(entry.path()).is_ok_and(|it| it.starts_with(MARK));
            if !files.contains_key(&name) && entry.path().is_file() && ours() {
                left.push(entry.path());
            }
        }
    }
    left.sort();
    Ok(left)
}

#[cfg(test)]
mod tests;
