//! `bifrost publish`: everything that is told of the fleet as one site, in a folder, in nodes, or both.
//!
//! Nothing is lost on the way: the site is rendered wholly, looked at, written beside its place and put into
//! nodes; then a name moves, and last the folder takes the place of the one before. Whatever fails leaves the
//! folder as it was; a name that has moved stays where it leads, and the error says so.

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
use render::{Given, Told, site};

use crate::client::Endpoint;
use crate::findings::{Finding, Verdict};
use crate::fleet::Fleet;
use crate::ipns::Hearers;
use crate::output::{self, Format, Style};
use crate::whole::{FolderError, NewFolder};
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
/// Where the site of a fleet of this machine is, and its own rota, below its data folder.
const PLACE: &str = "site";
const ROTA: &str = "rota.yaml";

/// What `bifrost publish` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost publish                                 into the nodes of the fleet in .bifrost
  bifrost publish --out public                    into a folder alone; open public/index.html
  bifrost publish --key site.key                  and lead the name of a key to it
  bifrost publish --out public --prometheus http://127.0.0.1:9130 --policy http://127.0.0.1:8080
  bifrost publish --node http://127.0.0.1:9180 --profiles s3://profiles/bifrost --mirror /var/lib/bifrost/mirror

`bifrost ipns sign --key site.key --new-key` makes a key. Of a fleet in --data its gateway has the policy,
its Prometheus, if it has one, the figures, its rota.yaml, if it has one, who is on call, and its own name
leads to the site.

Exit codes:
  0  published
  1  published, but something is not as it should be, such as a node without it or figures that are not new:
     it was named
  2  wrong command line
  3  an input cannot be read, or the site would be wrong
  4  no node is reachable
  5  a node refused or failed
  7  this machine cannot do it (disk, folder, missing program, another publish into that folder)

