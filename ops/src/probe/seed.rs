//! Puts content and a record of the probe's own onto nodes, by their admin listeners.
//!
//! What is put there is small and stays there: a node has no call that takes content away, so the
//! lanes that need fresh content are probed seldom.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use ipfs::Cid;
use ipfs::ipns::{Name, create};
use ipfs::trustless::IPNS_RECORD_TYPE;
use libp2p_identity::Keypair;
use telemetry::Tasks;

use super::content::Content;
use crate::client::{Client, Endpoint};

/// How long a record of the probe is valid: past it, a probe that is gone leaves nothing behind.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a record is kept by others.
const TTL: Duration = Duration::from_secs(60);

/// Puts content onto nodes.
pub(crate) struct Seeder {
    client: Client,
    nodes: Vec<Endpoint>,
    key: Keypair,
}

impl Seeder {
    /// A seeder of these nodes, under a key that is its own.
    pub(crate) fn new(tasks: &Tasks, nodes: Vec<Endpoint>, within: Duration) -> Self {
        let client = Client::new(tasks.clone(), within);
        Self { client, nodes, key: Keypair::generate_ed25519() }
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &[Endpoint] {
        &self.nodes
    }

    /// The client by which nodes are asked.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The name of its key.
    pub(crate) fn name(&self) -> Name {
        Name::of_key(&self.key.public().encode_protobuf())
    }

    /// Puts content onto one node.
    ///
    /// # Errors
    /// What happened, in words.
    pub(crate) async fn import(&self, node: &Endpoint, content: &Content) -> Result<(), String> {
        let failed = |error: &dyn std::error::Error| format!("seeding failed: {error}");
        let body = Full::new(content.car());
        let answer = self.client.send(node, Method::POST, "/import", body).await;
        let answer = answer.map_err(|error| failed(&error))?;
        let mut lines = self.client.lines(node, answer);
        while let Some(line) = lines.next().await.map_err(|error| failed(&error))? {
            if line["done"] == true {
                return Ok(());
            }
            if let Some(why) = line["error"].as_str() {
                return Err(format!("seeding failed: {} refused it: {why}", node.url()));
            }
        }
        Err(format!("seeding failed: {} did not say that it is done", node.url()))
    }

    /// Puts content onto the first node that takes it.
    ///
    /// # Errors
    /// What the last one said.
    pub(crate) async fn import_anywhere(&self, content: &Content) -> Result<(), String> {
        let mut said = "seeding failed: there is no seed node".to_owned();
        for node in &self.nodes {
            match self.import(node, content).await {
                Ok(()) => return Ok(()),
                Err(why) => said = why,
            }
        }
        Err(said)
    }

    /// Says on every node that the seeder's name leads to a root.
    ///
    /// # Errors
    /// What the last one said, if none took it.
    pub(crate) async fn publish(&self, root: &Cid, now: SystemTime) -> Result<(), String> {
        let sequence = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let value = format!("/ipfs/{root}");
        let record = create(&self.key, &value, sequence, now + VALID_FOR, TTL);
        let record: Bytes = record.map_err(|error| error.to_string())?;
        let target = format!("/ipns/{}", self.name());
        let mut said = Err("there is no seed node".to_owned());
        for node in &self.nodes {
            match self.client.put(node, &target, IPNS_RECORD_TYPE, record.clone()).await {
                Ok(_) => said = Ok(()),
                Err(error) if said.is_err() => said = Err(error.to_string()),
                Err(_) => {}
            }
        }
        said
    }
}
