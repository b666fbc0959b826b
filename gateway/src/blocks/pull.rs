//! Drives a walk with a reader: gets the block at the front, feeds it, and looks ahead.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ipfs::Block;
use ipfs::walk::{Visit, Walk, WalkError};

use super::Reader;
use super::ahead::Ahead;
use crate::upstream::FetchError;

/// Why a walk stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    /// A block could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The content is not what it has to be.
    #[error(transparent)]
    Walk(#[from] WalkError),
}

/// Steps between which a driver gives way.
const STEPS_MAX: u32 = 64;

/// Counts the steps of a driver whose blocks may all be in memory, and has it give way now and
/// then: a poll that never ends would hold its thread, and no deadline would be looked at.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    steps: u32,
}

impl Pace {
    /// Ready for one more step, or pending once, to be polled again at once.
    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.steps == STEPS_MAX {
            self.steps = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.steps += 1;
        Poll::Ready(())
    }
}

type Pending = Pin<Box<dyn Future<Output = Result<Block, FetchError>> + Send>>;

/// A walk and what it is driven by.
pub(crate) struct Pull {
    walk: Walk,
    reader: Reader,
    ahead: Ahead,
    pending: Option<Pending>,
    /// Whether the headers have left, so that each block has its own time.
    streaming: bool,
    pace: Pace,
}

impl Pull {
    /// A walk at its beginning.
    pub(crate) fn new(walk: Walk, reader: Reader) -> Self {
        Self {
            walk,
            reader,
            ahead: Ahead::default(),
            pending: None,
            streaming: false,
            pace: Pace::default(),
        }
    }

    /// Says that the headers leave: from here on each block has its own time.
    pub(crate) fn begin_streaming(&mut self) {
        self.streaming = true;
    }

    /// What comes next, within the time of the first byte or, later, of one block.
    pub(crate) async fn next(&mut self) -> Option<Result<Visit, PullError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Pull::next`]. `None` is the end of the walk, which every block was visited for.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Visit, PullError>>> {
        let Some(front) = self.walk.front() else { return Poll::Ready(None) };
        if self.pending.is_none() {
            ready!(self.pace.poll_step(cx));
        }
        let mut fetched = false;
        let block = match &mut self.pending {
            None => match self.reader.cached(&front) {
                Some(block) => block,
                None => {
                    let reader = self.reader.clone();
                    let streaming = self.streaming;
                    self.pending = Some(Box::pin(async move {
                        if streaming {
                            reader.get_next(front).await
                        } else {
                            reader.get(front).await
                        }
                    }));
                    self.ahead.look(&mut self.walk, &self.reader, true);
                    return self.poll_next(cx);
                }
            },
            Some(pending) => {
                let got = ready!(pending.as_mut().poll(cx));
                self.pending = None;
                fetched = true;
                match got {
                    Ok(block) => block,
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
            }
        };
        self.ahead.saw(block.data().len());
        let visit = self.walk.feed(block);
        if visit.is_ok() {
            self.ahead.look(&mut self.walk, &self.reader, fetched);
        }
        Poll::Ready(Some(visit.map_err(PullError::from)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn driver_that_never_waits_gives_way_and_is_polled_again() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut pace = Pace::default();
        let polls = 10 * (STEPS_MAX + 1);
        let waits = (0..polls).filter(|_| pace.poll_step(&mut cx).is_pending()).count();
        assert_eq!(waits, 10);
        assert_eq!(woken.0.load(Ordering::Relaxed), 10);
    }
}
