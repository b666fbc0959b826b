//! The blockstore as the exchange and retrieval see it.
//!
//! Those rooms name what they need of a store and not the store itself; this is where the two meet.

use futures::future::BoxFuture;
use ipfs::{Block, Cid};

use crate::bitswap::{Found, Lookup, LookupBounds, WantType};
use crate::blockstore::Blockstore;
use crate::retrieve::Local;
use crate::swarm::{Store, StoreFault};

impl Store for Blockstore {
    fn look_up(
        &self,
        mut wants: Vec<(Cid, WantType)>,
        bounds: LookupBounds,
    ) -> BoxFuture<'static, Result<Lookup, StoreFault>> {
        let store = self.clone();
        Box::pin(async move {
            let size_of = |cid: &Cid| store.size_of(cid.multihash()).map(|size| size as u64);
            wants.truncate(bounds.fitting(&wants, size_of));
            // Only blocks that will be sent are read; the rest is answered from the index.
            let is_sent = |cid: &Cid, want: WantType| {
                size_of(cid).is_some_and(|size| bounds.is_sent(want, size))
            };
            let sent: Vec<Cid> = wants
                .iter()
                .filter(|(cid, want)| is_sent(cid, *want))
                .map(|(cid, _)| *cid)
                .collect();
            let mut blocks = store.get_many(&sent).await?.into_iter();
            let mut sent = sent.into_iter().peekable();
            let found = wants
                .iter()
                .map(|(cid, _)| {
                    if sent.next_if_eq(cid).is_some() {
                        return match blocks.next().flatten() {
                            Some(block) => Found::Block(block),
                            None => Found::Missing,
                        };
                    }
                    if store.has(cid.multihash()) { Found::Have } else { Found::Missing }
                })
                .collect();
            Ok(Lookup { found })
        })
    }

    fn keep(&self, blocks: Vec<Block>) -> BoxFuture<'static, Result<(), StoreFault>> {
        let store = self.clone();
        Box::pin(async move {
            Blockstore::keep(&store, blocks).await?;
            Ok(())
        })
    }
}

impl Local for Blockstore {
    fn get(&self, cid: Cid) -> BoxFuture<'static, Result<Option<Block>, StoreFault>> {
        let store = self.clone();
        Box::pin(async move { Ok(Blockstore::get(&store, &cid).await?) })
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreFault>> {
        let store = self.clone();
        Box::pin(async move { Ok(Blockstore::flush(&store).await?) })
    }
}

#[cfg(test)]
mod tests {
    use ipfs::Codec;
    use telemetry::metrics::Registry;

    use super::*;
    use crate::blockstore;

    #[tokio::test]
    async fn lookup_reads_no_more_than_its_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_owned();
        let free_min = bytesize::ByteSize(0);
        let config = blockstore::Config { dir, free_min, ..blockstore::Config::default() };
        let store = Blockstore::open(config, &Registry::new()).expect("the store opens");
        let block = |byte, size| Block::of(Codec::Raw, vec![byte; size].into()).expect("a block");
        let blocks = [block(1, 3000), block(2, 3000), block(3, 3000)];
        store.put_many(blocks.to_vec()).await.expect("stored");
        let wants = |want_type| blocks.iter().map(|block| (*block.cid(), want_type)).collect();
        for (want_type, bytes, have_bytes, read, answered) in [
            (WantType::Block, 6000, 0, 2, 2),
            (WantType::Block, 0, 0, 1, 1),
            (WantType::Have, 6000, 2999, 0, 3),
            (WantType::Have, 6000, 3000, 2, 2),
        ] {
            let bounds = LookupBounds { bytes, have_bytes };
            let found = store.look_up(wants(want_type), bounds).await.expect("looked up").found;
            let blocks = found.iter().filter(|found| matches!(found, Found::Block(_))).count();
            assert_eq!((blocks, found.len()), (read, answered), "{want_type:?} {bounds:?}");
        }
    }
}
