//! Takes profiles of every process and stores them as one set.
//!
//! A role never has more than one process sampled at a time, so that what a profile costs is never paid
//! by all that could stand in for each other. What fails is named in the set; the set is written last.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use rand::RngExt as _;
use sha2::{Digest, Sha256};
use telemetry::Tasks;

use super::entry::{self, Entry, Head, Kind, Missing, Set, Trigger};
use super::error::ProfileError;
use super::lease::Lease;
use super::publish::{self, Publish};
use super::store::Store;
use super::take::{Taken, Taker, Taking};
use super::targets::Target;
use crate::output;

/// What is to be collected.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The name of the set.
    pub(crate) id: String,
    /// Of whom.
    pub(crate) targets: Vec<Target>,
    /// Which profiles, each once.
    pub(crate) kinds: Vec<Kind>,
    /// How each is taken.
    pub(crate) taking: Taking,
    /// Why.
    pub(crate) trigger: Trigger,
    /// The alert or the caller, if any.
    pub(crate) reason: Option<String>,
    /// Processes at a time, each of another role.
    pub(crate) concurrency: usize,
    /// The longest wait before each process.
    pub(crate) jitter: Duration,
    /// The longest time for all.
    pub(crate) deadline: Duration,
    /// Whether and where the set is published.
    pub(crate) publish: Publish,
    /// The token of the admin listeners.
    pub(crate) token: String,
}

/// What came of one process.
#[derive(Debug, Default)]
struct Came {
    entries: Vec<Entry>,
    missing: Vec<Missing>,
}

/// Collects a set.
///
/// # Errors
/// [`ProfileError::Running`] when another collection runs; the store refuses: there is no set then.
pub(crate) async fn collect(job: &Job, store: &Store, tasks: &Tasks) -> Result<Set, ProfileError> {
    let lease = Lease::take(store, &job.id, job.deadline).await?;
    collect_by(lease, job, store, tasks).await
}

/// Collects a set by a right that is held, and gives it back.
///
/// # Errors
/// The store refuses: there is no set then.
pub(crate) async fn collect_by(
    lease: Lease,
    job: &Job,
    store: &Store,
    tasks: &Tasks,
) -> Result<Set, ProfileError> {
    let collected = collected(job, store, tasks).await;
    if let Err(error) = lease.release().await {
        // The set is there all the same; the next collection waits until the right ends by itself.
        output::note(&telemetry::why(&error));
    }
    collected
}

async fn collected(job: &Job, store: &Store, tasks: &Tasks) -> Result<Set, ProfileError> {
    let round = Round {
        job,
        store,
        taker: Taker::new(tasks, &job.token, job.taking)?,
        ends: Instant::now() + job.deadline,
        written: Mutex::new(Vec::new()),
    };
    let set = round.set(tasks).await;
    if set.is_err() {
        // What no index names is of no use, and a store that is full needs the room.
        let written =
            std::mem::take(&mut *round.written.lock().unwrap_or_else(PoisonError::into_inner));
        for key in written {
            // One that cannot be deleted is found by the next removal.
            store.delete(&key).await.ok();
        }
    }
    set
}

fn head(job: &Job, started: Timestamp, all: &Came) -> Head {
    let lacks = |target: &&Target| {
        let is = |one: &Missing| (&one.node, &one.env) == (&target.name, &target.env);
        all.missing.iter().any(is)
    };
    let processes = job.targets.len();
    Head {
        id: job.id.clone(),
        started,
        ended: entry::now(),
        trigger: job.trigger,
        reason: job.reason.clone(),
        kinds: job.kinds.clone(),
        processes,
        profiled: processes - job.targets.iter().filter(lacks).count(),
        missing: all.missing.clone(),
        cid: None,
        unpublished: None,
    }
}

struct Round<'a> {
    job: &'a Job,
    store: &'a Store,
    taker: Taker,
    ends: Instant,
    /// The keys of profiles that were stored.
    written: Mutex<Vec<String>>,
}

