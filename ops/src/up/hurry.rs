//! Rules whose time runs faster, so that a drill takes minutes and not hours.
//!
//! Every duration is divided by the same number: windows, steps, offsets, `for`, intervals, and the
//! seconds of a horizon or an age. Shares, sizes and the factors that make counts of rates stay: of the
//! events that an alert asks for the same part is enough, for there is that part of the time for them.

/// Rules, or an expression of one, whose durations are divided by `times`.
pub(crate) fn hurried(text: &str, times: u32) -> String {
    if times <= 1 {
        return text.to_owned();
    }
    text.split_inclusive('\n').map(|line| hurried_line(line, times)).collect()
}

/// What stands before a duration.
struct Mark {
    begins: &'static str,
    ends: &'static [char],
    divided: fn(&str, u32) -> Option<String>,
}

const MARKS: [Mark; 4] = [
    Mark { begins: "[", ends: &[']'], divided },
    Mark { begins: "offset ", ends: &[' ', ')', '\n'], divided },
    Mark { begins: "], ", ends: &[')'], divided: divided_seconds },
    Mark { begins: "_seconds > bool ", ends: &[')'], divided: divided_seconds },
];

fn hurried_line(line: &str, times: u32) -> String {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    for key in ["interval: ", "for: "] {
        if let Some(value) = line[indent..].strip_prefix(key) {
            let (value, end) = value.split_at(value.trim_end().len());
            let value = divided(value, times).unwrap_or_else(|| value.to_owned());
            return format!("{}{key}{value}{end}", &line[..indent]);
        }
    }
    let mut made = String::new();
    let mut rest = line;
    loop {
        let next = MARKS.iter().filter_map(|mark| Some((rest.find(mark.begins)?, mark)));
        let Some((at, mark)) = next.min_by_key(|(at, _)| *at) else { break };
        let from = at + mark.begins.len();
        let to = rest[from..].find(mark.ends).map_or(rest.len(), |length| from + length);
        made.push_str(&rest[..from]);
        let parts = rest[from..to].split(':').map(|one| (mark.divided)(one, times));
        match parts.collect::<Option<Vec<_>>>() {
            Some(parts) => {
                made.push_str(&parts.join(":"));
                rest = &rest[to..];
            }
            None => rest = &rest[from..],
        }
    }
    made + rest
}

/// A number of seconds, divided; at least one.
fn divided_seconds(text: &str, times: u32) -> Option<String> {
    Some((text.parse::<u64>().ok()? / u64::from(times)).max(1).to_string())
}

/// A duration of Prometheus, divided; at least a millisecond.
fn divided(text: &str, times: u32) -> Option<String> {
    // Durations are one number and its unit here; months and years are never written.
    let (number, unit) = text.split_at(text.find(|one: char| !one.is_ascii_digit())?);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    let whole = number.parse::<u64>().ok()?.checked_mul(unit)?;
    let part = if whole == 0 { 0 } else { (whole / u64::from(times)).max(1) };
    Some(if part % 1000 == 0 { format!("{}s", part / 1000) } else { format!("{part}ms") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_divided_and_nothing_else() {
        let text = "\
- name: slo-x-5m
  interval: 30s
  rules:
  - record: slo:events_error:rate5m
    expr: sum_over_time(a:rate5m{le=~\"[30](\\\\.0)?\",w=\"5m\"}[6h]) * 30 >= 10 and b[5m:1m]
      and predict_linear(free[6h], 86400) < 0 and free offset 6h
      and (age_seconds > bool 300) and size > 1073741824
    for: 5m
";
        let expected = "\
- name: slo-x-5m
  interval: 1s
  rules:
  - record: slo:events_error:rate5m
    expr: sum_over_time(a:rate5m{le=~\"[30](\\\\.0)?\",w=\"5m\"}[720s]) * 30 >= 10 and b[10s:2s]
      and predict_linear(free[720s], 2880) < 0 and free offset 720s
      and (age_seconds > bool 10) and size > 1073741824
    for: 10s
";
        assert_eq!(hurried(text, 30), expected);
        assert_eq!(hurried(text, 1), text);
    }

    #[test]
    fn a_duration_stays_at_least_a_millisecond_and_none_stays_none() {
        assert_eq!(divided("0s", 30).as_deref(), Some("0s"));
        assert_eq!(divided("1s", 60).as_deref(), Some("16ms"));
        assert_eq!(divided("1ms", 60).as_deref(), Some("1ms"));
        assert_eq!(divided("soon", 60), None);
    }
}
