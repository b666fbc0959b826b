//! What holds of migrations: every documented setting has a fate, and nothing is lost in silence.

use super::setting::{Fate, Setting, find};
use super::*;

/// Variables that Rainbow 1.24 documents.
const RAINBOW: &str = "
RAINBOW_GATEWAY_DOMAINS RAINBOW_SUBDOMAIN_GATEWAY_DOMAINS RAINBOW_TRUSTLESS_GATEWAY_DOMAINS RAINBOW_DATADIR
RAINBOW_GC_INTERVAL RAINBOW_GC_THRESHOLD RAINBOW_IPNS_MAX_CACHE_TTL RAINBOW_PEERING RAINBOW_SEED RAINBOW_SEED_INDEX
RAINBOW_DHT_ROUTING RAINBOW_HTTP_ROUTERS RAINBOW_HTTP_ROUTERS_TIMEOUT RAINBOW_ROUTING_TIMEOUT
RAINBOW_DNSLINK_RESOLVERS RAINBOW_DNSLINK_GATEWAY_DOMAINS RAINBOW_BOOTSTRAP RAINBOW_AUTOCONF RAINBOW_AUTOCONF_URL
RAINBOW_AUTOCONF_REFRESH ROUTING_IGNORE_PROVIDERS RAINBOW_HTTP_RETRIEVAL_ENABLE RAINBOW_HTTP_RETRIEVAL_ALLOWLIST
RAINBOW_HTTP_RETRIEVAL_DENYLIST RAINBOW_HTTP_RETRIEVAL_WORKERS RAINBOW_HTTP_RETRIEVAL_MAX_DONT_HAVE_ERRORS
RAINBOW_HTTP_RETRIEVAL_METRICS_LABELS_FOR_ENDPOINTS RAINBOW_MAX_CONCURRENT_REQUESTS RAINBOW_RETRIEVAL_TIMEOUT
BITSWAP_ENABLE_DUPLICATE_BLOCK_STATS RAINBOW_MAX_RANGE_REQUEST_FILE_SIZE RAINBOW_MAX_DESERIALIZED_RESPONSE_SIZE
RAINBOW_MAX_UNIXFS_DAG_RESPONSE_SIZE RAINBOW_DIAGNOSTIC_SERVICE_URL RAINBOW_SEED_PEERING
RAINBOW_SEED_PEERING_MAX_INDEX RAINBOW_PEERING_SHARED_CACHE RAINBOW_REMOTE_BACKENDS RAINBOW_REMOTE_BACKENDS_MODE
RAINBOW_REMOTE_BACKENDS_IPNS GOLOG_LOG_LEVEL GOLOG_LOG_FMT GOLOG_FILE GOLOG_TRACING_FILE GATEWAY_CONFORMANCE_TEST
IPFS_NS_MAP RAINBOW_TRACING_AUTH RAINBOW_SAMPLING_FRACTION";

