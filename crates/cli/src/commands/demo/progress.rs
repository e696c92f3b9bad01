//! The demo's progress, on standard error of a terminal; silent elsewhere.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use simulator::Simulator;

use super::check::Checked;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A bar that first counts webhooks, then differences from the truth.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Starts it. With JSON wanted, or where nobody looks, it stays hidden.
    pub(super) fn start(json: bool) -> Self {
        let bar =
            if json || !std::io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::no_length() };
        // The template is constant; a bar without it would do too.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{bar:40}] {pos}/{len} {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message("sending webhooks");
        Self(bar)
    }

    /// Shows how far the sender is, for as long as it is polled.
    pub(super) async fn follow(&self, simulator: &Simulator) -> Infallible {
        loop {
            let progress = simulator.progress();
            self.0.set_length(progress.target.unwrap_or(0));
            self.0.set_position(progress.sent);
            self.0.set_message(format!(
                "sending webhooks ({} acknowledged, {} refused)",
                progress.acknowledged, progress.refused
            ));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The sender is done.
    pub(super) fn converging(&self) {
        self.0.set_message("arriving at the truth");
        self.0.set_position(0);
    }

    /// Shows how much is left.
    pub(super) fn compared(&self, checked: &Checked) {
        let all = checked.connections.max(checked.mismatches.len());
        self.0.set_length(all as u64);
        self.0.set_position((all - checked.mismatches.len()) as u64);
    }

    /// Clears it.
    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}
