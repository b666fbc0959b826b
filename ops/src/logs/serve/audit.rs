//! Who asked what: a line before a question is answered, and one when it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::error::{LogsError, at};
use super::Asked;

/// The file of lines.
pub(super) struct Audit(Mutex<File>);

/// One question.
pub(super) struct Line(Value);

impl Audit {
    /// Opens the file, for its owner alone, and goes on after what it holds.
    ///
    /// # Errors
    /// `File`.
    pub(super) fn open(path: &Path) -> Result<Self, LogsError> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        Ok(Self(Mutex::new(file.map_err(at(path))?)))
    }

    /// Writes the line of a question, with its status and time once it was answered.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&self, line: &Line, ended: Option<(u16, Duration)>) -> io::Result<()> {
        let mut line = line.0.clone();
        line["ts"] = humantime::format_rfc3339_millis(SystemTime::now()).to_string().into();
        if let Some((status, took)) = ended {
            line["status"] = status.into();
            line["ms"] = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into();
        }
        let text = format!("{line}\n");
        self.0.lock().map_err(|_| io::Error::other("poisoned"))?.write_all(text.as_bytes())
    }
}

impl Line {
    pub(super) fn new(user: &str, peer: SocketAddr, path: &str, asked: &Asked) -> Self {
        let Asked { q, field, id, limit, clear } = asked;
        Self(json!({
            "user": user, "peer": peer.ip().to_string(), "path": path, "q": q, "field": field,
            "id": id, "limit": limit, "clear": clear,
        }))
    }
}
