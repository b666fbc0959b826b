//! The table of figures: what was reached, what was promised, and on which machine.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

/// Which side of its target a figure must be on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// At least the target.
    AtLeast(f64),
    /// At most the target.
    AtMost(f64),
    /// Shown for comparison only.
    Shown,
}

impl Wanted {
    fn reached_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(target) => value >= target,
            Self::AtMost(target) => value <= target,
            Self::Shown => true,
        }
    }

    fn target(self) -> Option<f64> {
        match self {
            Self::AtLeast(target) | Self::AtMost(target) => Some(target),
            Self::Shown => None,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "≥",
            Self::AtMost(_) => "≤",
            Self::Shown => "",
        }
    }
}

struct Figure {
    name: String,
    unit: &'static str,
    reached: f64,
    wanted: Wanted,
    note: String,
}

/// The figures so far.
pub(crate) struct Table {
    only: String,
    figures: Vec<Figure>,
    failures: Vec<String>,
}

impl Table {
    pub(crate) fn new(only: &str) -> Self {
        Self { only: only.to_owned(), figures: Vec::new(), failures: Vec::new() }
    }

    /// Measures one figure, unless it is left out; one that cannot be measured is a failure of its
    /// own and does not stop the others.
    pub(crate) fn figure(
        &mut self,
        name: &str,
        unit: &'static str,
        wanted: Wanted,
        measure: impl FnOnce() -> Result<f64>,
    ) {
        if !name.contains(&self.only) {
            return;
        }
        say(&format!("measuring: {name}"));
        match measure() {
            Ok(reached) => self.add(name, unit, wanted, reached),
            Err(error) => {
                say(&format!("  failed: {error:#}"));
                self.failures.push(format!("{name}: {error:#}"));
            }
        }
    }

    /// Adds a figure that was measured along with another.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, wanted: Wanted, reached: f64) {
        let (name, note) = (name.to_owned(), String::new());
        self.figures.push(Figure { name, unit, reached, wanted, note });
    }

    /// Says something about the last figure.
    pub(crate) fn note(&mut self, note: String) {
        if let Some(figure) = self.figures.last_mut() {
            figure.note = note;
        }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    pub(crate) fn all_reached(&self) -> bool {
        self.failures.is_empty()
            && self.figures.iter().all(|figure| figure.wanted.reached_by(figure.reached))
    }

    /// Prints the table and writes it as `<name>.txt` and `<name>.json`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<()> {
        let text = self.text();
        say(&text);
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{name}.txt")), &text)?;
        let json = serde_json::to_vec_pretty(&self.json())?;
        std::fs::write(folder.join(format!("{name}.json")), json)?;
        Ok(())
    }

    fn text(&self) -> String {
        let width =
            self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        let mut text = format!("{}\n\n", machine());
        text.push_str(&format!(
            "{:width$}  {:>12} {:>14} {:>7}\n",
            "figure", "reached", "target", "ratio"
        ));
        for figure in &self.figures {
            let target = figure.wanted.target();
            let shown = target.map_or_else(String::new, |target| {
                format!("{} {}", figure.wanted.sign(), rounded(target))
            });
            let ratio = target.filter(|target| *target > 0.0);
            let ratio = ratio.map_or_else(String::new, |t| format!("{:.2}", figure.reached / t));
            let verdict = if figure.wanted.reached_by(figure.reached) { "" } else { "  MISSED" };
            text.push_str(&format!(
                "{:width$}  {:>12} {:>14} {:>7}  {}{verdict}  {}\n",
                figure.name,
                rounded(figure.reached),
                shown,
                ratio,
                figure.unit,
                figure.note
            ));
        }
        for failure in &self.failures {
            text.push_str(&format!("not measured: {failure}\n"));
        }
        text
    }

    fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "name": figure.name,
                    "unit": figure.unit,
                    "reached": figure.reached,
                    "target": figure.wanted.target(),
                    "better": match figure.wanted {
                        Wanted::AtLeast(_) => "more",
                        Wanted::AtMost(_) => "less",
                        Wanted::Shown => "shown",
                    },
                    "ok": figure.wanted.reached_by(figure.reached),
                    "note": figure.note,
                })
            })
            .collect();
        json!({ "machine": machine(), "figures": figures, "failures": self.failures })
    }
}

/// Prints a line at once: a bench that is silent for minutes looks dead.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice; the results are written to files as well.
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

fn rounded(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Processor, cores, memory, kernel and date.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = read("/proc/meminfo");
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    let date = std::process::Command::new("date").args(["-u", "+%F %H:%M UTC"]).output();
    let date =
        date.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    format!("{model}, {cores} cores, {} MiB, Linux {}, {}", kib / 1024, kernel.trim(), date.trim())
}
