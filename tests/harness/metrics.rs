//! Reads one number from a process's `/metrics`, and waits for it.
//!
//! Tests assert the number that an operator sees, never the call that should have changed it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::http;

/// The value of a series, or `None` when it is absent. Labels match in any order; series with more
/// labels than those given are added up.
pub fn value(admin: SocketAddr, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let text = http::get(admin, "/metrics").ok()?.text();
    let found: Vec<f64> = text.lines().filter_map(|line| sample(line, name, labels)).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

/// Waits up to ten seconds until the series has this value.
///
/// # Panics
/// With the last value seen, when it never gets there.
#[track_caller]
pub fn assert_metric(admin: SocketAddr, name: &str, labels: &[(&str, &str)], expected: f64) {
    assert_metric_that(admin, name, labels, &|seen| (seen - expected).abs() < 1e-9);
}

/// Waits up to ten seconds until the series satisfies `holds`.
///
/// # Panics
/// With the last value seen, when it never does.
#[track_caller]
pub fn assert_metric_that(
    admin: SocketAddr,
    name: &str,
    labels: &[(&str, &str)],
    holds: &dyn Fn(f64) -> bool,
) {
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        let seen = value(admin, name, labels);
        if seen.is_some_and(holds) {
            return;
        }
        assert!(Instant::now() < give_up, "{name}{labels:?} of {admin} is {seen:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn sample(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (set, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_once("} ")?,
        None => ("", rest.strip_prefix(' ')?),
    };
    let all = labels.iter().all(|(key, wanted)| set.contains(&format!("{key}=\"{wanted}\"")));
    if !all {
        return None;
    }
    value.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_matches_by_name_and_labels() {
        let line = r#"a_total{form="path",outcome="ok"} 3"#;
        assert_eq!(sample(line, "a_total", &[("outcome", "ok")]), Some(3.0));
        assert_eq!(sample(line, "a_total", &[("outcome", "bad")]), None);
        assert_eq!(sample(line, "a", &[]), None);
        assert_eq!(sample("b 1.5", "b", &[]), Some(1.5));
    }
}
