//! `bifrost publish`: everything that is told of the fleet as one site, in a folder, in nodes, or both.
//!
//! Nothing is lost on the way: the site is rendered wholly, looked at, written beside its place and put into
//! nodes; then a name moves, and last the folder takes the place of the one before. Whatever fails before
//! leaves what was there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use telemetry::Tasks;

mod check;
mod documents;
mod error;
mod figures;
mod into;
mod manual;
mod page;
mod policy;
mod render;
mod search;
mod status;
mod text;
mod time;

pub(crate) use error::PublishError;
use render::{Given, site};

use crate::client::Endpoint;
use crate::findings::{Finding, Verdict};
use crate::fleet::Fleet;
use crate::output::{self, Format, Style};
use crate::whole::NewFolder;
use check::Files;
use figures::Sources;
use into::{Published, Target};

/// By this file a folder is known to be ours.
const MARK: &str = ".bifrost-site";
/// What it says.
const SAYS: &str = "Written by `bifrost publish`, which writes it anew.\n";
/// The data folder of a fleet of this machine.
const DATA: &str = ".bifrost";

/// How long gateways of this machine may keep the name of its site.
const LOCAL_TTL: Duration = Duration::from_secs(10);
/// How long it leads there: a fleet that is not published again goes on for longer than it will be up.
const LOCAL_VALID: Duration = Duration::from_secs(3650 * 86_400);
/// Longest silence of a node, and longest wait for an answer of Prometheus, on this machine.
const LOCAL_SILENCE: Duration = Duration::from_secs(40);
const WITHIN: Duration = Duration::from_secs(10);
/// Where the site of a fleet of this machine is, below its data folder.
const PLACE: &str = "site";

/// What `bifrost publish` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost publish                                 into the nodes of the fleet in .bifrost
  bifrost publish --out public                    into a folder alone; open public/index.html
  bifrost publish --key site.key                  and lead the name of a key to it
  bifrost publish --out public --prometheus http://127.0.0.1:9130 --policy http://127.0.0.1:8080
  bifrost publish --node http://127.0.0.1:9180 --profiles s3://profiles/bifrost --mirror /var/lib/bifrost/mirror

`bifrost ipns sign --key site.key --new-key` makes a key. Of a fleet in --data its gateway has the policy,
its Prometheus, if it has one, the figures, and its own name leads to the site.

Exit codes:
  0  published
  1  published, but something is not as it should be, such as figures that are not new: it was named
  2  wrong command line
  3  an input cannot be read, or the site would be wrong; what was published before stays
  4  a node is not reachable; what was published before stays
  5  a node refused or failed
  6  stored, but on fewer nodes than asked for
  7  this machine cannot do it (disk, folder, missing program); what was published before stays")]