/// Settings that Kubo 0.44 documents.
const KUBO: &str = "
Addresses.API Addresses.Gateway Addresses.Swarm Addresses.Announce Addresses.AppendAnnounce Addresses.NoAnnounce
API.HTTPHeaders API.Authorizations AutoNAT.ServiceMode AutoNAT.Throttle.GlobalLimit AutoNAT.Throttle.PeerLimit
AutoNAT.Throttle.Interval AutoConf.Enabled AutoConf.URL AutoConf.RefreshInterval AutoConf.TLSInsecureSkipVerify
AutoTLS.Enabled AutoTLS.AutoWSS AutoTLS.ShortAddrs AutoTLS.SkipDNSLookup AutoTLS.DomainSuffix
AutoTLS.RegistrationEndpoint AutoTLS.RegistrationToken AutoTLS.RegistrationDelay AutoTLS.CAEndpoint
Bitswap.Libp2pEnabled Bitswap.ServerEnabled Bootstrap Datastore.StorageMax Datastore.StorageGCWatermark
Datastore.GCPeriod Datastore.HashOnRead Datastore.BloomFilterSize Datastore.WriteThrough
Datastore.BlockKeyCacheSize Datastore.Spec Discovery.MDNS.Enabled Discovery.MDNS.Interval
Experimental.Libp2pStreamMounting Gateway.NoFetch Gateway.NoDNSLink Gateway.DeserializedResponses
Gateway.AllowCodecConversion Gateway.DisableHTMLErrors Gateway.ExposeRoutingAPI Gateway.RetrievalTimeout
Gateway.MaxRequestDuration Gateway.MaxRangeRequestFileSize Gateway.MaxConcurrentRequests Gateway.HTTPHeaders
Gateway.RootRedirect Gateway.DiagnosticServiceURL Gateway.FastDirIndexThreshold Gateway.Writable
Gateway.PathPrefixes Gateway.PublicGateways Identity.PeerID Identity.PrivKey
Internal.Bitswap.TaskWorkerCount Internal.Bitswap.EngineBlockstoreWorkerCount Internal.Bitswap.EngineTaskWorkerCount
Internal.Bitswap.MaxOutstandingBytesPerPeer Internal.Bitswap.ProviderSearchDelay
Internal.Bitswap.ProviderSearchMaxResults Internal.Bitswap.BroadcastControl.Enable
Internal.Bitswap.BroadcastControl.MaxPeers Internal.Bitswap.BroadcastControl.LocalPeers
Internal.Bitswap.BroadcastControl.PeeredPeers Internal.Bitswap.BroadcastControl.MaxRandomPeers
Internal.Bitswap.BroadcastControl.SendToPendingPeers Internal.UnixFSShardingSizeThreshold Internal.MFSNoFlushLimit
Internal.ShutdownTimeout Internal.CGNATCheck Internal.DeadListenerCheck Internal.NonPublicAddrPublishing
Ipns.RepublishPeriod Ipns.RecordLifetime Ipns.ResolveCacheSize Ipns.MaxCacheTTL Ipns.UsePubsub
Ipns.DelegatedPublishers Migration.DownloadSources Migration.Keep Mounts.IPFS Mounts.IPNS Mounts.MFS
Mounts.FuseAllowOther Mounts.StoreMtime Mounts.StoreMode Pinning.RemoteServices Provide.Enabled Provide.Strategy
Provide.DHT.Interval Provide.DHT.MaxWorkers Provide.DHT.SweepEnabled Provide.DHT.ResumeEnabled
Provide.DHT.DedicatedPeriodicWorkers Provide.DHT.DedicatedBurstWorkers Provide.DHT.MaxProvideConnsPerWorker
Provide.DHT.KeystoreBatchSize Provide.DHT.OfflineDelay Provide.DHT.SendProviderRecordTimeout Provide.BloomFPRate
Provider.Enabled Provider.Strategy Provider.WorkerCount Pubsub.Enabled Pubsub.Router Pubsub.DisableSigning
Pubsub.SeenMessagesTTL Pubsub.SeenMessagesStrategy Peering.Peers Reprovider.Interval Reprovider.Strategy
Routing.Type Routing.DelegatedRouters Routing.AcceleratedDHTClient Routing.LoopbackAddressesOnLanDHT
Routing.IgnoreProviders Routing.Routers Routing.Methods Swarm.AddrFilters Swarm.DisableBandwidthMetrics
Swarm.DisableNatPortMap Swarm.EnableHolePunching Swarm.EnableAutoRelay Swarm.RelayClient.Enabled
Swarm.RelayClient.StaticRelays Swarm.RelayService.Enabled Swarm.RelayService.Limit
Swarm.RelayService.ReservationTTL Swarm.RelayService.MaxReservations Swarm.RelayService.MaxCircuits
Swarm.RelayService.BufferSize Swarm.RelayService.MaxReservationsPerPeer Swarm.RelayService.MaxReservationsPerIP
Swarm.RelayService.MaxReservationsPerASN Swarm.EnableRelayHop Swarm.DisableRelay Swarm.EnableAutoNATService
Swarm.ConnMgr.Type Swarm.ConnMgr.LowWater Swarm.ConnMgr.HighWater Swarm.ConnMgr.GracePeriod
Swarm.ConnMgr.SilencePeriod Swarm.ResourceMgr.Enabled Swarm.ResourceMgr.MaxMemory
Swarm.ResourceMgr.MaxFileDescriptors Swarm.ResourceMgr.Allowlist Swarm.Transports.Network.TCP
Swarm.Transports.Network.Websocket Swarm.Transports.Network.QUIC Swarm.Transports.Network.Relay
Swarm.Transports.Network.WebTransport Swarm.Transports.Network.WebRTCDirect Swarm.Transports.Security.TLS
Swarm.Transports.Security.SECIO Swarm.Transports.Security.Noise Swarm.Transports.Multiplexers.Yamux
Swarm.Transports.Multiplexers.Mplex DNS.Resolvers DNS.MaxCacheTTL HTTPRetrieval.Enabled HTTPRetrieval.Allowlist
HTTPRetrieval.Denylist HTTPRetrieval.NumWorkers HTTPRetrieval.MaxBlockSize HTTPRetrieval.TLSInsecureSkipVerify
Import.CidVersion Import.UnixFSRawLeaves Import.UnixFSChunker Import.HashFunction Import.FastProvideRoot
Import.FastProvideDAG Import.FastProvideWait Import.BatchMaxNodes Import.BatchMaxSize Import.UnixFSFileMaxLinks
Import.UnixFSDirectoryMaxLinks Import.UnixFSHAMTDirectoryMaxFanout Import.UnixFSHAMTDirectorySizeThreshold
Import.UnixFSHAMTDirectorySizeEstimation Import.UnixFSDAGLayout Version.AgentSuffix Version.SwarmCheckEnabled
Version.SwarmCheckPercentThreshold";

