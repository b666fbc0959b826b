//! `bifrost logs`: questions about access records, of every environment, from files and nothing else.
//!
//! Records are anonymous before they are written, so that whoever may read logs learns what happened and
//! not who asked. Environments on this machine are read from their folders, others are asked through
//! `bifrost logs serve` there; what is found is put together here.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use telemetry::Tasks;

use crate::findings::{self, EXIT_CODES};
use crate::output::{self, Format, Style};

mod ask;
mod check;
mod error;
mod estimate;
mod explain;
mod filter;
#[cfg(test)]
mod fixture;
mod gc;
mod query;
mod record;
mod remote;
mod scan;
mod serve;
mod sources;
mod tail;
mod top;

pub(crate) use error::LogsError;
use filter::Filter;
use sources::{Environment, Kind};

/// How often files are looked at while they are followed.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// What `bifrost logs` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost logs query outcome=timeout since=1h
  bifrost logs query 'status>=500' cache=network --env production,staging --sources sources.yaml
  bifrost logs query --clear outcome=blocked     with CIDs and paths, of denied and failed requests
  bifrost logs top outcome since=15m
  bifrost logs tail -f 'total_ms>1000'
  bifrost logs explain 4f0c2a9d0b7e4a55b1f2a3c4d5e6f708
  bifrost logs check                             is what was put aside what was sealed?
  bifrost logs gc --dry-run

Terms are joined by AND: field=value, !=, ~ (has it within), >, >=, <, <=; a value may be a list,
outcome=timeout,overload. since= and until= take 90s, 15m, 1h, 7d or a time such as
2026-11-21T10:00:00Z. `bifrost logs fields` lists the fields.

