//! `bifrost logs serve`: the same questions over HTTP, read only, for people with tokens.
//!
//! Tokens are random, held by people, and known here by their hash alone. Every question leaves a line
//! of who asked what; where that cannot be written nothing is answered. Beyond loopback tokens would
//! travel in the clear, so that such an address is taken only with the word that TLS is in front.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use telemetry::Tasks;
use telemetry::admin::{Body, problem, text};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::ask::{self, Question};
use super::error::LogsError;
use super::explain;
use super::sources::{Environment, Kind};
use crate::output;

mod audit;
mod page;
mod tokens;

use audit::Audit;
use tokens::Tokens;
pub(crate) use tokens::new_token;

/// Connections at a time, and questions that read at a time.
const CONNECTIONS_MAX: usize = 64;
const QUESTIONS_MAX: usize = 2;
/// Longest wait for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most records of one answer.
const LIMIT_MAX: usize = 10_000;

/// What `bifrost logs serve` is told.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where questions are taken.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9380")]
    listen: SocketAddr,
    /// The file of tokens, a line for each person: `bifrost logs token NAME` makes one.
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// The file that who asked what is added to.
    #[arg(long, value_name = "FILE", default_value = "logs-audit.log")]
    audit: PathBuf,
    /// Take an address beyond loopback: something in front speaks TLS and hides this address.
    #[arg(long)]
    behind_tls: bool,
}

/// What answers.
struct Server {
    environments: Vec<Environment>,
    tokens: Tokens,
    audit: Audit,
    tasks: Tasks,
    reading: Semaphore,
}

/// Serves until the process ends.
///
/// # Errors
/// `Serve` when it would be open, or cannot be; `File` for the files of tokens and audit.
pub(crate) async fn run(
    args: ServeArgs,
    environments: Vec<Environment>,
    tasks: &Tasks,
) -> Result<(), LogsError> {
    let (address, accepting) = start(args, environments, tasks).await?;
    output::note(&format!("logs are served on http://{address}"));
    accepting.await
}

