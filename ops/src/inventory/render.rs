//! What follows from the list. The same list gives the same bytes, in the list's order.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::names;
use super::schema::{Inventory, Process, Status};
use super::zone;

/// What can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Targets for `file_sd_configs` of Prometheus.
    Prometheus,
    /// Lines of a zone.
    Dns,
    /// A table for people, in Markdown.
    Docs,
    /// What a status page shows, as JSON.
    Status,
}

/// Renders a list; a status page with who is on call, where that is known.
pub(super) fn render(inventory: &Inventory, form: Form, on_call: Option<Vec<Value>>) -> String {
    match form {
        Form::Prometheus => prometheus(inventory),
        Form::Dns => zone::render(inventory),
        Form::Docs => docs(inventory),
        Form::Status => status(inventory, on_call),
    }
}

/// One group a process, since `instance` is its name and not its address.
fn prometheus(inventory: &Inventory) -> String {
    let scraped = inventory.processes.iter().filter(|process| process.status != Status::Planned);
    let groups: Vec<Value> = scraped.filter_map(target).collect();
    pretty(&Value::Array(groups))
}

fn target(process: &Process) -> Option<Value> {
    let (host, port, tls) = names::origin(process.admin.as_deref()?)?;
    let mut labels = Map::new();
    let mut label = |name: &str, value: &str| {
        if !value.is_empty() {
            labels.insert(name.to_owned(), value.into());
        }
    };
    label("job", process.kind.job());
    label("instance", &process.name);
    label("env", &process.env);
    label("role", process.role_word());
    label("region", &process.region);
    label("__scheme__", if tls { "https" } else { "" });
    Some(json!({ "targets": [format!("{host}:{port}")], "labels": labels }))
}

fn docs(inventory: &Inventory) -> String {
    let mut text = String::from(
        "<!-- Rendered by `bifrost inventory render --as docs`; change the inventory instead. -->\n\n\
         | Process | Kind | Role | Environment | Region | Address | Owner | Runbook | Status |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for process in &inventory.processes {
        let address = process.url.clone().or_else(|| process.dialable().next());
        let status = match process.decommission {
            Some(date) => format!("{} until {date}", process.status.word()),
            None => process.status.word().to_owned(),
        };
        let cells = [
            process.name.clone(),
            process.kind.word().to_owned(),
            process.role_word().to_owned(),
            process.env.clone(),
            process.region.clone(),
            address.unwrap_or_default(),
            process.owner.clone(),
            process.runbook.clone().unwrap_or_default(),
            status,
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Only what strangers may know: no admin listener is in it.
fn status(inventory: &Inventory, on_call: Option<Vec<Value>>) -> String {
    let shown = inventory.processes.iter().filter(|process| process.status != Status::Planned);
    let processes: Vec<Value> = shown
        .map(|process| {
            let dialable: Vec<String> = process.dialable().collect();
            json!({
                "name": process.name,
                "kind": process.kind,
                "role": process.role,
                "env": process.env,
                "region": process.region,
                "url": process.url,
                "dns": process.dns,
                "libp2p": dialable,
                "status": process.status,
                "decommission": process.decommission.map(|date| date.to_string()),
            })
        })
        .collect();
    let mut shown = json!({ "environments": inventory.environments, "processes": processes });
    if let Some(on_call) = on_call {
        shown["on_call"] = on_call.into();
    }
    pretty(&shown)
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a tree of plain values");
    text.push('\n');
    text
}
