//! What the programs were built from, as CycloneDX 1.5 has it: what is linked, with the checksums of the
//! lock file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::linked::{Linked, Package};
use super::{PackageError, Stamp, read};

/// The document, of programs for this machine.
///
/// # Errors
/// The lock file cannot be read.
pub(super) fn document(root: &Path, linked: &Linked, stamp: Stamp) -> Result<Value, PackageError> {
    let lock = read(&root.join("Cargo.lock"))?;
    let sums = checksums(&String::from_utf8_lossy(&lock));
    let components = linked.packages().iter().map(|package| component(package, &sums));
    let version = telemetry::build_info::version();
    let whole = format!("bifrost-{version}");
    let programs: Vec<String> = linked.programs().map(reference).collect();
    let mut dependencies = vec![json!({ "ref": whole, "dependsOn": programs })];
    dependencies.extend(linked.links().map(|(package, on)| {
        let on: Vec<String> = on.into_iter().map(reference).collect();
        json!({ "ref": reference(package), "dependsOn": on })
    }));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": stamp.text(),
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": "bifrost",
                "version": version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components.collect::<Vec<Value>>(),
        "dependencies": dependencies,
    }))
}

/// A document as it is written.
pub(super) fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

/// A document with further components, each of which the whole needs.
pub(super) fn with(mut document: Value, further: Vec<Value>) -> Value {
    let references: Vec<Value> =
        further.iter().map(|component| component["bom-ref"].clone()).collect();
    if let Some(components) = document["components"].as_array_mut() {
        components.extend(further);
    }
    let whole = document["metadata"]["component"]["bom-ref"].clone();
    let dependencies = document["dependencies"].as_array_mut().into_iter().flatten();
    for dependency in dependencies.filter(|dependency| dependency["ref"] == whole) {
        if let Some(on) = dependency["dependsOn"].as_array_mut() {
            on.extend(references.iter().cloned());
        }
    }
    document
}

/// What other entries call a package by. What is of this project is in no registry, and so has no URL there.
fn reference(package: &Package) -> String {
    match &package.source {
        Some(_) => format!("pkg:cargo/{}@{}", package.name, package.version),
        None => format!("{}@{}", package.name, package.version),
    }
}

fn component(package: &Package, sums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
    });
    if package.source.is_some() {
        component["purl"] = json!(reference(package));
    }
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
    use std::collections::BTreeSet;

    use super::*;

    fn project() -> Value {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ops is a member");
        document(root, &Linked::of_project(), Stamp { time: 0 }).expect("it is one")
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
            assert_eq!(component["purl"].is_string(), !is_own, "{name} is in no registry");
        }
        let named = |part: &str| known.iter().any(|name| name.starts_with(part));
        assert!(named("pkg:cargo/hyper@") && named("pkg:cargo/libp2p@"), "what is linked");
        assert!(!named("pkg:cargo/proptest@") && !named("fleet-tests@"), "what tests");
        assert!(!named("pkg:cargo/serde_derive@"), "what runs in the compiler");
        for dependency in document["dependencies"].as_array().expect("there are some") {
            let on = dependency["dependsOn"].as_array().expect("a list");
            let all = on.iter().all(|on| on.as_str().is_some_and(|on| known.contains(on)));
            assert!(all, "{dependency} names what is not there");
        }
    }

    #[test]
    fn whole_depends_on_the_programs_and_on_what_is_added() {
        let document = with(project(), vec![json!({ "bom-ref": "libc6" })]);
        let whole = &document["metadata"]["component"]["bom-ref"];
        let dependencies = document["dependencies"].as_array().expect("there are some");
        let own = dependencies.iter().find(|dependency| dependency["ref"] == *whole);
        let version = telemetry::build_info::version();
        let programs = ["bifrost", "bifrost-gateway", "bifrost-node"];
        let mut on: Vec<String> = programs.map(|name| format!("{name}@{version}")).into();
        on.push("libc6".to_owned());
        assert_eq!(own.expect("it has an entry")["dependsOn"], json!(on));
    }
}
