//! What the programs were built from, as CycloneDX 1.5 has it: read from the lock file and Cargo's own
//! reading of it, without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::software::PROGRAMS;
use super::{PackageError, Stamp, read};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None of what is in this project.
    source: Option<String>,
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

/// The document, of programs for this machine.
///
/// # Errors
/// Cargo cannot be run, or the lock file is not what the project needs.
pub(super) fn document(root: &Path, stamp: Stamp, machine: &str) -> Result<String, PackageError> {
    let metadata = metadata(root, machine)?;
    let lock = read(&root.join("Cargo.lock"))?;
    let sums = checksums(&String::from_utf8_lossy(&lock));
    let document = describe(&metadata, &sums, stamp);
    Ok(format!("{document:#}\n"))
}

fn metadata(root: &Path, machine: &str) -> Result<Metadata, PackageError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let failed = |source| PackageError::Program { program: cargo.clone().into(), source };
    let output = Command::new(&cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", &format!("{machine}-unknown-linux-gnu")])
        .current_dir(root)
        .output()
        .map_err(failed)?;
    let garbled = |said: String| PackageError::Garbled { program: "cargo metadata", said };
    if !output.status.success() {
        return Err(garbled(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| garbled(error.to_string()))
}

fn describe(metadata: &Metadata, sums: &BTreeMap<(String, String), String>, stamp: Stamp) -> Value {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let links = links(metadata);
    let ours =
        |package: &&Package| package.source.is_none() && PROGRAMS.contains(&package.name.as_str());
    let mut waiting: Vec<&str> =
        metadata.packages.iter().filter(ours).map(|package| package.id.as_str()).collect();
    let mut linked: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(id) {
            waiting.extend(links.get(id).into_iter().flatten());
        }
    }
    let mut found: Vec<&Package> = linked.iter().map(|id| packages[id]).collect();
    found.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    let components: Vec<Value> = found.iter().map(|package| component(package, sums)).collect();
    let dependencies: Vec<Value> = found
        .iter()
        .map(|package| {
            let on = links.get(package.id.as_str()).into_iter().flatten();
            let on: BTreeSet<String> = on.map(|id| url(packages[id])).collect();
            json!({ "ref": url(package), "dependsOn": on })
        })
        .collect();
    let version = telemetry::build_info::version();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": stamp.text(),
            "component": {
                "type": "application",
                "bom-ref": format!("bifrost-{version}"),
                "name": "bifrost",
                "version": version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// What is linked into each package: neither what only builds it nor what only tests it.
fn links(metadata: &Metadata) -> BTreeMap<&str, Vec<&str>> {
    let nodes = metadata.resolve.nodes.iter().map(|node| {
        let linked =
            node.deps.iter().filter(|on| on.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        (node.id.as_str(), linked.map(|on| on.pkg.as_str()).collect())
    });
    nodes.collect()
}

fn url(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, sums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": url(package),
        "name": package.name,
        "version": package.version,
        "purl": url(package),
    });
    if let Some(license) = &package.license {
        // Older packages separate alternatives by a slash.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = sums.get(&(package.name.clone(), package.version.clone())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The checksums of a lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let entries = lock.split("[[package]]").filter_map(|entry| {
        let field = |name: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Value {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ops is a member");
        let text = document(root, Stamp { time: 0 }, std::env::consts::ARCH).expect("it is one");
        serde_json::from_str(&text).expect("it is JSON")
    }

    #[test]
    fn every_component_is_named_licensed_and_hashed() {
        let document = project();
        let components = document["components"].as_array().expect("there are some");
        let mut known = BTreeSet::new();
        for component in components {
            let name = component["bom-ref"].as_str().expect("it has one");
            assert!(known.insert(name), "{name} is there twice");
            assert!(component["licenses"][0]["expression"].is_string(), "{name}");
            let own = ["ipfs", "telemetry", "bifrost", "bifrost-gateway", "bifrost-node"];
            let hashed =
                component["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64);
            let is_own = component["name"].as_str().is_some_and(|name| own.contains(&name));
            assert_eq!(hashed, !is_own, "{name}");
        }
        let named = |part: &str| known.iter().any(|name| name.starts_with(part));
        assert!(named("pkg:cargo/hyper@") && named("pkg:cargo/libp2p@"), "what is linked");
        assert!(!named("pkg:cargo/proptest@") && !named("pkg:cargo/fleet-tests@"), "what tests");
        for dependency in document["dependencies"].as_array().expect("there are some") {
            let on = dependency["dependsOn"].as_array().expect("a list");
            let all = on.iter().all(|on| on.as_str().is_some_and(|on| known.contains(on)));
            assert!(all, "{dependency} names what is not there");
        }
    }
}
