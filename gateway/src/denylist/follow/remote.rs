//! A list on a server: read whole once, then what was appended, by ranges.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ipfs::denylist::{Feed, List};
use telemetry::Tasks;
use tokio::time::{Instant, timeout_at};

use crate::denylist::Config;
use crate::outbound::{self, Client};

/// A list on a server.
pub(super) struct Remote {
    client: Client,
    tasks: Tasks,
    uri: Uri,
    timeout: Duration,
    reread: Duration,
    bytes_max: u64,
    list: Option<Arc<List>>,
    /// How many bytes were read.
    bytes: u64,
    /// The last of them, asked for again with what follows: where others are in their place, the
    /// list changed within.
    end: Vec<u8>,
    /// How long the unfinished line is that was behind what was read, the last time.
    tail: usize,
    whole_at: Instant,
}

/// How many bytes are asked for twice.
const END_BYTES: usize = 256;
/// How long a list that has to be read as a whole is left alone.
const WHOLE_EVERY: Duration = Duration::from_secs(60);

impl Remote {
    pub(super) fn new(url: &str, config: &Config, tasks: &Tasks) -> Result<Self, String> {
        Ok(Self {
            client: outbound::client(tasks, "denylist connection")?,
            tasks: tasks.clone(),
            uri: outbound::server(url)?,
            timeout: config.timeout,
            reread: config.reread,
            bytes_max: config.list_bytes_max.as_u64(),
            list: None,
            bytes: 0,
            end: Vec::new(),
            tail: 0,
            whole_at: Instant::now(),
        })
    }

    /// What the list says.
    pub(super) fn list(&self) -> Option<&Arc<List>> {
        self.list.as_ref()
    }

    /// Reads the list as far as it changed; returns whether it did.
    pub(super) async fn read(&mut self) -> Result<bool, String> {
        let deadline = Instant::now() + self.timeout;
        let is_old = !self.reread.is_zero() && self.whole_at.elapsed() >= self.reread;
        let Some(known) = self.list.clone() else { return self.read_whole(deadline).await };
        if is_old {
            return self.read_whole(deadline).await;
        }
        if self.end.last() != Some(&b'\n') {
            // Nothing can be appended to it, so all of it is read, and not too often.
            let rests = self.whole_at.elapsed() < WHOLE_EVERY.min(self.reread.max(WHOLE_EVERY));
            return if rests && self.bytes > 0 {
                Ok(false)
            } else {
                self.read_whole(deadline).await
            };
        }
        let from = self.bytes - self.end.len() as u64;
        let response = self.get(Some(from), deadline).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, from) => {
                match self.added(response, deadline).await? {
                    Some(added) => self.append(known, added, deadline).await,
                    None => self.read_whole(deadline).await,
                }
            }
            // It is shorter than it was.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.read_whole(deadline).await
            }
            // The server knows no ranges.
            StatusCode::OK if self.whole_at.elapsed() < WHOLE_EVERY => Ok(false),
            StatusCode::OK => self.replace(response, deadline).await,
            status => Err(format!("{} answered {status}", self.uri)),
        }
    }

    async fn read_whole(&mut self, deadline: Instant) -> Result<bool, String> {
        let response = self.get(None, deadline).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("{} answered {}", self.uri, response.status()));
        }
        self.replace(response, deadline).await
    }

    async fn replace(
        &mut self,
        response: Response<Incoming>,
        deadline: Instant,
    ) -> Result<bool, String> {
        // Without what a URL may hold of secrets.
        let mut feed = Feed::new(self.uri.host().unwrap_or("a server"));
        let (mut bytes, mut end) = (0, Vec::new());
        let mut body = response.into_body();
        while let Some(data) = next(&mut body, deadline).await? {
            bytes += data.len() as u64;
            if bytes > self.bytes_max {
                return Err(format!("{} has more than {} bytes", self.uri, self.bytes_max));
            }
            keep_end(&mut end, &data);
            feed.push(&data).map_err(|error| error.to_string())?;
        }
        let list = feed.finish().map_err(|error| error.to_string())?;
        self.tail = 0;
        self.list = Some(Arc::new(list));
        (self.bytes, self.end, self.whole_at) = (bytes, end, Instant::now());
        Ok(true)
    }

    /// What stands behind what was read; none when that is not there any more.
    async fn added(
        &self,
        response: Response<Incoming>,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut body = response.into_body();
        let mut read = Vec::new();
        while let Some(data) = next(&mut body, deadline).await? {
            read.extend_from_slice(&data);
            if self.bytes + read.len() as u64 > self.bytes_max {
                return Err(format!("{} has more than {} bytes", self.uri, self.bytes_max));
            }
        }
        let is_same = read.starts_with(&self.end);
        Ok(is_same.then(|| read.split_off(self.end.len())))
    }

    async fn append(
        &mut self,
        known: Arc<List>,
        mut added: Vec<u8>,
        deadline: Instant,
    ) -> Result<bool, String> {
        if added.is_empty() {
            return Ok(false);
        }
        // A line that has no end yet is left for the next time.
        let whole = added.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole == 0 {
            // Unless it has none: nothing more came since the last look.
            let is_all = self.tail == added.len();
            self.tail = added.len();
            return if is_all { self.read_whole(deadline).await } else { Ok(false) };
        }
        added.truncate(whole);
        let work = move || {
            let mut list = List::clone(&known);
            for line in added[..whole - 1].split(|byte| *byte == b'\n') {
                list.push_line(String::from_utf8_lossy(line).trim_end_matches('\r'));
            }
            (list, added)
        };
        // A list may be long, and so may be its copy.
        let made = self.tasks.spawn_blocking("denylist", work).await;
        let (list, added) = made.map_err(|error| error.to_string())?;
        keep_end(&mut self.end, &added);
        self.bytes += whole as u64;
        (self.list, self.tail) = (Some(Arc::new(list)), 0);
        Ok(true)
    }

    async fn get(
        &self,
        from: Option<u64>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(from) = from {
            let range = HeaderValue::from_str(&format!("bytes={from}-"));
            headers.insert(header::RANGE, range.expect("digits"));
        }
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(format!("{} cannot be asked: {error}", self.uri)),
            Err(_) => Err(format!("{} did not answer in time", self.uri)),
        }
    }
}

/// Keeps the last bytes of what was read, `data` included.
fn keep_end(end: &mut Vec<u8>, data: &[u8]) {
    end.extend_from_slice(&data[data.len().saturating_sub(END_BYTES)..]);
    end.drain(..end.len().saturating_sub(END_BYTES));
}

/// The next bytes of a body.
async fn next(body: &mut Incoming, deadline: Instant) -> Result<Option<Bytes>, String> {
    let frame = timeout_at(deadline, body.frame()).await.map_err(|_| "answer is too slow")?;
    match frame {
        None => Ok(None),
        Some(frame) => {
            let frame = frame.map_err(|error| error.to_string())?;
            Ok(Some(frame.into_data().unwrap_or_default()))
        }
    }
}

/// Whether a part begins where it was asked for.
fn starts_at(response: &Response<Incoming>, from: u64) -> bool {
    let range = content_range(response);
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn content_range(response: &Response<Incoming>) -> Option<&str> {
    response.headers().get(header::CONTENT_RANGE)?.to_str().ok()
}
