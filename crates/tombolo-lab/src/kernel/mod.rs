//! Kernels for guests: taken out of Debian's packages, into a cache of this user.

mod image;
mod modules;
mod package;

pub(crate) use modules::load_order;
pub use package::Fetched;
pub(crate) use package::{fetch, wanted_packages};

use crate::error::LabError;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A kernel that guests can boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    release: String,
    directory: PathBuf,
}

impl Kernel {
    /// What `uname -r` says in the guest.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The kernels in the cache, the newest first.
    #[must_use]
    pub fn all() -> Vec<Kernel> {
        let Ok(cache) = cache() else { return Vec::new() };
        let entries = fs::read_dir(cache).into_iter().flatten().flatten();
        let mut kernels: Vec<Kernel> = entries
            .filter_map(|entry| {
                let release = entry.file_name().into_string().ok()?;
                let kernel = Kernel { release, directory: entry.path() };
                (!kernel.release.starts_with('.') && kernel.image().is_file()).then_some(kernel)
            })
            .collect();
        kernels.sort_by_key(|kernel| std::cmp::Reverse(numbers(&kernel.release)));
        kernels
    }

    /// The newest kernel in the cache whose release begins with `wanted`, as in `6.1.`.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(wanted: &str) -> Result<Kernel, LabError> {
        let mut found = Self::all().into_iter().filter(|kernel| kernel.release.starts_with(wanted));
        found.next().ok_or_else(|| LabError::Missing {
            what: format!("kernel {wanted} for guests").replace("  ", " "),
            how: "run `apt-get update` and `tombolo-lab doctor --install`",
        })
    }

    /// What QEMU is given as `-kernel`.
    pub(crate) fn image(&self) -> PathBuf {
        self.directory.join("image")
    }

    /// The directory that is `/lib/modules/RELEASE` in the guest.
    pub(crate) fn modules(&self) -> PathBuf {
        self.directory.join("lib/modules").join(&self.release)
    }
}

/// Where kernels are kept.
fn cache() -> Result<PathBuf, LabError> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = cache.ok_or_else(|| LabError::Missing {
        what: "directory for caches".to_owned(),
        how: "set HOME or XDG_CACHE_HOME",
    })?;
    Ok(cache.join("tombolo-lab/kernels"))
}

/// The numbers in a release, to compare 6.12 with 6.1.
fn numbers(release: &str) -> Vec<u64> {
    let runs = release.split(|character: char| !character.is_ascii_digit());
    runs.filter_map(|run| run.parse().ok()).collect()
}

/// Decompresses `content` by the tool that its first bytes call for.
pub(crate) fn decompress(content: &[u8]) -> Result<Vec<u8>, LabError> {
    let (program, how) = match content {
        [0xfd, b'7', b'z', ..] => ("xz", "install xz-utils"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", "install zstd"),
        [0x1f, 0x8b, ..] => ("gzip", "install gzip"),
        _ => {
            return Err(LabError::Request("compressed in a way that is not known".to_owned()));
        }
    };
    let mut command = Command::new(program);
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LabError::Missing { what: program.to_owned(), how });
        }
        other => other.map_err(LabError::call("execve", Path::new(program)))?,
    };
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            use std::io::Write as _;
            // A tool that has what it needs stops reading; its exit code decides.
            let _ = input.map(|mut input| input.write_all(content));
        });
        child.wait_with_output()
    });
    let output = output.map_err(LabError::call("wait", Path::new(program)))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::Program { program: program.to_owned(), output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert!(numbers("6.12.5-amd64") > numbers("6.1.0-56-amd64"));
        assert!(numbers("6.1.0-9-amd64") < numbers("6.1.0-10-amd64"));
    }
}
