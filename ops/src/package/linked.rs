//! What is linked into the programs, as Cargo reads the lock file: neither what only builds or tests them
//! nor what runs in the compiler alone.
//!
//! Cargo fetches packages that it needs for its answer and lacks; the graph is the committed one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::PackageError;
use super::software::PROGRAMS;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

/// A package, as Cargo describes it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    id: String,
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// Under which licences it is, as an expression of SPDX.
    pub(super) license: Option<String>,
    /// The registry that it is from; none of what is in this project.
    pub(super) source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    kind: Vec<String>,
}

impl Package {
    /// The folder of its sources.
    pub(super) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }

    /// Whether it runs in the compiler and leaves only what it wrote there.
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// Without a name it is an ordinary dependency; others are `build` and `dev`.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// What is linked, and what into what.
#[derive(Debug)]
pub(super) struct Linked {
    /// In order of name and version.
    packages: Vec<Package>,
    /// By the package that it is linked into, places in `packages`, in their order.
    links: Vec<Vec<usize>>,
}

impl Linked {
    /// Asks Cargo about the programs for such a machine.
    ///
    /// # Errors
    /// Cargo cannot be run, or the lock file is not what the project needs.
    pub(super) fn read(root: &Path, machine: &str) -> Result<Self, PackageError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let failed = |source| PackageError::Program { program: cargo.clone().into(), source };
        let output = Command::new(&cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .args(["--filter-platform", &format!("{machine}-unknown-linux-gnu")])
            .current_dir(root)
            .output()
            .map_err(failed)?;
        let garbled = |said: String| PackageError::Garbled { program: "cargo metadata", said };
        if !output.status.success() {
            return Err(garbled(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let metadata = serde_json::from_slice(&output.stdout);
        metadata.map(Self::of).map_err(|error| garbled(error.to_string()))
    }

    fn of(metadata: Metadata) -> Self {
        let mut known: BTreeMap<String, Package> =
            metadata.packages.into_iter().map(|package| (package.id.clone(), package)).collect();
        let into = links(&metadata.resolve, &known);
        let is_program =
            |package: &&Package| package.source.is_none() && PROGRAMS.contains(&&package.name[..]);
        let mut waiting: Vec<&str> =
            known.values().filter(is_program).map(|package| &package.id[..]).collect();
        let mut found: BTreeSet<String> = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if found.insert(id.to_owned()) {
                waiting.extend(into.get(id).into_iter().flatten().map(|id| &id[..]));
            }
        }
        known.retain(|id, _| found.contains(id));
        let mut packages: Vec<Package> = known.into_values().collect();
        packages
            .sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        let places: BTreeMap<&str, usize> =
            packages.iter().enumerate().map(|(place, package)| (&package.id[..], place)).collect();
        let of = |package: &Package| {
            let on = into.get(&package.id).into_iter().flatten();
            let on: BTreeSet<usize> = on.map(|id| places[&id[..]]).collect();
            on.into_iter().collect()
        };
        let links = packages.iter().map(of).collect();
        Self { packages, links }
    }

    /// All that is linked, in order of name and version.
    pub(super) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The programs.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Package> {
        let is_own = |package: &&Package| package.source.is_none();
        self.packages.iter().filter(is_own).filter(|own| PROGRAMS.contains(&&own.name[..]))
    }

    /// Each package with what is linked into it.
    pub(super) fn links(&self) -> impl Iterator<Item = (&Package, Vec<&Package>)> {
        let with = move |on: &Vec<usize>| on.iter().map(|place| &self.packages[*place]).collect();
        self.packages.iter().zip(self.links.iter().map(with))
    }
}

/// What is linked into each package, by ids.
fn links(resolve: &Resolve, known: &BTreeMap<String, Package>) -> BTreeMap<String, Vec<String>> {
    let is_linked = |on: &&Dependency| {
        let ordinary = on.dep_kinds.iter().any(|kind| kind.kind.is_none());
        ordinary && known.get(&on.pkg).is_some_and(|package| !package.is_macro())
    };
    let nodes = resolve.nodes.iter().map(|node| {
        let linked = node.deps.iter().filter(is_linked).map(|on| on.pkg.clone());
        (node.id.clone(), linked.collect())
    });
    nodes.collect()
}

#[cfg(test)]
impl Linked {
    /// What is linked into the programs of this project on this machine.
    pub(super) fn of_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ops is a member");
        Self::read(root, std::env::consts::ARCH).expect("Cargo describes the project")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages by name: ordinary and other dependencies of the program `bifrost`.
    fn metadata() -> Metadata {
        let package = |name: &str, kind: &str, source: Option<&str>| {
            serde_json::json!({
                "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
                "manifest_path": format!("/{name}/Cargo.toml"), "targets": [{ "kind": [kind] }],
            })
        };
        let on = |name: &str, kind: Option<&str>| serde_json::json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let registry = Some("registry+https://github.com/rust-lang/crates.io-index");
        let metadata = serde_json::json!({
            "packages": [
                package("bifrost", "bin", None),
                package("hyper", "lib", registry),
                package("derive", "proc-macro", registry),
                package("syn", "lib", registry),
                package("cc", "lib", registry),
                package("proptest", "lib", registry),
            ],
            "resolve": { "nodes": [
                { "id": "bifrost", "deps": [
                    on("hyper", None), on("derive", None), on("cc", Some("build")),
                    on("proptest", Some("dev")),
                ] },
                { "id": "derive", "deps": [on("syn", None)] },
            ] },
        });
        serde_json::from_value(metadata).expect("it is what Cargo prints")
    }

    #[test]
    fn what_builds_tests_or_runs_in_the_compiler_is_not_linked() {
        let linked = Linked::of(metadata());
        let names: Vec<&str> = linked.packages().iter().map(|package| &package.name[..]).collect();
        assert_eq!(names, ["bifrost", "hyper"]);
        let links: Vec<usize> = linked.links().map(|(_, on)| on.len()).collect();
        assert_eq!(links, [1, 0]);
        assert_eq!(linked.programs().count(), 1);
    }
}
