//! What each command does with its arguments.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use telemetry::Tasks;

use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format, Style, Table};
use crate::prometheus::Prometheus;

use super::check::{self, Against, Exposed, online};
use super::generate::{self, Sources};
use super::model::Slo;
use super::replay::Replayed;
use super::simulate::{self, Scenario};
use super::{
    CheckArgs, DiffArgs, ExportArgs, From, GenerateArgs, ImportArgs, ReportArgs, ReportFormat,
    SimulateArgs, SloError, Target, Tool, diff, exchange, report,
};

type Ended = Result<Verdict, SloError>;

/// Reads a folder; what is wrong in it is printed, and ends the command.
fn sources(dir: &Path, format: Format) -> Result<Result<Sources, Verdict>, SloError> {
    let read = generate::read(dir).map_err(file("could not read", dir))?;
    Ok(read.map_err(|found| findings::report(found, format)))
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SloError {
    let path = path.to_owned();
    move |source| SloError::File { what, path, source }
}

/// `bifrost slo generate`.
pub(super) fn generate(args: &GenerateArgs) -> Ended {
    let From { dir, format } = &args.from;
    let sources = match sources(dir, *format)? {
        Ok(sources) => sources,
        Err(verdict) => return Ok(verdict),
    };
    let files = sources.files(&sources.making(args.runbooks.as_deref()));
    let out = args.out.clone().unwrap_or_else(|| dir.join("generated"));
    if args.check {
        let found = generate::drift(&files, &out).map_err(file("could not read", &out))?;
        return Ok(findings::report(found, *format));
    }
    let changed = generate::write(&files, &out).map_err(file("could not write", &out))?;
    output::note(&format!("{}: {} files, {changed} changed", out.display(), files.len()));
    Ok(Verdict::Clean)
}

/// `bifrost slo check`.
pub(super) async fn check(args: &CheckArgs, tasks: &Tasks) -> Ended {
    let From { dir, format } = &args.from;
    let sources = match sources(dir, *format)? {
        Ok(sources) => sources,
        Err(verdict) => return Ok(verdict),
    };
    let mut findings = Vec::new();
    let mut exposed = scraped(&args.metrics)?;
    let mut replayed = Vec::new();
    if let Some(url) = &args.prometheus {
        let prometheus = Prometheus::new(tasks, url, args.asked.timeout)?;
        output::note(&format!("asking {url} for {} days of every alert", args.asked.days));
        exposed = Some(online::exposed(&prometheus, &sources).await?);
        findings.extend(online::retention(&prometheus, url).await?);
        replayed = online::would_have(&prometheus, &sources, args.asked.days).await?;
    }
    let rota = args.rota.clone().unwrap_or_else(|| args.runbooks.join("rota.yaml"));
    let against = Against { runbooks: &args.runbooks, rota: &rota, exposed: exposed.as_ref() };
    findings
        .extend(check::offline(&sources, dir, &against).map_err(file("could not read", &rota))?);
    let slos = sources.services.iter().map(|service| service.slos.len()).sum::<usize>();
    let verdict = findings::report(findings, *format);
    print_replayed(&replayed, args.asked.days, *format);
    if verdict == Verdict::Clean {
        let series =
            if exposed.is_some() { "" } else { "; series were not: --metrics or --prometheus" };
        output::note(&format!("{slos} objectives checked{series}"));
    }
    Ok(verdict)
}

fn scraped(files: &[std::path::PathBuf]) -> Result<Option<Exposed>, SloError> {
    let mut exposed = Exposed::default();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(file("could not read", path))?;
        let path = || path.clone();
        exposed.take(&text).map_err(|line| SloError::NoMetrics { path: path(), line })?;
    }
    Ok((!files.is_empty()).then_some(exposed))
}

fn print_replayed(replayed: &[Replayed], days: u32, format: Format) {
    let mut table = Table::default();
    for one in replayed {
        let lasting = lasting(one.lasting);
        if format == Format::Json {
            let line = json!({
                "slo": one.slo, "alert": one.alert, "severity": one.severity, "days": days,
                "times": one.times, "lasting_s": one.lasting.as_secs(),
            });
            output::result(&format!("{line}\n"));
        }
        let times = format!("{} in {days} d", one.times);
        table.row([one.alert.as_str(), one.severity, &times, &lasting]);
    }
    if format == Format::Text {
        output::result(&table.render("", Style::stdout()));
    }
}

fn lasting(time: Duration) -> String {
    if time.is_zero() { String::new() } else { format!("for {}", humantime::format_duration(time)) }
}

/// `bifrost slo diff`.
pub(super) async fn diff(args: &DiffArgs, tasks: &Tasks) -> Ended {
    let (before, after) =
        match (sources(&args.before, args.format)?, sources(&args.after, args.format)?) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(verdict), _) | (_, Err(verdict)) => return Ok(verdict),
        };
    let changes = diff::changes(&before, &after);
    for change in &changes {
        let line = match args.format {
            Format::Text => change.to_string(),
            Format::Json => json!(change).to_string(),
        };
        output::result(&format!("{line}\n"));
    }
    if let Some(url) = &args.prometheus {
        let prometheus = Prometheus::new(tasks, url, args.asked.timeout)?;
        for (name, sources) in [(&args.before, &before), (&args.after, &after)] {
            output::note(&format!("alerts of {} would have been raised:", name.display()));
            let replayed = online::would_have(&prometheus, sources, args.asked.days).await?;
            print_replayed(&replayed, args.asked.days, args.format);
        }
    }
    Ok(if changes.is_empty() { Verdict::Clean } else { Verdict::Findings })
}

