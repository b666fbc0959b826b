//! What others say of what was rendered: the schemas of Kubernetes, our own binaries, promtool.
//!
//! Each object and file is shown once, however many sets have it, and a check that says nothing about an
//! object has not been made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml::Value;

use super::objects::{Object, at};
use super::{ChartError, about};
use super::{custom, judge};
use crate::findings::Finding;
use crate::inventory;
use crate::probe;
use crate::rota::Rota;
use crate::whole::{FileError, read, write};

/// How many processes validate at a time.
const VALIDATORS: usize = 2;
/// What is set for a binary that would get it in a pod.
const IN_A_POD: [(&str, &str); 2] =
    [("BIFROST_ADMIN__TOKEN", "token"), ("BIFROST_ACCESS__NAME", "bifrost-gateway-0")];

/// The programs.
#[derive(Debug)]
pub(super) struct Programs {
    /// `kubernetes-validate`.
    pub(super) validate: PathBuf,
    /// The versions of Kubernetes whose schemas are asked.
    pub(super) versions: Vec<String>,
    /// `promtool`.
    pub(super) promtool: PathBuf,
    /// The folder of our binaries.
    pub(super) bins: PathBuf,
}

/// Objects that differ, each with the set that has it first.
pub(super) fn unique(rendered: &[(String, Vec<Object>)]) -> Vec<(&str, &Object)> {
    let mut seen = BTreeMap::new();
    for (set, objects) in rendered {
        for object in objects {
            seen.entry(object.yaml()).or_insert((set.as_str(), object));
        }
    }
    seen.into_values().collect()
}

fn run(program: &Path, command: &mut Command, advice: &'static str) -> Result<Output, ChartError> {
    let program = program.to_path_buf();
    command.output().map_err(|source| ChartError::Program { program, source, advice })
}

impl Programs {
    /// Objects against the schemas of Kubernetes, and custom kinds against ours.
    ///
    /// # Errors
    /// [`ChartError::Program`], [`ChartError::File`], [`ChartError::Garbled`].
    pub(super) fn objects(
        &self,
        objects: &[(&str, &Object)],
        folder: &Path,
    ) -> Result<Vec<Finding>, ChartError> {
        let mut found = Vec::new();
        let mut files = Vec::new();
        for (index, (set, object)) in objects.iter().enumerate() {
            if custom::is_custom(object) {
                if let Err(said) = custom::check(object) {
                    let title = format!("{set}/{}", object.title());
                    found.push(about(Path::new(&title), "custom-kind", said));
                }
                continue;
            }
            // The file's name is what the validator says; the number keeps namesakes apart.
            let path = folder.join(format!("{set}-{index}.yaml"));
            write(&path, &object.text)?;
            files.push(path);
        }
        let share = files.len().div_ceil(VALIDATORS).max(1);
        let said: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> =
                files.chunks(share).map(|some| scope.spawn(move || self.validate(some))).collect();
            started.into_iter().map(|one| one.join().expect("it does not panic")).collect()
        });
        for said in said {
            found.extend(said?);
        }
        Ok(found)
    }

    fn validate(&self, files: &[PathBuf]) -> Result<Vec<Finding>, ChartError> {
        let mut command = Command::new(&self.validate);
        command.args(["--strict", "--quiet"]);
        for version in &self.versions {
            command.args(["--kubernetes-version", version]);
        }
        let advice = "name it with --validate, or install it: pip install kubernetes-validate";
        let said = run(&self.validate, command.args(files), advice)?;
        let text = [&said.stdout[..], &said.stderr[..]].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        // A kind without schema is only warned of, and was not checked.
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("ERROR ").or_else(|| line.strip_prefix("WARN ")));
        let found: Vec<Finding> = lines
            .map(|line| {
                let (path, said) = line.split_once(' ').unwrap_or((line, ""));
                let name = Path::new(path).file_name().unwrap_or_default();
                about(Path::new(name), "schema", said)
            })
            .collect();
        if said.status.success() || !found.is_empty() {
            return Ok(found);
        }
        Err(ChartError::Garbled { program: "kubernetes-validate", said: text })
    }

    /// Files of ConfigMaps against who reads them.
    ///
    /// # Errors
    /// [`ChartError::Program`], [`ChartError::File`].
    pub(super) fn configs(
        &self,
        objects: &[(&str, &Object)],
        folder: &Path,
    ) -> Result<Vec<Finding>, ChartError> {
        let mut found = Vec::new();
        for (set, object) in objects.iter().filter(|(_, object)| object.kind == "ConfigMap") {
            let data = object.at("data").and_then(Value::as_mapping);
            for (name, text) in data.into_iter().flatten() {
                let (name, text) = (name.as_str().unwrap_or_default(), text.as_str());
                let path = folder.join(name);
                write(&path, text.unwrap_or_default())?;
                if let Err(said) = self.config(name, &path)? {
                    let title = format!("{set}/{}/{name}", object.title());
                    found.push(about(Path::new(&title), "config", said));
                }
            }
        }
        Ok(found)
    }

    fn config(&self, name: &str, path: &Path) -> Result<Result<(), String>, ChartError> {
        let program = match name {
            "gateway.yaml" => self.bins.join("bifrost-gateway"),
            "node.yaml" => self.bins.join("bifrost-node"),
            "inventory.yaml" => return Ok(read_as(inventory::usable(path).map(drop))),
            "probe.yaml" => return Ok(read_as(probe::usable(path))),
            "rota.yaml" => return Ok(read_as(Rota::read(path).map(drop))),
            // Dashboards are JSON, which Grafana itself reads; what is in them has checks of its own.
            _ if name.ends_with(".json") => return Ok(json(path)),
            _ => return Ok(Err("nothing here reads such a file: add who does".to_owned())),
        };
        let advice = "build it first, or say where it is with --bins";
        let mut command = Command::new(&program);
        command.arg("--config").arg(path).arg("--check-config").envs(IN_A_POD);
        if name == "gateway.yaml" {
            command.args(elsewhere(path)?);
        }
        let said = run(&program, &mut command, advice)?;
        if said.status.success() {
            return Ok(Ok(()));
        }
        let text = String::from_utf8_lossy(&said.stderr);
        Ok(Err(text.trim().replace(&*path.to_string_lossy(), name)))
    }

    /// Rules against promtool.
    ///
    /// # Errors
    /// [`ChartError::Program`], [`ChartError::File`].
    pub(super) fn rules(
        &self,
        objects: &[(&str, &Object)],
        folder: &Path,
    ) -> Result<Vec<Finding>, ChartError> {
        let mut found = Vec::new();
        for (set, object) in objects.iter().filter(|(_, object)| object.kind == "PrometheusRule") {
            let path = folder.join("rules.yaml");
            let groups = at(&object.value, "spec").expect("its kind was checked");
            write(&path, serde_yaml::to_string(groups).expect("it was YAML"))?;
            let advice = "install the package `prometheus`, or name it with --promtool";
            let mut command = Command::new(&self.promtool);
            let said = run(&self.promtool, command.args(["check", "rules"]).arg(&path), advice)?;
            if !said.status.success() {
                let text = [said.stdout, said.stderr].concat();
                let title = format!("{set}/{}", object.title());
                found.push(about(Path::new(&title), "promtool", String::from_utf8_lossy(&text)));
            }
        }
        Ok(found)
    }
}

