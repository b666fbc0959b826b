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
