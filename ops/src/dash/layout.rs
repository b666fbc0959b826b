//! The layouts of dashboards: which numbers stand where, and nothing about how they are measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::dash::DashError;
use crate::findings::Finding;
use crate::locate::{Step, line_of};
use crate::whole::read;

/// The dashboards, by the names of their files. More would disagree with each other.
pub(super) const BOARDS: [&str; 3] = ["service", "fleet", "change"];
/// Most panels of one dashboard: more are not looked at.
pub(super) const PANELS_MAX: usize = 24;
/// Columns of Grafana's grid.
pub(super) const COLUMNS: u32 = 24;

/// How a panel shows its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shown {
    /// Lines over time.
    #[default]
    Lines,
    /// Areas over time, one on the other.
    Stack,
    /// The last value, large.
    Stat,
    /// The last values, one row a series.
    Table,
    /// Bands over time.
    States,
}

/// One panel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PanelPlan {
    /// What it is called.
    pub(crate) title: String,
    /// The ids of its numbers.
    pub(crate) show: Vec<String>,
    /// How they are shown.
    #[serde(default, rename = "as")]
    pub(crate) shown: Shown,
    /// Columns of 24.
    pub(crate) width: u32,
    /// The objective whose line is drawn, as `service/slo`.
    pub(crate) objective: Option<String>,
    /// The file's line.
    #[serde(skip)]
    pub(crate) line: usize,
}

/// Panels below one heading.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowPlan {
    /// The heading.
    pub(crate) title: String,
    /// The panels, from left to right.
    pub(crate) panels: Vec<PanelPlan>,
    /// The file's line.
    #[serde(skip)]
    pub(crate) line: usize,
}

/// A rule that some panels may break.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusion {
    /// The rule.
    pub(crate) rule: String,
    /// The titles of the panels; all when none is named.
    #[serde(default)]
    pub(crate) panels: Vec<String>,
    /// Why.
    pub(crate) reason: String,
    /// The file's line.
    #[serde(skip)]
    pub(crate) line: usize,
}

/// One dashboard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    /// The file.
    #[serde(skip)]
    pub(crate) path: PathBuf,
    /// The name of the file without its end.
    #[serde(skip)]
    pub(crate) name: String,
    /// The id that links to it hold on to.
    pub(crate) uid: String,
    /// What it is called.
    pub(crate) title: String,
    /// What it answers.
    pub(crate) description: String,
    /// How much of the past is shown at first, as Grafana writes it: `6h`.
    pub(crate) span: String,
    /// Its rows.
    pub(crate) rows: Vec<RowPlan>,
    /// What it may break.
    #[serde(default)]
    pub(crate) exclusions: Vec<Exclusion>,
}

impl Layout {
    /// Reads the layout of a project with this name.
    ///
    /// # Errors
    /// [`DashError`] when it cannot be read or understood.
    pub(crate) fn load(root: &Path, name: &str) -> Result<Self, DashError> {
        let path = root.join("dashboards").join(format!("{name}.yaml"));
        let text = read(&path)?;
        let mut layout: Layout = serde_yaml::from_str(&text).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            DashError::Broken(Finding::at(&path, line, "broken-yaml", error.to_string()))
        })?;
        for (at, row) in layout.rows.iter_mut().enumerate() {
            let above = [Step::Key("rows"), Step::At(at)];
            row.line = line_of(&text, &above);
            for (at, panel) in row.panels.iter_mut().enumerate() {
                let below = [above[0], above[1], Step::Key("panels"), Step::At(at)];
                panel.line = line_of(&text, &below);
            }
        }
        for (at, exclusion) in layout.exclusions.iter_mut().enumerate() {
            exclusion.line = line_of(&text, &[Step::Key("exclusions"), Step::At(at)]);
        }
        Ok(Self { path, name: name.to_owned(), ..layout })
    }

    /// The panels, in the order of the file.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &PanelPlan> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// How much of the past is shown at first.
    pub(crate) fn span(&self) -> Option<Duration> {
        humantime::parse_duration(&self.span).ok()
    }
}

/// Objectives, by `service/slo`: the part of events that shall be good.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objectives {
    /// The objectives; `None` when the project has no files of objectives.
    pub(crate) all: Option<BTreeMap<String, f64>>,
}

#[derive(Debug, Deserialize)]
struct SloFile {
    service: String,
    #[serde(default)]
    slos: Vec<Slo>,
}

#[derive(Debug, Deserialize)]
struct Slo {
    name: String,
    objective: f64,
}

impl Objectives {
    /// Reads the objectives of a project from the Sloth files below `slo/`; the files there that are
    /// not of Sloth are passed over.
    ///
    /// # Errors
    /// [`DashError`] when a file cannot be read.
    pub(crate) fn load(root: &Path) -> Result<Self, DashError> {
        let folder = root.join("slo");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return Ok(Self::default());
        };
        let mut all = BTreeMap::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            if let Ok(file) = serde_yaml::from_str::<SloFile>(&read(&path)?) {
                let named = |slo: Slo| {
                    // Decimals, not halves: 99.9 is 0.999 and nothing beside it.
                    let part = (slo.objective * 1e7).round() / 1e9;
                    (format!("{}/{}", file.service, slo.name), part)
                };
                all.extend(file.slos.into_iter().map(named));
            }
        }
        Ok(Self { all: (!all.is_empty()).then_some(all) })
    }

    /// The objective with this name.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.all.as_ref()?.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_decimal_parts() {
        let root = tempfile::tempdir().expect("a folder can be made");
        assert_eq!(Objectives::load(root.path()).expect("read").get("gateway/availability"), None);
        let slo = root.path().join("slo");
        std::fs::create_dir(&slo).expect("it can be made");
        let text = "version: prometheus/v1\nservice: gateway\nslos:\n- name: availability\n  objective: 99.9\n";
        std::fs::write(slo.join("gateway.yaml"), text).expect("written");
        std::fs::write(slo.join("alerts.yaml"), "groups: []\n").expect("written");
        let read = Objectives::load(root.path()).expect("they are read");
        assert_eq!(read.get("gateway/availability"), Some(0.999));
        assert_eq!(read.get("gateway/none"), None);
    }
}