impl Round<'_> {
    /// Profiles every process, and stores the set.
    async fn set(&self, tasks: &Tasks) -> Result<Set, ProfileError> {
        let (job, started) = (self.job, entry::now());
        let mut roles: BTreeMap<(&str, &str), Vec<&Target>> = BTreeMap::new();
        for target in &job.targets {
            roles.entry((&target.env, &target.role)).or_default().push(target);
        }
        let asked: Vec<BoxFuture<'_, _>> =
            roles.into_values().map(|role| self.role(role).boxed()).collect();
        let mut asked = stream::iter(asked).buffer_unordered(job.concurrency.max(1));
        let mut all = Came::default();
        while let Some(came) = asked.next().await {
            let came = came?;
            all.entries.extend(came.entries);
            all.missing.extend(came.missing);
        }
        drop(asked);
        all.entries.sort_by(|a, b| a.key.cmp(&b.key));
        let mut set = Set { head: head(job, started, &all), entries: all.entries };
        // An index that cannot be read back is worth less than the room it takes.
        Set::parse(set.lines().as_bytes())
            .map_err(|text| ProfileError::Index { key: set.key(), text })?;
        publish::publish(&job.publish, &mut set, self.store, tasks).await;
        self.store.put(&set.key(), set.lines().into()).await?;
        Ok(set)
    }

    /// Profiles the processes of a role, one after the other.
    async fn role(&self, targets: Vec<&Target>) -> Result<Came, ProfileError> {
        let mut all = Came::default();
        for target in targets {
            if !self.job.jitter.is_zero() {
                let share = rand::rng().random::<f64>();
                let pause = self.job.jitter.mul_f64(share).min(self.left());
                tokio::time::sleep(pause).await;
            }
            let mut came = Came::default();
            self.process(target, &mut came).await?;
            output::note(&progress(target, &came));
            all.entries.extend(came.entries);
            all.missing.extend(came.missing);
        }
        Ok(all)
    }

    async fn process(&self, target: &Target, came: &mut Came) -> Result<(), ProfileError> {
        let lacks = |kind, why| Missing {
            node: target.name.clone(),
            role: target.role.clone(),
            env: target.env.clone(),
            kind,
            why,
        };
        let Some(admin) = target.admin.as_deref().map(|admin| admin.trim_end_matches('/')) else {
            came.missing.push(lacks(None, "it has no admin listener in the list".to_owned()));
            return Ok(());
        };
        let build = match self.in_time(self.taker.build(admin)).await {
            Ok(build) => build,
            Err(why) => {
                came.missing.push(lacks(None, why));
                return Ok(());
            }
        };
        let first = self.taker.counts(target, admin).await;
        for kind in &self.job.kinds {
            let taken = self.in_time(self.taker.profile(target, admin, *kind)).await;
            match taken.and_then(|taken| build.has(taken)) {
                Ok(taken) => {
                    let after = self.taker.counts(target, admin).await;
                    // What is of one moment has the load of the whole visit.
                    let from = if *kind == Kind::Cpu { taken.before } else { first };
                    let load = from.zip(after).and_then(|(from, after)| after.since(from));
                    let entry = self.entry(target, &build.name, *kind, &taken);
                    let entry = Entry { load, ..entry };
                    self.store.put(&entry.key, taken.bytes).await?;
                    self.written
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(entry.key.clone());
                    came.entries.push(entry);
                }
                Err(why) => came.missing.push(lacks(Some(*kind), why)),
            }
        }
        Ok(())
    }

    fn entry(&self, target: &Target, build: &str, kind: Kind, taken: &Taken) -> Entry {
        let process = [&target.env[..], &target.role, &target.name];
        Entry {
            sha256: hex::encode(Sha256::digest(&taken.bytes)),
            node: target.name.clone(),
            role: target.role.clone(),
            env: target.env.clone(),
            build: build.to_owned(),
            kind,
            seconds: taken.seconds,
            samples: taken.samples,
            bytes: taken.bytes.len() as u64,
            load: None,
            trigger: self.job.trigger,
            started: taken.started,
            key: entry::key(process, build, taken.started, kind),
            cid: None,
        }
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let late = || {
            let deadline = humantime::format_duration(self.job.deadline);
            format!("the deadline of {deadline} for all came first")
        };
        if self.left().is_zero() {
            return Err(late());
        }
        tokio::time::timeout(self.left(), asked).await.unwrap_or_else(|_| Err(late()))
    }
}

fn progress(target: &Target, came: &Came) -> String {
    let taken: Vec<String> = came
        .entries
        .iter()
        .map(|entry| format!("{} {}", entry.kind.word(), bytesize::ByteSize(entry.bytes)))
        .collect();
    let lacks = came.missing.iter().map(|one| match one.kind {
        Some(kind) => format!("no {}: {}", kind.word(), one.why),
        None => format!("nothing: {}", one.why),
    });
    let said: Vec<String> = taken.into_iter().chain(lacks).collect();
    format!("{} {}: {}", target.env, target.name, said.join(", "))
}

#[cfg(test)]
mod tests;
