//! `logs explain`: what happened to one request, in words, from the records of every process it passed.

use std::time::Duration;

use serde_json::Value;

use super::query::Found;

/// One record, read whole.
struct Told {
    env: String,
    record: Value,
    /// Milliseconds since 1970 when it began.
    began: f64,
    ended: f64,
}

/// The timeline of a request; none without records of it.
pub(crate) fn explain(records: &[Found]) -> Option<String> {
    let mut told: Vec<Told> = records.iter().filter_map(read).collect();
    told.sort_by(|a, b| a.began.total_cmp(&b.began));
    // One with clear text says all that the one without it does.
    let mut kept: Vec<Told> = Vec::new();
    for one in told {
        let same = kept.iter_mut().find(|other| {
            ["ts", "role", "node", "total_ms"]
                .iter()
                .all(|key| other.record[key] == one.record[key])
        });
        match same {
            Some(other) if other.record["path"].is_null() => *other = one,
            Some(_) => {}
            None => kept.push(one),
        }
    }
    let start = kept.first()?.began;
    let mut text = headline(&kept);
    for one in &kept {
        text.push_str(&paragraph(one, start));
    }
    text.push_str(&verdict(&kept));
    Some(text)
}

fn read(found: &Found) -> Option<Told> {
    let record: Value = serde_json::from_str(&found.line).ok()?;
    let ended = humantime::parse_rfc3339(record["ts"].as_str()?).ok()?;
    let ended = ended.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64() * 1000.0;
    let total = record["total_ms"].as_f64().unwrap_or(0.0);
    Some(Told { env: found.env.clone(), record, began: ended - total, ended })
}

impl Told {
    fn str(&self, name: &str) -> &str {
        self.record[name].as_str().unwrap_or("-")
    }

    fn number(&self, name: &str) -> f64 {
        self.record[name].as_f64().unwrap_or(0.0)
    }

    fn is_gateway(&self) -> bool {
        self.str("role") == "gateway"
    }
}

fn headline(told: &[Told]) -> String {
    let first = &told[0];
    let mut text = format!("request {}", first.str("req_id").escape_debug());
    if let Some(trace) = first.record["trace_id"].as_str() {
        text.push_str(&format!(", trace {}", trace.escape_debug()));
    }
    let (gateways, nodes): (Vec<_>, Vec<_>) = told.iter().partition(|one| one.is_gateway());
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (g, n) = (gateways.len(), nodes.len());
    text.push_str(&format!("\n{g} record{} of gateways, {n} of nodes\n", s(g)));
    text
}

/// What one process did.
fn paragraph(one: &Told, start: f64) -> String {
    let after = one.began - start;
    let mut text = format!(
        "\n+{after:.0} ms  {} in {} ({})\n",
        one.str("node").escape_debug(),
        one.env,
        one.str("build").escape_debug()
    );
    let mut say = |sentence: String| text.push_str(&format!("    {sentence}\n"));
    say(asked(one));
    say(came(one));
    say(ended(one));
    if let Some(list) = one.record["blocked_by"].as_str() {
        say(format!("it is denied by {}", list.escape_debug()));
    }
    if let Some(path) = one.record["path"].as_str() {
        let root = one.record["root_cid"].as_str().unwrap_or("no root");
        say(format!("clear text: {} of {}", path.escape_debug(), root.escape_debug()));
    }
    text
}

fn asked(one: &Told) -> String {
    let depth = one.number("path_depth");
    let what = match one.record["root_cid_h"].as_str() {
        Some(root) => format!("{} root #{root}, {depth:.0} below it", one.str("ns")),
        None => "no content".to_owned(),
    };
    let range = if one.record["range"] == true { ", a range of it" } else { "" };
    format!(
        "was asked with {} for {what}{range}, as {} ({})",
        one.str("method"),
        one.record["format"].as_str().unwrap_or("it comes"),
        one.str("form")
    )
}

