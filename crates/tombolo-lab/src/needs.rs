//! What the lab needs of a machine, whether it is there, and how to get it.

use crate::error::LabError;
use crate::kernel::{self, Fetched, Kernel};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program or file that the lab uses.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Any one of these will do; without a slash it is looked for in the directories of programs.
    any: &'static [&'static str],
    /// The package of Debian that has it; the first that APT knows.
    packages: &'static [&'static str],
    purpose: &'static str,
}

const PARTS: &[Part] = &[
    part(&["qemu-system-x86_64"], &["qemu-system-x86"], "guests"),
    part(&["/bin/busybox"], &["busybox-static"], "the start of a guest"),
    part(&["depmod"], &["kmod"], "modules of guests"),
    part(&["xz"], &["xz-utils"], "unpacking kernels and modules"),
    part(&["zstd"], &["zstd"], "unpacking kernels and modules"),
    part(&["ip"], &["iproute2"], "networks of guests"),
    part(&["tc"], &["iproute2"], "delays"),
    part(&["sqlite3"], &["sqlite3"], "the stock SQLite that judges"),
    part(&["/usr/bin/python3"], &["python3"], "stock programs that use SQLite"),
    part(&["strace"], &["strace"], "calls of a program, seen and held up"),
    part(&["mkfs.ext4"], &["e2fsprogs"], "disks"),
    part(&["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"], VIRTIOFSD, "virtiofs"),
    part(&["smbd"], &["samba"], "SMB, the server"),
    part(&["mount.cifs"], &["cifs-utils"], "SMB, the client"),
    part(&["exportfs"], &["nfs-kernel-server"], "NFS, the server in a guest"),
    part(&["mount.nfs"], &["nfs-common"], "NFS, the client"),
    part(&["diod"], &["diod"], "9p over TCP"),
    part(&["sshfs"], &["sshfs"], "sshfs, the client"),
    part(&["sshd"], &["openssh-server"], "sshfs, the server"),
    part(&["fusermount3"], &["fuse3"], "FUSE"),
    part(&["mergerfs"], &["mergerfs"], "a union of directories"),
    part(&["zfs-fuse"], &["zfs-fuse"], "ZFS without a module"),
    part(&["crun", "runc"], &["crun", "runc"], "containers in guests"),
    part(&["dockerd"], &["docker.io"], "Docker in guests, the daemon"),
    part(&["/usr/bin/docker"], &["docker-cli", "docker.io"], "Docker in guests, the client"),
    part(&[POSTGRES], &["postgresql"], "a server database"),
];

/// Outside of the directories of programs, as several versions may stand side by side.
const POSTGRES: &str = "/usr/lib/postgresql/*/bin/postgres";

/// Up to Debian 12 it comes with QEMU; later versions have the one written in Rust.
const VIRTIOFSD: &[&str] = &["virtiofsd", "qemu-system-common"];

const fn part(
    any: &'static [&'static str],
    packages: &'static [&'static str],
    purpose: &'static str,
) -> Part {
    Part { any, packages, purpose }
}

/// Where programs are, also those that ordinary users do not have in their `PATH`.
const DIRECTORIES: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Something that the lab needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is called.
    pub name: String,
    /// What the lab does with it.
    pub purpose: &'static str,
    /// Where it is, or which it is; `None` where it is missing.
    pub found: Option<String>,
    /// How to get it.
    pub how: String,
    /// Whether the lab can do everything else without it.
    pub optional: bool,
}

/// Everything that the lab needs, with what was found of it.
#[must_use]
pub fn needs() -> Vec<Need> {
    let mut needs: Vec<Need> = PARTS
        .iter()
        .map(|part| Need {
            name: part.any.join(" or "),
            purpose: part.purpose,
            found: part.any.iter().find_map(|name| find(name)).map(shown),
            how: format!("apt-get install {}", part.packages.join(" (or else "))
                + &")".repeat(part.packages.len() - 1),
            optional: false,
        })
        .collect();
    let kernels: Vec<_> = Kernel::all().iter().map(|of| of.release().to_owned()).collect();
    needs.push(Need {
        name: "a kernel".to_owned(),
        purpose: "guests",
        found: (!kernels.is_empty()).then(|| kernels.join(", ")),
        how: "tombolo-lab doctor --install".to_owned(),
        optional: false,
    });
    needs.push(Need {
        name: "virtiofsd of crates.io".to_owned(),
        purpose: "virtiofs by the server written in Rust",
        found: virtiofsd().map(shown),
        how: "apt-get install libcap-ng-dev libseccomp-dev; cargo install --locked virtiofsd"
            .to_owned(),
        optional: true,
    });
    needs
}

