//! Servers that refuse to run as root run as the user that their package made; an ordinary user runs them as itself.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// User and group id of a system user, from `/etc/passwd`.
fn ids_of(name: &str) -> Result<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let fields = |line: &str| -> Option<(u32, u32)> {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    };
    accounts.lines().find_map(fields).with_context(|| format!("there is no user {name}: is its package installed?"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes `command` run as `name` where we are root.
pub(super) fn run_as(name: &str, command: &mut Command) -> Result<()> {
    if is_root() {
        let (user, group) = ids_of(name)?;
        command.uid(user).gid(group);
    }
    Ok(())
}

/// Gives a folder and what is in it to `name` where we are root.
pub(super) fn give_folder_to(name: &str, folder: &Path) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    let (user, group) = ids_of(name)?;
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        std::os::unix::fs::chown(&path, Some(user), Some(group))?;
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}