/// `bifrost slo report`.
pub(super) async fn report(args: &ReportArgs, tasks: &Tasks) -> Ended {
    if args.to <= args.from {
        return Err(SloError::Backwards);
    }
    let sources = match sources(&args.dir, Format::Text)? {
        Ok(sources) => sources,
        Err(verdict) => return Ok(verdict),
    };
    let prometheus = Prometheus::new(tasks, &args.prometheus, args.timeout)?;
    let made = report::report(&prometheus, &sources, (args.from, args.to)).await?;
    let text = match args.format {
        ReportFormat::Md => report::markdown(&made),
        ReportFormat::Json => format!("{}\n", json!(made)),
    };
    output::result(&text);
    let nothing = made.slos.iter().all(|row| row.events.is_none());
    if nothing {
        output::note("nothing was recorded: does this Prometheus evaluate slo/generated?");
    }
    Ok(if nothing { Verdict::CouldNotCheck } else { Verdict::Clean })
}

/// `bifrost slo simulate`.
pub(super) fn simulate(args: &SimulateArgs) -> Ended {
    let From { dir, format } = &args.from;
    let sources = match sources(dir, *format)? {
        Ok(sources) => sources,
        Err(verdict) => return Ok(verdict),
    };
    let all: Vec<&Slo> = sources.services.iter().flat_map(|service| &service.slos).collect();
    let wanted = |slo: &&&Slo| args.slo.as_ref().is_none_or(|wanted| *wanted == slo.full_name());
    let chosen: Vec<&&Slo> = all.iter().filter(wanted).collect();
    if let (Some(wanted), true) = (&args.slo, chosen.is_empty()) {
        let known = all.iter().map(|slo| slo.full_name()).collect::<Vec<_>>().join(", ");
        return Err(SloError::NoSlo(wanted.clone(), known));
    }
    let mut table = Table::default();
    for slo in chosen.into_iter().filter(|slo| !slo.is_absolute()) {
        let outcome = simulate::run(&scenario(args, slo));
        if *format == Format::Json {
            output::result(&format!("{}\n", json!({"slo": slo.full_name(), "outcome": outcome})));
            continue;
        }
        for alert in simulated(slo, &outcome) {
            let spent = format!("budget spent {:.1} %", outcome.budget_spent * 100.0);
            let promised = format!("{} %", slo.objective);
            table.row([slo.full_name().as_str(), &promised, &alert, &spent]);
        }
    }
    output::result(&table.render("", Style::stdout()));
    Ok(Verdict::Clean)
}

fn scenario(args: &SimulateArgs, slo: &Slo) -> Scenario {
    let whole = u64::from(args.days) * 86_400;
    let after = args.after.as_secs().min(whole);
    Scenario {
        objective: slo.objective,
        min_events: slo.min_events(),
        traffic: args.traffic,
        background: args.background,
        after,
        lasting: args.lasting.as_secs().min(whole - after),
        fault: if args.failures > 0 { args.background } else { args.fault },
        failures: f64::from(args.failures),
        whole,
    }
}

/// A line for each alert that the objective has.
fn simulated(slo: &Slo, outcome: &simulate::Outcome) -> Vec<String> {
    let has = |severity: &str| match severity {
        "page" => !slo.alerting.page_alert.disable,
        _ => !slo.alerting.ticket_alert.disable,
    };
    let alerts = outcome.alerts.iter().filter(|alert| has(alert.severity));
    let said = alerts.map(|alert| {
        let Some(first) = alert.first_after_s else {
            return format!("no {}", alert.severity);
        };
        let time = |seconds| humantime::format_duration(Duration::from_secs(seconds));
        let (severity, times) = (alert.severity, alert.times);
        format!("{severity} after {}, {times} in all, for {}", time(first), time(alert.lasting_s))
    });
    said.collect()
}

/// `bifrost slo import`.
pub(super) fn import(args: &ImportArgs) -> Ended {
    let text = std::fs::read_to_string(&args.file).map_err(file("could not read", &args.file))?;
    let made = match args.tool {
        Tool::Sloth => exchange::sloth(&text),
        Tool::Pyrra => exchange::pyrra(&text),
    };
    let path = args.file.clone();
    let made = made.map_err(|source| SloError::Exchange { path: path.clone(), source })?;
    output::result(&made);
    // What another tool forgives is said at once, not when rules are made.
    let found: Vec<Finding> = super::model::read(&path, &made).err().unwrap_or_default();
    for finding in &found {
        output::note(&format!("in what was written: {finding}"));
    }
    Ok(if found.is_empty() { Verdict::Clean } else { Verdict::Findings })
}

/// `bifrost slo export`.
pub(super) fn export(args: &ExportArgs) -> Ended {
    let From { dir, format } = &args.from;
    let sources = match sources(dir, *format)? {
        Ok(sources) => sources,
        Err(verdict) => return Ok(verdict),
    };
    match args.tool {
        Target::Openslo => output::result(&exchange::openslo(&sources)),
    }
    Ok(Verdict::Clean)
}
