//! Times of day as text, `2026-03-01T12:34:56.789Z`, without an allocation.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// Appends the time in UTC to the millisecond; times before 1970 count as 1970.
pub(super) fn append(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / DAY);
    let of_day = seconds % DAY;
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, of_day / 3600, 2);
    out.push(b':');
    digits(out, of_day / 60 % 60, 2);
    out.push(b':');
    digits(out, of_day % 60, 2);
    out.push(b'.');
    digits(out, u64::from(since.subsec_millis()), 3);
    out.push(b'Z');
}

/// The date of a day since 1970, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of a year, and days in eras of 400
/// years, after which the calendar repeats.
fn date(day: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    let day = day + EPOCH;
    let of_era = day % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March have 153 days, as have the five after them.
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = day / ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

fn digits(out: &mut Vec<u8>, number: u64, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10u64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).expect("a digit is below ten"));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_agree_with_humantime_over_four_centuries() {
        for step in 0..40_000_u64 {
            let since = Duration::from_secs(step * 315_569) + Duration::from_millis(step % 1000);
            let time = UNIX_EPOCH + since;
            let mut text = Vec::new();
            append(&mut text, time);
            let expected = humantime::format_rfc3339_millis(time).to_string();
            assert_eq!(String::from_utf8(text).expect("ascii"), expected);
        }
    }
}
