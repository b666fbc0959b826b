//! A stream of blocks that proves a path and what lies at its end.
//!
//! Blocks leave depth first while the next ones are fetched ahead. The root of the answer is in hand
//! before the headers are decided, so what is wrong there has a status; a block that is missing later
//! aborts the stream, because a CAR that stops cleanly would look complete.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ipfs::resolve::Resolve;
use ipfs::trustless::CarOptions;
use ipfs::walk::Walk;
use ipfs::{Block, Cid, car};

use crate::outcome::Outcome;
use crate::retrieve::{Asked, DagReader};
use crate::serve::account::{Account, SharedFacts};
use crate::serve::asked::{Question, attachment};
use crate::serve::{Body, Serve, ServeError, content_headers, is_match};

/// Answers a request for a CAR.
pub(super) async fn answer(
    serve: &Arc<Serve>,
    question: &Question,
    options: &CarOptions,
    asked: &Asked,
    account: &Account,
) -> Result<Response<Body>, ServeError> {
    let mut path_blocks = Vec::new();
    let mut resolve = Resolve::new(question.path.root, question.path.segments.clone());
    let terminal = loop {
        let fetched = serve.retrieve.get(&resolve.need(), asked).await?;
        account.fetched(&fetched);
        path_blocks.push(fetched.block.clone());
        // The last one is taken as it is: it need be neither a file nor a folder.
        if resolve.is_last() {
            let terminal = resolve.end(fetched.block)?;
            break (terminal.block, terminal.roots);
        }
        if let Some(terminal) = resolve.feed(fetched.block)? {
            break (terminal.block, terminal.roots);
        }
    };
    let (terminal, roots) = terminal;
    path_blocks.pop();
    let root = *terminal.cid();
    let etag = etag(question, options, &root);
    let mut response = Response::new(Body::default());
    content_headers(response.headers_mut(), question, &roots);
    headers(response.headers_mut(), question, options, &etag);
    account.cache_status(response.headers_mut());
    if is_match(account.request_headers(), &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(Outcome::NotModified);
        return Ok(response);
    }
    let mut walk = Walk::new(&root, options);
    let first = walk.feed(terminal)?;
    let mut ready = VecDeque::from([Bytes::from(car::header(&[root]))]);
    for block in path_blocks.iter().filter(|block| block.cid() != first.block.cid()) {
        push_section(&mut ready, block);
    }
    push_section(&mut ready, &first.block);
    let asked = Asked { root: asked.root.or(Some(root)), ..*asked };
    let ahead = serve.config.car_ahead.as_u64();
    let reader = serve.retrieve.read(walk, asked).with_ahead(ahead);
    let patience = serve.config.next_block_timeout;
    let sender = Sender { reader, patience, ready, facts: account.facts() };
    let frames = stream::try_unfold(sender, |mut sender| async move {
        Ok::<_, ServeError>(sender.next().await?.map(|bytes| (Frame::data(bytes), sender)))
    });
    *response.body_mut() = StreamBody::new(frames).boxed_unsync();
    Ok(response)
}

fn headers(fields: &mut HeaderMap, question: &Question, options: &CarOptions, etag: &str) {
    let name = question.filename.clone().unwrap_or_else(|| match question.path.file_name() {
        Some(name) => format!("{}_{name}.car", question.path.root),
        None => format!("{}.car", question.path.root),
    });
    let values = [
        (header::ETAG, etag.to_owned()),
        (header::CONTENT_TYPE, options.content_type()),
        (header::CONTENT_DISPOSITION, attachment(&name)),
        (header::ACCEPT_RANGES, "none".to_owned()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    }
}

/// A weak tag over all that decides the bytes of a CAR.
fn etag(question: &Question, options: &CarOptions, root: &Cid) -> String {
    let CarOptions { scope, bytes, order, dups } = *options;
    let mut hasher = DefaultHasher::new();
    (question.path.encoded(), scope, bytes, order, dups).hash(&mut hasher);
    format!("W/\"{root}.car.{:x}\"", hasher.finish())
}

/// Adds a block's section; an inline block is in its CID and is never sent.
fn push_section(ready: &mut VecDeque<Bytes>, block: &Block) {
    if block.cid().identity_data().is_none() {
        ready.push_back(car::section_prefix(block.cid(), block.data().len()).into());
        ready.push_back(block.data().clone());
    }
}

/// The rest of a CAR.
struct Sender {
    reader: DagReader,
    patience: Duration,
    ready: VecDeque<Bytes>,
    facts: SharedFacts,
}

impl Sender {
    /// The next bytes, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ServeError> {
        while self.ready.is_empty() {
            self.reader.set_deadline(Instant::now() + self.patience);
            let Some(read) = self.reader.next().await? else { return Ok(None) };
            self.facts.lock().note(read.source);
            if read.visit.fresh {
                push_section(&mut self.ready, &read.visit.block);
            }
        }
        Ok(self.ready.pop_front())
    }
}
