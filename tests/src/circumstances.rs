//! Machines that are not as they should be, for the binary alone: a disk that is small, a clock that is off.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::binary::Setup;

/// Mounts a disk of its own over a folder, out of sight of everyone else, and becomes the program that follows.
const ON_A_DISK: &str = r#"mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@""#;
/// Where Debian keeps libfaketime, below the folder of the machine's libraries.
const CLOCK_LIBRARY: &str = "faketime/libfaketime.so.1";

/// The binary with a disk of `bytes` in place of `folder`, gone when it ends. What is written to it fails truly, with
/// `ENOSPC`. An ordinary user may do this too where the kernel has user namespaces.
pub fn on_a_disk_of(setup: Setup, bytes: u64, folder: &Path) -> Result<Setup> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.to_str().context("the folder is no text")?;
    let namespaces: &[&str] =
        if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let mut launcher = vec!["/usr/bin/unshare"];
    launcher.extend(namespaces);
    let bytes = bytes.to_string();
    launcher.extend(["/bin/sh", "-c", ON_A_DISK, "on-a-disk", &bytes, folder]);
    Ok(setup.launched_by(&launcher))
}

/// The binary on a machine whose clock is wrong by so many hours; time passes as it does elsewhere.
pub fn with_a_clock_off_by(setup: Setup, hours: i32) -> Result<Setup> {
    let folders = std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path().join(CLOCK_LIBRARY));
    let library = folders.into_iter().find(|path| path.exists());
    let library = library.context(
        "libfaketime is not installed: `cargo xtask test` installs it as root, or install the Debian package libfaketime",
    )?;
    ensure!(hours != 0, "that clock is right");
    Ok(setup
        .with_environment("LD_PRELOAD", &library.to_string_lossy())
        .with_environment("FAKETIME", &format!("{hours:+}h"))
        // What waits, waits by this one.
        .with_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1"))
}
