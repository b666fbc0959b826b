//! Other gateways that are measured side by side.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};

/// Where peers find the first of the nodes whose content they are asked for.
pub(crate) const FIRST_NODE: &str = "127.0.0.1:18180";

/// One gateway: its name in the table, and where it listens.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, url) = text.split_once('=').context("a peer is name=http://host:port")?;
        let host = url.strip_prefix("http://").context("a peer's address starts with http://")?;
        let address = host
            .trim_end_matches('/')
            .to_socket_addrs()?
            .find(|address| address.ip().is_loopback())
            .ok_or_else(|| anyhow!("{host} is not on this machine"))?;
        Ok(Self { name: name.to_owned(), address })
    }
}
