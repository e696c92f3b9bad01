//! Says how far it is: building images and starting servers takes minutes, and a developer should see which.

use std::io::Write;
use std::sync::OnceLock;
use std::time::Instant;

/// Writes a line where it is seen at once, also of a test that passes.
pub(crate) fn say(text: &str) {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let seconds = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    // The test goes on where nobody can be told.
    drop(writeln!(std::io::stderr(), "[{seconds:>4} s] {text}"));
}
