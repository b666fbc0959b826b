//! Tells who may call the admin listener.
//!
//! With a token, whoever brings it. Without one the listener is on loopback, where a web page in a
//! browser could call as well: such calls are told by what browsers send with them, and by the host
//! name under which a page may have its own address point here.

use std::net::IpAddr;

use http::{HeaderMap, Request, Response, StatusCode, header};

use super::{Body, answer};
use crate::config::Secret;

/// The answer to a call that is refused; none when it may go on.
pub(super) fn refuse<B>(request: &Request<B>, token: &Secret) -> Option<Response<Body>> {
    // Supervisors bring no token, and these two tell no more than how the process is.
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return None;
    }
    if !token.is_empty() {
        return (!has_token(request.headers(), token)).then(unauthorized);
    }
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").map_or(&b"none"[..], |site| site.as_bytes());
    let of_a_page = headers.contains_key(header::ORIGIN) || site != b"none";
    if of_a_page || !names_loopback(request) {
        let detail = "this listener answers no web pages: call it from a program on this machine, \
                      by its IP address or as localhost";
        return Some(answer::problem(StatusCode::FORBIDDEN, detail));
    }
    None
}

/// Whether a caller does not show the token that there is.
pub(super) fn is_stranger<B>(request: &Request<B>, token: &Secret) -> bool {
    !token.is_empty() && !has_token(request.headers(), token)
}

fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let Some((scheme, given)) = given.and_then(|given| given.split_at_checked(b"Bearer ".len()))
    else {
        return false;
    };
    scheme.eq_ignore_ascii_case(b"Bearer ") && token.matches(given)
}

fn unauthorized() -> Response<Body> {
    let detail = "bring the token of admin.token as Authorization: Bearer TOKEN";
    let mut response = answer::problem(StatusCode::UNAUTHORIZED, detail);
    let scheme = http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

/// Whether the host of the request is an address or `localhost`; HTTP/1.0 has none.
fn names_loopback<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(header::HOST) else {
        return true;
    };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse().ok()) else {
        return false;
    };
    let authority: http::uri::Authority = authority;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}
