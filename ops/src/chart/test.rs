//! `bifrost chart test`: renders every set of values once, and has everybody look at it.
//!
//! What Kubernetes itself would do with it only a cluster can show.

use std::path::{Path, PathBuf};

use clap::Args;

use super::helm::{Helm, Rendered, overlays};
use super::objects::{Object, split};
use super::outside::{Programs, unique};
use super::sets::Set;
use super::{
    CHART, ChartError, Common, about, custom, golden, judge, metadata, sets, sync, upgrade, values,
};
use crate::findings::{self, Finding};
use crate::output::{self, Format};
use crate::whole::FileError;

/// How far apart sets are that are laid over each other.
const CROSSED_BY: usize = 7;
/// What Helm says when a template refuses values with a sentence, and did not just break.
const SENTENCE: &str = "execution error at (bifrost/templates/gateway.yaml:1:";

/// What `bifrost chart test` is told.
#[derive(Debug, Args)]
#[command(after_help = findings::EXIT_CODES)]
pub(super) struct TestArgs {
    #[command(flatten)]
    common: Common,
    /// Helm.
    #[arg(long, value_name = "PATH", default_value = "helm", env = "BIFROST_HELM")]
    helm: PathBuf,
    /// The validator with the schemas of Kubernetes.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "kubernetes-validate",
        env = "BIFROST_KUBERNETES_VALIDATE"
    )]
    validate: PathBuf,
    /// The versions of Kubernetes whose schemas are asked.
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',', default_value = "1.30.0,1.37.0")]
    schemas: Vec<String>,
    /// promtool.
    #[arg(long, value_name = "PATH", default_value = "promtool")]
    promtool: PathBuf,
    /// The folder of bifrost-gateway and bifrost-node; that of this program unless told otherwise.
    #[arg(long, value_name = "DIR")]
    bins: Option<PathBuf>,
    /// Make the golden files what is rendered.
    #[arg(long)]
    update: bool,
    /// Keep what the next release cannot change: for the commit that a release is made of.
    #[arg(long, conflicts_with = "set")]
    release: bool,
    /// Only this set of values. May be given more than once.
    #[arg(long, value_name = "NAME")]
    set: Vec<String>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Renders and checks.
///
/// # Errors
/// [`ChartError`]: something could not be checked.
pub(super) fn run(args: &TestArgs) -> Result<Vec<Finding>, ChartError> {
    let chart = args.common.root.join(CHART);
    let (all, mut found) = sets::all(&chart)?;
    found.extend(sync::drift(&args.common.root)?);
    found.extend(metadata::check(&chart)?);
    found.extend(values::check(&chart, &all)?);
    let chosen = chosen(args, &all)?;
    let helm = Helm { program: args.helm.clone(), chart: chart.clone() };
    found.extend(helm.lint(&overlays(&chart)?)?);
    output::note(&format!("rendering {} sets of values", chosen.len()));
    let mut rendered = Vec::new();
    for (set, said) in chosen.iter().zip(helm.all(&chosen)?) {
        match taken(set, said) {
            Ok(Some(objects)) => rendered.push((set.name.clone(), objects)),
            Ok(None) => {}
            Err(finding) => found.push(finding),
        }
    }
    let crossed = match args.set.is_empty() {
        true => crossed(&helm, &chosen, &mut found)?,
        false => Vec::new(),
    };
    found.extend(looked_at(args, &chart, &rendered, crossed)?);
    Ok(found)
}

/// Sets laid over each other: what none of them shows by itself. Each is rendered, or refused by a sentence.
fn crossed(
    helm: &Helm,
    sets: &[Set],
    found: &mut Vec<Finding>,
) -> Result<Vec<(String, Vec<Object>)>, ChartError> {
    let sets: Vec<&Set> = sets.iter().filter(|set| set.refused.is_none()).collect();
    let others = sets.iter().cycle().skip(CROSSED_BY);
    let pairs: Vec<Set> = sets.iter().zip(others).map(|(one, other)| one.under(other)).collect();
    let mut rendered = Vec::new();
    for (set, said) in pairs.iter().zip(helm.all(&pairs)?) {
        match said {
            Ok(text) => match split(&text) {
                Ok(objects) => rendered.push((set.name.clone(), objects)),
                Err(error) => found.push(about(&set.path, "crossed", error)),
            },
            Err(said) if said.contains(SENTENCE) => {}
            Err(said) => found.push(about(&set.path, "crossed", format!("{}: {said}", set.name))),
        }
    }
    Ok(rendered)
}

