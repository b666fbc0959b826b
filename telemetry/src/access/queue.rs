//! Lines that wait for the writer: one buffer that fills while another is written.
//!
//! Pushing is a copy under a short lock, and wakes the writer only when it is not already due.
//! Memory is at most twice the bound: the buffer that fills, and the one being written.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The two ends of the queue.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when the writer has something to do.
    work: Condvar,
    /// Told when the writer has written, or has ended.
    progress: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    filling: Vec<u8>,
    lines: u64,
    /// Lines taken in, and lines dealt with by the writer, since the start.
    taken: u64,
    done: u64,
    hurry: bool,
    reopen: bool,
    closed: bool,
    ended: bool,
}

/// What the writer has to do.
pub(super) struct Work {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
    pub(super) reopen: bool,
    pub(super) last: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
            bytes_max,
        }
    }

    /// Takes a line in; false when there is no room, or it is closed.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
        let before = state.filling.len();
        let after = before + line.len();
        if state.closed || after > self.bytes_max {
            return false;
        }
        state.filling.extend_from_slice(line);
        state.lines += 1;
        state.taken += 1;
        // The writer sleeps without end only while there is nothing; half full it should not wait
        // for more.
        let half = self.bytes_max / 2;
        let crosses = before < half && after >= half;
        state.hurry |= crosses;
        drop(state);
        if before == 0 || crosses {
            self.work.notify_one();
        }
        true
    }

    pub(super) fn reopen(&self) {
        self.state.lock().reopen = true;
        self.work.notify_one();
    }

    /// Waits until all lines taken in so far are dealt with.
    pub(super) fn flush(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let mut state = self.state.lock();
        let taken = state.taken;
        state.hurry = true;
        self.work.notify_one();
        while state.done < taken && !state.ended {
            if self.progress.wait_until(&mut state, until).timed_out() {
                return state.done >= taken;
            }
        }
        state.done >= taken
    }

    /// Takes nothing more in, and waits until the writer has ended.
    pub(super) fn close(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let mut state = self.state.lock();
        state.closed = true;
        self.work.notify_one();
        while !state.ended {
            if self.progress.wait_until(&mut state, until).timed_out() {
                return state.ended;
            }
        }
        true
    }

    /// Waits for work: at most `idle` for any, and at most `gather` from the first line on, for more
    /// to come. `spare` becomes the buffer that fills.
    pub(super) fn take(&self, gather: Duration, idle: Duration, mut spare: Vec<u8>) -> Work {
        spare.clear();
        let mut state = self.state.lock();
        let until = Instant::now() + idle;
        while state.filling.is_empty() && !state.urgent() {
            if self.work.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        let until = Instant::now() + gather;
        while !state.urgent() && !state.filling.is_empty() {
            if self.work.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.hurry = false;
        Work {
            bytes: std::mem::replace(&mut state.filling, spare),
            lines: std::mem::take(&mut state.lines),
            reopen: std::mem::take(&mut state.reopen),
            last: state.closed,
        }
    }

    /// Tells that the writer has dealt with so many lines.
    pub(super) fn done(&self, lines: u64) {
        self.state.lock().done += lines;
        self.progress.notify_all();
    }

    /// Tells that the writer takes no more work.
    pub(super) fn ended(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ended = true;
        drop(state);
        self.progress.notify_all();
    }
}

impl State {
    fn urgent(&self) -> bool {
        self.hurry || self.reopen || self.closed
    }
}
