//! Progress bars: on stderr, on terminals, and nowhere else.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// How often a bar is drawn though nothing moves.
const TICK: Duration = Duration::from_millis(200);

/// Shows how far things are.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    quiet: bool,
}

impl Progress {
    /// Bars on stderr, which draws nothing unless it is a terminal; none at all when `hidden`.
    pub(crate) fn new(hidden: bool) -> Self {
        let target =
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self { bars: MultiProgress::with_draw_target(target), quiet: hidden }
    }

    /// Says something without disturbing the bars; nothing when they are hidden on purpose.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.bars.suspend(|| output::note(text));
        }
    }

    /// A bar of an import of so many bytes.
    pub(super) fn import(&self, bytes: u64) -> ProgressBar {
        self.bar(bytes, "importing".to_owned())
    }

    /// A bar of a replication of so many bytes.
    pub(super) fn replicate(&self, bytes: u64, node: &str) -> ProgressBar {
        self.bar(bytes, format!("replicating to {node}"))
    }

    fn bar(&self, bytes: u64, message: String) -> ProgressBar {
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
        )
        .expect("the template is well-formed");
        let bar = self.bars.add(ProgressBar::new(bytes).with_style(style));
        bar.set_message(message);
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        bar
    }
}