fn chosen(args: &TestArgs, all: &[Set]) -> Result<Vec<Set>, ChartError> {
    if let Some(name) = args.set.iter().find(|name| all.iter().all(|set| set.name != **name)) {
        return Err(ChartError::NoSet(name.clone()));
    }
    let is_chosen = |set: &&Set| {
        // The others are told from the default.
        args.set.is_empty() || args.set.contains(&set.name) || set.name == golden::BASE
    };
    Ok(all.iter().filter(is_chosen).cloned().collect())
}

/// The objects of a set that is to be taken; none of one that is to be refused, and was.
fn taken(set: &Set, said: Rendered) -> Result<Option<Vec<Object>>, Finding> {
    match (&set.refused, said) {
        (None, Ok(text)) => match split(&text) {
            Ok(objects) => Ok(Some(objects)),
            Err(error) => Err(about(&set.path, "malformed", error)),
        },
        (None, Err(said)) => Err(about(&set.path, "refused", said)),
        (Some(sentence), Ok(_)) => {
            let text = format!("it is rendered and should be refused with `{sentence}`");
            Err(about(&set.path, "taken", text))
        }
        (Some(sentence), Err(said)) if !said.contains(sentence.as_str()) => {
            let text = format!("it should be refused with `{sentence}`, and is with `{said}`");
            Err(Finding::at(&set.path, 1, "sentence", text))
        }
        (Some(_), Err(_)) => Ok(None),
    }
}

fn looked_at(
    args: &TestArgs,
    chart: &Path,
    rendered: &[(String, Vec<Object>)],
    crossed: Vec<(String, Vec<Object>)>,
) -> Result<Vec<Finding>, ChartError> {
    let mut found = Vec::new();
    for (set, objects) in rendered.iter().chain(&crossed) {
        let path = chart.join("ci").join(format!("{set}.yaml"));
        let said = judge::judge(objects).into_iter();
        found.extend(said.map(|(title, text)| about(&path, "rule", format!("{title}: {text}"))));
    }
    let files = golden::files(rendered);
    let (folder, only) = (chart.join("ci/golden"), !args.set.is_empty());
    if args.update {
        golden::update(&folder, &files, only)?;
    }
    found.extend(golden::drift(&folder, &files, only)?);
    let before = chart.join("ci/previous");
    if args.release {
        upgrade::keep(&before, rendered)?;
    }
    found.extend(upgrade::check(&before, rendered)?);
    let sets = rendered.len();
    let all = [rendered, &crossed].concat();
    let unique = unique(&all);
    let failed = |source| FileError::Write { path: std::env::temp_dir(), source };
    let scratch = tempfile::tempdir().map_err(failed)?;
    let programs = programs(args);
    found.extend(programs.objects(&unique, scratch.path())?);
    found.extend(programs.configs(&unique, scratch.path())?);
    found.extend(programs.rules(&unique, scratch.path())?);
    let ours = unique.iter().filter(|(_, object)| custom::is_custom(object)).count();
    output::note(&format!(
        "{sets} sets rendered, and {} of two; {} different objects: {} against schemas of Kubernetes {}, \
         {ours} of custom kinds against our own types",
        crossed.len(),
        unique.len(),
        unique.len() - ours,
        args.schemas.join(" and ")
    ));
    Ok(found)
}

fn programs(args: &TestArgs) -> Programs {
    let own = || {
        let own = std::env::current_exe().ok();
        own.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default()
    };
    Programs {
        validate: args.validate.clone(),
        versions: args.schemas.clone(),
        promtool: args.promtool.clone(),
        bins: args.bins.clone().unwrap_or_else(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(refused: Option<&str>) -> Set {
        let (name, path) = ("a".to_owned(), PathBuf::from("a.yaml"));
        Set { name, path, files: Vec::new(), refused: refused.map(str::to_owned) }
    }

    #[test]
    fn refusals_are_held_against_their_sentence() {
        let rule = |refused, said: Rendered| taken(&set(refused), said).map_err(|found| found.rule);
        let object = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
        assert!(rule(None, Ok(object.to_owned())).is_ok_and(|objects| objects.is_some()));
        assert_eq!(rule(Some("set a"), Err("Error: set a".to_owned())), Ok(None));
        assert_eq!(rule(Some("set a"), Err("Error: set b".to_owned())), Err("sentence"));
        assert_eq!(rule(Some("set a"), Ok(object.to_owned())), Err("taken"));
        assert_eq!(rule(None, Err("Error".to_owned())), Err("refused"));
        assert_eq!(rule(None, Ok("kind: Service\n".to_owned())), Err("malformed"));
    }
}
