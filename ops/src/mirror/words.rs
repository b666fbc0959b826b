//! Figures as people read them.

/// A share that is small, as parts of a thousand or of a million; with its sign.
pub(crate) fn permille(share: f64) -> String {
    let size = share.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 1e-3 {
        format!("{:.2} %", share * 100.0)
    } else {
        format!("{} in a million", three(share * 1e6))
    }
}

/// A change in percent, with its sign.
pub(crate) fn percent(change: f64) -> String {
    if change == f64::INFINITY || change <= -1.0 {
        return "no bound".to_owned();
    }
    format!("{:+.1} %", change * 100.0)
}

/// A time in microseconds, in the unit that suits it.
pub(crate) fn time(us: f64) -> String {
    if us < 1e3 {
        format!("{} µs", three(us))
    } else if us < 1e6 {
        format!("{} ms", three(us / 1e3))
    } else {
        format!("{} s", three(us / 1e6))
    }
}

/// Three digits that count.
fn three(value: f64) -> String {
    let size = value.abs();
    let places = if size < 10.0 { 2 } else { usize::from(size < 100.0) };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_unit_that_suits_them() {
        assert_eq!(time(153.4), "153 µs");
        assert_eq!(time(1_534.0), "1.53 ms");
        assert_eq!(time(61_534_000.0), "61.5 s");
        assert_eq!(permille(0.0005), "500 in a million");
        assert_eq!(permille(0.0123), "1.23 %");
        assert_eq!(percent(0.0512), "+5.1 %");
        assert_eq!(percent(f64::INFINITY), "no bound");
        assert_eq!(percent(-1.0), "no bound");
    }
}