#[test]
fn every_documented_setting_has_a_fate_and_a_reason() {
    for (documented, settings) in [(RAINBOW, rainbow::SETTINGS), (KUBO, kubo::SETTINGS)] {
        let documented: Vec<&str> = documented.split_whitespace().collect();
        for name in &documented {
            assert!(find(settings, name).is_some(), "{name} has no fate");
        }
        assert!(documented.len() > 45);
        let names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
        for (place, setting) in settings.iter().enumerate() {
            assert!(!names[..place].contains(&setting.name), "{} is there twice", setting.name);
            let needs_reason = match setting.fate {
                Fate::Same(..) | Fate::Identity | Fate::Domains => false,
                Fate::Differs(..) | Fate::Unsupported | Fate::Unneeded => true,
            };
            assert!(!needs_reason || !setting.note.is_empty(), "{} has no reason", setting.name);
        }
    }
}

#[test]
fn keys_that_are_set_exist() {
    let keys = |settings: &[Setting]| -> Vec<&'static str> {
        let of = |setting: &Setting| match setting.fate {
            Fate::Same(keys, _) | Fate::Differs(keys, _) => keys,
            Fate::Domains => &["gateway hosts.table[]"],
            Fate::Unsupported | Fate::Unneeded | Fate::Identity => &[],
        };
        settings.iter().flat_map(of).copied().collect()
    };
    let page = include_str!("../../reference/config.md");
    for key in [keys(rainbow::SETTINGS), keys(kubo::SETTINGS)].concat() {
        let (_, key) = key.split_once(' ').expect("it names its process");
        let key = key.trim_end_matches("[]");
        assert!(page.contains(&format!("`{key}`")), "{key} is no key of the reference");
    }
}

/// Settings that are lost.
fn lost(migrated: &Migrated) -> Vec<&str> {
    let lost = migrated.rows.iter().filter(|row| row.said.is_lost());
    lost.map(|row| &row.setting[..]).collect()
}

/// The row of a setting.
fn row<'a>(migrated: &'a Migrated, setting: &str) -> &'a Row {
    migrated.rows.iter().find(|row| row.setting == setting).expect(setting)
}

