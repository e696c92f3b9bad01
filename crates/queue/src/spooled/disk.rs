//! How much of the disk is left.

use std::path::Path;

/// Bytes on the disk of `folder` that this process may still use.
pub(super) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
