//! One round: what is needed is put in place, then every check is made, a few at a time.
//!
//! Each check has a deadline of its own, so a round ends after at most as many deadlines as there are
//! checks for each that runs at a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt};
use telemetry::Tasks;

use super::ask::Asker;
use super::check::{Check, Lane};
use super::config::Settings;
use super::content::Content;
use super::error::ProbeError;
use super::http::{self, At, Name};
use super::node;
use super::outcome::{Fault, Outcome, Trace, wrong};
use super::plan::{Of, Ready, Target, Task, plan};
use super::seed::Seeder;
use crate::web::Web;

/// Longest answer of an admin listener.
const ADMIN_BYTES_MAX: usize = 64 * 1024;
/// How long to wait before content that is not served yet is asked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How checks are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Longest time of one check.
    pub(crate) timeout: Duration,
    /// Checks at a time.
    pub(crate) at_a_time: usize,
}

/// A probe, with what it has put in place.
pub(crate) struct Prober {
    settings: Settings,
    pace: Pace,
    tasks: Tasks,
    seeder: Seeder,
    ready: Ready,
}

impl Prober {
    /// A probe that has asked nothing yet.
    pub(crate) fn new(settings: Settings, pace: Pace, tasks: &Tasks) -> Self {
        let seeder = Seeder::new(tasks, settings.seeds.clone(), pace.timeout);
        let ready = Ready { nodes: settings.nodes.clone(), ..Ready::default() };
        Self { settings, pace, tasks: tasks.clone(), seeder, ready }
    }

    /// What is probed.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes every check once; those of the lanes `cold` and `new` if it is their turn. Outcomes are
    /// in the order of the plan.
    ///
    /// # Errors
    /// [`ProbeError::Web`].
    pub(crate) async fn round(&mut self, cold: bool) -> Result<Vec<Outcome>, ProbeError> {
        // Connections are made anew, as those of a stranger are.
        let web = Web::new(&self.tasks, self.pace.timeout, ADMIN_BYTES_MAX)?;
        let asker = Asker::new(web.clone());
        self.prepare(&asker, cold).await;
        let plan = plan(&self.settings, &self.ready, cold);
        let this = &*self;
        let (web, asker) = (&web, &asker);
        let made = stream::iter(plan).map(|task| this.make(web, asker, task));
        Ok(made.buffered(self.pace.at_a_time.max(1)).collect().await)
    }

    /// Puts in place what is not there yet, or was not the last time.
    async fn prepare(&mut self, asker: &Asker, cold: bool) {
        for node in &mut self.ready.nodes {
            node.fill(self.seeder.client()).await;
        }
        let there = self.ready.canaries.iter().all(Result::is_ok);
        let wanted = usize::from(!self.settings.seeds.is_empty()) + self.settings.canaries.len();
        let all = there && self.ready.canaries.len() == wanted;
        if all && self.ready.seeded.len() == self.settings.seeds.len() && !cold {
            return;
        }
        let mut canaries = Vec::new();
        if !self.settings.seeds.is_empty() {
            canaries.push(self.seed().await);
        }
        for path in &self.settings.canaries {
            let mut found = Err("there is no gateway to learn it from".to_owned());
            for gateway in &self.settings.gateways {
                let learned = http::learn(At { asker, gateway }, path);
                found = match tokio::time::timeout(self.pace.timeout, learned).await {
                    Ok(Ok(content)) => Ok(Arc::new(content)),
                    Ok(Err(fault)) => {
                        Err(format!("{} could not be proven: {fault}", path.encoded()))
                    }
                    Err(_) => Err(format!("{} did not come in time", path.encoded())),
                };
                if found.is_ok() {
                    break;
                }
            }
            canaries.push(found);
        }
        self.ready.canaries = canaries;
    }

    /// Puts the fixed content onto every seed node, and the name to it.
    async fn seed(&mut self) -> Result<Arc<Content>, String> {
        let content = Arc::new(Content::fixed());
        let mut said = Ok(());
        let mut seeded = Vec::new();
        for node in self.seeder.nodes() {
            match self.seeder.import(node, &content).await {
                Ok(()) => seeded.push((node.url(), Arc::clone(&content))),
                Err(why) => said = Err(why),
            }
        }
        self.ready.seeded = seeded;
        if self.ready.seeded.is_empty() {
            said?;
        }
        let name = Name {
            name: self.seeder.name().to_string(),
            path: content.below(),
            root: Some(content.root),
        };
        let published = self.seeder.publish(&content.root, SystemTime::now()).await;
        let published = published.map_err(|why| format!("seeding failed: no record: {why}"));
        self.ready.own_name = Some(published.map(|()| (name, Arc::clone(&content))));
        Ok(content)
    }

    async fn make(&self, web: &Web, asker: &Asker, task: Task) -> Outcome {
        let at = (task.check, task.lane);
        let (name, subject) = (task.target.name().to_owned(), task.target.subject());
        let mut outcome = match task.target {
            Target::Nobody(_, why) => Outcome::skipped(at, &name, &why),
            Target::Gateway(gateway, of) => {
                self.of_gateway(at, At { asker, gateway: &gateway }, of).await
            }
            target @ (Target::Admin(..) | Target::Peer(..) | Target::Block(..)) => {
                self.of_node(at, web, &target).await
            }
        };
        outcome.subject = subject;
        outcome
    }

