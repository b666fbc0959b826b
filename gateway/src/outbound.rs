//! Connections to servers that are not nodes: resolvers and lists, by their configured URLs.
//!
//! No redirect is followed and no proxy of the environment is used, so that what is asked is asked
//! of the server that is configured and of nobody else.

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use telemetry::Tasks;

use crate::accept::TaskExecutor;

/// Idle connections that are kept to one server.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// A client of such servers.
pub(crate) type Client = Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client whose connections are tasks of this name.
///
/// # Errors
/// A text that says why TLS cannot be set up.
pub(crate) fn client(tasks: &Tasks, name: &'static str) -> Result<Client, String> {
    connecting(HttpConnector::new(), tasks, name)
}

/// As [`client()`], for servers that may send more than is read: the system takes in only so much.
///
/// # Errors
/// As [`client()`].
pub(crate) fn narrow_client(
    tasks: &Tasks,
    name: &'static str,
    receive_bytes: u32,
) -> Result<Client, String> {
    let mut http = HttpConnector::new();
    http.set_recv_buffer_size(Some(usize::try_from(receive_bytes).unwrap_or(usize::MAX)));
    http.set_nodelay(true);
    connecting(http, tasks, name)
}

fn connecting(
    mut http: HttpConnector,
    tasks: &Tasks,
    name: &'static str,
) -> Result<Client, String> {
    // The connector around it decides on the scheme.
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| error.to_string())?
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(http);
    let mut client = Pooled::builder(TaskExecutor::new(tasks.clone(), name));
    client
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
    Ok(client.build(connector))
}

/// Reads the URL of a server: `https`, or `http` on a loopback address.
///
/// # Errors
/// A text that says what is wrong with it.
pub(crate) fn server(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "not a URL".to_owned())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if is_loopback(host) => Ok(uri),
        (Some(_) | None, Some(_) | None) => {
            Err("must be https, or http on a loopback address".to_owned())
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_over_tls_unless_they_are_on_this_machine() {
        for url in ["https://a.example/x", "http://127.0.0.1:53/x", "http://[::1]/x"] {
            assert!(server(url).is_ok(), "{url}");
        }
        for url in ["http://a.example/x", "http://10.0.0.1/x", "ftp://a.example", "x", ""] {
            assert!(server(url).is_err(), "{url}");
        }
    }
}
