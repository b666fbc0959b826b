//! What a person or a script reads: tables, colours, exit codes.
//!
//! Results go to stdout and everything else to stderr, so that a script can take the last line of
//! stdout whatever happened before it. Colour is for terminals whose user did not refuse it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

/// How the command ended, as the caller sees it. Part of the command's interface: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A fault of this program.
    Internal = 1,
    /// The command line is wrong.
    Usage = 2,
    /// An input cannot be read, or is not what it claims to be.
    Input = 3,
    /// A node is not there.
    Unreachable = 4,
    /// A node refused or failed.
    Refused = 5,
    /// Stored, but on fewer nodes than asked for.
    NotReplicated = 6,
    /// This machine cannot run the fleet: a port, the disk, a folder, a missing program.
    Machine = 7,
    /// A process of the fleet did not become ready.
    NotReady = 8,
    /// Stopped by a second signal before all was drained.
    Killed = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The table of exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  done
  1  fault of this program
  2  wrong command line
  3  an input cannot be read or is not what it claims to be
  4  a node is not reachable
  5  a node refused or failed
  6  stored, but on fewer nodes than asked for
  7  this machine cannot run the fleet (port, disk, folder, missing program)
  8  a process of the fleet did not become ready
  130  stopped by a second signal";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// For text on stdout.
    pub(crate) fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// For text on stderr.
    pub(crate) fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: terminal && !refused && !dumb }
    }

    /// Without colour.
    pub(crate) fn plain() -> Self {
        Self { colour: false }
    }

    /// Text that leads.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Text that warns.
    pub(crate) fn warning(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Text that says that something failed.
    pub(crate) fn failure(self, text: &str) -> String {
        self.wrap("31;1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Rows of text in aligned columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
    }

    /// The text, each row behind `indent` and the first column in the style's strong.
    pub(crate) fn render(&self, indent: &str, style: Style) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - cell.chars().count());
                let shown = if column == 0 { style.strong(cell) } else { cell.clone() };
                let last = column + 1 == row.len();
                let gap = if last { "" } else { "  " };
                let pad = if last { "" } else { &pad };
                write!(line, "{shown}{pad}{gap}").expect("a string takes all text");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Prints a result. A reader that has left is not an error of ours.
pub(crate) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Prints a line for the person who watches.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_space() {
        let mut table = Table::default();
        table.row(["gateway", "http://127.0.0.1:8080", "ready"]);
        table.row(["n", "http://é", ""]);
        assert_eq!(
            table.render("  ", Style::plain()),
            "  gateway  http://127.0.0.1:8080  ready\n  n        http://é\n"
        );
    }

    #[test]
    fn colour_is_only_for_terminals() {
        assert_eq!(Style::of(false).strong("x"), "x");
        assert_eq!(Style { colour: true }.strong("x"), "\u{1b}[1mx\u{1b}[0m");
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        for exit in [Exit::Internal, Exit::Usage, Exit::Input, Exit::Unreachable, Exit::Refused] {
            assert!(EXIT_CODES.contains(&format!("  {}  ", exit as u8)));
        }
        for exit in [Exit::NotReplicated, Exit::Machine, Exit::NotReady, Exit::Killed] {
            assert!(EXIT_CODES.contains(&format!("  {}  ", exit as u8)));
        }
    }
}
