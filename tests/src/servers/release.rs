//! Which release of the servers runs: the packages of this machine, or those of another Debian in a root folder of its own.
//!
//! This is the only place that decides it, by the variable `FINLINKD_TEST_SERVERS`. A server of another release sees its own
//! root folder, and this machine's processes, devices and folder of temporary files under their usual names; so every path
//! that a test knows holds inside, and the process that was started is the server itself. Not here: how the folder is made
//! (`cargo xtask test`), nor Prometheus and its exporter, which are always this machine's.

use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Names the root folder; without it the servers are this machine's.
const VARIABLE: &str = "FINLINKD_TEST_SERVERS";
/// Where PostgreSQL's packages keep their programs, a folder for each version.
const POSTGRES: &str = "/usr/lib/postgresql";
const INSTALLED: &str = "installed: `cargo xtask test` installs it as root, or install the Debian package";

/// Shows the folders of this machine inside the root folder, out of sight of everyone else, and becomes the program that
/// follows. What is unmounted outside is unmounted here as well.
const ENTER: &str = r#"
set -e
root=$1 user=$2 temporary=$3
shift 3
/usr/bin/mkdir -p "$root$temporary"
for folder in /proc /dev "$temporary"; do /usr/bin/mount --rbind "$folder" "$root$folder"; done
exec /usr/sbin/chroot --userspec="$user" --groups= "$root" "$@"
"#;

/// Where the servers' programs, users and packages are looked for.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its root folder, where that is not this machine's.
    root: Option<PathBuf>,
}

impl Release {
    /// The one that the environment asks for.
    pub fn asked_for() -> Result<Self> {
        let Some(root) = std::env::var_os(VARIABLE).filter(|root| !root.is_empty()) else {
            return Ok(Self { root: None });
        };
        ensure!(is_root(), "{VARIABLE} names another release, and only root may start its servers");
        let root = Path::new(&root).canonicalize().with_context(|| format!("{VARIABLE} is {}", root.display()))?;
        ensure!(root.join("var/lib/dpkg/status").exists(), "{VARIABLE}: {} is no Debian's root folder", root.display());
        Ok(Self { root: Some(root) })
    }

    /// Where a file of the release is found from here.
    pub(super) fn file(&self, path: &Path) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    /// A program of the release; `package` is named where it is not there.
    pub(super) fn program(&self, path: &Path, package: &str) -> Result<Command> {
        self.program_as(path, package, None)
    }

    /// A program of the release that runs as a user that a package of it made; an ordinary user runs it as itself.
    pub(super) fn program_of(&self, user: &str, path: &Path, package: &str) -> Result<Command> {
        let ids = if is_root() { Some(self.ids_of(user)?) } else { None };
        self.program_as(path, package, ids)
    }

    fn program_as(&self, path: &Path, package: &str, ids: Option<(u32, u32)>) -> Result<Command> {
        let there = self.file(path).exists();
        ensure!(there, "{} of {self} is not {INSTALLED} {package}", path.display());
        let Some(root) = &self.root else {
            let mut command = Command::new(path);
            if let Some((user, group)) = ids {
                command.uid(user).gid(group);
            }
            return Ok(command);
        };
        let (user, group) = ids.unwrap_or((0, 0));
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["--mount", "--propagation", "slave", "/bin/sh", "-c", ENTER, "enter"]);
        command.arg(root).arg(format!("{user}:{group}")).arg(std::env::temp_dir()).arg(path);
        Ok(command)
    }

    /// Makes a program of this machine run as a user of the release, where we are root.
    pub(super) fn run_as(&self, user: &str, command: &mut Command) -> Result<()> {
        if is_root() {
            let (user, group) = self.ids_of(user)?;
            command.uid(user).gid(group);
        }
        Ok(())
    }

    /// Gives a folder and what is in it to a user of the release, where we are root.
    pub(super) fn give_folder_to(&self, user: &str, folder: &Path) -> Result<()> {
        if !is_root() {
            return Ok(());
        }
        let (user, group) = self.ids_of(user)?;
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

    /// User and group id of one of its system users.
    fn ids_of(&self, name: &str) -> Result<(u32, u32)> {
        let accounts = std::fs::read_to_string(self.file(Path::new("/etc/passwd")))?;
        let fields = |line: &str| -> Option<(u32, u32)> {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let user = fields.nth(1)?.parse().ok()?;
            Some((user, fields.next()?.parse().ok()?))
        };
        let ids = accounts.lines().find_map(fields);
        ids.with_context(|| format!("there is no user {name} in {self}: is its package installed?"))
    }

    /// The folder of PostgreSQL's programs, and the package that brought them: of the newest that is there.
    pub(super) fn postgres(&self) -> Result<(PathBuf, String)> {
        let versions = std::fs::read_dir(self.file(Path::new(POSTGRES))).into_iter().flatten().flatten();
        let versions = versions.filter(|entry| entry.path().join("bin/initdb").exists());
        let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
        let newest = newest.with_context(|| format!("PostgreSQL of {self} is not {INSTALLED} postgresql"))?;
        Ok((Path::new(POSTGRES).join(newest.to_string()).join("bin"), format!("postgresql-{newest}")))
    }

    /// The upstream version of an installed package: without the epoch before it and Debian's revision behind it.
    pub fn version_of(&self, package: &str) -> Result<String> {
        let status = std::fs::read_to_string(self.file(Path::new("/var/lib/dpkg/status")))?;
        let mut paragraphs = status.split("\n\n").map(|paragraph| paragraph.lines());
        let paragraph = paragraphs.find(|lines| lines.clone().next() == Some(&format!("Package: {package}")));
        let version = paragraph.and_then(|mut lines| lines.find_map(|line| line.strip_prefix("Version: ")));
        let version = version.with_context(|| format!("{self} has no package {package}"))?;
        let version = version.split_once(':').map_or(version, |(_epoch, version)| version);
        Ok(version.rsplit_once('-').map_or(version, |(upstream, _revision)| upstream).to_owned())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Some(root) => root.display().fmt(formatter),
            None => formatter.write_str("this machine"),
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
