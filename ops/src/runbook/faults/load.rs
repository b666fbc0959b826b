//! Clients that ask while something is broken. Bounded in number, in requests and in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use telemetry::{TaskHandle, Tasks};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::web::Web;

/// Most requests of one load.
const REQUESTS_MAX: usize = 100_000;
/// Longest time of one load.
const TIME_MAX: Duration = Duration::from_secs(1200);
/// Longest wait for an answer: more than a gateway takes to give up.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked: of whom, on which host, and which paths one after the other.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Such as `http://127.0.0.1:8080`.
    pub(super) url: String,
    /// The host of a website, if it is one's.
    pub(super) host: Option<String>,
    /// The paths.
    pub(super) paths: Arc<[String]>,
}

/// How many ask, and how often each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    /// How many at a time.
    pub(super) clients: usize,
    /// The pause of each between two requests.
    pub(super) pause: Duration,
}

/// Clients that ask until this is dropped.
#[derive(Debug)]
pub(super) struct Load {
    _stop: DropGuard,
    _running: Vec<TaskHandle<()>>,
}

impl Load {
    /// Starts them.
    pub(super) fn start(tasks: &Tasks, asked: &Asked, crowd: Crowd) -> Result<Self, String> {
        let stop = CancellationToken::new();
        let next = Arc::new(AtomicUsize::new(0));
        let give_up = Instant::now() + TIME_MAX;
        let web = Web::new(tasks, ANSWER_WITHIN, ANSWER_BYTES_MAX);
        let web = web.map_err(|error| error.to_string())?;
        let client = |_| {
            let (web, asked, next) = (web.clone(), asked.clone(), Arc::clone(&next));
            let stopped = stop.clone();
            let work = async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REQUESTS_MAX {
                        return;
                    }
                    asked.ask(&web, number).await;
                    sleep(crowd.pause).await;
                }
            };
            tasks.background("drill client", async move {
                tokio::select! {
                    () = work => {}
                    () = stopped.cancelled() => {}
                    () = sleep_until(give_up) => {}
                }
            })
        };
        let running = (0..crowd.clients).map(client).collect();
        Ok(Self { _stop: stop.drop_guard(), _running: running })
    }
}

impl Asked {
    /// Asks for one path; the answer, if there is one, says whether it was a success.
    pub(super) async fn ask(&self, web: &Web, number: usize) -> bool {
        let path = &self.paths[number % self.paths.len()];
        let mut request = Request::get(format!("{}{path}", self.url));
        if let Some(host) = &self.host {
            request = request.header(header::HOST, host);
        }
        let Ok(request) = request.body(Full::<Bytes>::default()) else { return false };
        // Whatever comes is counted by who answers.
        web.ask(request).await.is_ok_and(|page| page.status.is_success())
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::played;

    #[tokio::test]
    async fn clients_ask_path_after_path_until_they_are_dropped() {
        let tasks = Tasks::new();
        let (server, listener) = played::listen().await;
        let (seen, mut arrived) = tokio::sync::mpsc::channel(3);
        played::serve(&tasks, listener, move |request| {
            let host = request.headers().get(header::HOST).cloned();
            seen.try_send((request.uri().path().to_owned(), host)).ok();
            async { Response::new(Full::new("".into())) }
        });
        let asked = Asked {
            url: server.url(),
            host: Some("drill.localhost".to_owned()),
            paths: ["/a".to_owned(), "/b".to_owned()].into(),
        };
        let crowd = Crowd { clients: 1, pause: Duration::ZERO };
        let load = Load::start(&tasks, &asked, crowd).expect("it starts");
        for path in ["/a", "/b", "/a"] {
            let (found, host) = arrived.recv().await.expect("it asks");
            assert_eq!(
                (&found[..], host.expect("it is there").as_bytes()),
                (path, &b"drill.localhost"[..])
            );
        }
        drop(load);
        tasks.shutdown(Duration::from_secs(1)).await;
        assert_eq!(tasks.names_alive(), Vec::<&str>::new());
    }
}
