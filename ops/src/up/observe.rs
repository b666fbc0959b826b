//! What watches the fleet: this system's Prometheus and Alertmanager with the rules and the rota of this
//! build, and `bifrost probe`.
//!
//! They are told by files below the data folder, so that the same files can be read, checked by
//! promtool and amtool, and carried elsewhere.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::client::Endpoint;
use crate::fleet::{Fleet, Observers, Process, Staging};
use crate::rota::{self, Rota};
use crate::up::child::Spec;
use crate::up::hurry::hurried;
use crate::up::layout::ObservePlace;
use crate::up::{UpError, preflight};

/// How long Prometheus keeps what it saw: more than the public page and every objective look back.
const RETENTION: &str = "95d";
/// How long either may take to become ready: Prometheus replays its log first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long either may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// The shortest window of a rule, in seconds.
const SHORTEST_WINDOW: u64 = 300;
/// Scrapes that it has at least, so that a late one does not leave it empty.
const SCRAPES_IN_WINDOW: u64 = 5;

/// Seconds between two rounds of the probe, without haste.
const PROBES_EVERY: u64 = 30;

/// Rules by file name.
const RULES: [(&str, &str); 7] = [
    ("causes.rules.yaml", include_str!("../../../slo/generated/causes.rules.yaml")),
    ("content.rules.yaml", include_str!("../../../slo/generated/content.rules.yaml")),
    ("freshness.rules.yaml", include_str!("../../../slo/generated/freshness.rules.yaml")),
    ("gateway.rules.yaml", include_str!("../../../slo/generated/gateway.rules.yaml")),
    ("node.rules.yaml", include_str!("../../../slo/generated/node.rules.yaml")),
    ("probe.rules.yaml", include_str!("../../../slo/generated/probe.rules.yaml")),
    ("website.rules.yaml", include_str!("../../../slo/generated/website.rules.yaml")),
];
/// Who is on call, unless the data folder has a rota of its own.
const ROTA: &str = include_str!("../../../runbooks/rota.yaml");

/// How often targets are scraped and rules evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Time between two scrapes of a target, and between two evaluations, in seconds.
    seconds: u64,
    /// By how much the durations of rules are divided.
    hurry: u32,
}

impl Pace {
    /// A pace at which every window of a rule has several scrapes.
    pub(crate) fn new(seconds: u64, hurry: u32) -> Self {
        let most = SHORTEST_WINDOW / (u64::from(hurry.max(1)) * SCRAPES_IN_WINDOW);
        Self { seconds: seconds.min(most).max(1), hurry }
    }

    /// Time between two rounds of the probe, as it is told.
    fn probes(self) -> String {
        format!("{}s", (PROBES_EVERY / u64::from(self.hurry.max(1))).max(1))
    }
}

/// Programs, place and folder of what watches.
#[derive(Debug)]
pub(crate) struct Observe {
    place: ObservePlace,
    pace: Pace,
    folder: PathBuf,
    prometheus: PathBuf,
    alertmanager: PathBuf,
    probe: PathBuf,
    alerts: String,
    /// The rota that is heeded.
    rota: PathBuf,
    /// Ends a program when this one is gone: neither heeds its standard input.
    tether: Option<PathBuf>,
}

