//! The private key of a node, from Kubo's form into the file that `swarm.identity_file` names.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use libp2p_identity::Keypair;
use multibase::Base;

/// A node's key. It is never printed.
pub(super) struct Identity {
    bytes: Vec<u8>,
    /// Who the node is with it.
    pub(super) peer: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a key in libp2p's encoding, in base64.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = Base::Base64Pad.decode(text.trim()).map_err(|_| "it is no base64")?;
        let key = Keypair::from_protobuf_encoding(&bytes).map_err(
            |_| "it is no key of a kind that nodes take (ed25519): let the node make one",
        )?;
        Ok(Self { peer: key.public().to_peer_id().to_string(), bytes })
    }

    /// Writes it to a file that is not there yet, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&self.bytes)?;
        file.sync_all()
    }
}
