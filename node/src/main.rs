//! `bifrost-node`: arguments, configuration, start, wait for a signal, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use futures::FutureExt;
use futures::future::BoxFuture;
use node::config::Config;
use node::server::Node;
use telemetry::manual::{self, Beyond, Form};
use telemetry::{Process, service};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// One member of a Bifrost pool: stores blocks, fetches them from peers by bitswap, and serves them
/// as verifiable answers over HTTP.
#[derive(Debug, Parser)]
#[command(
    version = telemetry::build_info::version(),
    after_help = "Examples:\n  bifrost-node --config node.yaml\n  bifrost-node --set http.listen=127.0.0.1:8181 --set admin.listen=127.0.0.1:9181\n  BIFROST_LOG__LEVEL=debug bifrost-node --config node.yaml\n  bifrost-node --config node.yaml --check-config\n\nSignals: SIGTERM and SIGINT drain and end; SIGHUP opens the access log anew and takes over the\nlevel of the log.\n\nExit codes: 0 stopped cleanly, 1 could not start, 2 bad usage or configuration,\n3 cut work short while stopping."
)]
struct Arguments {
    /// The configuration, a YAML file.
    #[arg(long, value_name = "FILE", env = "BIFROST_CONFIG")]
    config: Option<PathBuf>,
    /// Overrides one key, such as `blockstore.dir=/srv/blocks`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Prints the configuration in effect and exits.
    #[arg(long)]
    check_config: bool,
    /// Prints what this program says of itself, as JSON, and ends: the schema of its configuration, its headers,
    /// its outcomes.
    #[arg(long, value_name = "SUBJECT", value_parser = telemetry::describe::SUBJECTS)]
    describe: Option<String>,
    /// Drains and ends when standard input, a pipe, is closed: for supervisors, whose death must not
    /// leave this process behind.
    #[arg(long)]
    stop_with_stdin: bool,
    /// Writes the page of the manual, or completions for a shell, and ends: for packages.
    #[arg(long, hide = true, value_name = "FORM")]
    generate: Option<Form>,
}

/// What the page of the manual says beside what `--help` does.
const BEYOND: Beyond = Beyond {
    files: &[
        ("/etc/bifrost/node.yaml", "The configuration that the service of the package reads."),
        (
            "/etc/bifrost/admin-token",
            "The token of the admin listeners, handed to services as a credential.",
        ),
        (
            "/var/lib/bifrost-node",
            "The identity, the IPNS records and the blocks of the package's node.",
        ),
    ],
    variables: &[
        (
            "BIFROST_<SECTION>__<KEY>",
            "Overrides one key of the configuration, as BIFROST_LOG__LEVEL=debug.",
        ),
        (
            "NOTIFY_SOCKET, WATCHDOG_USEC",
            "Where a service manager is told of readiness and life; see sd_notify(3).",
        ),
        (
            "LISTEN_FDS, LISTEN_FDNAMES",
            "Sockets that take the place of binding, named public and admin; see sd_listen_fds(3).",
        ),
    ],
};

impl Arguments {
    fn load(&self) -> anyhow::Result<Config> {
        let config: Config = telemetry::config::load(self.config.as_deref(), &self.set)?;
        config.check()?;
        Ok(config)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(subject) = &arguments.describe {
        use std::io::Write;
        let said = writeln!(std::io::stdout(), "{:#}", node::describe::describe(subject));
        return said.map_or_else(|error| fail(1, &error), |()| ExitCode::SUCCESS);
    }
    if let Some(form) = arguments.generate {
        let written = manual::write(form, Arguments::command(), &BEYOND, &mut std::io::stdout());
        return written.map_or_else(|error| fail(1, &error), |()| ExitCode::SUCCESS);
    }
    let config = match arguments.load() {
        Ok(config) => config,
        Err(error) => return fail(2, &telemetry::why(error.as_ref())),
    };
    if arguments.check_config {
        use std::io::Write;
        let shown = telemetry::config::to_yaml(&config);
        return match std::io::stdout().write_all(shown.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &error),
        };
    }
    // Before there is a second thread.
    if let Err(error) = service::take_sockets() {
        return fail(1, &error);
    }
    // Two providers of cryptography are linked; the first one installed is the one that is used.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail(1, &"a provider of cryptography is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    runtime.block_on(run(&arguments, config))
}

async fn run(arguments: &Arguments, config: Config) -> ExitCode {
    let telemetry = match telemetry::install(&config.log, &config.trace, Process::Node) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(1, &error),
    };
    let mut signals = match Signals::new(arguments.stop_with_stdin) {
        Ok(signals) => signals,
        Err(error) => return fail(1, &error),
    };
    let node = match Node::start(config, Some(&telemetry)).await {
        Ok(node) => node,
        Err(error) => return fail(1, &error),
    };
    while signals.told().await == Told::Reload {
        service::reloading();
        node.reopen_log();
        let level = arguments.load().map(|config| config.log.level);
        let taken = level.and_then(|level| Ok(telemetry.level().set(&level)?));
        service::reloaded(taken.is_ok());
        if let Err(error) = taken {
            let error = telemetry::why(error.as_ref());
            tracing::error!(error, "configuration was not taken over");
        }
    }
    let clean = node.stop().await;
    telemetry.shutdown(std::time::Duration::from_secs(5)).await;
    if clean { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    End,
    Reload,
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    parent: BoxFuture<'static, ()>,
}

impl Signals {
    fn new(stop_with_stdin: bool) -> std::io::Result<Self> {
        let parent = async move {
            if !stop_with_stdin {
                return std::future::pending().await;
            }
            if let Err(error) = telemetry::parent::gone().await {
                tracing::error!(%error, "standard input cannot be watched; ending");
            }
        };
        Ok(Self {
            parent: parent.boxed(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn told(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            () = &mut self.parent => Told::End,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// Says why the process ends, on the standard error.
fn fail(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    use std::io::Write;
    // There is nobody left to tell if this cannot be written.
    writeln!(std::io::stderr(), "bifrost-node: {why}").unwrap_or_default();
    ExitCode::from(code)
}
