//! The numbered folders: one per instance, told apart by who holds the lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use crate::embedded::{self, Engine, OpenError};
use crate::{Settings, SpoolSettings};

/// Instances that may share a folder of spools.
const SPOOLS_MAX: u32 = 256;

/// Opens a spool for this instance: the first free one that an ended instance left, else the first free number.
pub(super) fn open_own(settings: &SpoolSettings) -> Result<(PathBuf, Arc<Engine>), OpenError> {
    let left = left_behind(&settings.folder);
    let fresh = (0..SPOOLS_MAX).map(|number| settings.folder.join(number.to_string())).filter(|f| !left.contains(f));
    let mut failure = None;
    for folder in left.iter().cloned().chain(fresh) {
        match open(settings, &folder) {
            Ok(engine) => {
                info!(folder = %folder.display(), messages = engine.depth().messages, "the spool is open");
                return Ok((folder, engine));
            }
            Err(OpenError::Locked(_)) => {}
            // Its neighbours would be no better.
            Err(error @ (OpenError::Unwritable { .. } | OpenError::Other { .. })) => return Err(error),
            // A damaged spool is for a person to look at, and no reason to refuse webhooks.
            Err(error) => {
                warn!(%error, "a spool was passed over; what is in it is not delivered");
                failure = Some(error);
            }
        }
    }
    Err(failure.unwrap_or_else(|| OpenError::Other {
        path: settings.folder.clone(),
        reason: format!("all {SPOOLS_MAX} spools are in use"),
    }))
}

/// Opens the spool in this very folder.
pub(super) fn open(settings: &SpoolSettings, folder: &Path) -> Result<Arc<Engine>, OpenError> {
    Engine::open(&Settings {
        folder: folder.to_owned(),
        bytes_max: settings.bytes_max,
        publishes_in_flight_max: settings.publishes_in_flight_max,
        publish_timeout: settings.disk_timeout,
    })
}

/// Folders with a spool's file in them, whoever uses them, by number.
pub(super) fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join(embedded::FILE_NAME).exists())
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}