/// Binds; what is returned takes connections until it is dropped.
async fn start(
    args: ServeArgs,
    environments: Vec<Environment>,
    tasks: &Tasks,
) -> Result<(SocketAddr, impl Future<Output = Result<(), LogsError>> + use<>), LogsError> {
    if !args.listen.ip().to_canonical().is_loopback() && !args.behind_tls {
        return Err(LogsError::Serve(format!(
            "tokens would travel in the clear to {}: listen on 127.0.0.1, or put TLS in front and \
             say --behind-tls",
            args.listen
        )));
    }
    if let Some(environment) = super::remote::of(&environments).next() {
        let name = environment.name.clone();
        return Err(LogsError::Elsewhere(name, "serve it on its own machine"));
    }
    let (tokens, audit) = (Tokens::read(&args.tokens)?, Audit::open(&args.audit)?);
    let cannot = |error| LogsError::Serve(format!("cannot listen on {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let tasks = tasks.clone();
    let reading = Semaphore::new(QUESTIONS_MAX);
    let server = Server { environments, tokens, audit, tasks, reading };
    Ok((address, accept(listener, Arc::new(server))))
}

async fn accept(listener: TcpListener, server: Arc<Server>) -> Result<(), LogsError> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely; some come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let answering = Arc::clone(&server);
        server.tasks.background("logs connection", async move {
            let service = service_fn(|request| {
                let server = Arc::clone(&answering);
                async move { Ok::<_, Infallible>(server.answer(request, peer).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            // A client that leaves is no news.
            builder.serve_connection(TokioIo::new(stream), service).await.ok();
            drop(slot);
        });
    }
}

/// The parameters of a question.
#[derive(Debug, Clone, Default)]
struct Asked {
    q: String,
    field: String,
    id: String,
    limit: usize,
    clear: bool,
}

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self { limit: 100, ..Self::default() };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_encoding::percent_decode_str(&value).decode_utf8_lossy();
            match name {
                "q" => asked.q = value.into_owned(),
                "field" => asked.field = value.into_owned(),
                "id" => asked.id = value.into_owned(),
                "limit" => asked.limit = value.parse().unwrap_or(100),
                "clear" => asked.clear = value == "1",
                _ => {}
            }
        }
        asked.limit = asked.limit.min(LIMIT_MAX);
        asked
    }

    fn question(&self) -> Question {
        let kind = if self.clear { Kind::Clear } else { Kind::Records };
        Question { terms: self.q.clone(), kind, limit: self.limit }
    }
}

impl Server {
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if path == "/livez" {
            return text(StatusCode::OK, "ok\n");
        }
        let Some(user) = self.tokens.user(request.headers()) else {
            let detail = "bring your token as Authorization: Bearer TOKEN, or as the password of \
                          your name";
            let mut refused = problem(StatusCode::UNAUTHORIZED, detail);
            let ways = HeaderValue::from_static("Basic realm=\"logs\", charset=\"UTF-8\"");
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, ways);
            return refused;
        };
        if request.method() != Method::GET {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "logs are read with GET");
        }
        let asked = Asked::of(request.uri().query().unwrap_or(""));
        let began = Instant::now();
        let line = audit::Line::new(&user, peer, &path, &asked);
        if let Err(error) = self.audit.write(&line, None) {
            let detail = format!("nothing is answered that cannot be noted: {error}");
            return problem(StatusCode::SERVICE_UNAVAILABLE, &detail);
        }
        let Ok(_reading) = self.reading.acquire().await else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the server ends");
        };
        let server = Arc::clone(self);
        let work = self.tasks.spawn_blocking("logs question", move || server.read(&path, &asked));
        let response = work.await.unwrap_or_else(|_| {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be answered")
        });
        let ended = (response.status().as_u16(), began.elapsed());
        if let Err(error) = self.audit.write(&line, Some(ended)) {
            output::note(&format!("the audit cannot be written: {error}"));
        }
        response
    }

    /// Reads logs for a question; blocks.
    fn read(&self, path: &str, asked: &Asked) -> Response<Body> {
        let read = match path {
            "/" => return page::page(&self.environments, asked),
            "/v1/query" => self.query(asked),
            "/v1/top" => self.top(asked),
            "/v1/explain" => self.explain(asked),
            _ => {
                let detail = "there are /, /v1/query?q=, /v1/top?field=&q= and /v1/explain?id=";
                return problem(StatusCode::NOT_FOUND, detail);
            }
        };
        read.unwrap_or_else(|error| {
            let status = match error {
                LogsError::Filter(_) => StatusCode::BAD_REQUEST,
                LogsError::NoRequest(_) => StatusCode::NOT_FOUND,
                LogsError::Sources { .. }
                | LogsError::Environment { .. }
                | LogsError::Nothing(_)
                | LogsError::File { .. }
                | LogsError::Remote { .. }
                | LogsError::Answer { .. }
                | LogsError::Elsewhere(..)
                | LogsError::Serve(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            problem(status, &telemetry::why(&error))
        })
    }

    fn query(&self, asked: &Asked) -> Result<Response<Body>, LogsError> {
        let answer = ask::query_here(&self.environments, &asked.question(), SystemTime::now())?;
        let lines = answer.records.into_iter().map(|record| record.line).collect();
        Ok(lines_and(lines, &answer.summary))
    }

    fn top(&self, asked: &Asked) -> Result<Response<Body>, LogsError> {
        let (what, now) = (asked.question(), SystemTime::now());
        let ranking = ask::top_here(&self.environments, &what, &asked.field, now)?;
        let rows = ranking.rows.iter().take(LIMIT_MAX);
        let lines = rows.map(|row| serde_json::json!(row).to_string()).collect();
        Ok(lines_and(lines, &ranking.summary))
    }

    fn explain(&self, asked: &Asked) -> Result<Response<Body>, LogsError> {
        let records = ask::request_here(&self.environments, &asked.id)?;
        let told = explain::explain(&records);
        let told = told.ok_or_else(|| LogsError::NoRequest(asked.id.clone()))?;
        Ok(text(StatusCode::OK, told))
    }
}

/// Lines of JSON, of which the last is the summary: an answer that was cut lacks it.
fn lines_and(mut lines: Vec<String>, summary: &super::query::Summary) -> Response<Body> {
    lines.push(serde_json::json!({ "summary": summary }).to_string());
    lines.push(String::new());
    let mut response = text(StatusCode::OK, lines.join("\n"));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
