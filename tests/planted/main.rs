//! A gateway build with a planted fault, to stand as staging: what a mirror has to find.
//!
//! It is the real gateway behind a front of its own that spoils answers as a file beside its
//! configuration, `staging-0.planted` beside `staging-0.yaml`, says at that moment: `flip:N` turns a bit
//! of every Nth body, `header:NAME` loses a header, `error:N` makes every Nth answer a 500, `slow:MILLIS`
//! waits, `work:N` hashes N KiB; without the file nothing is spoiled. No shipped program has this.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Parser;
use gateway::config::Config;
use gateway::server::{MirrorRoutes, Server, Surroundings};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, SERVER};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use telemetry::access::AccessLog;
use telemetry::admin::{Admin, Shown};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
use tokio::net::{TcpListener, TcpStream};

/// The extension of the file that says what is spoiled.
const EXTENSION: &str = "planted";
/// Largest body that is passed on: tests ask for no larger one.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The command line of a gateway, as far as `bifrost up` uses it.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    config: PathBuf,
    #[arg(long)]
    stop_with_stdin: bool,
}

/// What is spoiled.
#[derive(Debug, Clone)]
enum Fault {
    None,
    Flip(u64),
    Header(HeaderName),
    Error(u64),
    Slow(Duration),
    Work(usize),
}

impl Fault {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| "none".to_owned());
        let text = text.trim();
        let (kind, what) = text.split_once(':').unwrap_or((text, ""));
        Ok(match kind {
            "none" => Fault::None,
            "flip" => Fault::Flip(what.parse()?),
            "header" => Fault::Header(what.parse()?),
            "error" => Fault::Error(what.parse()?),
            "slow" => Fault::Slow(Duration::from_millis(what.parse()?)),
            "work" => Fault::Work(what.parse()?),
            _ => bail!(
                "{}: {text:?} is none of flip:N, header:NAME, error:N, slow:MILLIS, work:N or none",
                path.display()
            ),
        })
    }
}

/// What a profile has to name when it takes longer.
#[inline(never)]
fn planted_work(kib: usize) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in 0..kib * 1024 {
        state = std::hint::black_box((state ^ byte as u64).wrapping_mul(0x0100_0000_01b3));
    }
    state
}

/// Passes requests on to the gateway behind, and spoils its answers.
struct Front {
    behind: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    fault: PathBuf,
    answers: AtomicU64,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
        let (mut parts, _) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        parts.uri = format!("http://{}{target}", self.behind).parse()?;
        let answer = self.client.request(Request::from_parts(parts, Full::default())).await?;
        let (mut head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let mut body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        let number = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        match &Fault::read(&self.fault)? {
            Fault::None => {}
            Fault::Flip(every) if number.is_multiple_of(*every) && !body.is_empty() => {
                let mut flipped = body.to_vec();
                let middle = flipped.len() / 2;
                flipped[middle] ^= 1;
                body = flipped.into();
            }
            Fault::Header(name) => drop(head.headers.remove(name)),
            Fault::Error(every) if number.is_multiple_of(*every) => {
                head.status = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Fault::Flip(_) | Fault::Error(_) => {}
            Fault::Work(kib) => {
                std::hint::black_box(planted_work(*kib));
            }
            Fault::Slow(time) => {
                tokio::time::sleep(*time).await;
                // What the gateway behind says of its own time is not this one's.
                head.headers.remove("server-timing");
            }
        }
        head.headers.insert(SERVER, "planted".parse()?);
        Ok(Response::from_parts(head, Full::new(body)))
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(|request| {
            let front = Arc::clone(&self);
            async move {
                let answer = front.answer(request).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(|error| {
                    let mut response = Response::new(Full::new(error.to_string().into()));
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response
                }))
            }
        });
        let connection = auto::Builder::new(TokioExecutor::new());
        // A client that leaves is its own affair.
        connection.serve_connection(TokioIo::new(stream), service).await.ok();
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let fault = arguments.config.with_extension(EXTENSION);
    let mut config: Config = telemetry::config::load(Some(&arguments.config), &[])?;
    let listener = TcpListener::bind(config.server.listen).await.context("the public listener")?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    let (tasks, drain, registry) = (Tasks::new(), Drain::new(), Registry::new());
    registry.describe_process(Process::Gateway);
    let shown = Shown {
        process: Process::Gateway,
        registry: registry.clone(),
        drain: drain.clone(),
        tasks: tasks.clone(),
        level: None,
    };
    Admin::start(&config.admin, shown, Arc::new(MirrorRoutes::default())).await?;
    let around = Surroundings { tasks: tasks.clone(), drain, registry, access: AccessLog::off() };
    let server = Server::start(config, around).await?;
    let front = Arc::new(Front {
        behind: server.address(),
        client: Client::builder(TokioExecutor::new()).build_http(),
        fault,
        answers: AtomicU64::new(0),
    });
    let accepting = async {
        while let Ok((stream, _)) = listener.accept().await {
            tasks.background("front", Arc::clone(&front).serve(stream));
        }
    };
    let ended = async {
        match arguments.stop_with_stdin {
            true => telemetry::parent::gone().await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        () = accepting => {}
        ended = ended => ended?,
    }
    server.drain().await;
    tasks.shutdown(Duration::from_secs(2)).await;
    Ok(())
}