impl Observe {
    /// Finds the programs.
    ///
    /// # Errors
    /// [`UpError::NoObserver`] names what is missing and the package that has it.
    pub(crate) fn new(data: &Path, place: ObservePlace, pace: Pace) -> Result<Self, UpError> {
        let need = |names: &[&str], package: &'static str| {
            let found = names.iter().find_map(|name| preflight::in_path(name));
            found.ok_or(UpError::NoObserver { package })
        };
        let own = data.join("rota.yaml");
        let folder = data.join("observe");
        let example = folder.join("rota.yaml");
        let (people, rota) = match own.exists() {
            true => (Rota::read(&own), own),
            false => (Rota::parse(&example, ROTA), example),
        };
        let people = people.map_err(|error| UpError::Rota(error.to_string()))?;
        let alerts = rota::alertmanager::config(&people, None);
        Ok(Self {
            alerts,
            rota,
            probe: std::env::current_exe().unwrap_or_else(|_| "bifrost".into()),
            place,
            pace,
            folder,
            prometheus: need(&["prometheus"], "prometheus")?,
            alertmanager: need(
                &["prometheus-alertmanager", "alertmanager"],
                "prometheus-alertmanager",
            )?,
            tether: preflight::in_path("setpriv"),
        })
    }

    /// Where they are.
    pub(crate) fn urls(&self) -> Observers {
        let ObservePlace { prometheus, alertmanager, probe } = self.place;
        Observers {
            prometheus: format!("http://{prometheus}"),
            alertmanager: format!("http://{alertmanager}"),
            probe: format!("http://{probe}"),
            hurry: self.pace.hurry,
        }
    }

    /// Writes what they are told.
    ///
    /// # Errors
    /// [`UpError::Folder`].
    pub(crate) fn write(&self, fleet: &Fleet) -> Result<(), UpError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source: io::Error| UpError::Folder { path, source }
        };
        let folder = self.folder.join("rules");
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let mut files = vec![
            (self.folder.join("prometheus.yml"), self.prometheus_config()),
            (self.folder.join("alertmanager.yml"), self.alerts.clone()),
            (self.folder.join("rota.yaml"), ROTA.to_owned()),
            (self.folder.join("targets.json"), targets(fleet, self.place.probe)),
        ];
        let rules = RULES.iter().map(|(name, text)| (folder.join(name), self.rules(text)));
        files.extend(rules);
        for (path, text) in files {
            fs::write(&path, text).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// A file of rules at the pace of this fleet; the head says when it is not that of the build.
    fn rules(&self, text: &str) -> String {
        match self.pace.hurry {
            0 | 1 => text.to_owned(),
            times => format!(
                "# For drills: durations of these rules are divided by {times}.\n{}",
                hurried(text, times)
            ),
        }
    }

    fn prometheus_config(&self) -> String {
        let Pace { seconds, .. } = self.pace;
        format!(
            "\
# Written by `bifrost up --observe`, anew at each start.
global:
  scrape_interval: {seconds}s
  evaluation_interval: {seconds}s
  external_labels:
    fleet: local
rule_files: [rules/*.yaml]
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['{}']
scrape_configs:
  - job_name: fleet
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: {seconds}s
",
            self.place.alertmanager
        )
    }

    /// Alertmanager first: who alerts needs somebody to tell.
    ///
    /// # Errors
    /// An address that is none.
    pub(crate) fn specs(&self, data: &Path) -> Result<[Spec; 3], UpError> {
        let logs = &data.join("logs");
        let option = |name: &str, value: &dyn std::fmt::Display| -> OsString {
            format!("--{name}={value}").into()
        };
        let path = |name: &str| self.folder.join(name).display().to_string();
        let alertmanager = self.spec(
            "alertmanager",
            &self.alertmanager,
            vec![
                option("config.file", &path("alertmanager.yml")),
                option("storage.path", &path("alertmanager")),
                option("web.listen-address", &self.place.alertmanager),
                option("cluster.listen-address", &""),
            ],
            (self.place.alertmanager, logs),
        )?;
        let prometheus = self.spec(
            "prometheus",
            &self.prometheus,
            vec![
                option("config.file", &path("prometheus.yml")),
                option("storage.tsdb.path", &path("prometheus")),
                option("storage.tsdb.retention.time", &RETENTION),
                option("web.listen-address", &self.place.prometheus),
            ],
            (self.place.prometheus, logs),
        )?;
        let mut words: Vec<OsString> = ["probe", "serve", "--data"].map(OsString::from).to_vec();
        words.extend([data.into(), "--listen".into(), self.place.probe.to_string().into()]);
        words.extend(["--rota".into(), self.rota.clone().into()]);
        words.push(option("every", &self.pace.probes()));
        let probe = self.spec("probe", &self.probe, words, (self.place.probe, logs))?;
        Ok([alertmanager, Spec { ready_at: "/livez", ..probe }, prometheus])
    }

    fn spec(
        &self,
        name: &str,
        program: &Path,
        own: Vec<OsString>,
        (place, logs): (SocketAddr, &Path),
    ) -> Result<Spec, UpError> {
        let (program, mut arguments) = match &self.tether {
            Some(tether) => {
                let words = ["--pdeathsig", "TERM", "--"].map(OsString::from);
                let program_word = program.as_os_str().to_owned();
                (tether.clone(), words.into_iter().chain([program_word]).collect())
            }
            None => (program.to_path_buf(), Vec::new()),
        };
        arguments.extend(own);
        Ok(Spec {
            name: name.to_owned(),
            program,
            arguments,
            log: logs.join(format!("{name}.log")),
            admin: Endpoint::parse(&format!("http://{place}"))?,
            ready_at: "/-/ready",
            ready_within: READY_WITHIN,
            drain_within: LEAVE_WITHIN,
        })
    }
}

/// The processes as Prometheus finds them: `job` is their kind, `instance` their name.
fn targets(fleet: &Fleet, probe: SocketAddr) -> String {
    let target = |job: &str, env: &str, name: &str, address: &str| {
        let labels = json!({"job": job, "instance": name, "env": env});
        json!({"targets": [address], "labels": labels})
    };
    let process = |job: &'static str, env: &'static str| {
        move |process: &Process| {
            target(job, env, &process.name, process.admin.trim_start_matches("http://"))
        }
    };
    let mut groups: Vec<_> = fleet.gateways.iter().map(process("gateway", "local")).collect();
    groups.extend(fleet.nodes.iter().map(process("node", "local")));
    if let Some(Staging { gateway, node, .. }) = &fleet.staging {
        // Rules are of production: what staging does wakes nobody, and hides no outage.
        groups.push(process("staging-gateway", "staging")(gateway));
        groups.push(process("staging-node", "staging")(node));
    }
    groups.push(target("probe", "local", "probe", &probe.to_string()));
    serde_json::to_string_pretty(&groups).expect("texts are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_this_build_are_valid_in_haste_and_keep_no_duration() {
        for (name, text) in RULES {
            let hurried = hurried(text, 30);
            let whole: serde_yaml::Value = serde_yaml::from_str(&hurried).expect("it is YAML");
            let rules = whole["groups"].as_sequence().into_iter().flatten();
            let rules = rules.flat_map(|group| group["rules"].as_sequence().into_iter().flatten());
            for rule in rules {
                let expression = rule["expr"].as_str().expect("a rule has an expression");
                let parsed = promql_parser::parser::parse(expression);
                assert!(parsed.is_ok(), "{name}: {parsed:?}");
            }
            let kept =
                ["[5m]", "[1h]", "[1h:", "[3d]", "offset 6h", "86400)", "bool 300", "for: 5m"];
            let kept: Vec<&&str> = kept.iter().filter(|kept| hurried.contains(**kept)).collect();
            assert!(kept.is_empty(), "{name} keeps {kept:?}");
        }
    }

    #[test]
    fn every_window_has_several_scrapes_in_haste_too() {
        assert_eq!(Pace::new(5, 1).seconds, 5);
        assert_eq!(Pace::new(60, 1).seconds, 60);
        assert_eq!(Pace::new(5, 30).seconds, 2);
        assert_eq!(Pace::new(5, 60).seconds, 1);
    }
}