From 2 on the folder is as it was, and so is the name unless 7 says that nodes have the site.")]
pub(crate) struct PublishArgs {
    /// Write the site into this folder; one that this command wrote is written anew [default: the folder of
    /// the fleet's site, where it goes into a fleet].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Put it into this node, by its admin URL; may be repeated.
    #[arg(long, value_name = "URL")]
    node: Vec<Endpoint>,
    /// Tell this node too where the name leads, by its admin URL: one of staging, which fetches the site from its
    /// peers; may be repeated.
    #[arg(long, value_name = "URL", requires_all = ["key", "node"])]
    also: Vec<Endpoint>,
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
    /// Where the site before is served, for its figures where new ones are not to be had and the folder of the
    /// site before has none.
    #[arg(long, value_name = "URL")]
    former: Option<String>,
    /// Who is on call; contacts are not shown [default: rota.yaml of the fleet, else examples].
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
/// As the variants of [`PublishError`] say; the folder of the site before is as it was.
pub(crate) async fn run(args: &PublishArgs, tasks: &Tasks) -> Result<Verdict, PublishError> {
    let said = |text: &str| {
        if args.format == Format::Text {
            output::note(text);
        }
    };
    let fleet = fleet(args)?;
    let into = into(args, fleet.as_ref())?;
    said("rendering");
    let mut told = Told::default();
    let files = site(&given(args, fleet.as_ref()), tasks, &mut told).await?;
    told.notes.iter().for_each(|note| said(note));
    let folder = tempfile::tempdir().map_err(PublishError::Temporary)?;
    let new = match (&args.out, fleet.as_ref().filter(|_| args.node.is_empty())) {
        (Some(out), _) => write(out, &files)?,
        (None, Some(fleet)) => write_own(&fleet.data, &files)?,
        (None, None) => write(&folder.path().join(PLACE), &files)?,
    };
    let mut published = Published::default();
    if let Some(into) = &into {
        said(&format!("putting {} files into {} nodes", files.len(), into.nodes.len()));
        published = into.publish(new.path(), tasks).await?;
    }
    finish(new, &published)?;
    let mut findings = told.findings;
    findings.append(&mut published.findings);
    report(args, &files, &published, &findings);
    Ok(if findings.is_empty() { Verdict::Clean } else { Verdict::Findings })
}

/// Writes the site of a fleet that comes up, beside its place below the data folder, with the figures that it
/// had: there are no others yet.
///
/// # Errors
/// As the variants of [`PublishError`] say.
pub(crate) async fn local(
    data: &Path,
    gateway_config: &Path,
    tasks: &Tasks,
) -> Result<NewFolder, PublishError> {
    let policy = policy::Source::File(gateway_config.to_path_buf());
    let files = site(&of_data(data, policy, None), tasks, &mut Told::default()).await?;
    write_own(data, &files)
}

/// Publishes the site of a fleet of this machine anew, with what its Prometheus has measured since.
///
/// # Errors
/// As the variants of [`PublishError`] say; the folder of the site before is as it was.
pub(crate) async fn renew(fleet: &Fleet, tasks: &Tasks) -> Result<(), PublishError> {
    let gateway = fleet.gateways.first().map(|gateway| gateway.url.clone());
    let policy = gateway.map_or(policy::Source::Defaults, policy::Source::Gateway);
    let observed = fleet.observe.as_ref().map(|observe| &observe.prometheus[..]);
    let given = of_data(&fleet.data, policy, observed);
    let new = write_own(&fleet.data, &site(&given, tasks, &mut Told::default()).await?)?;
    let published = match of_fleet(fleet)? {
        Some(target) => target.publish(new.path(), tasks).await?,
        None => Published::default(),
    };
    finish(new, &published)
}

/// Leads the name of a fleet of this machine to a root; says which of its nodes do not know, if one does.
///
/// # Errors
/// [`PublishError::Name`].
pub(crate) async fn lead(
    key: &Path,
    root: &str,
    nodes: &[Endpoint],
    tasks: &Tasks,
) -> Result<Option<String>, PublishError> {
    let value = format!("/ipfs/{root}");
    let to = Hearers { nodes, also: &[], timeout: LOCAL_SILENCE };
    Ok(crate::ipns::lead(key, &value, [LOCAL_TTL, LOCAL_VALID], &to, tasks).await?.lacking)
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
        None if !args.node.is_empty() => {
            Some(Target { also: args.also.clone(), ..Target::of(args.node.clone()) })
        }
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
    let also = fleet.staging.iter().map(|staging| Endpoint::parse(&staging.node.admin));
    Ok(Some(Target {
        also: also.collect::<Result<_, _>>()?,
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
    let own = fleet.map(|fleet| fleet.data.join(PLACE));
    Given {
        policy,
        figures: Sources {
            prometheus: shown.prometheus.as_deref().or(observed),
            within: shown.within,
            folders: out.iter().cloned().chain(own).collect(),
            former: shown.former.as_deref(),
        },
        rota: shown.rota.clone().or_else(|| own_rota(&fleet?.data)),
        profiles: shown.profiles.as_deref(),
        mirror: shown.mirror.as_deref(),
        from: today(),
    }
}

/// What the site of a fleet of this machine shows.
fn of_data<'a>(data: &Path, policy: policy::Source, observed: Option<&'a str>) -> Given<'a> {
    let folders = vec![data.join(PLACE)];
    Given {
        policy,
        figures: Sources { prometheus: observed, within: WITHIN, folders, former: None },
        rota: own_rota(data),
        profiles: None,
        mirror: None,
        from: today(),
    }
}

/// The rota of a fleet of this machine, if it has one of its own.
fn own_rota(data: &Path) -> Option<PathBuf> {
    let own = data.join(ROTA);
    own.exists().then_some(own)
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

/// Writes the site of a fleet of this machine beside its place.
///
/// # Errors
/// [`PublishError::Foreign`] and [`PublishError::Folder`].
fn write_own(data: &Path, files: &Files) -> Result<NewFolder, PublishError> {
    match write(&data.join(PLACE), files) {
        Err(PublishError::Folder(FolderError::NotOurs(place))) => Err(PublishError::Foreign(place)),
        done => done,
    }
}

/// Puts it in its place; what was published before that is told when it cannot be done.
///
/// # Errors
/// [`PublishError::Folder`] and [`PublishError::Half`].
fn finish(new: NewFolder, published: &Published) -> Result<(), PublishError> {
    new.finish().map_err(|source| match &published.root {
        None => PublishError::Folder(source),
        Some(root) => {
            PublishError::Half { source, root: root.clone(), name: published.name.clone() }
        }
    })
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
