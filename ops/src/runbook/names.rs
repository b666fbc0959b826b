//! What exists: metrics, config keys and calls of the processes, commands of this program.
//!
//! The processes are asked themselves: each is started on free ports of this machine with a folder
//! of its own, prints its configuration, shows its metrics and lists its calls. A list of names
//! beside them would be one more place to forget.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use telemetry::Tasks;
use telemetry::metrics::Registry;
use tokio::process::{Child, Command};

use crate::up::Places;
use crate::web::Web;

/// How long a process may take to show its metrics.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What exists.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    /// Metrics, with the series of histograms.
    pub(crate) metrics: BTreeSet<String>,
    /// Keys of configuration, such as `limit.requests_max`, and what holds them.
    pub(crate) keys: BTreeSet<String>,
    /// Paths of calls of admin listeners.
    pub(crate) calls: BTreeSet<String>,
    /// The pages of metrics of processes that were asked, by program.
    pub(crate) pages: Vec<(&'static str, String)>,
}

/// Why it is not known what exists.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamesError {
    /// A program is missing.
    #[error("{0}; or check without the processes: --without-processes")]
    Program(String),
    /// It did not do what it should.
    #[error("{program} {what}")]
    Process {
        /// The program.
        program: &'static str,
        /// What it did.
        what: String,
    },
}

impl Names {
    /// Adds the names of a scraped page of metrics.
    pub(crate) fn scraped(&mut self, text: &str) {
        for line in text.lines() {
            let declared = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '));
            if let Some((name, kind)) = declared {
                self.metrics.insert(name.to_owned());
                if kind == "histogram" || kind == "summary" {
                    for end in ["_bucket", "_count", "_sum"] {
                        self.metrics.insert(format!("{name}{end}"));
                    }
                }
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                if !name.is_empty() {
                    self.metrics.insert(name.to_owned());
                }
            }
        }
    }

    /// Adds the keys of a printed configuration.
    pub(crate) fn configured(&mut self, text: &str) -> Result<(), String> {
        let whole: serde_yaml::Value =
            serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let mut open = vec![(String::new(), &whole)];
        while let Some((path, value)) = open.pop() {
            let Some(map) = value.as_mapping() else { continue };
            for (key, value) in map {
                let Some(key) = key.as_str() else { continue };
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                self.keys.insert(path.clone());
                open.push((path, value));
            }
        }
        Ok(())
    }

    /// Adds the calls of the answer to one that does not exist.
    fn listed(&mut self, body: &[u8]) {
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        for line in answer["endpoints"].as_array().into_iter().flatten() {
            let path = line.as_str().unwrap_or_default().split_whitespace().nth(1);
            let path = path.and_then(|path| path.split('?').next());
            self.calls.extend(path.filter(|path| path.starts_with('/')).map(str::to_owned));
        }
    }

    /// Asks a gateway and a node, which are started for it, and the probe's own declarations.
    ///
    /// # Errors
    /// As the variants of [`NamesError`] say.
    pub(crate) async fn of_processes(&mut self, tasks: &Tasks) -> Result<(), NamesError> {
        let ours = Registry::new();
        let _probe = crate::probe::metrics::Metrics::new(&ours);
        let _profiles = crate::profile::Metrics::new(&ours);
        self.scraped(&ours.text());
        self.pages.push(("bifrost", ours.text()));
        let folder = Folder::new()?;
        let loopback = std::net::Ipv4Addr::LOCALHOST.into();
        let places = Places::free(loopback, 1, 1).map_err(|error| NamesError::Process {
            program: "bifrost",
            what: format!("finds no free port: {error}"),
        })?;
        let (gateway, node) = (places.gateways[0], places.nodes[0]);
        let sets = [
            format!("server.listen={}", gateway.http),
            format!("admin.listen={}", gateway.admin),
            "access.to=off".to_owned(),
        ];
        self.of_process(tasks, "bifrost-gateway", &sets, gateway.admin).await?;
        let dir = folder.0.display();
        let sets = [
            format!("dir={dir}"),
            format!("blockstore.dir={dir}/blocks"),
            format!("http.listen={}", node.http),
            format!("admin.listen={}", node.admin),
            "swarm.listen=[]".to_owned(),
            "access.to=off".to_owned(),
        ];
        self.of_process(tasks, "bifrost-node", &sets, node.admin).await
    }

