//! `bifrost chart identity`: keys of a group of nodes as a Secret, and the peer IDs that values name.
//!
//! The keys go to stdout alone, once, and are kept by nobody here: whoever has one is that node.

use clap::Args;
use libp2p_identity::Keypair;
use multibase::Base;

use crate::findings;
use crate::output;

/// Most pods of a group.
const PODS_MAX: i64 = 16;

/// What `bifrost chart identity` is told.
#[derive(Debug, Args)]
#[command(after_help = findings::EXIT_CODES)]
pub(super) struct IdentityArgs {
    /// The StatefulSet of the group, as `kubectl get statefulset` names it.
    #[arg(value_name = "STATEFULSET", value_parser = name)]
    group: String,
    /// How many pods it has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=PODS_MAX))]
    pods: u16,
    /// The number of the first one, when a group grows.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..PODS_MAX))]
    first: u16,
    /// The name of the Secret, as `identitySecretName` of the group says.
    #[arg(long, value_name = "NAME", value_parser = name)]
    secret: String,
}

/// A name of Kubernetes, since it is put into YAML as it is.
fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let has_ends = !text.is_empty() && !text.starts_with('-') && !text.ends_with('-');
    if has_ends && text.len() <= 63 && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("a name has small letters, digits and hyphens within".to_owned())
}

/// Prints a Secret with new keys; says the peer IDs.
pub(super) fn run(args: &IdentityArgs) {
    let (secret, peers) = made(args);
    output::result(&secret);
    output::note(&format!("peerIds: [{}]", peers.join(", ")));
}

fn made(args: &IdentityArgs) -> (String, Vec<String>) {
    let IdentityArgs { group, pods, first, secret } = args;
    let mut text =
        format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {secret}\ntype: Opaque\ndata:\n");
    let mut peers = Vec::new();
    for pod in *first..first + pods {
        let key = Keypair::generate_ed25519();
        let bytes = key.to_protobuf_encoding().expect("an ed25519 key has an encoding");
        let peer = key.public().to_peer_id();
        let data = Base::Base64Pad.encode(bytes);
        text.push_str(&format!("  {group}-{pod}.key: {data} # {peer}\n"));
        peers.push(peer.to_string());
    }
    (text, peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_has_the_key_of_each_pod_and_the_peers_are_theirs() {
        let [group, secret] = ["fleet-node-pool", "keys"].map(str::to_owned);
        let (text, peers) = made(&IdentityArgs { group, pods: 2, first: 3, secret });
        let text: serde_yaml::Value = serde_yaml::from_str(&text).expect("it is YAML");
        assert_eq!(text["metadata"]["name"], "keys");
        for (pod, peer) in ["fleet-node-pool-3.key", "fleet-node-pool-4.key"].iter().zip(&peers) {
            let data = text["data"][*pod].as_str().expect("it has a key");
            let bytes = Base::Base64Pad.decode(data).expect("it is base64");
            let key = Keypair::from_protobuf_encoding(&bytes).expect("it is a key");
            assert_eq!(key.public().to_peer_id().to_string(), *peer);
        }
    }

    #[test]
    fn names_that_would_break_the_file_are_refused() {
        for bad in ["", "a: b", "-a", "a-", "A", "a\nb"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(name("bifrost-node-pool").is_ok());
    }
}