pub(crate) struct PublishArgs {
    /// Write the site into this folder. One that this command wrote is written anew.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Put it into this node, by its admin URL; may be repeated.
    #[arg(long, value_name = "URL")]
    node: Vec<Endpoint>,
    /// Put it into the nodes of the fleet with this data folder [default: .bifrost, without --out and --node].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Lead the name of the key in this file to it, once nodes have all of it.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How long gateways may keep that name's record.
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "key", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// How long that record is valid: publish again before that.
    #[arg(long, value_name = "TIME", default_value = "30d", requires = "key", value_parser = humantime::parse_duration)]
    valid_for: Duration,
    /// Longest silence of a node before it is given up.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    shown: Shown,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a site shows besides its texts.
#[derive(Debug, Args)]
struct Shown {
    /// The gateway whose policy is shown.
    #[arg(long, value_name = "URL", conflicts_with = "gateway_config")]
    policy: Option<String>,
    /// The configuration of gateways whose policy is shown.
    #[arg(long, value_name = "FILE")]
    gateway_config: Option<PathBuf>,
    /// Who has status and figures.
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Longest wait for one answer of it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    within: Duration,
    /// Where the site before is served, for its figures where new ones are not to be had [default: --out].
    #[arg(long, value_name = "URL")]
    former: Option<String>,
    /// Who is on call; contacts are not shown.
    #[arg(long, value_name = "FILE")]
    rota: Option<PathBuf>,
    /// The store of profiles whose latest pages are shown, as `bifrost profile` takes it.
    #[arg(long, value_name = "STORE")]
    profiles: Option<String>,
    /// The folder of pairs whose verdict is shown.
    #[arg(long, value_name = "DIR")]
    mirror: Option<PathBuf>,
}

/// Runs `bifrost publish`.
///
/// # Errors
/// As the variants of [`PublishError`] say; what was published before is still there.
pub(crate) async fn run(args: &PublishArgs, tasks: &Tasks) -> Result<Verdict, PublishError> {
    let said = |text: &str| {
        if args.format == Format::Text {
            output::note(text);
        }
    };
    let fleet = fleet(args)?;
    let into = into(args, fleet.as_ref())?;
    said("rendering");
    let (given, mut findings) = (given(args, fleet.as_ref()), Vec::new());
    let files = site(&given, tasks, &mut findings).await?;
    let folder = tempfile::tempdir().map_err(PublishError::Temporary)?;
    let place = args.out.clone().unwrap_or_else(|| folder.path().join("site"));
    let new = write(&place, &files)?;
    let mut published = Published::default();
    if let Some(into) = &into {
        said(&format!("putting {} files into {} nodes", files.len(), into.nodes.len()));
        published = into.publish(new.path(), tasks).await?;
    }
    new.finish()?;
    findings.append(&mut published.findings);
    report(args, &files, &published, &findings);
    Ok(if findings.is_empty() { Verdict::Clean } else { Verdict::Findings })
}

/// Writes the site of a fleet that comes up, beside its place below the data folder: there are no figures yet.
///
/// # Errors
/// As the variants of [`PublishError`] say.
pub(crate) async fn local(
    data: &Path,
    gateway_config: &Path,
    tasks: &Tasks,
) -> Result<NewFolder, PublishError> {
    let own = data.join("rota.yaml");
    let given = Given {
        policy: policy::Source::File(gateway_config.to_path_buf()),
        figures: Sources { prometheus: None, within: WITHIN, out: None, former: None },
        rota: own.exists().then_some(&*own),
        profiles: None,
        mirror: None,
        from: today(),
    };
    let files = site(&given, tasks, &mut Vec::new()).await?;
    write(&data.join(PLACE), &files)
}

/// Publishes the site of a fleet of this machine anew, with what its Prometheus has measured since.
///
/// # Errors
/// As the variants of [`PublishError`] say; the site before is still there.
pub(crate) async fn renew(fleet: &Fleet, tasks: &Tasks) -> Result<(), PublishError> {
    let own = fleet.data.join("rota.yaml");
    let place = fleet.data.join(PLACE);
    let gateway = fleet.gateways.first().map(|gateway| gateway.url.clone());
    let observed = fleet.observe.as_ref().map(|observe| &observe.prometheus[..]);
    let given = Given {
        policy: gateway.map_or(policy::Source::Defaults, policy::Source::Gateway),
        figures: Sources { prometheus: observed, within: WITHIN, out: Some(&place), former: None },
        rota: own.exists().then_some(&*own),
        profiles: None,
        mirror: None,
        from: today(),
    };
    let new = write(&place, &site(&given, tasks, &mut Vec::new()).await?)?;
    if let Some(target) = of_fleet(fleet)? {
        target.publish(new.path(), tasks).await?;
    }
    Ok(new.finish()?)
}

/// Leads the name of a fleet of this machine to a root.
///
/// # Errors
/// [`PublishError::Name`].
pub(crate) async fn lead(
    key: &Path,
    root: &str,
    nodes: &[Endpoint],
    tasks: &Tasks,
) -> Result<(), PublishError> {
    let value = format!("/ipfs/{root}");
    let to = (nodes, LOCAL_SILENCE);
    crate::ipns::lead(key, &value, [LOCAL_TTL, LOCAL_VALID], to, tasks).await?;
    Ok(())
}

/// The fleet of this machine, if it is meant.
fn fleet(args: &PublishArgs) -> Result<Option<Fleet>, PublishError> {
    let usual = || (args.out.is_none() && args.node.is_empty()).then(|| DATA.into());
    let data: Option<PathBuf> = args.data.clone().or_else(usual);
    Ok(data.map(|data| Fleet::read(&data)).transpose()?)
}

fn into<'a>(
    args: &'a PublishArgs,
    fleet: Option<&'a Fleet>,
) -> Result<Option<Target<'a>>, PublishError> {
    let mut target = match fleet.filter(|_| args.node.is_empty()) {
        Some(fleet) => of_fleet(fleet)?,
        None if !args.node.is_empty() => Some(Target::of(args.node.clone())),
        None if args.key.is_some() => return Err(PublishError::NoNode),
        None => None,
    };
    if let Some(target) = &mut target {
        target.timeout = args.timeout;
        if args.key.is_some() {
            (target.key, target.times) = (args.key.as_deref(), [args.ttl, args.valid_for]);
        }
    }
    Ok(target)
}