fn came(one: &Told) -> String {
    let blocks = one.number("blocks");
    let from = match (one.str("cache"), one.is_gateway()) {
        ("hit", true) => "from its memory",
        ("hit", false) => "from its store",
        ("pool", _) => "from a node that had them",
        ("network", true) => "from a node that fetched them from peers",
        ("network", false) => "from peers",
        _ => return "read no blocks".to_owned(),
    };
    let mut text = format!("read {blocks:.0} blocks {from}");
    if let Some(upstream) = one.record["upstream"].as_u64() {
        text.push_str(&format!(", the last from node {upstream} of its pool"));
    }
    let retries = one.number("retries");
    if retries > 0.0 {
        text.push_str(&format!(", with {retries:.0} further attempts"));
    }
    if let Some(providers) = one.record["providers"].as_u64() {
        text.push_str(&format!("; {providers} providers were found"));
    }
    text
}

fn ended(one: &Told) -> String {
    let whole = if one.record["truncated"] == true { "and was cut after" } else { "and sent" };
    format!(
        "answered {} ({}) after {} ms, {whole} {:.0} bytes by {} ms",
        one.number("status"),
        one.str("outcome"),
        one.number("ttfb_ms"),
        one.number("bytes"),
        one.number("total_ms")
    )
}

/// Who the time went to.
fn verdict(told: &[Told]) -> String {
    let Some(gateway) = told.iter().find(|one| one.is_gateway()) else {
        return "\nno gateway recorded it: it was asked of the node directly, or not sampled there\n"
            .to_owned();
    };
    let whole = gateway.number("total_ms");
    let nodes: Vec<&Told> = told.iter().filter(|one| !one.is_gateway()).collect();
    if nodes.is_empty() {
        return match gateway.str("cache") {
            "hit" | "none" => format!("\nthe gateway answered alone, in {whole} ms\n"),
            _ => "\nno node recorded it: no request reached one, or it was not sampled there\n"
                .to_owned(),
        };
    }
    // Requests to nodes overlap; what counts is how long at least one was under way.
    let mut spans: Vec<(f64, f64)> = nodes.iter().map(|one| (one.began, one.ended)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut busy, mut until) = (0.0, f64::MIN);
    for (from, to) in spans {
        busy += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    let share = if whole > 0.0 { (100.0 * busy / whole).min(100.0) } else { 0.0 };
    let slowest = nodes.iter().max_by(|a, b| a.number("total_ms").total_cmp(&b.number("total_ms")));
    let slowest = slowest.map_or("-", |one| one.str("node"));
    let took = Duration::from_micros((whole * 1000.0) as u64);
    format!(
        "\nof {}, nodes were asked for {share:.0} %; the longest request went to {}\n",
        humantime::format_duration(took),
        slowest.escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::fixture::Made;

    fn found(made: &Made) -> Found {
        let mut line = String::new();
        made.line(&mut line);
        let stamp = line[7..31].to_owned();
        Found { stamp, env: "staging".to_owned(), line: line.trim_end().to_owned() }
    }

    #[test]
    fn gateway_and_node_are_one_timeline_in_words() {
        let gateway = Made {
            outcome: "timeout",
            status: 504,
            cache: "network",
            total_ms: 1000,
            second: 10,
            ..Made::ok(7)
        };
        let clear = Made {
            more: ",\"root_cid\":\"bafyroot\",\"path\":\"/ipfs/bafyroot/a\"".to_owned(),
            ..gateway.clone()
        };
        let node =
            Made { role: "node", cache: "network", total_ms: 750, second: 10, ..Made::ok(7) };
        let text = explain(&[found(&gateway), found(&node), found(&clear)]).expect("a timeline");
        for part in [
            "request 00000000000000000000000000000007",
            "1 record of gateways, 1 of nodes",
            "+0 ms  gateway-0 in staging",
            "+250 ms  node-0 in staging",
            "answered 504 (timeout)",
            "clear text: /ipfs/bafyroot/a of bafyroot",
            "nodes were asked for 75 %; the longest request went to node-0",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(explain(&[]).is_none());
        let text = explain(&[found(&Made::ok(1))]).expect("a timeline");
        assert!(text.contains("answered alone"), "{text}");
        let node = Made { role: "node", ..Made::ok(1) };
        assert!(explain(&[found(&node)]).expect("a timeline").contains("no gateway recorded it"));
        let pool = Made { cache: "pool", ..Made::ok(1) };
        assert!(explain(&[found(&pool)]).expect("a timeline").contains("no node recorded it"));
    }
}
