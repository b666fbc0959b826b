//! Times as records write them: RFC 3339, in UTC or with an offset, to the nanosecond.
//!
//! Years 0 to 9999, as the notation has them. A leap second is refused, as the other
//! implementations do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;
/// Most of what a time can be written with.
const TEXT_BYTES_MAX: usize = 64;

/// Reads a time.
pub(super) fn parse(text: &[u8]) -> Option<SystemTime> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (date, rest) = text.split_at_checked(19)?;
    let number = |at: usize, length: usize| digits(&date[at..at + length]);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| date[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !is_time || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    // What lies beyond the years that the notation has could not be said again.
    at(seconds - offset(zone)?, nanos).filter(|time| format(*time).is_some())
}

/// Writes a time in UTC; `None` outside of the years that the notation has.
pub(super) fn format(time: SystemTime) -> Option<String> {
    let (seconds, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (i64::try_from(since.as_secs()).ok()?, since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).ok()?;
            match before.subsec_nanos() {
                0 => (-whole, 0),
                nanos => (-whole - 1, 1_000_000_000 - nanos),
            }
        }
    };
    if !(days(0, 1, 1) * DAY..days(10_000, 1, 1) * DAY).contains(&seconds) {
        return None;
    }
    let (mut day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // 400 years have 146,097 days; a guess by their mean is at most a year too high.
    let mut year = (day * 400).div_euclid(146_097) + 1970;
    while days(year, 1, 1) > day {
        year -= 1;
    }
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    day -= days(year, 1, 1);
    let mut month = 1;
    while day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let day = day + 1;
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z"))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// Reads `.5` and the like; digits beyond nanoseconds are left out.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let (mut nanos, mut unit) = (0, 100_000_000);
    for digit in text[..length].iter().take(9) {
        nanos += u32::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some((nanos, &text[length..]))
}

/// Reads `Z` or `+01:30` as seconds ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours)?, digits(&[*m1, *m2])?);
            if hours >= 24 || minutes >= 60 {
                return None;
            }
            let ahead = hours * 3600 + minutes * 60;
            Some(if *sign == b'+' { ahead } else { -ahead })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a date, in the calendar that leap years are of.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    before * 365 + leaps + months + day - 1 - 719_162
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn at(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let size = Duration::from_secs(seconds.unsigned_abs());
    let whole =
        if seconds < 0 { UNIX_EPOCH.checked_sub(size) } else { UNIX_EPOCH.checked_add(size) };
    whole?.checked_add(Duration::from_nanos(nanos.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        let time = parse(text.as_bytes())?;
        Some(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).expect("years of four digits"),
            Err(before) => -i64::try_from(before.duration().as_secs()).expect("likewise"),
        })
    }

    #[test]
    fn known_times_are_read() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:34:56Z"), Some(951_827_696));
        assert_eq!(seconds("2038-01-19T03:14:08.5Z"), Some(1 << 31));
        assert_eq!(seconds("2001-09-09T03:16:40.000000001+01:30"), Some(1_000_000_000));
        assert_eq!(seconds("0000-01-01T00:00:00Z"), Some(-62_167_219_200));
        assert_eq!(seconds("9999-12-31T23:59:59.999999999Z"), Some(253_402_300_799));
        let nanos = parse(b"1970-01-01T00:00:00.0000000019Z");
        assert_eq!(nanos, Some(UNIX_EPOCH + Duration::from_nanos(1)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let texts = [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+0100",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z ",
        ];
        for text in texts {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let long = format!("1970-01-01T00:00:00.{}Z", "0".repeat(1_000_000));
        assert_eq!(parse(long.as_bytes()), None);
    }

    #[test]
    fn extremes_are_not_written() {
        assert_eq!(format(UNIX_EPOCH + Duration::from_secs(253_402_300_800)), None);
        assert_eq!(format(UNIX_EPOCH - Duration::from_secs(62_167_219_201)), None);
        if let Some(last) = UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX as u64)) {
            assert_eq!(format(last), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(
            seconds in -62_167_219_200i64..253_402_300_800,
            nanos in 0u32..1_000_000_000,
        ) {
            let time = at(seconds, nanos).expect("years of four digits");
            let text = format(time).expect("years of four digits");
            prop_assert_eq!(parse(text.as_bytes()), Some(time), "{}", text);
        }

        #[test]
        fn no_text_breaks_the_parser(text: Vec<u8>, tail in "[0-9T:Z.+-]{0,40}") {
            std::hint::black_box(parse(&text));
            std::hint::black_box(parse([b"1970-01-01T00:00:00", tail.as_bytes()].concat().as_slice()));
        }
    }
}
