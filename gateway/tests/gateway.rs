//! The gateway alone, in front of nodes that are slow, silent, cut short, or lie.
//!
//! One binary for all scenarios, one file per room, because linking costs more than running.

#[path = "gateway/content.rs"]
mod content;
#[path = "gateway/denylist.rs"]
mod denylist;
#[path = "gateway/drain.rs"]
mod drain;
#[path = "gateway/fake.rs"]
mod fake;
#[path = "gateway/faults.rs"]
mod faults;
#[path = "gateway/flight.rs"]
mod flight;
#[path = "gateway/forms.rs"]
mod forms;
#[path = "gateway/harness.rs"]
mod harness;
#[path = "gateway/hostile.rs"]
mod hostile;
#[path = "gateway/hosts.rs"]
mod hosts;
#[path = "gateway/hygiene.rs"]
mod hygiene;
#[path = "gateway/mirror.rs"]
mod mirror;
#[path = "gateway/names.rs"]
mod names;
#[path = "gateway/pages.rs"]
mod pages;
#[path = "gateway/privacy.rs"]
mod privacy;
#[path = "gateway/semantics.rs"]
mod semantics;
#[path = "gateway/staging.rs"]
mod staging;
#[path = "gateway/threats.rs"]
mod threats;
#[path = "gateway/web.rs"]
mod web;
