//! Measures a release fleet on this machine: every promised figure, and what faults cost clients.
//!
//! Prints a table and writes it, with the machine it was taken on, beside the build output. A figure
//! that misses its target makes the program leave with 1: the table is a test as well.

mod client;
mod driver;
mod faults;
mod figures;
mod folders;
mod found;
mod memory;
mod mirror;
mod notes;
mod peers;
mod profiles;
mod regression;
mod site;
mod soak;
mod table;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::peers::Peer;
use crate::table::Table;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Throughput, latency and memory.
    Figures,
    /// What clients see while nodes die, stall and lie.
    Faults,
    /// Whether processes under load stand being profiled again and again.
    Soak,
    /// Nothing: notes of a release are made of what was measured of two.
    Notes,
}

/// Measures a release fleet on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is measured.
    #[arg(default_value = "figures")]
    suite: Suite,
    /// Where the results are written.
    #[arg(long, default_value = "target")]
    out: PathBuf,
    /// Another gateway, `name=http://host:port`, measured side by side. It must be able to serve the
    /// content of the nodes at `http://127.0.0.1:18180`, 18181 and 18182.
    #[arg(long)]
    peer: Vec<Peer>,
    /// Measures only figures whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Sets of four profiles that the soak takes.
    #[arg(long, default_value_t = 10_000)]
    sets: u64,
    #[command(flatten)]
    notes: notes::NotesArgs,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut table = Table::new(&arguments.only);
    let name = match arguments.suite {
        Suite::Figures => {
            figures::measure(&mut table, &arguments.peer)?;
            "bench"
        }
        Suite::Faults => {
            faults::measure(&mut table, &arguments.peer)?;
            "faults"
        }
        Suite::Soak => {
            soak::measure(&mut table, arguments.sets)?;
            "soak"
        }
        Suite::Notes => {
            table::say(notes::notes(&arguments.notes)?.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
    };
    table.write(&arguments.out, name)?;
    Ok(if table.all_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
