//! Connections of the admin listener.
//!
//! It answers until the process ends, while draining too: a supervisor has to see that it drains.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Config;
use super::endpoints::Endpoints;
use crate::Tasks;
use crate::metrics::Counter;

/// Wait before accepting again when the machine has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes of the head of a request, which is all that is buffered.
const BUFFER_BYTES: usize = 16 * 1024;

/// Takes connections in.
pub(super) struct Accept {
    endpoints: Arc<Endpoints>,
    tasks: Tasks,
    full: Counter,
    connections_max: usize,
    builder: http1::Builder,
}

impl Accept {
    pub(super) fn new(
        config: &Config,
        endpoints: Arc<Endpoints>,
        tasks: Tasks,
        full: Counter,
    ) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_timeout)
            .max_buf_size(BUFFER_BYTES);
        let connections_max = config.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        Self { endpoints, tasks, full, connections_max, builder }
    }

    pub(super) async fn run(self, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        loop {
            if slots.available_permits() == 0 {
                self.full.inc();
            }
            let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let served = serve(self.builder.clone(), stream, Arc::clone(&self.endpoints));
                    self.tasks.background("admin connection", async move {
                        served.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept an admin connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn serve(builder: http1::Builder, stream: TcpStream, endpoints: Arc<Endpoints>) {
    let service = service_fn(|request| {
        let endpoints = Arc::clone(&endpoints);
        async move { Ok::<_, Infallible>(endpoints.answer(request).await) }
    });
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "admin connection ended with an error");
    }
}
