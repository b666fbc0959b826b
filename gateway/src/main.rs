//! The gateway's process: arguments, configuration, start, signals, drain.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use gateway::config::Config;
use gateway::server::{MirrorRoutes, Server, Surroundings};
use telemetry::access::AccessLog;
use telemetry::admin::{Admin, Shown};
use telemetry::log::LogLevel;
use telemetry::manual::{self, Beyond, Form};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks, service};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code of bad usage or configuration.
const BAD_CONFIG: u8 = 2;
/// Exit code of a process whose work was cut short while it stopped.
const CUT_SHORT: u8 = 3;
/// How long tasks may take to end once no request is in flight.
const TASKS_END: Duration = Duration::from_secs(5);

/// Serves content-addressed data over HTTP and proves every byte of it.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  bifrost-gateway --config gateway.yaml
  bifrost-gateway --set server.listen=127.0.0.1:8080 \\
      --set 'upstream.nodes=[{url: \"http://127.0.0.1:8180\"}]'
  BIFROST_CACHE__BLOCK_BYTES=1GiB bifrost-gateway --config gateway.yaml --check-config

Signals: SIGTERM and SIGINT drain and end; SIGHUP reads the configuration again.

Exit codes: 0 stopped cleanly, 1 could not start, 2 bad usage or configuration,
3 cut work short while stopping."
)]
struct Arguments {
    /// The configuration file, in YAML; every key has a default.
    #[arg(long, env = "BIFROST_CONFIG")]
    config: Option<PathBuf>,
    /// Sets one key, as section.key=value; may be given several times and wins over the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Checks the configuration, prints what is in effect, and ends.
    #[arg(long)]
    check_config: bool,
    /// Prints what this program says of itself, as JSON, and ends: the schema of its configuration, its headers,
    /// its outcomes.
    #[arg(long, value_name = "SUBJECT", value_parser = telemetry::describe::SUBJECTS)]
    describe: Option<String>,
    /// Prints the usage policy that follows from the configuration, as /policy.json has it, and ends.
    #[arg(long)]
    print_policy: bool,
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
        ("/etc/bifrost/gateway.yaml", "The configuration that the service of the package reads."),
        (
            "/etc/bifrost/admin-token",
            "The token of the admin listeners, handed to services as a credential.",
        ),
    ],
    variables: &[
        (
            "BIFROST_<SECTION>__<KEY>",
            "Overrides one key of the configuration, as BIFROST_LIMIT__REQUESTS_MAX=100.",
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
        let config: Config = telemetry::config::load(self.config.as_deref(), &self.sets)?;
        config.check().map_err(anyhow::Error::msg)?;
        config.admin.check()?;
        config.log.check()?;
        config.trace.check()?;
        config.access.check()?;
        Ok(config)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(subject) = &arguments.describe {
        use std::io::Write;
        let said = writeln!(std::io::stdout(), "{:#}", gateway::describe::describe(subject));
        return said.map_or_else(|error| fail(1, &error.into()), |()| ExitCode::SUCCESS);
    }
    if let Some(form) = arguments.generate {
        let written = manual::write(form, Arguments::command(), &BEYOND, &mut std::io::stdout());
        return written.map_or_else(|error| fail(1, &error.into()), |()| ExitCode::SUCCESS);
    }
    let config = match arguments.load() {
        Ok(config) => config,
        Err(error) => return fail(BAD_CONFIG, &error),
    };
    started(&arguments, config).unwrap_or_else(|error| fail(1, &error))
}

fn started(arguments: &Arguments, config: Config) -> anyhow::Result<ExitCode> {
    if arguments.check_config {
        use std::io::Write;
        write!(std::io::stdout(), "{}", telemetry::config::to_yaml(&config))?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.print_policy {
        use std::io::Write;
        write!(std::io::stdout(), "{}", gateway::policy(&config))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before there is a second thread.
    service::take_sockets()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run(arguments, config))
}

/// Says in one line why the process ends, on the standard error.
fn fail(code: u8, why: &anyhow::Error) -> ExitCode {
    use std::io::Write;
    // There is nobody left to tell if this cannot be written.
    writeln!(std::io::stderr(), "bifrost-gateway: {}", telemetry::why(why.as_ref()))
        .unwrap_or_default();
    ExitCode::from(code)
}

async fn run(arguments: &Arguments, config: Config) -> anyhow::Result<ExitCode> {
    let tasks = Tasks::new();
    let drain = Drain::new();
    let registry = Registry::new();
    registry.describe_process(Process::Gateway);
    tasks.register(&registry);
    let shows = telemetry::install(&config.log, &config.trace, Process::Gateway)?;
    shows.register(&registry);
    let shown = Shown {
        process: Process::Gateway,
        registry: registry.clone(),
        drain: drain.clone(),
        tasks: tasks.clone(),
        level: Some(shows.level().clone()),
    };
    let routes = Arc::new(MirrorRoutes::default());
    let admin = Admin::start(&config.admin, shown, Arc::clone(&routes) as _).await?;
    tracing::info!(address = %admin, "admin listener is up");
    let access =
        AccessLog::start(&config.access, Process::Gateway, &registry).context("access log")?;
    let around = Surroundings {
        tasks: tasks.clone(),
        drain: drain.clone(),
        registry,
        access: access.clone(),
    };
    let server = Server::start(config, around).await?;
    server.show_mirror(&routes);
    until_told(arguments, &server, &access, shows.level()).await?;
    let finished = server.drain().await;
    let left = tasks.shutdown(TASKS_END).await;
    let logged = access.close(TASKS_END);
    shows.shutdown(TASKS_END).await;
    let clean = finished && left.is_empty() && logged;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(CUT_SHORT) })
}

/// Waits for the end of whoever started this process, if it is to end with that.
async fn parent_gone(stop_with_stdin: bool) {
    if !stop_with_stdin {
        return std::future::pending().await;
    }
    if let Err(error) = telemetry::parent::gone().await {
        tracing::error!(%error, "standard input cannot be watched; ending");
    }
}

/// Waits to be told to end, and reads the configuration again when told to.
async fn until_told(
    arguments: &Arguments,
    server: &Server,
    access: &AccessLog,
    level: &LogLevel,
) -> anyhow::Result<()> {
    let mut end = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let mut reload = signal(SignalKind::hangup()).context("SIGHUP")?;
    let parent = parent_gone(arguments.stop_with_stdin);
    tokio::pin!(parent);
    loop {
        tokio::select! {
            () = &mut parent => return Ok(()),
            _ = end.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = reload.recv() => {
                service::reloading();
                access.reopen();
                let taken = match arguments.load() {
                    // Its level was checked with it, so a refusal is the server's, who tells.
                    Ok(config) if server.reload(&config).is_ok() => {
                        level.set(&config.log.level)?;
                        true
                    }
                    Ok(_) => false,
                    Err(error) => {
                        server.reload_refused(&telemetry::why(error.as_ref()));
                        false
                    }
                };
                service::reloaded(taken);
            }
        }
    }
}