    async fn of_process(
        &mut self,
        tasks: &Tasks,
        program: &'static str,
        sets: &[String],
        admin: std::net::SocketAddr,
    ) -> Result<(), NamesError> {
        let failed = |what: String| NamesError::Process { program, what };
        let path =
            crate::up::program(program).map_err(|error| NamesError::Program(error.to_string()))?;
        let printed = Command::new(&path).arg("--check-config").env_clear().output().await;
        let printed = printed.map_err(|error| failed(format!("does not start: {error}")))?;
        if !printed.status.success() {
            return Err(failed(format!("--check-config ends with {}", printed.status)));
        }
        let text = String::from_utf8_lossy(&printed.stdout);
        self.configured(&text).map_err(|error| failed(format!("prints no YAML: {error}")))?;
        let mut command = Command::new(&path);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for set in sets {
            command.arg("--set").arg(set);
        }
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.map_err(|error| failed(format!("does not start: {error}")))?;
        let web = Web::new(tasks, READY_WITHIN, ANSWER_BYTES_MAX)
            .map_err(|error| failed(error.to_string()))?;
        let metrics = shown(&mut child, &web, &format!("http://{admin}/metrics")).await;
        let metrics = String::from_utf8_lossy(&metrics.map_err(failed)?).into_owned();
        self.scraped(&metrics);
        self.pages.push((program, metrics));
        let none = web.get(&format!("http://{admin}/no-such-call")).await;
        self.listed(&none.map_err(|error| failed(error.to_string()))?.body);
        child.kill().await.map_err(|error| failed(format!("cannot be ended: {error}")))
    }
}

/// What a page shows once its process is there.
async fn shown(child: &mut Child, web: &Web, url: &str) -> Result<Vec<u8>, String> {
    let give_up = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let asked = web.get(url).await;
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("left with {status}"));
        }
        match asked {
            Ok(page) if page.status.is_success() => return Ok(page.body.to_vec()),
            Ok(page) if tokio::time::Instant::now() > give_up => {
                return Err(format!("answers {} with {}", url, page.status));
            }
            Err(error) if tokio::time::Instant::now() > give_up => return Err(error.to_string()),
            Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// A folder that is gone with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, NamesError> {
        let path = std::env::temp_dir().join(format!("bifrost-names-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| NamesError::Process {
            program: "bifrost",
            what: format!("cannot make {}: {error}", path.display()),
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder of temporary things.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Adds scraped pages of metrics.
///
/// # Errors
/// What the system says of a file.
pub(crate) fn scraped_files(names: &mut Names, files: &[PathBuf]) -> std::io::Result<()> {
    for path in files {
        let named = |error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("could not read {}: {error}", path.display()))
        };
        names.scraped(&std::fs::read_to_string(Path::new(path)).map_err(named)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_pages() {
        let mut names = Names::default();
        names.scraped(
            "# HELP a_seconds x\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"1\"} 2\n\
             # TYPE b_total counter\nb_total 1\nc{x=\"y\"} 1\n",
        );
        let expected =
            ["a_seconds", "a_seconds_bucket", "a_seconds_count", "a_seconds_sum", "b_total", "c"];
        assert!(names.metrics.iter().eq(expected.iter()));
        names
            .configured("limit:\n  requests_max: 1\n  deep:\n    er: 2\nlist: []\n")
            .expect("YAML");
        for key in ["limit", "limit.requests_max", "limit.deep.er", "list"] {
            assert!(names.keys.contains(key), "{key}");
        }
        names.listed(br#"{"endpoints": ["GET /metrics", "POST /replicate?root=CID", "odd"]}"#);
        assert!(names.calls.iter().eq(["/metrics", "/replicate"].iter()));
    }
}
