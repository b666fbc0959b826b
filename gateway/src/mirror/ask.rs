//! One request to staging: sent, read no further than production's answer goes, hashed, dropped.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ipfs::answer::{Answer, Digest, Question};
use telemetry::pairs::{Side, micros};
use tokio::time::{timeout, timeout_at};

use super::Offer;
use super::compare;
use super::copied::MARK;
use super::words::Failure;
use crate::outbound::Client;

/// What staging answered.
pub(super) struct Answered {
    /// The answer as it is compared; none without a head.
    pub(super) answer: Option<Answer>,
    /// The answer as pairs have it.
    pub(super) side: Option<Side>,
    /// Why it is missing or not whole.
    pub(super) failure: Option<Failure>,
}

impl Answered {
    pub(super) fn failed(failure: Failure) -> Self {
        Self { answer: None, side: None, failure: Some(failure) }
    }

    /// Whether staging says that it has too much to do.
    pub(super) fn is_busy(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| matches!(answer.status, 429 | 503))
    }

    /// Whether staging failed where asking again may go better.
    pub(super) fn is_bad(&self) -> bool {
        self.side.as_ref().is_none_or(|side| !side.is_good())
    }
}

/// Asks a gateway the same as production was asked.
pub(super) async fn ask(
    client: &Client,
    gateway: &Uri,
    mark: &HeaderValue,
    offer: &Offer,
) -> Answered {
    let config = &offer.settings.config;
    let began = Instant::now();
    let Ok(request) = offer.request.request(gateway, mark) else {
        return Answered::failed(Failure::Connect);
    };
    let response = match timeout(config.head_timeout, client.request(request)).await {
        Err(_) => return Answered::failed(Failure::Timeout),
        Ok(Err(_)) => return Answered::failed(Failure::Connect),
        Ok(Ok(response)) => response,
    };
    let headed = began.elapsed();
    let headers = response.headers();
    if response.status() == StatusCode::LOOP_DETECTED && headers.contains_key(MARK) {
        return Answered::failed(Failure::Loop);
    }
    let mut answer = compare::head(response.status().as_u16(), headers);
    let mut side = side(response.status(), headers, headed);
    let until = began + config.timeout;
    let (digest, failure) = read(response, offer, until).await;
    // What is too long is told from production's without its end.
    answer.body = digest.finish(matches!(failure, None | Some(Failure::Long)));
    side.bytes = answer.body.bytes;
    side.whole = answer.body.whole;
    side.total_us = micros(began.elapsed());
    Answered { answer: Some(answer), side: Some(side), failure }
}

fn side(status: StatusCode, headers: &HeaderMap, headed: Duration) -> Side {
    let told = compare::told(headers);
    Side {
        status: status.as_u16(),
        cache: told.cache.to_owned(),
        first_byte_us: micros(told.first_byte.unwrap_or(headed)),
        total_us: 0,
        bytes: 0,
        whole: false,
        build: told.build,
    }
}

/// Reads a body as far as it is compared: a byte more than production's had is too many.
async fn read(
    response: Response<Incoming>,
    offer: &Offer,
    until: Instant,
) -> (Digest, Option<Failure>) {
    let config = &offer.settings.config;
    let limit = config.compare_bytes.as_u64();
    let mut digest = Digest::new(offer.shape, true, limit);
    let bytes = bound(&offer.question, &offer.production, response.status());
    let bytes = bytes.filter(|bytes| *bytes <= limit);
    let enough = bytes.unwrap_or(limit).saturating_add(1);
    let mut body = response.into_body();
    while digest.bytes() < enough {
        let frame = timeout(config.stall_timeout, timeout_at(until.into(), body.frame())).await;
        match frame {
            Err(_) => return (digest, Some(Failure::Stall)),
            Ok(Err(_)) => return (digest, Some(Failure::Timeout)),
            Ok(Ok(None)) => break,
            Ok(Ok(Some(Err(_)))) => return (digest, Some(Failure::Reset)),
            Ok(Ok(Some(Ok(frame)))) => {
                if let Some(bytes) = frame.data_ref() {
                    digest.update(bytes);
                }
            }
        }
    }
    let is_long = bytes.is_some() && digest.bytes() >= enough;
    (digest, is_long.then_some(Failure::Long))
}

/// The length that a body has to have. Pages are drawn by each build as it likes, and where production's was cut
/// nobody knows.
fn bound(question: &Question, production: &Answer, status: StatusCode) -> Option<u64> {
    let is_content = matches!(production.status, 200 | 206) && status == production.status;
    let is_known = is_content && !question.is_rendered && production.body.whole;
    is_known.then_some(production.body.bytes)
}

#[cfg(test)]
mod tests {
    use ipfs::answer::Seen;

    use super::*;

    #[test]
    fn only_content_that_production_sent_whole_bounds_what_staging_sends() {
        let (content, page) =
            (Question::default(), Question { is_rendered: true, ..Question::default() });
        let answer = |status, whole| {
            let mut answer = compare::head(status, &HeaderMap::new());
            answer.body = Seen { bytes: 6, whole, ..Seen::default() };
            answer
        };
        let ok = StatusCode::OK;
        assert_eq!(bound(&content, &answer(200, true), ok), Some(6));
        let part = StatusCode::PARTIAL_CONTENT;
        assert_eq!(bound(&content, &answer(206, true), part), Some(6));
        for (question, production, status) in [
            (&page, answer(200, true), ok),
            (&content, answer(200, false), ok),
            (&content, answer(404, true), StatusCode::NOT_FOUND),
            (&content, answer(200, true), StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(bound(question, &production, status), None, "{production:?} {status}");
        }
    }
}