/// The virtiofs server that is written in Rust, by whatever way it came here.
#[must_use]
pub fn virtiofsd() -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| Some(home("HOME")?.join(".cargo")));
    let built = cargo.map(|cargo| cargo.join("bin/virtiofsd")).filter(|path| path.is_file());
    // Debian 13 and later; what Debian 12 has in /usr/lib/qemu is another one, written in C.
    built.or_else(|| find("/usr/libexec/virtiofsd")).or_else(|| find("virtiofsd"))
}

/// A program, by its name or path; for a `*` in a path, the last directory that has it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    if let Some((before, after)) = name.split_once("/*/") {
        let directories = std::fs::read_dir(before).into_iter().flatten().flatten();
        let paths = directories.map(|directory| directory.path().join(after));
        return paths.filter(|path| path.is_file()).max();
    }
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path)
        .chain(DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(name));
    places.find(|path| path.is_file())
}

fn shown(path: PathBuf) -> String {
    path.display().to_string()
}

/// Installs the packages that are missing, by `apt-get` as root (by `sudo` where needed). Says what
/// it could not find.
///
/// # Errors
/// When `apt-get` is missing or fails.
pub fn install_packages() -> Result<Vec<String>, LabError> {
    let missing: Vec<&Part> =
        PARTS.iter().filter(|part| part.any.iter().all(|name| find(name).is_none())).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // An index that knows all of them is new enough.
    if missing.iter().any(|part| known(part).is_none()) {
        run(as_root("apt-get").args(["update", "-q"]))?;
    }
    let (mut packages, mut unknown) = (Vec::new(), Vec::new());
    for part in missing {
        match known(part) {
            Some(package) => packages.push(package),
            None => unknown.push(format!("no package {}", part.packages.join(" or "))),
        }
    }
    if !packages.is_empty() {
        let mut command = as_root("apt-get");
        command.args(["install", "-q", "-y", "--no-install-recommends"]);
        run(command.args(packages))?;
    }
    Ok(unknown)
}

/// The first of a part's packages that APT knows.
fn known(part: &Part) -> Option<&'static str> {
    part.packages.iter().copied().find(|package| {
        let mut command = Command::new("apt-cache");
        command.args(["show", "--no-all-versions", package]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

/// Puts the kernels that the distribution has for guests into the cache.
///
/// # Errors
/// When one cannot be got.
pub fn install_kernels() -> Result<Vec<Fetched>, LabError> {
    kernel::wanted_packages()?.iter().map(|package| kernel::fetch(package)).collect()
}

/// Builds the virtiofs server from crates.io, with the libraries that it needs from APT.
///
/// # Errors
/// When `apt-get` or `cargo` is missing or fails.
pub fn install_virtiofsd() -> Result<(), LabError> {
    let mut command = as_root("apt-get");
    command.args(["install", "-q", "-y", "--no-install-recommends"]);
    run(command.args(["libcap-ng-dev", "libseccomp-dev"]))?;
    run(Command::new("cargo").args(["install", "--locked", "virtiofsd"]))
}

/// A command that runs as root and never asks anything.
fn as_root(program: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else {
        let mut command = Command::new("sudo");
        command.arg("env");
        command
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Runs what the user should see at work.
fn run(command: &mut Command) -> Result<(), LabError> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let program = words.join(" ");
    let status = command.status().map_err(LabError::call("execve", Path::new(&words[0])))?;
    if status.success() {
        return Ok(());
    }
    Err(LabError::Program { program, output: format!("ended with {status}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_also_where_only_root_looks() {
        assert!(find("sh").is_some());
        assert!(find("/bin/sh").is_some());
        assert_eq!(find("no-such-program-of-the-lab"), None);
        assert_eq!(find("/no/such/program"), None);
        let tree = tempfile::tempdir().expect("a directory");
        for version in ["14", "15"] {
            let directory = tree.path().join(version).join("bin");
            std::fs::create_dir_all(&directory).expect("made");
            std::fs::write(directory.join("server"), "").expect("written");
        }
        let newest = tree.path().join("15/bin/server");
        assert_eq!(find(&format!("{}/*/bin/server", tree.path().display())), Some(newest));
        assert_eq!(find(&format!("{}/*/bin/client", tree.path().display())), None);
    }

    #[test]
    fn every_need_says_how_to_get_it() {
        let needs = needs();
        assert!(needs.len() > PARTS.len());
        for need in &needs {
            assert!(!need.how.is_empty() && !need.purpose.is_empty(), "{need:?}");
        }
        let of = |name: &str| needs.iter().find(|need| need.name == name).map(|need| &need.how);
        assert_eq!(of("smbd"), Some(&"apt-get install samba".to_owned()));
        assert_eq!(of("crun or runc"), Some(&"apt-get install crun (or else runc)".to_owned()));
    }
}
