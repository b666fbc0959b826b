//! What a check found, in the one form that all checks of this command share.
//!
//! A check that ran has an answer: nothing found (0) or findings (1). A check that could not run is
//! not an answer, and ends in 3, so that a pipeline never takes silence for health.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::output::{self, Format, Style};

/// One thing that is wrong, where it stands and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    /// The file, as the caller named it.
    pub(crate) path: PathBuf,
    /// The line, counted from 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// Which rule it breaks: a stable word such as `unknown-metric`.
    pub(crate) rule: &'static str,
    /// What is wrong and what would be right, in one sentence without full stop.
    pub(crate) text: String,
}

impl Finding {
    /// A finding about a line; line 0 means the whole file.
    pub(crate) fn at(
        path: impl Into<PathBuf>,
        line: usize,
        rule: &'static str,
        text: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), line, rule, text: text.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {} [{}]", self.text, self.rule)
    }
}

/// How a check ended. The codes are part of the command's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was found: 0.
    Clean,
    /// Something was found: 1.
    Findings,
    /// The check could not be made: 3.
    CouldNotCheck,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Clean => ExitCode::SUCCESS,
            Verdict::Findings => ExitCode::from(1),
            Verdict::CouldNotCheck => ExitCode::from(3),
        }
    }
}

/// The table of exit codes of checks, for `--help`.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  checked, nothing found
  1  checked, with findings
  2  wrong command line
  3  could not check";

/// Prints findings on stdout in the order of files and lines, and says how the check ended.
pub(crate) fn report(mut findings: Vec<Finding>, format: Format) -> Verdict {
    findings.sort();
    findings.dedup();
    let style = Style::stdout();
    for finding in &findings {
        let line = match format {
            Format::Json => serde_json::json!(finding).to_string(),
            Format::Text => style.warning(&finding.to_string()),
        };
        output::result(&format!("{line}\n"));
    }
    if findings.is_empty() { Verdict::Clean } else { Verdict::Findings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_file_line_and_rule() {
        let one = Finding::at("slo/gateway.yaml", 12, "unknown-metric", "no process counts `x`");
        assert_eq!(one.to_string(), "slo/gateway.yaml:12: no process counts `x` [unknown-metric]");
        let whole = Finding::at("slo/gateway.yaml", 0, "empty", "it has no SLO");
        assert_eq!(whole.to_string(), "slo/gateway.yaml: it has no SLO [empty]");
    }

    #[test]
    fn silence_and_findings_end_in_codes_of_their_own() {
        assert_eq!(report(Vec::new(), Format::Text), Verdict::Clean);
        let found = vec![Finding::at("a", 1, "r", "t")];
        assert_eq!(report(found, Format::Json), Verdict::Findings);
    }
}
