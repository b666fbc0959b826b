//! A time of every day, in UTC, and the night on which it is due.

use jiff::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// Seconds from midnight.
    seconds: i64,
}

impl At {
    /// When it is next, and so much later. A moment that is it is over.
    pub(super) fn after(self, now: Timestamp, later: i64) -> Timestamp {
        let now = now.as_second();
        let midnight = now - now.rem_euclid(DAY_SECONDS);
        let today = midnight + self.seconds;
        let next = if today > now { today } else { today + DAY_SECONDS };
        Timestamp::from_second(next.saturating_add(later)).unwrap_or(Timestamp::MAX)
    }
}

/// How long after a try that could not begin there is another, and how many: together longer than a
/// collection of somebody else has the right to last.
const AGAIN_SECONDS: i64 = 60;
const TRIES_MAX: u32 = 60;

/// When profiles are due.
#[derive(Debug)]
pub(super) struct Night {
    due: Timestamp,
    tries: u32,
}

impl Night {
    /// One that was not tried.
    pub(super) fn at(due: Timestamp) -> Self {
        Self { due, tries: 0 }
    }

    /// When it is to be tried.
    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// Whether it was never tried.
    pub(super) fn is_first_try(&self) -> bool {
        self.tries == 0
    }

    /// Puts it off after a try that could not begin; says whether there is another.
    pub(super) fn again(&mut self, now: Timestamp) -> bool {
        self.tries += 1;
        let next = now.as_second().saturating_add(AGAIN_SECONDS);
        self.due = Timestamp::from_second(next).unwrap_or(Timestamp::MAX);
        self.tries < TRIES_MAX
    }
}

impl std::str::FromStr for At {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str, below: i64| {
            let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number: &i64| plain && *number < below)
        };
        let read = text.split_once(':').and_then(|(hour, minute)| {
            Some(Self { seconds: number(hour, 24)? * 3600 + number(minute, 60)? * 60 })
        });
        read.ok_or("write it as 03:17, in UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_night_is_today_or_tomorrow() {
        let at: At = "03:17".parse().expect("a time");
        let moment = |text: &str| text.parse::<Timestamp>().expect("a moment");
        for (now, next) in [
            ("2026-11-21T03:16:59Z", "2026-11-21T03:17:00Z"),
            ("2026-11-21T03:17:00Z", "2026-11-22T03:17:00Z"),
            ("2026-12-31T23:00:00Z", "2027-01-01T03:17:00Z"),
        ] {
            assert_eq!(at.after(moment(now), 0), moment(next), "{now}");
        }
        assert_eq!(at.after(moment("2026-11-21T00:00:00Z"), 90), moment("2026-11-21T03:18:30Z"));
    }

    #[test]
    fn a_night_that_could_not_begin_is_tried_for_an_hour() {
        let start: Timestamp = "2026-11-21T03:17:00Z".parse().expect("a moment");
        let mut night = Night::at(start);
        assert!(night.is_first_try());
        let mut tries = 1;
        while night.again(night.due()) {
            tries += 1;
        }
        assert!(!night.is_first_try());
        assert_eq!((tries, night.due().as_second() - start.as_second()), (60, 3600));
    }

    #[test]
    fn a_time_has_two_digits_each() {
        for bad in ["3:17", "24:00", "03:60", "03-17", "", "-1:00", "+3:17", "03:17:00"] {
            assert!(bad.parse::<At>().is_err(), "{bad}");
        }
    }
}
