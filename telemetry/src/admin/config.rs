//! Where the admin listener listens, and its bounds.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AdminError;
use crate::config::Secret;

/// The admin listener.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address to listen on. Default `127.0.0.1:9080`. Port zero takes a free one.
    pub listen: SocketAddr,
    /// Token that each call but `/livez` and `/readyz` brings as `Authorization: Bearer …`. Default
    /// none, which only a loopback address allows.
    pub token: Secret,
    /// A file whose one line is the token, such as a credential of systemd; read at the start. Default none.
    pub token_file: Option<PathBuf>,
    /// Connections served at a time; further ones wait to be accepted. Default 64. Zero counts as
    /// one.
    pub connections_max: usize,
    /// Longest time for the head of a request, and for the next request on a connection. Default
    /// 30 s. Zero refuses each.
    #[serde(with = "crate::config::duration")]
    #[schemars(with = "crate::config::DurationText")]
    pub header_timeout: Duration,
    /// Whether the allocator samples from the start, so that the first heap profile holds all.
    /// Default false: it samples from the first heap profile on. `PUT` and `DELETE` of `/debug/pprof/heap` turn it
    /// on and off later.
    pub heap_profile: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9080)),
            token: Secret::default(),
            token_file: None,
            connections_max: 64,
            header_timeout: Duration::from_secs(30),
            heap_profile: false,
        }
    }
}

impl Config {
    /// Says whether the token can be had.
    ///
    /// # Errors
    /// [`AdminError::Token`]: it is given twice, or its file cannot be read or has not one line.
    pub fn check(&self) -> Result<(), AdminError> {
        self.secret().map(drop)
    }

    /// The token, wherever it is; an empty one where there is none.
    pub(super) fn secret(&self) -> Result<Secret, AdminError> {
        match &self.token_file {
            None => Ok(self.token.clone()),
            Some(_) if !self.token.is_empty() => {
                let problem =
                    "admin.token and admin.token_file are both set: leave one of them out";
                Err(AdminError::Token(problem.to_owned()))
            }
            Some(path) => Secret::of_file(path).map_err(|problem| {
                AdminError::Token(format!("admin.token_file, {}: {problem}", path.display()))
            }),
        }
    }
}
