//! Opening what a command writes to, which in a data folder nobody else may have open.

use store::sqlite::OpenError;

use crate::exit::Failure;
use crate::settings::Settings;

/// Opens what is written to; where a running process owns it, says to stop that first.
pub(super) fn own<T>(settings: &Settings, opened: anyhow::Result<T>) -> Result<T, Failure> {
    opened.map_err(|error| match error.downcast_ref::<OpenError>() {
        Some(OpenError::Locked(_)) => {
            let folder = settings.data_dir.display();
            let what = format!(
                "finlinkd runs with the data folder {folder} and is the only one to write there: stop it first"
            );
            Failure::Runtime(error.context(what))
        }
        _ => error.into(),
    })
}
