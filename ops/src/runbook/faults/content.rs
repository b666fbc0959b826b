//! Content of a drill: a folder of small files that nobody has seen before, so that no answer comes from
//! memory unless it is meant to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipfs::ipns::{Name, create};
use ipfs::{Block, Codec};
use libp2p_identity::Keypair;
use rand::Rng as _;
use telemetry::Tasks;

use crate::client::{Client, Endpoint};
use crate::fleet::Process;

/// Longest silence of a node that is given content.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a file.
const FILE_BYTES: usize = 48;
/// How long a name of a drill is valid.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);

/// A folder that nodes hold.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// Its root.
    root: String,
    /// The CIDs of its files.
    files: Vec<String>,
}

impl Content {
    /// Makes a folder of so many files and stores it on these nodes.
    pub(super) async fn add(
        nodes: &[&Process],
        files: usize,
        place: &Path,
        tasks: &Tasks,
    ) -> Result<Self, String> {
        let (folder, files) = Folder::of_files(place, files)?;
        let nodes = nodes.iter().map(|node| Endpoint::parse(&node.admin));
        let nodes = nodes.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let added = crate::add::folder(&folder.0, nodes, SILENCE, tasks).await;
        let root = added.map_err(|error| format!("content could not be stored: {error}"))?;
        Ok(Self { root: root.to_string(), files })
    }

    /// The path of its root.
    pub(super) fn path(&self) -> String {
        format!("/ipfs/{}", self.root)
    }

    /// The paths of its files below its root, as a website has them.
    pub(super) fn paths(&self) -> Arc<[String]> {
        (0..self.files.len()).map(|number| format!("/{number}")).collect()
    }

    /// The paths of its files, each by its own CID: gateways ask for all of one root at one node.
    pub(super) fn single(&self) -> Arc<[String]> {
        self.files.iter().map(|cid| format!("/ipfs/{cid}")).collect()
    }

    /// A new name that stands for it, whose record nodes hold and gateways believe for a second.
    pub(super) async fn name(&self, nodes: &[&Process], tasks: &Tasks) -> Result<String, String> {
        let key = Keypair::generate_ed25519();
        let name = Name::of_key(&key.public().encode_protobuf());
        let now = SystemTime::now();
        let sequence = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let record = create(&key, &self.path(), sequence, now + VALID_FOR, Duration::from_secs(1));
        let record = record.map_err(|error| error.to_string())?;
        let client = Client::new(tasks.clone(), SILENCE);
        for node in nodes {
            let admin = Endpoint::parse(&node.admin).map_err(|error| error.to_string())?;
            let kind = ipfs::trustless::IPNS_RECORD_TYPE;
            let put = client.put(&admin, &format!("/ipns/{name}"), kind, record.clone()).await;
            put.map_err(|error| format!("a name could not be stored: {error}"))?;
        }
        Ok(format!("/ipns/{name}"))
    }
}

/// A folder that is gone with this.
struct Folder(PathBuf);

impl Folder {
    /// So many files, and their CIDs.
    fn of_files(place: &Path, files: usize) -> Result<(Self, Vec<String>), String> {
        let mut number = [0; 8];
        rand::rng().fill_bytes(&mut number);
        let folder = Self(place.join(format!("drill-{:016x}", u64::from_be_bytes(number))));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.0.display());
        fs::create_dir(&folder.0).map_err(failed)?;
        let mut cids = Vec::with_capacity(files);
        for number in 0..files {
            let mut bytes = [0; FILE_BYTES];
            rand::rng().fill_bytes(&mut bytes);
            fs::write(folder.0.join(number.to_string()), bytes).map_err(failed)?;
            // A file this small is one block.
            let block = Block::of(Codec::Raw, bytes.to_vec().into());
            cids.push(block.map_err(|error| error.to_string())?.cid().to_string());
        }
        Ok((folder, cids))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies in the data folder of a fleet for trying things out.
        fs::remove_dir_all(&self.0).ok();
    }
}