const ENVIRONMENT: &str = "# A fleet.
export RAINBOW_GATEWAY_LISTEN_ADDRESS=:8080
RAINBOW_SUBDOMAIN_GATEWAY_DOMAINS=\"dweb.link\"
RAINBOW_GATEWAY_DOMAINS=ipfs.io,dweb.link
RAINBOW_TRUSTLESS_GATEWAY_DOMAINS=ipfs.io
RAINBOW_DNSLINK_GATEWAY_DOMAINS=example.org
RAINBOW_RETRIEVAL_TIMEOUT=45s
RAINBOW_MAX_CONCURRENT_REQUESTS=0
RAINBOW_SEED=CANARY-seed
RAINBOW_DHT_ROUTING=off
RAINBOW_HTTP_ROUTERS=
RAINBOW_HTTP_RETRIEVAL_ENABLE=false
RAINBOW_DENYLISTS=https://me:CANARY@lists.example/a,https://lists.example/b
RAINBOW_SPEED=CANARY
";

#[test]
fn environment_becomes_two_files_and_what_is_lost_is_named() {
    let migrated = rainbow::read(ENVIRONMENT).expect("it is read");
    let [(_, gateway), (_, node)] = &migrated.draft.files()[..] else { panic!("two files") };
    for wanted in [
        "listen: \"[::]:8080\"",
        "{\"class\":\"subdomain\",\"name\":\"dweb.link\"}",
        "{\"class\":\"trustless\",\"name\":\"ipfs.io\"}",
        "{\"class\":\"dnslink\",\"name\":\"*.example.org\"}",
        "first_byte_timeout: \"45s\"",
        "requests_max: 1000000",
        "{\"url\":\"https://lists.example/b\"}",
        "# RAINBOW_RETRIEVAL_TIMEOUT",
    ] {
        assert!(gateway.contains(wanted), "{wanted} in {gateway}");
    }
    assert!(node.contains("/ip4/0.0.0.0/tcp/4001"), "{node}");
    assert_eq!(
        lost(&migrated),
        [
            "RAINBOW_DNSLINK_GATEWAY_DOMAINS",
            "RAINBOW_GC_INTERVAL",
            "RAINBOW_GC_THRESHOLD",
            "RAINBOW_SEED",
            "RAINBOW_DENYLISTS",
            "RAINBOW_SPEED"
        ]
    );
    assert!(gateway.contains("  # trusted_proxies: [\"10.0.0.0/8\"]"), "{gateway}");
    assert!(!format!("{migrated:?}").contains("CANARY"), "secrets are not repeated");
}

#[test]
fn what_is_implied_there_and_missing_here_is_named() {
    let migrated = rainbow::read("").expect("it is read");
    for (setting, theirs) in [
        ("RAINBOW_DHT_ROUTING", "accelerated (its default)"),
        ("RAINBOW_GC_INTERVAL", "60m (its default)"),
        ("RAINBOW_INMEM_BLOCK_CACHE", "1 GiB (its default)"),
        ("RAINBOW_LIBP2P_CONNMGR_HIGH", "3000 (its default)"),
        ("RAINBOW_IPNS_MAX_CACHE_TTL", "no bound (its default)"),
        ("(X-Forwarded-Host, X-Forwarded-Proto)", "believed from anybody (its default)"),
        ("(requests of one client)", "no bound (its default)"),
        ("(denylists on disk)", "every *.deny in $RAINBOW_DATADIR/denylists (its default)"),
    ] {
        assert_eq!(row(&migrated, setting).theirs, theirs);
    }
    assert!(!migrated.draft.files()[0].1.contains("block_bytes"), "what is told is not set");
    let migrated =
        rainbow::read("RAINBOW_REMOTE_BACKENDS=http://10.0.0.1:8080").expect("it is read");
    assert!(!migrated.rows.iter().any(|row| row.setting.contains("DHT")));
    assert_eq!(migrated.draft.files().len(), 1, "no node is needed");
    let migrated = kubo::read("{}", &[]).expect("it is read");
    for setting in ["Provide.Enabled", "Gateway.ExposeRoutingAPI", "(hosts that are not named)"] {
        assert_eq!(row(&migrated, setting).said, Said::Unsupported);
    }
}

