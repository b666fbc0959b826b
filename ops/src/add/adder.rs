//! Puts content into nodes: one takes the import, others fetch it from there.
//!
//! An import is whole or nothing, so a failed one can simply be run again; a replica that fails is
//! replaced by another node while there is one.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use indicatif::ProgressBar;
use ipfs::Cid;
use ipfs::unixfs::import::Profile;
use serde_json::Value;
use telemetry::Tasks;

use crate::add::feed::{self, Feed};
use crate::add::progress::Progress;
use crate::add::source::{Choice, Survey};
use crate::add::threads::{self, Plan};
use crate::add::{AddError, Added, Job};
use crate::client::{Client, ClientError, Endpoint, Lines};

/// Nodes that hold what is added, unless told otherwise.
const REPLICAS: usize = 2;

/// Puts content into nodes.
pub(crate) struct Adder {
    pub(super) tasks: Tasks,
    client: Client,
    /// The nodes; the first one takes imports.
    nodes: Vec<Endpoint>,
    replicas: usize,
    timeout: Duration,
    progress: Progress,
}

impl Adder {
    /// Finds a node that is alive.
    ///
    /// # Errors
    /// [`AddError::TooFewNodes`], or what the first node said when none is alive.
    pub(crate) async fn new(
        tasks: &Tasks,
        mut nodes: Vec<Endpoint>,
        replicas: Option<usize>,
        timeout: Duration,
        progress: Progress,
    ) -> Result<Self, AddError> {
        let replicas = match replicas {
            Some(asked) if asked > nodes.len() => {
                return Err(AddError::TooFewNodes { asked, nodes: nodes.len() });
            }
            Some(asked) => asked,
            None => REPLICAS.min(nodes.len()),
        };
        let client = Client::new(tasks.clone(), timeout);
        let mut first = None;
        for index in 0..nodes.len() {
            match client.head(&nodes[index], Method::GET, "/livez").await {
                Ok(_) => {
                    nodes.swap(0, index);
                    return Ok(Self {
                        tasks: tasks.clone(),
                        client,
                        nodes,
                        replicas,
                        timeout,
                        progress,
                    });
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.map_or(AddError::TooFewNodes { asked: replicas, nodes: 0 }, AddError::of_search))
    }

    /// Imports into the first node, and where its disk is full into the next, which is the first from
    /// then on.
    ///
    /// # Errors
    /// As the variants of [`AddError`] say; nothing is stored then.
    pub(crate) async fn import(
        &mut self,
        profile: Profile,
        choice: Choice,
        job: &Job,
        survey: &Survey,
    ) -> Result<Added, AddError> {
        let mut left = self.nodes.len();
        loop {
            left -= 1;
            match self.import_into_first(profile, choice, job.clone(), survey.bytes).await {
                Err(error @ AddError::NotStored { full: true, .. }) if left > 0 => {
                    self.nodes.rotate_left(1);
                    self.progress.note(&format!("{error}; trying {}", self.nodes[0].url()));
                }
                done => return done,
            }
        }
    }

    /// Has the first node look at every block of a DAG that we did not build, and fetch what it
    /// lacks.
    ///
    /// # Errors
    /// [`AddError::NotWhole`] when a block is neither there nor to be had.
    pub(crate) async fn confirm(&self, cid: Cid, bytes: u64) -> Result<(), AddError> {
        match self.fetch(&self.nodes[0], cid, bytes).await {
            Err(AddError::NotStored { text, .. }) => {
                Err(AddError::NotWhole { cid: cid.to_string(), text })
            }
            done => done,
        }
    }

    async fn import_into_first(
        &self,
        profile: Profile,
        choice: Choice,
        job: Job,
        bytes: u64,
    ) -> Result<Added, AddError> {
        let bar = self.progress.import(bytes);
        let (sink, feed) = feed::feed();
        let building = match job {
            Job::Paths { paths, folder } => {
                let plan = Plan { paths, folder, profile, choice };
                threads::build_paths(&self.tasks, plan, sink, bar.clone())
            }
            Job::Archive(path) => threads::pass_archive(&self.tasks, path, sink, bar.clone()),
        };
        let sent = self.send(feed, &bar).await;
        let built = building.await?;
        bar.finish_and_clear();
        let (added, said) = match (built, sent) {
            (Ok(added), Ok(said)) => (added, said),
            (Err(AddError::Stopped) | Ok(_), Err(error)) => return Err(error),
            (Err(error), _) => return Err(error),
        };
        self.compare(&added, &said)?;
        Ok(added)
    }

    /// Has as many further nodes fetch a DAG as are needed; returns the nodes that hold it.
    ///
    /// # Errors
    /// [`AddError::NotReplicated`].
    pub(crate) async fn replicate(&self, cid: Cid, bytes: u64) -> Result<Vec<String>, AddError> {
        let mut held = vec![self.nodes[0].url()];
        let mut reasons = Vec::new();
        let mut rest = &self.nodes[1..];
        while held.len() < self.replicas && !rest.is_empty() {
            let (now, later) = rest.split_at((self.replicas - held.len()).min(rest.len()));
            rest = later;
            for (node, done) in
                now.iter().zip(join_all(now.iter().map(|to| self.fetch(to, cid, bytes))).await)
            {
                match done {
                    Ok(()) => held.push(node.url()),
                    Err(error) => reasons.push(telemetry::why(&error)),
                }
            }
        }
        if held.len() >= self.replicas {
            return Ok(held);
        }
        Err(AddError::NotReplicated {
            cid: cid.to_string(),
            held: held.len(),
            asked: self.replicas,
            reasons: reasons.join("; "),
        })
    }

    /// Sends a CAR and returns the last line of the answer.
    async fn send(&self, feed: Feed, bar: &ProgressBar) -> Result<Value, AddError> {
        let node = &self.nodes[0];
        let sending = self.client.send(node, Method::POST, "/import", feed);
        tokio::pin!(sending);
        let mut at = bar.position();
        let answer = loop {
            // The node is silent while it takes bytes, so it is their flow that is watched.
            match tokio::time::timeout(self.timeout, &mut sending).await {
                Ok(answer) => break answer.map_err(AddError::of_import)?,
                Err(_) if bar.position() == at => {
                    let (url, after) = (node.url(), self.timeout);
                    return Err(AddError::Client(ClientError::Silent { url, after }));
                }
                Err(_) => at = bar.position(),
            }
        };
        let mut lines = self.client.lines(node, answer);
        self.last_line(&mut lines, node, |_| {}).await
    }

    async fn fetch(&self, node: &Endpoint, cid: Cid, bytes: u64) -> Result<(), AddError> {
        let bar = self.progress.replicate(bytes, &node.url());
        let target = format!("/replicate?root={cid}");
        let answer = self.client.head(node, Method::POST, &target).await?;
        let mut lines = self.client.lines(node, answer);
        self.last_line(&mut lines, node, |bytes| bar.set_position(bytes)).await?;
        bar.finish_and_clear();
        Ok(())
    }

    async fn last_line(
        &self,
        lines: &mut Lines,
        node: &Endpoint,
        progress: impl Fn(u64),
    ) -> Result<Value, AddError> {
        let not_stored = |text: &str, full| {
            Err(AddError::NotStored { node: node.url(), text: text.to_owned(), full })
        };
        while let Some(line) = lines.next().await? {
            if let Some(text) = line["error"].as_str() {
                return not_stored(text, line["kind"] == "disk_full");
            }
            if line["done"] == true {
                return Ok(line);
            }
            if let Some(bytes) = line["bytes"].as_u64() {
                progress(bytes);
            }
        }
        not_stored("it ended its answer without saying that all is done", false)
    }

    /// Compares the roots that the node names, if it names any, with ours.
    fn compare(&self, added: &Added, said: &Value) -> Result<(), AddError> {
        let roots: Vec<_> = added.roots.iter().map(|root| root.cid.to_string()).collect();
        let said = said["roots"].as_array().map(Vec::as_slice).unwrap_or_default();
        for other in said.iter().filter_map(Value::as_str) {
            if !roots.iter().any(|root| root == other) {
                let (said, expected) = (other.to_owned(), roots.join(", "));
                return Err(AddError::OtherRoot { node: self.nodes[0].url(), said, expected });
            }
        }
        Ok(())
    }
}
