//! What strangers write, row by row of the threat list: content, requests, and what browsers do.
//!
//! Each test sends the input itself and asserts the status, the bound and that the gateway goes on;
//! rows whose input is sent elsewhere are named there: A6 and C8 in `names`, A12, A13 and A17 in
//! `faults`, B12 in `denylist`, B13 in `ipfs`.

#[path = "threats/browser.rs"]
mod browser;
#[path = "threats/content.rs"]
mod content;
#[path = "threats/requests.rs"]
mod requests;
