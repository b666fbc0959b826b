//! Puts a site into nodes, and leads a name to it when they have all of it.

use std::path::Path;
use std::time::Duration;

use telemetry::Tasks;

use super::PublishError;
use crate::add::{self, AddError};
use crate::client::Endpoint;
use crate::findings::Finding;
use crate::ipns::{self, Hearers};

/// Where a site goes.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The nodes that are to have it.
    pub(super) nodes: Vec<Endpoint>,
    /// Nodes that learn the name alone, and fetch the site when they are asked.
    pub(super) also: Vec<Endpoint>,
    /// The key whose name is to lead to it.
    pub(super) key: Option<&'a Path>,
    /// How long the name's record may be kept, and how long it is valid.
    pub(super) times: [Duration; 2],
    /// Longest silence of a node.
    pub(super) timeout: Duration,
}

/// Where it is.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// Its root.
    pub(super) root: Option<String>,
    /// The name that leads to it, as `/ipns/…`.
    pub(super) name: Option<String>,
    /// What is not as it was asked for.
    pub(super) findings: Vec<Finding>,
}

impl Target<'_> {
    /// These nodes, without a name.
    pub(super) fn of(nodes: Vec<Endpoint>) -> Self {
        let times = [Duration::ZERO; 2];
        Self { nodes, also: Vec::new(), key: None, times, timeout: super::LOCAL_SILENCE }
    }

    /// Puts a folder there. That a node lacks it, or does not know its name, is a finding as long as another
    /// does: it can be read.
    ///
    /// # Errors
    /// No node has it, or none knows that the name leads to it.
    pub(super) async fn publish(
        &self,
        folder: &Path,
        tasks: &Tasks,
    ) -> Result<Published, PublishError> {
        let mut findings = Vec::new();
        let added = add::folder(folder, self.nodes.clone(), self.timeout, tasks).await;
        let root = match added {
            Ok(root) => root.to_string(),
            Err(AddError::NotReplicated { cid, reasons, .. }) => {
                let text = format!("not every node has it: {reasons}");
                findings.push(Finding::at(format!("/ipfs/{cid}"), 0, "not-replicated", text));
                cid
            }
            Err(error) => return Err(error.into()),
        };
        let name = match self.key {
            None => None,
            Some(key) => {
                let to = Hearers { nodes: &self.nodes, also: &self.also, timeout: self.timeout };
                let value = format!("/ipfs/{root}");
                let led = ipns::lead(key, &value, self.times, &to, tasks).await?;
                if let Some(text) = led.lacking {
                    findings.push(Finding::at(&led.name, 0, "not-led", text));
                }
                Some(led.name)
            }
        };
        Ok(Published { root: Some(root), name, findings })
    }
}

#[cfg(test)]
mod tests;
