//! The gateway's process: arguments, configuration, start, signals, drain.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use gateway::config::Config;
use gateway::server::{MirrorRoutes, Server, Surroundings};
use telemetry::access::AccessLog;
use telemetry::admin::{Admin, Shown};
use telemetry::log::LogLevel;
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
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
    /// Prints the usage policy that follows from the configuration, as /policy.json has it, and ends.
    #[arg(long)]
    print_policy: bool,
    /// Drains and ends when standard input, a pipe, is closed: for supervisors, whose death must not
    /// leave this process behind.
    #[arg(long)]
    stop_with_stdin: bool,
}

impl Arguments {
    fn load(&self) -> anyhow::Result<Config> {
        let config: Config = telemetry::config::load(self.config.as_deref(), &self.sets)?;
        config.check().map_err(anyhow::Error::msg)?;
        config.log.check()?;
        config.trace.check()?;
        config.access.check()?;
        Ok(config)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
    writeln!(std::io::stderr(), "bifrost-gateway: {why:#}").unwrap_or_default();
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
                access.reopen();
                match arguments.load() {
                    // Its level was checked with it, so a refusal is the server's, who tells.
                    Ok(config) => {
                        if server.reload(&config).is_ok() {
                            level.set(&config.log.level)?;
                        }
                    }
                    Err(error) => server.reload_refused(&format!("{error:#}")),
                }
            }
        }
    }
}
