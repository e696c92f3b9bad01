//! What the tests need besides Rust and a C compiler: servers, all of them Debian packages.
//!
//! As root on a Debian system what is missing is installed; elsewhere it is named. Installing starts no service here: the
//! tests start servers of their own, on free ports, with their own folders.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::command;

/// A package and a file that shows that it is installed. A trailing `*` in the file's folder stands for any version.
struct Package {
    name: &'static str,
    shown_by: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { name: "rabbitmq-server", shown_by: "/usr/lib/rabbitmq/bin/rabbitmq-server" },
    Package { name: "postgresql", shown_by: "/usr/lib/postgresql/*/bin/initdb" },
    Package { name: "prometheus", shown_by: "/usr/bin/promtool" },
    Package { name: "prometheus-postgres-exporter", shown_by: "/usr/bin/prometheus-postgres-exporter" },
    Package { name: "libfaketime", shown_by: "/usr/lib/*/faketime/libfaketime.so.1" },
    Package { name: "openssl", shown_by: "/usr/bin/openssl" },
];

/// Makes sure that everything is there; an error names what is not.
pub(crate) fn ensure_installed() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install() {
        bail!(
            "the tests need Debian packages that are not installed: {}. Install them (`sudo apt-get install \
             --no-install-recommends {}`) and run this again; the tests that need no server run with `cargo test`",
            missing.join(", "),
            missing.join(" "),
        );
    }
    install(&missing)?;
    let still = self::missing();
    if still.is_empty() { Ok(()) } else { bail!("installed, but not found where expected: {}", still.join(", ")) }
}

/// Makes sure of what makes another Debian's root folder; an error says why it is not there.
pub(crate) fn ensure_debootstrap() -> Result<()> {
    let package = Package { name: "debootstrap", shown_by: "/usr/sbin/debootstrap" };
    if exists(package.shown_by) {
        return Ok(());
    }
    ensure!(may_install(), "the Debian package {} is not installed", package.name);
    install(&[package.name])
}

fn may_install() -> bool {
    is_root() && Path::new("/usr/bin/apt-get").exists()
}

fn install(packages: &[&str]) -> Result<()> {
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    command::run("apt-get", &["update", "--quiet"], &quiet)?;
    let mut install = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    install.extend(packages);
    command::run("apt-get", &install, &quiet)
}

fn missing() -> Vec<&'static str> {
    PACKAGES.iter().filter(|package| !exists(package.shown_by)).map(|package| package.name).collect()
}

fn exists(pattern: &str) -> bool {
    match pattern.split_once("/*/") {
        None => Path::new(pattern).exists(),
        Some((folder, rest)) => std::fs::read_dir(folder)
            .is_ok_and(|versions| versions.flatten().any(|version| version.path().join(rest).exists())),
    }
}

/// Whether this is root.
pub(crate) fn is_root() -> bool {
    // The owner of this very process's folder in /proc is its effective user.
    std::os::unix::fs::MetadataExt::uid(&match std::fs::metadata("/proc/self") {
        Ok(metadata) => metadata,
        Err(_) => return false,
    }) == 0
}
