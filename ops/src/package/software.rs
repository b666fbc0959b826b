//! What every kind of package holds: programs, their pages and completions, units, configurations, and the
//! list of what they were built from.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use serde_json::Value;
use telemetry::manual::Form;

use super::binary::{Binary, Processor};
use super::linked::Linked;
use super::tree::Tree;
use super::{PackageError, Stamp, licences, read, sbom};

/// How bytes are made smaller.
pub(super) type Compress = fn(&[u8]) -> Vec<u8>;

/// The programs.
pub(super) const PROGRAMS: [&str; 3] = ["bifrost", "bifrost-gateway", "bifrost-node"];

/// Configurations: where each is in the project, and its name below `/etc/bifrost`.
const CONFIGS: [(&str, &str); 4] = [
    ("ops/packaging/gateway.yaml", "gateway.yaml"),
    ("ops/packaging/node.yaml", "node.yaml"),
    ("ops/packaging/inventory.yaml", "inventory.yaml"),
    ("ops/packaging/probe.yaml", "probe.yaml"),
];

/// The folder below `/etc/bifrost` that `gateway.yaml` has denylists in.
pub(super) const DENYLISTS: &str = "denylists";

/// Where completions are, with the name of the program in the place of `@`.
const COMPLETIONS: [(Form, &str); 3] = [
    (Form::Bash, "share/bash-completion/completions/@"),
    (Form::Fish, "share/fish/vendor_completions.d/@.fish"),
    (Form::Zsh, "share/zsh/vendor-completions/_@"),
];

/// What is packed.
#[derive(Debug)]
pub(super) struct Software {
    /// Its version.
    pub(super) version: &'static str,
    /// The root of the project.
    pub(super) root: PathBuf,
    /// The programs, in order of [`PROGRAMS`].
    pub(super) binaries: Vec<Binary>,
    /// What they were built from, as CycloneDX has it.
    pub(super) sbom: Value,
    /// The licences of that.
    pub(super) licences: Bytes,
    /// The commit that they are of, where that is known.
    pub(super) revision: Option<String>,
    /// Pages of the manual and completions, below a prefix such as `/usr`.
    described: Tree,
    /// Units and users, below the same.
    system: Tree,
}

impl Software {
    /// Gathers it: programs from a folder, all else from the project.
    ///
    /// # Errors
    /// Something cannot be read, or a program does not describe itself.
    pub(super) fn gather(
        bin: &Path,
        root: &Path,
        stamp: Stamp,
        revision: Option<String>,
    ) -> Result<Self, PackageError> {
        let binaries: Result<Vec<Binary>, PackageError> =
            PROGRAMS.iter().map(|name| Binary::read(bin, name)).collect();
        let binaries = binaries?;
        if let Some(odd) = binaries.iter().find(|one| one.processor != binaries[0].processor) {
            let said = "it is for another processor than the others".to_owned();
            return Err(PackageError::Garbled { program: odd.name, said });
        }
        let linked = Linked::read(root, binaries[0].processor.machine)?;
        Ok(Self {
            version: telemetry::build_info::version(),
            root: root.to_path_buf(),
            binaries,
            sbom: sbom::document(root, &linked, stamp)?,
            licences: licences::texts(&linked)?.into(),
            revision: revision.or_else(|| checked_out(root)),
            described: described(bin)?,
            system: system(root)?,
        })
    }

    /// The processor that it is for.
    pub(super) fn processor(&self) -> Processor {
        self.binaries[0].processor
    }

    /// A file of the project.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, PackageError> {
        read(&self.root.join(path))
    }

    /// What lies below `/usr` or another prefix, with pages compressed where that is the custom.
    pub(super) fn prefix(&self, pages: Option<Compress>) -> Tree {
        let mut tree = self.system.clone();
        for binary in &self.binaries {
            tree.file(format!("bin/{}", binary.name), 0o755, binary.bytes.clone());
        }
        for (path, content) in self.described.files() {
            match pages.filter(|_| path.starts_with("share/man/")) {
                Some(compress) => tree.file(format!("{path}.gz"), 0o644, compress(content)),
                None => tree.file(path, 0o644, content.clone()),
            }
        }
        tree.file("share/doc/bifrost/bifrost.cdx.json", 0o644, sbom::text(&self.sbom));
        tree.file("share/doc/bifrost/THIRD-PARTY", 0o644, self.licences.clone());
        tree
    }

    /// What lies in `/etc/bifrost`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn configs(&self) -> Result<Tree, PackageError> {
        let mut tree = Tree::default();
        for (from, to) in CONFIGS {
            tree.file(to, 0o644, self.read(from)?);
        }
        tree.folder(DENYLISTS, 0o755, 0);
        Ok(tree)
    }
}

/// The commit that was built; where the build does not know it, the one that is checked out.
fn checked_out(root: &Path) -> Option<String> {
    let built = telemetry::build_info::commit();
    if built != "unknown" {
        return Some(built.to_owned());
    }
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Pages and completions, as the programs themselves draw them: they are those of what is shipped.
fn described(bin: &Path) -> Result<Tree, PackageError> {
    let mut tree = Tree::default();
    for (name, page) in crate::pages() {
        tree.file(format!("share/man/man1/{name}"), 0o644, page);
    }
    for name in PROGRAMS {
        for (form, place) in COMPLETIONS {
            let drawn = match name {
                "bifrost" => crate::drawn(form),
                _ => asked(&bin.join(name), form)?,
            };
            tree.file(place.replace('@', name), 0o644, drawn);
        }
        if name != "bifrost" {
            let page = asked(&bin.join(name), Form::Man)?;
            tree.file(format!("share/man/man1/{name}.1"), 0o644, page);
        }
    }
    Ok(tree)
}

/// What a program says of itself.
fn asked(program: &Path, form: Form) -> Result<Vec<u8>, PackageError> {
    let form = match form {
        Form::Man => "man",
        Form::Bash => "bash",
        Form::Fish => "fish",
        Form::Zsh => "zsh",
    };
    let failed = |source| PackageError::Program { program: program.to_path_buf(), source };
    let output = Command::new(program).args(["--generate", form]).output().map_err(failed)?;
    if !output.status.success() {
        return Err(PackageError::Garbled {
            program: "--generate",
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(output.stdout)
}

/// Units and users of systemd.
fn system(root: &Path) -> Result<Tree, PackageError> {
    let folder = root.join("ops/packaging/systemd");
    let failed = |source| PackageError::Read { path: folder.clone(), source };
    let mut tree = Tree::default();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = if name.ends_with(".conf") { "lib/sysusers.d" } else { "lib/systemd/system" };
        tree.file(format!("{place}/{name}"), 0o644, read(&path)?);
    }
    Ok(tree)
}

#[cfg(test)]
impl Software {
    /// The shell of this machine in the place of the programs, so that a test packs little.
    pub(super) fn of_shells(root: &Path) -> Self {
        let named = |name: &'static str| {
            let mut binary = Binary::read(Path::new("/bin"), "sh").expect("there is a shell");
            binary.name = name;
            binary
        };
        let mut described = Tree::default();
        for (name, page) in crate::pages() {
            described.file(format!("share/man/man1/{name}"), 0o644, page);
        }
        Self {
            version: telemetry::build_info::version(),
            root: root.to_path_buf(),
            binaries: PROGRAMS.map(named).into(),
            sbom: serde_json::json!({ "components": [] }),
            licences: Bytes::from_static(b"none"),
            revision: Some("0123abcd".to_owned()),
            described,
            system: system(root).expect("the project has units"),
        }
    }
}