/// Flags that put an empty folder in the place of what a gateway's configuration names: it lies in volumes of
/// operators, of which [`judge`] sees that they are mounted.
///
/// # Errors
/// [`ChartError::File`].
fn elsewhere(path: &Path) -> Result<Vec<String>, ChartError> {
    let folder = path.with_file_name("empty");
    let failed = |source| FileError::Write { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // What cannot be read is said by who reads it next.
    let config = serde_yaml::from_str::<Value>(&read(path)?).unwrap_or_default();
    let empty = folder.display();
    let mut flags: Vec<String> = Vec::new();
    for (key, _) in judge::files_of(&config) {
        let value = if key == "hosts.files" { format!("[{empty}]") } else { empty.to_string() };
        flags.push(format!("--set={key}={value}"));
    }
    flags.dedup();
    Ok(flags)
}

fn read_as<E: std::error::Error + 'static>(read: Result<(), E>) -> Result<(), String> {
    read.map_err(|error| telemetry::why(&error))
}

fn json(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde_json::Value>(&text).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::objects::split;

    #[test]
    fn objects_that_sets_share_are_shown_once() {
        let objects = |data: &str| {
            let text =
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {data}\n");
            split(&text).expect("it is YAML")
        };
        let rendered = [
            ("one".to_owned(), objects("{a: b}")),
            ("two".to_owned(), objects("{a: b}")),
            ("three".to_owned(), objects("{a: c}")),
        ];
        let sets: Vec<_> = unique(&rendered).into_iter().map(|(set, _)| set).collect();
        assert_eq!(sets, ["one", "three"]);
    }

    #[test]
    fn folders_of_operators_are_empty_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.yaml");
        let text = "hosts: {files: [/srv/a, /srv/b]}\npages: {templates: /srv/pages}\n";
        write(&path, text).expect("it can be written");
        let empty = folder.path().join("empty").display().to_string();
        let hosts = format!("--set=hosts.files=[{empty}]");
        let pages = format!("--set=pages.templates={empty}");
        assert_eq!(elsewhere(&path).expect("it is read"), [hosts, pages]);
        write(&path, "server: {}\n").expect("it can be written");
        assert_eq!(elsewhere(&path).expect("it is read"), [""; 0]);
    }

    #[test]
    fn file_that_nobody_reads_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {other.toml: x}\n";
        let objects = split(text).expect("it is YAML");
        let programs = Programs {
            validate: "none".into(),
            versions: Vec::new(),
            promtool: "none".into(),
            bins: "none".into(),
        };
        let found =
            programs.configs(&[("set", &objects[0])], folder.path()).expect("it is checked");
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