#[test]
fn values_that_depend_on_each_other_agree() {
    let text = "RAINBOW_MAX_DESERIALIZED_RESPONSE_SIZE=1000\nRAINBOW_MAX_UNIXFS_DAG_RESPONSE_SIZE=500\n\
                RAINBOW_IPNS_MAX_CACHE_TTL=10s\nRAINBOW_RETRIEVAL_TIMEOUT=1m";
    let migrated = rainbow::read(text).expect("it is read");
    let [(_, gateway), (_, node)] = &migrated.draft.files()[..] else { panic!("two files") };
    for wanted in [
        "  file_bytes_max: 500\n",
        "  stream_bytes_max: 500\n",
        "  ttl_min: \"10s\"\n",
        "  lookup_timeout: \"1m\"\n",
    ] {
        assert!(gateway.contains(wanted), "{wanted} in {gateway}");
    }
    assert!(node.contains("  give_up: \"1m\"\n"), "{node}");
    let text = r#"{"Ipns": {"MaxCacheTTL": "2m"}, "DNS": {"MaxCacheTTL": "5m"}}"#;
    let migrated = kubo::read(text, &[]).expect("it is read");
    let (_, gateway) = &migrated.draft.files()[0];
    assert!(gateway.contains("  ttl_max: \"2m\"\n") && !gateway.contains("ttl_min"), "{gateway}");
}

#[test]
fn denylists_of_the_data_folder_come_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("RAINBOW_DATADIR={}", folder.path().display());
    let said = || row(&rainbow::read(&text).expect("it is read"), "(denylists on disk)").said;
    assert_eq!(said(), Said::Differs, "there are none");
    std::fs::create_dir(folder.path().join("denylists")).expect("a folder");
    assert_eq!(said(), Said::Same);
    let of = |name: &str| (name == "HOME").then(|| PathBuf::from("/srv/me"));
    let folders = kubo::denylists(Some(Path::new("/data")), of);
    let folders: Vec<String> =
        folders.iter().map(|(folder, _)| folder.display().to_string()).collect();
    let wanted = ["/data/denylists", "/srv/me/.config/ipfs/denylists", "/etc/ipfs/denylists"];
    assert_eq!(folders, wanted);
}

#[test]
fn what_was_emptied_does_not_have_its_default() {
    let text = r#"{"Gateway": {"PublicGateways": {"localhost": null, "127.0.0.1": null, "a.example": {}}}}"#;
    let migrated = kubo::read(text, &[]).expect("it is read");
    let (_, gateway) = &migrated.draft.files()[0];
    assert_eq!(gateway.matches("\"class\"").count(), 1, "{gateway}");
    assert!(gateway.contains("{\"class\":\"dnslink\",\"name\":\"a.example\"}"), "{gateway}");
    let migrated = kubo::read(r#"{"Bootstrap": ["auto"]}"#, &[]).expect("it is read");
    assert_eq!(row(&migrated, "Bootstrap").said, Said::Unsupported, "there is no DHT");
}

#[test]
fn line_that_is_no_variable_is_named() {
    assert!(rainbow::read("A=1\nB 2\n").expect_err("it is refused").starts_with("line 2"));
}

const CONFIG: &str = r#"{
  "Addresses": {"Gateway": "/ip4/0.0.0.0/tcp/80", "Swarm": ["/ip4/0.0.0.0/tcp/4001"], "API": "/ip4/127.0.0.1/tcp/5001"},
  "Gateway": {"NoFetch": true, "PublicGateways": {"dweb.link": {"UseSubdomains": true, "Paths": ["/ipfs", "/ipns"]}},
    "HTTPHeaders": {}, "Speed": 1},
  "Peering": {"Peers": [{"ID": "12D3KooWA", "Addrs": ["/ip4/10.0.0.1/tcp/4001"]}]},
  "Routing": {"Type": "none"}, "HTTPRetrieval": {"Enabled": false}, "Swarm": {"ConnMgr": {}, "RelayClient": {}},
  "Experimental": {"FilestoreEnabled": false, "P2pHttpProxy": true},
  "Identity": {"PeerID": "12D3KooWA", "PrivKey": "CANARY"}
}"#;

