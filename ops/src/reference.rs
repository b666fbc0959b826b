//! `bifrost reference`: what can be set, measured, logged, sent and asked, as the programs say it themselves.
//!
//! Pages are made from what processes answer (`--describe`, `--help`, `/metrics`) and what this program declares,
//! and lie in `ops/reference`, from where they are part of this program. A test fails when they are not what would
//! be made.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use telemetry::Tasks;

use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format, Style};

mod commands;
mod config;
mod facts;
mod lists;
mod markdown;
mod metrics;

use facts::Facts;

const EXAMPLES: &str = "Examples:
  bifrost reference config                          # every key of gateway and node, as Markdown
  bifrost reference --out ops/reference             # writes every page
  bifrost reference --out ops/reference --check     # ends in 1 when a page is not what would be written";

/// What `bifrost reference` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", findings::EXIT_CODES))]
pub(crate) struct ReferenceArgs {
    /// The page; all of them unless told otherwise.
    #[arg(value_enum)]
    page: Option<Page>,
    /// Ask the programs beside this one, and write pages anew into this folder, as PAGE.md.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing; end in 1 when a file differs from what would be written.
    #[arg(long, requires = "out")]
    check: bool,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A page of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// Keys of configuration.
    Config,
    /// Metrics and the numbers made of them.
    Metrics,
    /// Fields of access records.
    LogFields,
    /// Headers that are read and sent.
    Headers,
    /// Outcomes of requests, and exit codes.
    Outcomes,
    /// Commands that run a fleet, and their flags.
    Commands,
    /// Commands that measure, judge and ship it.
    CommandsMeasure,
    /// What a gateway asks of a node, for whoever writes one.
    TrustlessContract,
}

/// Every page as it was when this program was built: its name and its text.
pub(crate) fn pages() -> [(&'static str, &'static str); 8] {
    macro_rules! page {
        ($name:literal) => {
            ($name, include_str!(concat!("../reference/", $name, ".md")))
        };
    }
    [
        page!("config"),
        page!("metrics"),
        page!("log-fields"),
        page!("headers"),
        page!("outcomes"),
        page!("commands"),
        page!("commands-measure"),
        page!("trustless-contract"),
    ]
}

impl Page {
    /// The name of its file, without the ending.
    fn name(self) -> &'static str {
        match self {
            Page::Config => "config",
            Page::Metrics => "metrics",
            Page::LogFields => "log-fields",
            Page::Headers => "headers",
            Page::Outcomes => "outcomes",
            Page::Commands => "commands",
            Page::CommandsMeasure => "commands-measure",
            Page::TrustlessContract => "trustless-contract",
        }
    }

    /// The page made anew; none where somebody writes it.
    fn made(self, facts: &Facts, unexplained: &mut Vec<String>) -> Option<String> {
        Some(match self {
            Page::Config => config::page(facts, unexplained),
            Page::Metrics => metrics::page(facts, unexplained),
            Page::LogFields => lists::log_fields(unexplained),
            Page::Headers => lists::headers(facts, unexplained),
            Page::Outcomes => lists::outcomes(facts, unexplained),
            Page::Commands => commands::page(facts, unexplained),
            Page::CommandsMeasure => commands::measuring(unexplained),
            Page::TrustlessContract => return None,
        })
    }
}

/// Runs `bifrost reference`.
pub(crate) async fn run(args: &ReferenceArgs, tasks: &Tasks) -> Verdict {
    let wanted: Vec<Page> =
        args.page.map_or_else(|| Page::value_variants().to_vec(), |page| vec![page]);
    let Some(folder) = &args.out else {
        let is_wanted = |name: &str| wanted.iter().any(|page| page.name() == name);
        for (_, text) in pages().into_iter().filter(|(name, _)| is_wanted(name)) {
            output::result(text);
        }
        return Verdict::Clean;
    };
    let facts = match Facts::gather(tasks).await {
        Ok(facts) => facts,
        Err(error) => return could_not(&telemetry::why(&error)),
    };
    let mut findings = Vec::new();
    for page in wanted {
        let mut unexplained = Vec::new();
        let Some(text) = page.made(&facts, &mut unexplained) else { continue };
        let path = folder.join(format!("{}.md", page.name()));
        findings.extend(unexplained.iter().map(|name| {
            let text = format!("{name} has no meaning: explain it where it is declared");
            Finding::at(&path, 0, "unexplained", text)
        }));
        if !args.check {
            let written =
                std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
            if let Err(error) = written {
                return could_not(&format!("could not write {}: {error}", path.display()));
            }
        } else if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            let text = "it is not what is generated: run `bifrost reference --out DIR`";
            findings.push(Finding::at(&path, 0, "drift", text));
        }
    }
    findings::report(findings, args.format)
}

fn could_not(why: &str) -> Verdict {
    output::note(&format!("{} {why}", Style::stderr().failure("bifrost:")));
    Verdict::CouldNotCheck
}