    async fn of_node(&self, at: (Check, Lane), web: &Web, target: &Target) -> Outcome {
        let within = self.pace.timeout;
        let mut trace = Trace::begin();
        let ended = match target {
            Target::Admin(_, admin) => in_time(within, node::readyz(&mut trace, web, admin)).await,
            Target::Peer(node, address) => {
                in_time(within, node::identify(&mut trace, node, address, within)).await
            }
            Target::Block(node, content) => {
                in_time(within, node::bitswap(&mut trace, node, content.file, within)).await
            }
            Target::Gateway(..) | Target::Nobody(..) => wrong("it is no node"),
        };
        Outcome::of(at, target.name(), trace, ended)
    }

    async fn of_gateway(&self, at: (Check, Lane), gateway: At<'_>, of: Of) -> Outcome {
        let name = &gateway.gateway.name;
        let of = match of {
            Of::Fresh if at.1 == Lane::New => return self.new_content(at, gateway).await,
            Of::Fresh => {
                let content = Content::random(self.settings.cold_bytes);
                if let Err(why) = self.seeder.import_anywhere(&content).await {
                    return Outcome::skipped(at, name, &why);
                }
                Of::Content(Arc::new(content))
            }
            Of::Nothing | Of::Content(_) | Of::Name(..) | Of::Site(_) | Of::Denied(_) => of,
        };
        let mut trace = Trace::begin();
        let check = ask(at.0, &mut trace, gateway, &of, self.settings.page_within);
        // The page of a timeout has its own budget, which may be longer.
        let page_within = self.settings.page_within + Duration::from_secs(1);
        let is_page = at.0 == Check::HttpTimeoutPage;
        let timeout = self.pace.timeout;
        let within = if is_page { timeout.max(page_within) } else { timeout };
        let ended = in_time(within, check).await;
        Outcome::of(at, name, trace, ended)
    }

    /// `http.new`: from the import on, until the bytes are served.
    async fn new_content(&self, at: (Check, Lane), gateway: At<'_>) -> Outcome {
        let name = &gateway.gateway.name;
        let content = Content::random(self.settings.cold_bytes);
        let mut trace = Trace::begin();
        if let Err(why) = self.seeder.import_anywhere(&content).await {
            return Outcome::skipped(at, name, &why);
        }
        let mut tries = 0_u32;
        let asking = async {
            loop {
                tries += 1;
                trace.first_byte = None;
                match http::path(&mut trace, gateway, &content).await {
                    Err(Fault::Wrong(_) | Fault::NoAnswer(_)) => {
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                    ended @ (Ok(()) | Err(Fault::Mismatch(_))) => return ended,
                }
            }
        };
        let ended = in_time(self.pace.timeout, asking).await;
        trace.note = Some(format!("at try {tries}"));
        Outcome::of(at, name, trace, ended)
    }
}

async fn ask(
    check: Check,
    trace: &mut Trace,
    at: At<'_>,
    of: &Of,
    page_within: Duration,
) -> Result<(), Fault> {
    match (check, of) {
        (Check::HttpPath, Of::Content(content)) => http::path(trace, at, content).await,
        (Check::HttpSubdomain, Of::Content(content)) => {
            let below = at.gateway.subdomains.as_deref().unwrap_or_default();
            http::subdomain(trace, at, content, below).await
        }
        (Check::HttpRaw, Of::Content(content)) => http::raw(trace, at, content).await,
        (Check::HttpCar, Of::Content(content)) => http::car(trace, at, content).await,
        (Check::HttpRange, Of::Content(content)) => http::range(trace, at, content).await,
        (Check::HttpHead, Of::Content(content)) => http::head(trace, at, content).await,
        (Check::HttpEtag304, Of::Content(content)) => http::etag(trace, at, content).await,
        (Check::HttpCors, Of::Content(content)) => http::cors(trace, at, content).await,
        (Check::HttpDnslink, Of::Name(name, _)) => http::dnslink(trace, at, name).await,
        (Check::HttpIpns, Of::Name(name, content)) => {
            http::ipns(trace, at, name, content.as_deref()).await
        }
        (Check::HttpWebsite, Of::Site(site)) => http::website(trace, at, site).await,
        (Check::HttpDenylist, Of::Denied(path)) => http::denylist(trace, at, path).await,
        (Check::HttpTimeoutPage, Of::Nothing) => http::timeout_page(trace, at, page_within).await,
        (Check::HttpOnlyIfCached, Of::Nothing) => http::only_if_cached(trace, at).await,
        (check, _) => wrong(format!("{check:?} is not asked of this")),
    }
}

async fn in_time(
    within: Duration,
    check: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    tokio::time::timeout(within, check).await.unwrap_or_else(|_| {
        let within = humantime::format_duration(within);
        Err(Fault::NoAnswer(format!("there is no whole answer within {within}")))
    })
}

#[cfg(test)]
mod tests;
