//! Logs for tests, as processes write them.

use std::fmt::Write as _;

use tempfile::TempDir;

use super::sources::{Environment, Kind, Segment, Source, segments};

/// A record that is made up.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) number: u64,
    /// Seconds after 10:00 of the day.
    pub(crate) second: u64,
    pub(crate) role: &'static str,
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
    pub(crate) cache: &'static str,
    pub(crate) total_ms: u64,
    pub(crate) share: &'static str,
    /// Fields behind the rest, with the comma in front.
    pub(crate) more: String,
}

impl Made {
    /// A request that went well.
    pub(crate) fn ok(number: u64) -> Self {
        Self {
            number,
            second: 0,
            role: "gateway",
            status: 200,
            outcome: "ok",
            cache: "hit",
            total_ms: 3,
            share: "1",
            more: String::new(),
        }
    }

    /// The line, with its end.
    pub(crate) fn line(&self, into: &mut String) {
        let Self { number, second, role, status, outcome, cache, total_ms, share, more } = self;
        let (minute, second) = (second / 60 % 60, second % 60);
        let milli = number % 1000;
        writeln!(
            into,
            "{{\"ts\":\"2026-11-21T10:{minute:02}:{second:02}.{milli:03}Z\",\"v\":1,\"env\":\"local\",\
             \"role\":\"{role}\",\"node\":\"{role}-0\",\"build\":\"0.1.0-0123456789ab\",\
             \"req_id\":\"{number:032x}\",\"trace_id\":\"{number:032x}\",\"traffic\":\"gateway\",\
             \"form\":\"path\",\"method\":\"GET\",\"ns\":\"ipfs\",\"root_cid_h\":\"{number:016x}\",\
             \"codec\":\"dag-pb\",\"format\":\"page\",\"path_depth\":1,\"path_h\":\"{number:016x}\",\
             \"status\":{status},\"outcome\":\"{outcome}\",\"cache\":\"{cache}\",\"ttfb_ms\":1.250,\
             \"total_ms\":{total_ms}.500,\"bytes\":1024,\"blocks\":1,\"verified\":true,\
             \"ua_class\":\"browser\",\"client_net_h\":\"{number:016x}\",\"sample_rate\":{share}{more}}}"
        )
        .expect("a string takes all text");
    }
}

/// A folder of logs.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Writes records to a log.
    pub(crate) fn write(&self, name: &str, records: impl IntoIterator<Item = Made>) {
        let mut text = String::new();
        records.into_iter().for_each(|record| record.line(&mut text));
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    /// Writes records to a log, and finds all that there are.
    pub(crate) fn segments(
        &self,
        name: &str,
        records: impl IntoIterator<Item = Made>,
    ) -> Vec<Segment> {
        self.write(name, records);
        segments(&[self.environment("local")], Kind::Records).expect("logs")
    }

    /// The folder as an environment.
    pub(crate) fn environment(&self, name: &str) -> Environment {
        let folder = Some(self.0.path().to_path_buf());
        let source = Source { folder, url: None, token_file: None };
        Environment { name: name.to_owned(), source }
    }
}