--sources names a YAML file:
  environments:
    production: {url: \"https://logs.example\", token_file: production.token}
    staging: {folder: /var/log/bifrost}")]
pub(crate) struct LogsArgs {
    #[command(subcommand)]
    command: Command,
    /// Which environments, by name; all of them unless told otherwise.
    #[arg(long, global = true, value_name = "NAMES", value_delimiter = ',')]
    env: Vec<String>,
    /// The file that says where environments are.
    #[arg(long, global = true, value_name = "FILE", env = "BIFROST_LOG_SOURCES")]
    sources: Option<PathBuf>,
    /// The folder of logs when there is no such file.
    #[arg(long, global = true, value_name = "DIR", default_value = ".bifrost/logs")]
    folder: PathBuf,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the youngest records that are asked for, and count all of them.
    Query {
        /// The question, such as outcome=timeout since=1h.
        terms: Vec<String>,
        /// Most records that are printed; all are counted.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Read records with clear text, of denied and failed requests.
        #[arg(long)]
        clear: bool,
    },
    /// Rank the values of a field by requests.
    Top {
        /// The field.
        field: String,
        /// The question, such as since=1h.
        terms: Vec<String>,
        /// Most values that are printed.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Read records with clear text, of denied and failed requests.
        #[arg(long)]
        clear: bool,
    },
    /// Tell in words what happened to one request, in gateways and nodes.
    Explain {
        /// Its id, from a page, a header or a record.
        request_id: String,
    },
    /// Print the last records, and those that come.
    Tail {
        /// The question.
        terms: Vec<String>,
        /// Go on with records as they come.
        #[arg(short, long)]
        follow: bool,
        /// How many of the last records are printed first.
        #[arg(short = 'n', long, default_value_t = 10)]
        lines: usize,
    },
    /// List the fields of records.
    Fields,
    /// Check what was put aside against its seals.
    #[command(after_help = EXIT_CODES)]
    Check,
    /// Let records grow old in tiers, delete what is due, and prove that nothing older is left.
    #[command(after_help = EXIT_CODES)]
    Gc {
        /// How long tiers stay, in YAML: clear: 1d, raw: 7d, hashed: 30d, aggregates: 400d.
        #[arg(long, value_name = "FILE")]
        retention: Option<PathBuf>,
        /// Only say what would be deleted.
        #[arg(long)]
        dry_run: bool,
    },
    /// Answer the same questions over HTTP, for people with tokens.
    Serve(serve::ServeArgs),
    /// Make a token for a person, and the line for the file of tokens.
    Token {
        /// Who it is for.
        name: String,
    },
}

/// Runs `bifrost logs`.
///
/// # Errors
/// As the variants of [`LogsError`] say.
pub(crate) async fn run(args: LogsArgs, tasks: &Tasks) -> Result<ExitCode, LogsError> {
    let now = SystemTime::now();
    let parse = |terms: &[String]| Filter::parse(&terms.join(" "), now);
    let environments = || sources::environments(args.sources.as_deref(), &args.folder, &args.env);
    match args.command {
        Command::Query { terms, limit, clear } => {
            parse(&terms)?;
            let what = ask::Question { terms: terms.join(" "), kind: kind(clear), limit };
            let answer = ask::query(&environments()?, &what, now, tasks).await?;
            print_records(&answer, args.format);
        }
        Command::Top { field, terms, limit, clear } => {
            parse(&terms)?;
            let what = ask::Question { terms: terms.join(" "), kind: kind(clear), limit };
            let ranking = ask::top(&environments()?, &what, &field, now, tasks).await?;
            print_ranking(&ranking, limit, args.format);
        }
        Command::Explain { request_id } => {
            let records = ask::request(&environments()?, &request_id, tasks).await?;
            let text = explain::explain(&records).ok_or(LogsError::NoRequest(request_id))?;
            output::result(&text);
        }
        Command::Tail { terms, follow, lines } => {
            let filter = parse(&terms)?;
            let environments = environments()?;
            let what = ask::Question { terms: terms.join(" "), kind: Kind::Records, limit: lines };
            let mut tail = match follow {
                true => Some(tail::Tail::begin(&environments, Kind::Records)?),
                false => None,
            };
            let answer = ask::query(&environments, &what, now, tasks).await?;
            answer.records.iter().for_each(|one| print_record(&one.env, &one.line, args.format));
            while let Some(tail) = &mut tail {
                for (env, line) in tail.poll(&filter)? {
                    print_record(&env, &line, args.format);
                }
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
        }
        Command::Fields => output::result(&filter::field_list()),
        Command::Check => return checked(&environments()?, args.format),
        Command::Gc { retention, dry_run } => {
            let retention = gc::retention(retention.as_ref())?;
            return collected(&environments()?, &retention, now, dry_run, args.format);
        }
        Command::Serve(serve) => serve::run(serve, environments()?, tasks).await?,
        Command::Token { name } => output::result(&serve::new_token(&name)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn kind(clear: bool) -> Kind {
    if clear { Kind::Clear } else { Kind::Records }
}

fn print_record(env: &str, line: &str, format: Format) {
    match format {
        Format::Text => output::result(&format!("{}\n", query::line_text(env, line))),
        Format::Json => output::result(&format!("{line}\n")),
    }
}

fn print_records(answer: &query::Answer, format: Format) {
    answer.records.iter().for_each(|one| print_record(&one.env, &one.line, format));
    print_summary(&answer.summary, format);
}

fn print_summary(summary: &query::Summary, format: Format) {
    match format {
        Format::Json => {
            output::result(&format!("{}\n", serde_json::json!({ "summary": summary })));
        }
        Format::Text => {
            let (matched, records) = (summary.matched.text(), summary.matched.records);
            output::note(&format!(
                "{matched} requests in {records} records; {} lines read",
                summary.lines
            ));
        }
    }
    let style = Style::stderr();
    for problem in &summary.problems {
        output::note(&style.warning(problem));
    }
}

fn print_ranking(ranking: &top::Ranking, limit: usize, format: Format) {
    match format {
        Format::Text => output::result(&ranking.text(limit, Style::stdout())),
        Format::Json => {
            for row in ranking.rows.iter().take(limit) {
                output::result(&format!("{}\n", serde_json::json!(row)));
            }
        }
    }
    print_summary(&ranking.summary, format);
}

fn checked(environments: &[Environment], format: Format) -> Result<ExitCode, LogsError> {
    let mut found = Vec::new();
    let good = check::check(environments, &mut found)?;
    output::note(&format!("{good} segments are as they were sealed"));
    Ok(findings::report(found, format).into())
}

/// Lets every environment grow old; 1 when something is left that is too old.
fn collected(
    environments: &[Environment],
    retention: &gc::Retention,
    now: SystemTime,
    dry_run: bool,
    format: Format,
) -> Result<ExitCode, LogsError> {
    let mut left = false;
    for Environment { name, source } in environments {
        let folder = source
            .folder
            .as_ref()
            .ok_or_else(|| LogsError::Elsewhere(name.clone(), "collect it on its own machine"))?;
        let report = gc::gc(folder, retention, now, dry_run)?;
        match format {
            Format::Text => output::result(&gc::text(&report, dry_run)),
            Format::Json => output::result(&format!("{}\n", serde_json::json!(report))),
        }
        for text in &report.left {
            output::note(&Style::stderr().warning(text));
            left = true;
        }
    }
    Ok(ExitCode::from(u8::from(left)))
}
