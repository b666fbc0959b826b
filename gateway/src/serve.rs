//! The request line: read downwards, this is the gateway.
//!
//! What goes wrong in any room comes back here as an error and leaves as a page; every request has
//! one record, and with it one outcome.

use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use ipfs::ipns::Name;
use ipfs::path::Named;
use telemetry::access::method_word;
use telemetry::trace::{RequestId, TraceContext};
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, debug_span, error};

mod explain;

use explain::headers_for_all;

use crate::accept::{Activity, Answer};
use crate::blocks::{Blocks, Memory, Origin, Reader};
use crate::classify::{self, AskError, Asked, Content as Ask, Hosts, Mount, OwnPage, Wish};
use crate::config::{Config, ServerConfig};
use crate::denylist::{Denied, Denylist};
use crate::error::Error;
use crate::limit::{Limit, LimitError};
use crate::mirror::{self, Marked, Mirror};
use crate::names::{NameAsk, NameError, Names};
use crate::outcome::{Outcome, Source, Traffic};
use crate::render::page;
use crate::render::{self, Render, RenderError, Rendered};
use crate::resolve::{self, Fresh, Plan, PlanError, Way};
use crate::stream::{Asker, Body, Content, Record, Recorder, Tap};
use crate::upstream::{Failure, FetchError};

/// The rooms, in the order of the line.
pub(crate) struct Gateway {
    pub(crate) hosts: ArcSwap<Hosts>,
    pub(crate) limit: Arc<Limit>,
    pub(crate) denylist: Arc<Denylist>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) names: Arc<Names>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) mirror: Mirror,
    pub(crate) config: ServerConfig,
    pub(crate) render: Render,
    pub(crate) no_providers_ttl: std::time::Duration,
}

impl Gateway {
    /// The rooms of a configuration.
    pub(crate) fn new(
        config: &Config,
        (hosts, render): (Hosts, Render),
        (limit, denylist): (Limit, Arc<Denylist>),
        blocks: (Arc<Blocks>, Arc<Memory>),
        names: Names,
        (recorder, mirror): (Recorder, Mirror),
    ) -> Self {
        Self {
            hosts: ArcSwap::from_pointee(hosts),
            limit: Arc::new(limit),
            denylist,
            memory: blocks.1,
            blocks: blocks.0,
            names: Arc::new(names),
            recorder: Arc::new(recorder),
            mirror,
            config: config.server.clone(),
            render,
            no_providers_ttl: config.cache.no_providers_ttl,
        }
    }

    /// Answers one request, or says why not.
    async fn line(&self, parts: &Parts, record: &mut Record) -> Result<Rendered, Error> {
        let hosts = self.hosts.load();
        let peer = record.asker().activity.client().ip();
        let caller = classify::caller(parts, peer, &hosts)?; // who asks, for which host
        record.client = caller.client;
        let ours = self.ours(&parts.headers, caller.client, &hosts)?; // is it a probe or a copy
        record.set_traffic(ours.unwrap_or(record.traffic));
        let asked = classify::request(parts, &caller, &hosts)?; // what is wanted, in which form
        record.set_traffic(ours.unwrap_or_else(|| asked.traffic()));
        record.form = asked.form();
        if self.mirror.is_on() {
            record.asked_path = asked.path(parts);
        }
        record.permit = Some(self.limit.admit(&asked, caller.client)?); // may it be served now
        let ask = match asked {
            Asked::Content(ask) => ask,
            Asked::Redirect(redirect) => return Ok(render::redirect(redirect)),
            Asked::Own(own) => return self.own(own, parts),
            Asked::Options => return Ok(page::options()),
            Asked::Tunnel => return Ok(Response::new(Content::Empty)),
        };
        record.format = Some(format(&ask));
        let deadline = Instant::now() + self.config.first_byte_timeout;
        let answer = self.content(&ask, record, deadline);
        let rendered = match timeout_at(deadline, answer).await {
            Ok(answer) => answer?,
            Err(_) => return Err(late(record)),
        };
        // Where the end of the connection is the end of the body, a cut would look whole.
        if parts.version < Version::HTTP_11 && rendered.body().is_endless() {
            return Err(Error::Ask(AskError::Version));
        }
        Ok(rendered)
    }