/// The nodes of a fleet of this machine, and its own name.
fn of_fleet(fleet: &Fleet) -> Result<Option<Target<'_>>, PublishError> {
    let also = fleet.staging.as_ref().map(|staging| Endpoint::parse(&staging.node.admin));
    Ok(Some(Target {
        also: also.transpose()?,
        key: fleet.site.key.as_deref(),
        times: [LOCAL_TTL, LOCAL_VALID],
        ..Target::of(crate::add::endpoints(fleet)?)
    }))
}

/// What the site shows: what was said, else what the fleet has.
fn given<'a>(args: &'a PublishArgs, fleet: Option<&'a Fleet>) -> Given<'a> {
    let PublishArgs { shown, out, .. } = args;
    let gateway = fleet.and_then(|fleet| fleet.gateways.first());
    let policy = match (&shown.policy, &shown.gateway_config, gateway) {
        (Some(url), _, _) => policy::Source::Gateway(url.clone()),
        (None, Some(path), _) => policy::Source::File(path.clone()),
        (None, None, Some(gateway)) => policy::Source::Gateway(gateway.url.clone()),
        (None, None, None) => policy::Source::Defaults,
    };
    let observed = fleet.and_then(|fleet| Some(&fleet.observe.as_ref()?.prometheus[..]));
    Given {
        policy,
        figures: Sources {
            prometheus: shown.prometheus.as_deref().or(observed),
            within: shown.within,
            out: out.as_deref(),
            former: shown.former.as_deref(),
        },
        rota: shown.rota.as_deref(),
        profiles: shown.profiles.as_deref(),
        mirror: shown.mirror.as_deref(),
        from: today(),
    }
}

/// The beginning of the day, in UTC: sites of one day differ by nothing but what happened.
fn today() -> Timestamp {
    let now = Timestamp::now();
    let midnight = now.as_second() - now.as_second().rem_euclid(86_400);
    Timestamp::from_second(midnight).unwrap_or(now)
}

/// Writes all of it beside its place.
///
/// # Errors
/// [`PublishError::Folder`].
fn write(place: &Path, files: &Files) -> Result<NewFolder, PublishError> {
    let new = NewFolder::begin(place, MARK, SAYS)?;
    for (path, content) in files {
        new.write(path, content)?;
    }
    Ok(new)
}

fn report(args: &PublishArgs, files: &Files, published: &Published, findings: &[Finding]) {
    let pages = files.keys().filter(|path| path.ends_with(".html")).count();
    let out = args.out.as_ref().map(|out| out.display().to_string());
    let Published { root, name, .. } = published;
    if args.format == Format::Json {
        let line = json!({
            "pages": pages, "bytes": files.values().map(Vec::len).sum::<usize>(), "out": out,
            "root": root, "name": name, "findings": findings,
        });
        return output::result(&format!("{line}\n"));
    }
    let style = Style::stderr();
    for finding in findings {
        output::note(&style.warning(&finding.to_string()));
    }
    let into = out.map(|out| format!(" in {out}")).unwrap_or_default();
    output::note(&format!("{} {pages} pages{into}", style.strong("published")));
    // The last line is what can be asked for.
    for address in [root.as_ref().map(|root| format!("/ipfs/{root}/")), name.clone()] {
        output::note(&address.unwrap_or_default());
    }
    if let Some(root) = root {
        output::result(&format!("{root}\n"));
    }
}

#[cfg(test)]
mod tests;
