//! What `bifrost up` says: where everything is, what to do next, and what became of a child.

use std::path::Path;

use serde_json::json;

use crate::fleet::{Fleet, Process, Staging};
use crate::output::{Format, Style, Table};
use crate::up::child::Event;

/// What is printed once all is ready; `program` is this command, as a shell finds it from anywhere.
pub(crate) fn ready(fleet: &Fleet, program: &Path, format: Format, style: Style) -> String {
    match format {
        Format::Text => text(fleet, program, style),
        Format::Json => {
            let mut line = json!(fleet);
            line["event"] = json!("ready");
            format!("{line}\n")
        }
    }
}

fn text(fleet: &Fleet, program: &Path, style: Style) -> String {
    let mut open = Table::default();
    open.row(["site", &fleet.site.url]);
    let gateway = &fleet.gateways[0].url;
    if let Some(root) = &fleet.site.root {
        open.row(["", &format!("{gateway}/ipfs/{root}/")]);
    }
    for gateway in &fleet.gateways {
        open.row([&gateway.name, &format!("{}/ipfs/…", gateway.url)]);
    }
    let mut inside = Table::default();
    inside.row(["", "for gateways", "admin", "metrics"]);
    for Process { name, url, admin, metrics, .. } in &fleet.nodes {
        inside.row([name, url, admin, metrics]);
    }
    for Process { name, admin, metrics, .. } in &fleet.gateways {
        inside.row([name, "", admin, metrics]);
    }
    if let Some(Staging { gateway, node, .. }) = &fleet.staging {
        inside.row([&node.name, &node.url, &node.admin, &node.metrics]);
        inside.row([&gateway.name, &gateway.url, &gateway.admin, &gateway.metrics]);
    }
    if let Some(observe) = &fleet.observe {
        inside.row(["prometheus", &observe.prometheus, "", ""]);
        inside.row(["alertmanager", &observe.alertmanager, "", ""]);
        inside.row(["probe", &format!("{}/results", observe.probe), "", ""]);
    }
    let mut files = Table::default();
    let staging = fleet.staging.iter().flat_map(|staging| [&staging.gateway, &staging.node]);
    for Process { name, config, log, .. } in
        fleet.gateways.iter().chain(&fleet.nodes).chain(staging)
    {
        files.row([name, &config.display().to_string(), &log.display().to_string()]);
    }
    let (program, data) = (program.display(), fleet.data.display());
    let (add, publish) =
        (format!("{program} add --data {data} PATH"), format!("{program} publish --data {data}"));
    format!(
        "\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n  {add}\n  open the CID that it prints as {gateway}/ipfs/CID\n  {publish}\n  makes the site anew, with the figures of a Prometheus if there is one\n  Ctrl-C drains and stops everything\n",
        style.strong("Ready. Open in a browser:"),
        open.render("  ", style),
        style.strong("For the operator, on this machine only:"),
        inside.render("  ", style),
        style.strong("Configs and logs (access logs lie beside the logs):"),
        files.render("  ", style),
        style.strong("Next:"),
    )
}

/// What became of a child.
pub(crate) fn event(event: &Event, style: Style) -> String {
    match event {
        Event::Died { name, how, tail, again_in } => {
            let pause = humantime::format_duration(*again_in);
            let head = style.failure(&format!("{name} {how}; it is started again in {pause}"));
            format!("{head}\n{}", tail.trim_end())
        }
        Event::Restarted { name } => style.warning(&format!("{name} was started again")),
        Event::Killed { name, after } => {
            let after = humantime::format_duration(*after);
            style.warning(&format!("{name} had not drained after {after} and was killed"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fleet::Site;

    fn fleet() -> Fleet {
        let process = |name: &str, port: u16| Process {
            name: name.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{}", port + 1000),
            metrics: format!("http://127.0.0.1:{}/metrics", port + 1000),
            config: format!("/d/.bifrost/{name}.yaml").into(),
            log: format!("/d/.bifrost/logs/{name}.log").into(),
        };
        Fleet {
            data: "/d/.bifrost".into(),
            gateways: vec![process("gateway-0", 8080)],
            nodes: vec![process("node-0", 8180), process("node-1", 8181)],
            site: Site {
                url: "http://site.localhost:8080/".into(),
                root: Some("bafyroot".into()),
                key: None,
            },
            staging: None,
            observe: None,
        }
    }

    const GOLDEN: &str = "
Ready. Open in a browser:
  site       http://site.localhost:8080/
             http://127.0.0.1:8080/ipfs/bafyroot/
  gateway-0  http://127.0.0.1:8080/ipfs/…

For the operator, on this machine only:
             for gateways           admin                  metrics
  node-0     http://127.0.0.1:8180  http://127.0.0.1:9180  http://127.0.0.1:9180/metrics
  node-1     http://127.0.0.1:8181  http://127.0.0.1:9181  http://127.0.0.1:9181/metrics
  gateway-0                         http://127.0.0.1:9080  http://127.0.0.1:9080/metrics

Configs and logs (access logs lie beside the logs):
  gateway-0  /d/.bifrost/gateway-0.yaml  /d/.bifrost/logs/gateway-0.log
  node-0     /d/.bifrost/node-0.yaml     /d/.bifrost/logs/node-0.log
  node-1     /d/.bifrost/node-1.yaml     /d/.bifrost/logs/node-1.log

Next:
  /p/bifrost add --data /d/.bifrost PATH
  open the CID that it prints as http://127.0.0.1:8080/ipfs/CID
  /p/bifrost publish --data /d/.bifrost
  makes the site anew, with the figures of a Prometheus if there is one
  Ctrl-C drains and stops everything
";

    #[test]
    fn the_table_is_as_it_was() {
        assert_eq!(ready(&fleet(), Path::new("/p/bifrost"), Format::Text, Style::plain()), GOLDEN);
    }

    #[test]
    fn the_line_of_json_is_one_line_and_has_every_url() {
        let line = ready(&fleet(), Path::new("/p/bifrost"), Format::Json, Style::plain());
        assert_eq!(line.lines().count(), 1);
        let said: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(said["event"], "ready");
        assert_eq!(said["gateways"][0]["url"], "http://127.0.0.1:8080");
        assert_eq!(said["nodes"][1]["admin"], "http://127.0.0.1:9181");
        assert_eq!(said["site"]["root"], "bafyroot");
    }

    #[test]
    fn a_death_is_told_with_the_end_of_the_log() {
        let died = Event::Died {
            name: "node-0".into(),
            how: "was ended by signal 9".into(),
            tail: "    last words\n".into(),
            again_in: Duration::from_millis(500),
        };
        let text = "node-0 was ended by signal 9; it is started again in 500ms\n    last words";
        assert_eq!(event(&died, Style::plain()), text);
    }
}
