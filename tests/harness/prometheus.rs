//! A Prometheus that says what a test wants to see shown: objectives in every state, alerts that fire, and
//! figures that go up and down.
//!
//! It knows the questions by words in them, and answers each connection once.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

/// Objectives: what fails of them, how fast their budgets burn, and what is left of these.
const OBJECTIVES: [([&str; 2], [f64; 3]); 5] = [
    (["gateway", "availability"], [0.6, 20.0, -1.0]),
    (["website", "availability"], [0.01, 14.0, 0.2]),
    (["node", "availability"], [0.0, 0.2, -0.1]),
    (["probe", "success"], [0.0, 0.2, 0.9]),
    (["gateway", "first-byte"], [0.001, 0.1, 0.999]),
];

/// Points of a range.
const POINTS: u32 = 48;

/// The running server. Dropping it closes its port.
pub struct PlayedPrometheus {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl PlayedPrometheus {
    /// Listens on a port that the kernel chooses.
    ///
    /// # Errors
    /// Whatever the bind says.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stopping);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stops.load(Ordering::Relaxed) {
                    return;
                }
                // Who asks may leave at any moment: that is no failure here.
                answer(stream).ok();
            }
        });
        Ok(Self { address, stopping })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for PlayedPrometheus {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is to stop.
        TcpStream::connect(self.address).ok();
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let target = first.split(' ').nth(1).unwrap_or_default();
    let data = if target.contains("query_range") { range(target) } else { instant(target) };
    let body = json!({ "status": "success", "data": data }).to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A number of the query of a target.
fn number(target: &str, name: &str) -> f64 {
    let value = target.split(['?', '&']).find_map(|part| part.strip_prefix(name));
    value.and_then(|value| value.strip_prefix('=')?.parse().ok()).unwrap_or_default()
}

fn instant(target: &str) -> Value {
    let at = number(target, "time");
    let series =
        |metric: Value, value: f64| json!({ "metric": metric, "value": [at, value.to_string()] });
    let objectives = |which: usize| -> Vec<Value> {
        let one = |([service, slo], values): &([&str; 2], [f64; 3])| {
            series(json!({ "sloth_service": service, "sloth_slo": slo }), values[which])
        };
        OBJECTIVES.iter().map(one).collect()
    };
    // Longer words come first: the question for the burn names the objective too.
    let result = if target.contains("ALERTS") {
        let alert = |name: &str, severity: &str| {
            series(json!({ "alertname": name, "severity": severity }), 1.0)
        };
        vec![alert("GatewayAvailability", "page"), alert("AlertOfSomebodyElse", "ticket")]
    } else if target.contains("timestamp") {
        vec![series(json!({}), at)]
    } else if target.contains("rate5m") {
        objectives(0)
    } else if target.contains("rate1h") {
        objectives(1)
    } else if target.contains("remaining") {
        objectives(2)
    } else if target.contains("objective") {
        let promised = |[service, slo]: [&str; 2]| {
            series(json!({ "sloth_service": service, "sloth_slo": slo }), 0.999)
        };
        OBJECTIVES.iter().map(|(names, _)| promised(*names)).collect()
    } else {
        // No probe: what it alone measures is not known.
        let jobs = ["gateway", "node"];
        jobs.iter().map(|job| series(json!({ "job": job }), 2.0)).collect()
    };
    json!({ "resultType": "vector", "result": result })
}

/// As many series as a number may show, each with a gap and going its own way.
fn range(target: &str) -> Value {
    let (from, to) = (number(target, "start"), number(target, "end"));
    let series = OBJECTIVES.iter().enumerate().map(|(index, ([service, slo], _))| {
        let point = |at: u32| {
            let share = f64::from(at) / f64::from(POINTS);
            let value = 0.9 + 0.01 * (index as f64 + (share * 20.0).sin());
            json!([from + (to - from) * share, value.to_string()])
        };
        let name = format!("{service} {index}");
        json!({
            "metric": {
                "sloth_service": service, "sloth_slo": slo, "outcome": name, "cache": name,
                "traffic": name, "lane": name,
            },
            "values": (0..=POINTS).filter(|at| *at != POINTS / 2).map(point).collect::<Vec<_>>(),
        })
    });
    json!({ "resultType": "matrix", "result": series.collect::<Vec<_>>() })
}
