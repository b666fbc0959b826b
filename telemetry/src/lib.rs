//! What every process shows of itself, and how it owns what it runs.
//!
//! Metrics, access log, logs, traces and profiles leave a process through here, on one admin
//! listener that is never public. Nothing in this crate knows what content is, and nothing here may
//! slow a request down: whatever cannot keep up is dropped and counted.

pub mod access;
pub mod admin;
pub mod build_info;
pub mod config;
pub mod describe;
pub mod drain;
pub mod install;
pub mod log;
pub mod manual;
pub mod metrics;
pub mod pairs;
pub mod parent;
mod process;
pub mod profile;
pub mod service;
pub mod tasks;
pub mod trace;
mod why;

pub use drain::{Drain, InFlight, Readiness};
pub use install::{InstallError, Telemetry, install};
pub use process::Process;
pub use tasks::{TaskError, TaskHandle, Tasks};
pub use why::why;
