//! Answers that lead elsewhere: to a better address, or to where a website's rule says.

use http::{HeaderValue, Response, StatusCode, header};
use ipfs::redirects::merge_query;

use super::{IMMUTABLE, Rendered};
use crate::classify::{Content as Ask, Redirect};
use crate::resolve::{Fresh, Rule};
use crate::stream::Content;

/// Sends a client to a better address.
pub(crate) fn to(redirect: Redirect) -> Rendered {
    let mut response = Response::new(Content::Empty);
    *response.status_mut() = redirect.status;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, redirect.location);
    headers.insert(header::CACHE_CONTROL, redirect.cache_control);
    response
}

/// Sends a client to where a rule of the website says.
pub(crate) fn to_rule(rule: &Rule, ask: &Ask, fresh: &Fresh) -> Rendered {
    let location = merge_query(&rule.to, ask.query.as_deref());
    let location =
        HeaderValue::from_str(&location).expect("a target is percent-encoded when it is made");
    let mut response = Response::new(Content::Empty);
    *response.status_mut() =
        StatusCode::from_u16(rule.status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
    fresh.mark(response.headers_mut());
    response
}
