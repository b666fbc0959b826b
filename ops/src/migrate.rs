//! `bifrost migrate`: what another gateway was told, as configuration of ours, with every setting accounted for.
//!
//! A setting is taken over, has another meaning here, is of no use here, or is not supported; none is passed over in
//! silence, and one that the tables do not know is said to be unknown. Secrets are never printed.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};

mod draft;
mod identity;
mod implied;
mod kubo;
mod rainbow;
mod setting;
#[cfg(test)]
mod tests;
mod way;

use draft::Draft;
use setting::{Row, Said};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The file of the node's key.
const KEY_FILE: &str = "identity.key";

const EXAMPLES: &str = "Examples:
  bifrost migrate rainbow --env rainbow.env                    # the table of settings, then both files
  docker inspect -f '{{join .Config.Env \"\\n\"}}' rainbow | bifrost migrate rainbow --env -
  bifrost migrate kubo --config ~/.ipfs/config --out bifrost   # gateway.yaml, node.yaml and identity.key

Nothing is started, asked or changed. Check the files with `bifrost-gateway --config FILE --check-config` and
`bifrost-node --config FILE --check-config`.

Exit codes:
  0  every setting is taken over or of no use here; some may mean something else, as the table says
  1  some are not supported, unknown, or cannot be read
  2  wrong command line
  3  the file cannot be read, or is not what it should be";

/// What `bifrost migrate` is told.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the environment of Rainbow 1.24.
    #[command(after_help = EXAMPLES)]
    Rainbow {
        /// The environment as lines of NAME=VALUE; `-` is stdin.
        #[arg(long, value_name = "FILE")]
        env: PathBuf,
        #[command(flatten)]
        to: To,
    },
    /// Read the configuration of Kubo 0.44.
    #[command(after_help = EXAMPLES)]
    Kubo {
        /// The file, `config` in the repository of Kubo; `-` is stdin.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        to: To,
    },
}

/// Where the result goes.
#[derive(Debug, Args)]
struct To {
    /// Write gateway.yaml and node.yaml, and the node's key where there is one, into this folder; files that are there
    /// are kept, and refuse it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How settings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why nothing was read or written.
#[derive(Debug, thiserror::Error)]
enum MigrateError {
    /// A file cannot be read.
    #[error("could not read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is too large.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A file is not what it should be.
    #[error("{}: {what}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// A file cannot be written, or is there already.
    #[error("could not write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a file of settings becomes.
#[derive(Debug, Default)]
struct Migrated {
    rows: Vec<Row>,
    draft: Draft,
    /// The node's key, if there was one.
    identity: Option<identity::Identity>,
}

/// Runs `bifrost migrate`.
pub(crate) fn run(args: &MigrateArgs) -> Verdict {
    let (done, to) = match &args.command {
        Command::Rainbow { env, to } => (migrate(env, rainbow::read, to), to),
        Command::Kubo { config, to } => (migrate(config, |text| kubo(text, config), to), to),
    };
    match done {
        Ok(migrated) => {
            show(&migrated, to);
            if migrated.rows.iter().any(|row| row.said.is_lost()) {
                return Verdict::Findings;
            }
            Verdict::Clean
        }
        Err(error) => {
            let head = Style::stderr().failure("bifrost:");
            output::note(&format!("{head} {}", telemetry::why(&error)));
            Verdict::CouldNotCheck
        }
    }
}

/// Reads Kubo's configuration; where it lies is its repository, which can have denylists.
fn kubo(text: &str, config: &Path) -> Result<Migrated, String> {
    let repository = (config != Path::new("-")).then(|| config.parent()).flatten();
    let environment = |name: &str| std::env::var_os(name).map(PathBuf::from);
    kubo::read(text, &kubo::denylists(repository, environment))
}

fn migrate(
    path: &Path,
    read: impl FnOnce(&str) -> Result<Migrated, String>,
    to: &To,
) -> Result<Migrated, MigrateError> {
    let text = text(path)?;
    let malformed = |what| MigrateError::Malformed { path: path.to_owned(), what };
    let mut migrated = read(&text).map_err(malformed)?;
    if let Some(folder) = &to.out {
        write(&mut migrated, folder)?;
    }
    Ok(migrated)
}

/// Writes all files into a folder, or none where one of them is there already.
fn write(migrated: &mut Migrated, folder: &Path) -> Result<(), MigrateError> {
    let key = migrated.identity.as_ref().map(|_| KEY_FILE);
    for name in migrated.draft.files().iter().map(|(name, _)| *name).chain(key) {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(MigrateError::Write { path, source });
        }
    }
    std::fs::create_dir_all(folder).map_err(unwritten(folder))?;
    let folder = folder.canonicalize().map_err(unwritten(folder))?;
    if let Some(identity) = &migrated.identity {
        let path = folder.join(KEY_FILE);
        identity.write(&path).map_err(unwritten(&path))?;
        migrated.draft.set(
            "node swarm.identity_file",
            path.display().to_string(),
            "Identity.PrivKey",
        );
    }
    for (name, text) in migrated.draft.files() {
        let path = folder.join(name);
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(unwritten(&path))?;
    }
    Ok(())
}

fn unwritten(path: &Path) -> impl FnOnce(std::io::Error) -> MigrateError {
    let path = path.to_owned();
    move |source| MigrateError::Write { path, source }
}

fn text(path: &Path) -> Result<String, MigrateError> {
    let failed = |source| MigrateError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        Some(_) | None => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    input.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(MigrateError::TooLarge(path.to_owned()));
    }
    Ok(text)
}

fn show(migrated: &Migrated, to: &To) {
    let files = migrated.draft.files();
    if to.format == Format::Json {
        for row in &migrated.rows {
            output::result(&format!("{}\n", serde_json::json!(row)));
        }
        for (file, text) in files {
            output::result(&format!("{}\n", serde_json::json!({"file": file, "text": text})));
        }
        return;
    }
    let mut table = Table::default();
    table.row(["SETTING", "THEIRS", "OURS", "", "NOTE"]);
    for row in &migrated.rows {
        table.row([&row.setting, &row.theirs, &row.ours, row.said.word(), &row.note]);
    }
    output::result(&table.render("", Style::stdout()));
    for (name, text) in files {
        match &to.out {
            Some(folder) => output::note(&format!("wrote {}", folder.join(name).display())),
            None => output::result(&format!("\n--- # {name}\n{text}")),
        }
    }
    let lost = migrated.rows.iter().filter(|row| row.said.is_lost()).count();
    let differ = migrated.rows.iter().filter(|row| row.said == Said::Differs).count();
    output::note(&format!(
        "{} settings: {differ} with another meaning, {lost} that are not supported",
        migrated.rows.len()
    ));
}