    /// Whose traffic a request is, if it is not what people ask.
    fn ours(
        &self,
        headers: &HeaderMap,
        client: IpAddr,
        hosts: &Hosts,
    ) -> Result<Option<Traffic>, AskError> {
        if hosts.is_probe(headers, client) {
            return Ok(Some(Traffic::Probe));
        }
        match self.mirror.marked(headers) {
            Marked::Loop => Err(AskError::Loop),
            Marked::Again => Ok(Some(Traffic::Mirror)),
            Marked::Other if hosts.is_mirror(client) => Ok(Some(Traffic::Mirror)),
            Marked::Other | Marked::No => Ok(None),
        }
    }

    /// Answers with a page of the gateway itself.
    fn own(&self, own: OwnPage, parts: &Parts) -> Result<Rendered, Error> {
        let is_head = parts.method == Method::HEAD;
        let page = self.render.pages().own(own, &parts.headers, is_head, SystemTime::now());
        page.ok_or(Error::Ask(AskError::NoSuchPage))
    }

    /// Answers a request for content.
    async fn content(
        &self,
        ask: &Ask,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<Rendered, Error> {
        if ask.wish == Wish::IpnsRecord {
            return self.ipns_record(ask, record, deadline).await;
        }
        let target = self.target(ask, record, deadline).await?; // where names lead
        let planned = self.plan(ask, &target.path, record, deadline).await; // which blocks answer it
        let (plan, reader) = match planned {
            Ok(planned) => planned,
            Err(Error::Plan(missing)) if is_ruled(ask) && missing.is_not_there() => {
                return self.ruled(ask, &target, missing, record, deadline).await;
            }
            Err(error) => return Err(error),
        };
        // Status and headers are decided here.
        Ok(render::response(&plan, ask, reader, &self.render, &target.fresh).await?)
    }

    /// Follows the name that a path begins with, if it does.
    async fn target<'a>(
        &self,
        ask: &'a Ask,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<Target<'a>, Error> {
        // A raw block or a CAR is of what the path names, whether or not it ends in a slash.
        let path = if is_page(ask) { &ask.path } else { ask.path.trim_end_matches('/') };
        if !path.starts_with("/ipns/") {
            let fresh = match &ask.mount {
                Mount::Site { root, .. } => root.cache_control.clone(),
                Mount::Path | Mount::Origin { .. } => None,
            };
            let fresh = fresh.map_or(Fresh::Immutable, Fresh::Configured);
            return Ok(Target { path: Cow::Borrowed(path), fresh });
        }
        let named = Named::parse(path)
            .map_err(|source| PlanError::Path { path: path.to_owned(), source })?;
        record.is_named = true;
        self.allow_name(&named.name, &named.rest)?; // may the name be served at all
        let resolved = self.names.resolve(&named.name, &name_ask(ask, record, deadline)).await?;
        let through = |(name, rest): &(String, String)| {
            self.allow_name(name, &format!("{rest}{}", named.rest))
        };
        resolved.through.iter().try_for_each(through)?;
        let path = Cow::Owned(format!("{}{}", resolved.path, named.rest));
        Ok(Target { path, fresh: Fresh::Named(resolved) })
    }

    /// Which blocks answer for an immutable path.
    async fn plan(
        &self,
        ask: &Ask,
        path: &str,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<(Arc<Plan>, Reader), Error> {
        let page = is_page(ask);
        // A plan for a page knows what the last block is, which other forms do not ask.
        let key = if page { Cow::Borrowed(path) } else { Cow::Owned(format!("as it is: {path}")) };
        if let Some(plan) = self.memory.plan(&key) {
            self.allow(&plan)?; // lists change after a plan was kept
            (record.root, record.terminal) = (Some(plan.root), Some(plan.terminal));
            record.provenance.note(Source::Hit);
            let reader = self.reader(ask, record, deadline, plan.root, plan.below.clone());
            return Ok((plan, reader));
        }
        let way = Way::parse(path)?;
        record.root = Some(way.root());
        self.allow_path(&way.root(), way.segments())?; // may it be served at all
        let reader = self.reader(ask, record, deadline, way.root(), way.below());
        let plan = Arc::new(way.follow(&reader, page).await?);
        record.terminal = Some(plan.terminal);
        self.allow(&plan)?; // the path may lead through what may not
        self.memory.keep_plan(&key, &plan);
        Ok((plan, reader))
    }

    /// Answers for a path that a website does not have, by a rule of the website's own.
    async fn ruled(
        &self,
        ask: &Ask,
        target: &Target<'_>,
        missing: PlanError,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<Rendered, Error> {
        let shown = ask.shown_path();
        let root = target.path.strip_suffix(shown).unwrap_or(&target.path);
        let way = Way::parse(root)?;
        let reader = self.reader(ask, record, deadline, way.root(), None);
        let Some(rule) = resolve::rule(root, shown, &reader).await? else {
            return Err(missing.into());
        };
        if rule.is_redirect() {
            return Ok(render::to_rule(&rule, ask, &target.fresh));
        }
        if let Ok(named) = Named::parse(&format!("{}{}", &ask.path[..ask.mounted], rule.path())) {
            self.allow_name(&named.name, &named.rest)?;
        }
        // A folder is meant with its slash, which behind a file is of no meaning.
        let path = format!("{root}{}/", rule.path().trim_end_matches('/'));
        let (plan, reader) = self.plan(ask, &path, record, deadline).await?;
        if rule.status == 200 {
            let (config, fresh) = (&self.render, &target.fresh);
            return Ok(render::response(&plan, ask, reader, config, fresh).await?);
        }
        // What is not there has no copy that could be good, and no part.
        let whole = ask.without_conditions();
        let (config, fresh) = (&self.render, &target.fresh);
        let mut rendered = render::response(&plan, &whole, reader, config, fresh).await?;
        *rendered.status_mut() = StatusCode::from_u16(rule.status).unwrap_or(StatusCode::NOT_FOUND);
        Ok(rendered)
    }

    /// Answers with the record of a name.
    async fn ipns_record(
        &self,
        ask: &Ask,
        record: &mut Record,
        deadline: Instant,
    ) -> Result<Rendered, Error> {
        let named = Named::parse(ask.path.trim_end_matches('/'));
        let name = named.ok().filter(|named| named.rest.is_empty());
        let name = name.and_then(|named| Name::parse(&named.name).ok());
        let name = name.ok_or(RenderError::NotAName)?;
        record.is_named = true;
        self.allow_name(&name.to_string(), "")?;
        let (found, ttl) = self.names.record(name, &name_ask(ask, record, deadline)).await?;
        Ok(render::ipns_record(&found, ttl, ask))
    }

    /// Whether the lists allow a name and a path below it, which is percent-encoded.
    fn allow_name(&self, name: &str, rest: &str) -> Result<(), Denied> {
        if self.denylist.is_empty() {
            return Ok(());
        }
        self.denylist.check_name(name, &ipfs::path::segments(rest).unwrap_or_default())
    }

    /// Whether the lists allow a path below a root.
    fn allow_path(&self, root: &ipfs::Cid, segments: &[String]) -> Result<(), Denied> {
        if self.denylist.is_empty() {
            return Ok(());
        }
        self.denylist.check_cid(root)?;
        self.denylist.check_path(root, segments)
    }

    /// Whether the lists allow everything that a path leads through, unless they were asked since
    /// they changed.
    fn allow(&self, plan: &Plan) -> Result<(), Denied> {
        let generation = self.denylist.generation();
        if self.denylist.is_empty() || !plan.is_to_be_checked(generation) {
            return Ok(());
        }
        for (root, segments) in plan.passes() {
            self.allow_path(&root, &segments)?;
        }
        plan.checked(generation);
        Ok(())
    }

    fn reader(
        &self,
        ask: &Ask,
        record: &Record,
        deadline: Instant,
        root: ipfs::Cid,
        path: Option<HeaderValue>,
    ) -> Reader {
        let asker = record.asker();
        let origin = Origin {
            root,
            path,
            only_if_cached: ask.only_if_cached,
            request_id: asker.request_id.clone(),
            traceparent: Some(asker.trace.header_value()),
            is_copy: record.traffic == Traffic::Mirror,
        };
        self.blocks.reader(origin, deadline, Arc::clone(&record.provenance))
    }
}

impl Answer for Gateway {
    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        from: &Arc<Activity>,
    ) -> Response<Body> {
        let (parts, _) = request.into_parts();
        let request_id = RequestId::of(&parts.headers).header_value();
        let span = debug_span!(
            "request",
            otel.kind = "server",
            http.request.method = method_word(&parts.method),
            request_id = request_id.to_str().unwrap_or("-"),
            http.response.status_code = Empty,
            outcome = Empty,
            cache = Empty,
        );
        let trace = TraceContext::of_request(&parts.headers, &span);
        let asker = Asker { activity: Arc::clone(from), request_id, trace, span: span.clone() };
        let mut record = Record::begin(&self.recorder, asker, &parts);
        let line = AssertUnwindSafe(self.line(&parts, &mut record)).catch_unwind();
        let line = line.instrument(span).await;
        let (mut rendered, outcome) = match line {
            Ok(Ok(rendered)) => {
                let outcome = Outcome::of_status(rendered.status());
                (rendered, outcome)
            }
            Ok(Err(error)) => {
                let by = error.denied().map(|denied| (Arc::clone(&denied.list), denied.line));
                record.denied = by;
                record.providers = error.state().map(|state| u64::from(state.providers));
                self.explain(&error, &parts, &record)
            }
            Err(_) => {
                self.recorder.metrics.panics.inc();
                error!(
                    request_id = record.asker().request_id.to_str().unwrap_or("-"),
                    "answering a request panicked"
                );
                self.panicked(&parts, &record)
            }
        };
        headers_for_all(rendered.headers_mut(), &record);
        record.answered(rendered.status(), outcome);
        if record.traffic == Traffic::Mirror {
            mirror::tell(rendered.headers_mut(), record.elapsed());
        }
        record.tap = self.tap(&parts, &rendered, outcome, &record);
        rendered.map(|content: Content| Body::new(content, record, from))
    }
}

impl Gateway {
    /// Who looks on while an answer leaves: the mirror, if it is to be copied to staging.
    fn tap(
        &self,
        parts: &Parts,
        rendered: &Rendered,
        outcome: Outcome,
        record: &Record,
    ) -> Option<Box<dyn Tap>> {
        let peer = record.asker().activity.client().ip();
        let head = mirror::Head {
            status: rendered.status().as_u16(),
            headers: rendered.headers(),
            outcome,
        };
        let caller = || classify::whole_caller(parts, peer, &self.hosts.load()).ok();
        self.mirror.tap(parts, caller, head, record)
    }
}

/// An immutable path, and how long it is what was asked for.
struct Target<'a> {
    /// `/ipfs/{cid}[/path]`, percent-encoded.
    path: Cow<'a, str>,
    fresh: Fresh,
}

/// Whether a website's rules count for what is asked: for pages where the origin is its own.
fn is_ruled(ask: &Ask) -> bool {
    ask.is_isolated() && (ask.wish == Wish::Page || ask.page_is_fine)
}

/// Whether the answer depends on what the last block is, rather than on its bytes alone.
fn is_page(ask: &Ask) -> bool {
    match ask.wish {
        Wish::Page | Wish::Codec(_) => true,
        Wish::Raw | Wish::Car(_) | Wish::Tar | Wish::IpnsRecord => false,
    }
}

fn name_ask(ask: &Ask, record: &Record, deadline: Instant) -> NameAsk {
    let request_id = record.asker().request_id.clone();
    NameAsk { deadline, only_if_cached: ask.only_if_cached, request_id }
}

/// The time of the first byte ran out.
fn late(record: &Record) -> Error {
    let Some(cid) = record.root else {
        return match record.is_named {
            true => Error::Name(NameError::Timeout("the name".to_owned())),
            false => Error::Limit(LimitError::Full(std::time::Duration::from_secs(2))),
        };
    };
    Error::Plan(PlanError::Fetch(FetchError::of(cid, Failure::Timeout)))
}

/// The form of an answer, for the log.
fn format(ask: &Ask) -> &'static str {
    match ask.wish {
        Wish::Page => "page",
        Wish::Raw => "raw",
        Wish::Car(_) => "car",
        Wish::Tar => "tar",
        Wish::Codec(format) => format.word(),
        Wish::IpnsRecord => "ipns-record",
    }
}
