//! The watch over connections: closes those that are idle, silent or unread for too long.
//!
//! One task looks at every connection four times a second, which is cheaper than timers that every
//! request has to set and clear: ten thousand connections cost some tens of microseconds a look.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use telemetry::Tasks;

use super::activity::{Activity, Clock, Limits, Overdue, Window};
use super::{Config, Metrics};

/// Time between looks: how late a limit may bite.
const TICK: Duration = Duration::from_millis(250);

type Watched = HashMap<usize, (Arc<Activity>, Window)>;

/// The connections that are watched.
#[derive(Clone)]
pub(super) struct Watch {
    clock: Arc<Clock>,
    connections: Arc<Mutex<Watched>>,
    metrics: Metrics,
}

/// A connection under watch.
pub(super) struct Entered {
    watch: Watch,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.watch.connections.lock().remove(&(Arc::as_ptr(&self.activity) as usize));
        self.watch.metrics.connections.dec();
    }
}

impl Watch {
    /// Starts the watch; it ends with its tasks.
    pub(super) fn start(config: &Config, tasks: &Tasks, metrics: Metrics) -> Self {
        let watch = Self { clock: Arc::default(), connections: Arc::default(), metrics };
        let write_s = config.write_timeout.as_secs().max(1);
        let limits = Limits {
            head_ms: millis(config.header_timeout),
            idle_ms: millis(config.idle_timeout),
            write_ms: millis(config.write_timeout),
            write_bytes: config.write_rate_min.as_u64().saturating_mul(write_s),
        };
        let watching = watch.clone();
        tasks.background("connection watch", async move {
            let began = Instant::now();
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                watching.clock.set(millis(began.elapsed()));
                watching.look(&limits);
            }
        });
        watch
    }

    /// Begins to watch a connection, until what is returned is dropped.
    pub(super) fn enter(&self, client: SocketAddr) -> Entered {
        let activity = Arc::new(Activity::new(client, Arc::clone(&self.clock)));
        let entry = (Arc::clone(&activity), Window::default());
        self.connections.lock().insert(Arc::as_ptr(&activity) as usize, entry);
        self.metrics.connections.inc();
        Entered { watch: self.clone(), activity }
    }

    fn look(&self, limits: &Limits) {
        for (activity, window) in self.connections.lock().values_mut() {
            match activity.check(limits, window) {
                Some(reason) if activity.close() => match reason {
                    Overdue::Head => self.metrics.head_timeouts.inc(),
                    Overdue::Write => self.metrics.write_timeouts.inc(),
                    Overdue::Idle => {}
                },
                Some(_) | None => {}
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
