//! Which share of successes is recorded: the configured one, halved while there are too many.
//!
//! A request is chosen by its hash, so that what is chosen at half a share is a part of what is chosen
//! at the whole: processes that halve at different times record the same requests, the busier one
//! fewer. Every record carries the share that held for it, and counts stay unbiased.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// How often the share is halved at most: to a millionth.
const HALVINGS_MAX: usize = 20;

/// The share of successes that is recorded.
#[derive(Debug)]
pub(super) struct Share {
    /// By the number of halvings, with its text.
    shares: Vec<(f64, String)>,
    /// Most successes of a second; zero for any number.
    max: u64,
    second: AtomicU64,
    /// Successes that were recorded since the second began, or since the last halving in it.
    taken: AtomicU64,
    halvings: AtomicUsize,
}

impl Share {
    /// `share` is from 0 to 1.
    pub(super) fn new(share: f64, max: u64) -> Self {
        let halved = |times| {
            let share = share / f64::from(1_u32 << times);
            (share, share.to_string())
        };
        Self {
            shares: (0..=HALVINGS_MAX).map(halved).collect(),
            max,
            second: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            halvings: AtomicUsize::new(0),
        }
    }

    /// The share that holds at this time, and its text.
    pub(super) fn at(&self, now: SystemTime) -> (f64, &str) {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let before = self.second.load(Relaxed);
        let begins = before != second
            && self.second.compare_exchange(before, second, Relaxed, Relaxed).is_ok();
        if begins {
            // Twice as many have to have room before the share is doubled.
            let few = self.taken.swap(0, Relaxed) * 2 < self.max;
            let silent = second.saturating_sub(before).saturating_sub(1);
            let doublings = usize::try_from(silent).unwrap_or(HALVINGS_MAX) + usize::from(few);
            let halvings = self.halvings.load(Relaxed);
            self.halvings.store(halvings.saturating_sub(doublings), Relaxed);
        }
        let (share, text) = &self.shares[self.halvings.load(Relaxed).min(HALVINGS_MAX)];
        (*share, text)
    }

    /// Notes that a success was recorded.
    pub(super) fn taken(&self) {
        // One of all who count reaches the bound, and halves.
        if self.max > 0 && self.taken.fetch_add(1, Relaxed) + 1 == self.max {
            self.halvings.fetch_add(1, Relaxed);
            self.taken.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Records of a second in which so many requests are spread evenly, and the requests they stand
    /// for.
    fn second(share: &Share, at: u64, requests: u32) -> (u64, f64) {
        let (mut records, mut stands_for) = (0, 0.0);
        for number in 0..requests {
            let within = Duration::from_secs(1).mul_f64(f64::from(number) / f64::from(requests));
            let (part, text) = share.at(UNIX_EPOCH + Duration::from_secs(at) + within);
            // The golden ratio spreads numbers as a hash would.
            if (f64::from(number) * 0.618_033_988_75).fract() < part {
                share.taken();
                records += 1;
                stands_for += 1.0 / text.parse::<f64>().expect("a number");
            }
        }
        (records, stands_for)
    }

    #[test]
    fn few_successes_are_all_recorded() {
        let share = Share::new(1.0, 1_000);
        for at in 1..5 {
            assert_eq!(second(&share, at, 900).0, 900);
        }
    }

    #[test]
    fn many_are_bounded_and_stand_for_all() {
        let share = Share::new(0.5, 1_000);
        let (first, _) = second(&share, 1, 100_000);
        assert!(first < 8_000, "the share is found within the first second: {first}");
        for at in 2..10 {
            let (records, stands_for) = second(&share, at, 100_000);
            assert!((400..=1_600).contains(&records), "{records}");
            assert!((stands_for - 100_000.0).abs() < 5_000.0, "{stands_for}");
        }
    }

    #[test]
    fn share_comes_back_when_it_is_quiet() {
        let share = Share::new(1.0, 1_000);
        second(&share, 1, 100_000);
        let (records, _) = second(&share, 60, 500);
        assert_eq!(records, 500, "nothing is left out after a silence");
        second(&share, 61, 100_000);
        for at in 62..80 {
            second(&share, at, 500);
        }
        assert_eq!(second(&share, 80, 500).0, 500);
    }

    #[test]
    fn without_a_bound_nothing_is_halved() {
        let share = Share::new(1.0, 0);
        assert_eq!(second(&share, 1, 50_000), (50_000, 50_000.0));
    }
}