#[test]
fn configuration_of_kubo_becomes_two_files() {
    let migrated = kubo::read(CONFIG, &[]).expect("it is read");
    let [(_, gateway), (_, node)] = &migrated.draft.files()[..] else { panic!("two files") };
    assert!(gateway.contains("{\"class\":\"subdomain\",\"name\":\"dweb.link\"}"), "{gateway}");
    assert!(gateway.contains("{\"class\":\"path\",\"name\":\"127.0.0.1\"}"), "{gateway}");
    for wanted in ["flight_max: \"0s\"", "/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWA", "reach: \"any\""] {
        assert!(node.contains(wanted), "{wanted} in {node}");
    }
    assert_eq!(
        lost(&migrated),
        [
            "Addresses.API",
            "Experimental.P2pHttpProxy",
            "Gateway.NoDNSLink",
            "Gateway.ExposeRoutingAPI",
            "Gateway.PublicGateways",
            "Identity.PrivKey",
            "Provide.Enabled",
            "(hosts that are not named)",
            "Gateway.Speed"
        ]
    );
    assert!(!format!("{migrated:?}").contains("CANARY"), "secrets are not repeated");
}

#[test]
fn request_of_no_longest_time_lasts_an_hour_as_in_boxo() {
    for none in ["0s", "-1s"] {
        let text = format!(r#"{{"Gateway": {{"MaxRequestDuration": "{none}"}}}}"#);
        let migrated = kubo::read(&text, &[]).expect("it is read");
        let (_, gateway) = &migrated.draft.files()[0];
        assert!(gateway.contains("response_timeout: \"1h\""), "{none}: {gateway}");
    }
}

#[test]
fn trustless_everywhere_makes_every_host_so() {
    let text = r#"{"Gateway": {"DeserializedResponses": false, "PublicGateways":
        {"a.example": {"Paths": ["/ipfs", "/ipns"], "DeserializedResponses": null}}}}"#;
    let migrated = kubo::read(text, &[]).expect("it is read");
    let (_, gateway) = &migrated.draft.files()[0];
    assert_eq!(gateway.matches("\"class\":\"trustless\"").count(), 3, "{gateway}");
    assert!(gateway.contains("any: \"never\""), "{gateway}");
}

#[test]
fn key_goes_to_a_file_of_its_own_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let key = libp2p_identity::Keypair::generate_ed25519();
    let bytes = key.to_protobuf_encoding().expect("it has an encoding");
    let text =
        serde_json::json!({"Identity": {"PrivKey": multibase::Base::Base64Pad.encode(&bytes)}});
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    std::fs::write(&config, text.to_string()).expect("written");
    let to = To { out: Some(folder.path().join("out")), format: Format::Text };
    let migrated = migrate(&config, |text| kubo::read(text, &[]), &to).expect("it is written");
    let path = folder.path().join("out/identity.key");
    assert_eq!(std::fs::read(&path).expect("it is there"), bytes);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let node = std::fs::read_to_string(folder.path().join("out/node.yaml")).expect("it is there");
    assert!(node.contains("identity_file:"), "{node}");
    assert!(
        migrated.rows.iter().any(|row| row.note.contains(&key.public().to_peer_id().to_string()))
    );
    migrate(&config, |text| kubo::read(text, &[]), &to).expect_err("nothing is overwritten");
}

#[test]
fn nothing_is_written_where_one_file_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (env, out) = (folder.path().join("env"), folder.path().join("out"));
    std::fs::write(&env, "").expect("written");
    std::fs::create_dir(&out).expect("a folder");
    std::fs::write(out.join("node.yaml"), "mine").expect("written");
    let to = To { out: Some(out.clone()), format: Format::Text };
    let error = migrate(&env, rainbow::read, &to).expect_err("it is there");
    assert!(error.to_string().contains("node.yaml"), "{error}");
    assert!(!out.join("gateway.yaml").exists(), "half a result");
    std::fs::remove_file(out.join("node.yaml")).expect("deleted");
    migrate(&env, rainbow::read, &to).expect("the way is free");
}

#[test]
fn broken_configuration_does_not_repeat_what_stands_in_it() {
    let error =
        kubo::read(r#"{"Identity": {"PrivKey": "CANARY" "#, &[]).expect_err("it is refused");
    assert!(error.contains("line 1") && !error.contains("CANARY"), "{error}");
}
