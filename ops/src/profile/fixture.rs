//! Sets and profiles that tests are made with.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::entry::{self, Entry, Head, Kind, Load, Set, Trigger};
use super::store::Store;

/// A message of `profile.proto`, field by field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A compressed profile of processor time: each stack is written `main;work;inner` and its nanoseconds.
pub(crate) fn profile(stacks: &[(&str, u64)]) -> Bytes {
    commented(stacks, "")
}

/// The same with a comment, such as its build.
pub(crate) fn commented(stacks: &[(&str, u64)], comment: &str) -> Bytes {
    let mut texts = vec!["", "cpu", "nanoseconds"];
    let mut whole = Message::default();
    let mut kind = Message::default();
    kind.number(1, 1).number(2, 2);
    whole.bytes(1, &kind.0);
    for (stack, value) in stacks {
        let mut sample = Message::default();
        for name in stack.rsplit(';').filter(|name| !name.is_empty()) {
            let place = texts.iter().position(|text| text == &name);
            let place = place.unwrap_or_else(|| {
                texts.push(name);
                texts.len() - 1
            });
            sample.number(1, place as u64);
        }
        sample.number(2, *value);
        whole.bytes(2, &sample.0);
    }
    for place in 3..texts.len() as u64 {
        let (mut line, mut location, mut function) =
            (Message::default(), Message::default(), Message::default());
        line.number(1, place);
        location.number(1, place).bytes(4, &line.0);
        function.number(1, place).number(2, place);
        whole.bytes(4, &location.0).bytes(5, &function.0);
    }
    if !comment.is_empty() {
        whole.number(13, texts.len() as u64);
        texts.push(comment);
    }
    for text in texts {
        whole.bytes(6, text.as_bytes());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&whole.0).expect("memory takes all");
    encoder.finish().expect("memory takes all").into()
}

/// A set of two profiles of a gateway and one of a node, which share their bytes.
pub(crate) fn set(id: &str, started: &str, build: &str) -> Set {
    let started = started.parse().expect("a moment");
    let bytes = profile(&[("main;work", 30), ("main;idle", 10)]);
    let one = |role: &str, node: &str, kind: Kind| Entry {
        sha256: hex::encode(Sha256::digest(&bytes)),
        node: node.to_owned(),
        role: role.to_owned(),
        env: "local".to_owned(),
        build: build.to_owned(),
        kind,
        seconds: 10.0,
        samples: 2,
        bytes: bytes.len() as u64,
        load: Some(Load {
            requests: 100.0,
            per_second: 10.0,
            hit_ratio: Some(0.5),
            in_flight: 1.0,
        }),
        trigger: Trigger::Nightly,
        started,
        key: entry::key(["local", role, node], build, started, kind),
        cid: None,
    };
    let entries = vec![
        one("gateway", "gateway-0", Kind::Cpu),
        one("gateway", "gateway-0", Kind::Heap),
        one("pool", "node-0", Kind::Cpu),
    ];
    let head = Head {
        id: id.to_owned(),
        started,
        ended: started,
        trigger: Trigger::Nightly,
        reason: None,
        kinds: vec![Kind::Cpu, Kind::Heap],
        processes: 2,
        profiled: 2,
        missing: Vec::new(),
        cid: None,
        unpublished: None,
    };
    Set { head, entries }
}

/// Stores a set with these bytes as each of its profiles.
pub(crate) async fn keep(store: &Store, mut set: Set, bytes: &Bytes) -> Set {
    for entry in &mut set.entries {
        entry.sha256 = hex::encode(Sha256::digest(bytes));
        entry.bytes = bytes.len() as u64;
        store.put(&entry.key, bytes.clone()).await.expect("it takes it");
    }
    store.put(&set.key(), set.lines().into()).await.expect("it takes it");
    set
}
