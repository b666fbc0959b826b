//! `bifrost package`: what is shipped, made from built programs and this project without an engine or a
//! clock. The same programs and libraries of the same commit give the same bytes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::output::{self, Exit};
use crate::whole::write_whole;

mod archive;
mod binary;
mod brought;
mod chart;
mod deb;
mod image;
mod licences;
mod linked;
mod sbom;
mod software;
#[cfg(test)]
mod tests;
mod tree;

use linked::Linked;
use software::Software;

const EXAMPLES: &str = "Examples:
  make release                                        # builds the programs, then all of these
  export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  bifrost package deb --bin target/release --out dist
  bifrost package image --bin target/release --out dist && skopeo copy oci-archive:dist/bifrost_….oci.tar …
  bifrost package sbom > bifrost.cdx.json";

/// What `bifrost package` is told.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", output::EXIT_CODES))]
pub(crate) struct PackageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make all of them, and the file with their sums.
    All(BuildArgs),
    /// Make the archive of a release: programs, pages, units, configurations, the chart, sums.
    Archive(BuildArgs),
    /// Make the package for Debian and Ubuntu.
    Deb(BuildArgs),
    /// Make an image for container engines: a layout of OCI, in a tar.
    Image(BuildArgs),
    /// Print what the programs are built from, as CycloneDX 1.5.
    Sbom(ProjectArgs),
}

#[derive(Debug, Args)]
struct ProjectArgs {
    /// The root of the project.
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// The time of everything that is packed, in seconds since 1970: that of the commit.
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    time: u64,
}

#[derive(Debug, Args)]
struct BuildArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The folder with the built programs.
    #[arg(long, value_name = "DIR")]
    bin: PathBuf,
    /// The folder that packages are written to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The commit that labels of the image name [default: the one that was built or, where the build does
    /// not say, the one that is checked out at the root].
    #[arg(long, value_name = "COMMIT", env = "BIFROST_COMMIT")]
    revision: Option<String>,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    /// A file cannot be read.
    #[error("could not read {}: {source}; --root names the project, --bin the built programs", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A package cannot be written.
    #[error("could not write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program cannot be started.
    #[error("could not run {}: {source}", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program or file says what is of no use.
    #[error("{program} is of no use here: {said}")]
    Garbled {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A file is no program for a processor that packages are made for.
    #[error("{} is no program for x86-64 or 64-bit ARM", .0.display())]
    NotAProgram(PathBuf),
    /// A library is not there, or in no package that is known.
    #[error("a program needs {}, which no package is known to have: link it statically", .0.display())]
    Library(PathBuf),
}

/// The time of everything that is packed.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    /// In seconds since 1970.
    time: u64,
}

impl Stamp {
    fn zoned(self) -> jiff::Zoned {
        let seconds = i64::try_from(self.time).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        time.to_zoned(jiff::tz::TimeZone::UTC)
    }

    /// As RFC 3339 writes it.
    fn text(self) -> String {
        self.zoned().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

type Maker = fn(&Software, Stamp) -> Result<(String, Vec<u8>), PackageError>;

/// Runs the command.
pub(crate) fn run(args: &PackageArgs) -> ExitCode {
    let done = match &args.command {
        Command::All(args) => build(args, &[archive::build, deb::build, image::build]),
        Command::Archive(args) => build(args, &[archive::build]),
        Command::Deb(args) => build(args, &[deb::build]),
        Command::Image(args) => build(args, &[image::build]),
        Command::Sbom(args) => {
            let stamp = Stamp { time: args.time };
            Linked::read(&args.root, std::env::consts::ARCH)
                .and_then(|linked| sbom::document(&args.root, &linked, stamp))
                .map(|document| output::result(&sbom::text(&document)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::failed(&telemetry::why(&error), Exit::Input),
    }
}

/// Makes packages, and with more than one the file with their sums, which is written last.
fn build(args: &BuildArgs, makers: &[Maker]) -> Result<(), PackageError> {
    let stamp = Stamp { time: args.project.time };
    // A variable that is set to nothing says nothing.
    let revision = args.revision.clone().filter(|revision| !revision.is_empty());
    let software = Software::gather(&args.bin, &args.project.root, stamp, revision)?;
    std::fs::create_dir_all(&args.out)
        .map_err(|source| PackageError::Write { path: args.out.clone(), source })?;
    let mut sums = String::new();
    for make in makers {
        let (name, content) = make(&software, stamp)?;
        sums.push_str(&format!("{}  {name}\n", tree::sha256(&content)));
        written(&args.out.join(name), &content)?;
    }
    if makers.len() > 1 {
        let name = format!("bifrost-{}.cdx.json", software.version);
        let components = sbom::text(&software.sbom);
        sums.push_str(&format!("{}  {name}\n", tree::sha256(components.as_bytes())));
        written(&args.out.join(name), components.as_bytes())?;
        written(&args.out.join("SHA256SUMS"), sums.as_bytes())?;
    }
    Ok(())
}

fn written(path: &Path, content: &[u8]) -> Result<(), PackageError> {
    write_whole(path, content)
        .map_err(|source| PackageError::Write { path: path.to_path_buf(), source })?;
    output::result(&format!("{}\n", path.display()));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path).map_err(|source| PackageError::Read { path: path.to_path_buf(), source })
}

/// Which shell completions are for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost completions bash > ~/.local/share/bash-completion/completions/bifrost
  bifrost completions fish > ~/.config/fish/completions/bifrost.fish
  bifrost completions zsh > \"${fpath[1]}/_bifrost\"")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: ShellName,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ShellName {
    Bash,
    Fish,
    Zsh,
}

/// Prints completions for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> ExitCode {
    use telemetry::manual::Form;
    let form = match args.shell {
        ShellName::Bash => Form::Bash,
        ShellName::Fish => Form::Fish,
        ShellName::Zsh => Form::Zsh,
    };
    match io::stdout().write_all(&crate::drawn(form)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::failed(&error.to_string(), Exit::Machine),
    }
}
