//! The newest release of the servers that the tests know: another Debian in a folder below the target folder, made once.
//!
//! It takes root, the network and a minute or two. The tests that break servers then run once more, against this release;
//! `tests/src/servers/release.rs` says how a server is started from such a folder. Delete the folder to have it made anew.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{command, packages};

/// How the harness is told which release to start.
pub(crate) const VARIABLE: &str = "FINLINKD_TEST_SERVERS";
const SUITE: &str = "trixie";
/// What is installed there, as in the images of `deploy/images/from-debian`.
const PACKAGES: &[&str] = &["rabbitmq-server", "postgresql-17"];

/// Makes the system in the folder `$1` of the suite `$2` with the packages that follow, without starting a service in it.
/// What it mounts is out of sight of everyone else, and gone when it ends in any way.
const MAKE: &str = r#"
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 suite=$2
shift 2
debootstrap --variant=minbase "$suite" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot "$root" apt-get update --quiet
chroot "$root" apt-get install --quiet --yes --no-install-recommends "$@"
chroot "$root" apt-get clean
"#;

/// Does what starting a server from the folder `$1` takes.
const TRY: &str = r#"
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount --rbind /proc "$1/proc"
chroot "$1" /usr/bin/true
"#;

/// For either, as `timeout` reads it. Making it takes a minute or two.
const PATIENCE: &str = "20m";

/// The release's root folder; an error says why there is none.
pub(crate) fn root() -> Result<PathBuf> {
    let root = command::target_folder()?.join("releases").join(SUITE);
    ensure!(packages::is_root(), "only root may start servers from another root folder");
    if !root.exists() {
        packages::ensure_debootstrap()?;
        make(&root).with_context(|| format!("{} could not be made", root.display()))?;
    }
    // It may have been made where more was permitted than here.
    let folder = root.to_str().context("the target folder is no text")?;
    enter(TRY, &[folder], &root.with_extension("log")).with_context(|| format!("{folder} cannot be used"))?;
    Ok(root)
}

fn make(root: &Path) -> Result<()> {
    println!("making {} with {}", root.display(), PACKAGES.join(" and "));
    // It gets its name once it is whole.
    let unfinished = root.with_extension("unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    std::fs::create_dir_all(&unfinished)?;
    let folder = unfinished.to_str().context("the target folder is no text")?;
    let mut arguments = vec![folder, SUITE];
    arguments.extend(PACKAGES);
    enter(MAKE, &arguments, &root.with_extension("log"))?;
    Ok(std::fs::rename(&unfinished, root)?)
}

/// Runs a script that mounts what nobody else sees, within bounds: a network that swallows everything is tried for hours.
fn enter(script: &str, arguments: &[&str], log: &Path) -> Result<()> {
    let mut all = vec![PATIENCE, "unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "enter"];
    all.extend(arguments);
    command::run_logged("timeout", &all, log)
}
