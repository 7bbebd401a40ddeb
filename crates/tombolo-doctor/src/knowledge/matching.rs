//! Comparing a mount with the patterns of the knowledge base.

use serde::{Deserialize, Deserializer, de::Error as _};
use tombolo_core::report::{Machine, Mount};

/// What is known of a mount. Empty text and `None` mean *not known*.
#[derive(Clone, Copy, Debug, Default)]
pub struct MountFacts<'a> {
    /// Type as in mountinfo: `9p`, `fuse.mergerfs`.
    pub filesystem: &'a str,
    /// What is mounted.
    pub source: &'a str,
    /// Options of the mount, as `key` or `key=value`.
    pub options: &'a [String],
    /// Options of the file system below it.
    pub super_options: &'a [String],
    /// What the kernel runs on.
    pub machine: Option<Machine>,
    /// `uname -r`.
    pub kernel_release: &'a str,
    /// Where it is mounted.
    pub mount_point: &'a str,
}

impl<'a> MountFacts<'a> {
    /// The facts of a mount of this machine.
    #[must_use]
    pub fn of(mount: &'a Mount, machine: Option<Machine>, kernel_release: &'a str) -> Self {
        MountFacts {
            filesystem: &mount.filesystem,
            source: &mount.source,
            options: &mount.options,
            super_options: &mount.super_options,
            machine,
            kernel_release,
            mount_point: &mount.mount_point,
        }
    }

    /// Every option, those of the mount first.
    pub fn all_options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.options.iter().chain(self.super_options).map(String::as_str)
    }

    /// Whether an option is set that fits the pattern; see [`option_holds`].
    #[must_use]
    pub fn has_option(&self, pattern: &str) -> bool {
        self.all_options().any(|option| option_holds(pattern, option))
    }
}

/// Whether an option fits a pattern: `key`, `key=value`, or `key=one|two`, where a value may hold
/// `*` for any text, and `&N` stands for every number that has all bits of `N`.
///
/// `key` alone fits the option with or without a value. The mode of a 9p cache that stands alone,
/// as Linux before 6.4 shows it, is taken as `cache=MODE`.
#[must_use]
pub fn option_holds(pattern: &str, option: &str) -> bool {
    let (key, value) = match option.split_once('=') {
        Some(pair) => pair,
        None if NINE_P_MODES.contains(&option) => ("cache", option),
        None => (option, ""),
    };
    match pattern.split_once('=') {
        None => pattern == key,
        Some((wanted, _)) if wanted != key => false,
        Some((_, values)) => values.split('|').any(|one| match one.strip_prefix('&') {
            None => glob(one, value),
            Some(bits) => match (number(bits), number(value)) {
                (Some(bits), Some(value)) => value & bits == bits,
                _ => false,
            },
        }),
    }
}

/// `v9fs_cache_modes` in `fs/9p/v9fs.c` up to Linux 6.3, whose `v9fs_show_options` prints the mode
/// without a key.
const NINE_P_MODES: &[&str] = &["loose", "fscache", "mmap"];

/// A number as the kernel shows bits: in hexadecimal, and without `0x` in Linux 6.4 to 6.18
/// (`v9fs_show_options` in `fs/9p/v9fs.c`).
fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

/// Whether a text fits a pattern in which `*` stands for any text.
///
/// The work is bounded by the product of both lengths.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    true
}

/// The two numbers by which kernel releases are ordered: `6.12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    major: u32,
    minor: u32,
}

impl KernelVersion {
    /// Reads the beginning of a `uname -r`.
    #[must_use]
    pub fn parse(release: &str) -> Option<Self> {
        let (major, rest) = release.split_once('.')?;
        let minor = rest.split(|character: char| !character.is_ascii_digit()).next()?;
        Some(KernelVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl<'de> Deserialize<'de> for KernelVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("no kernel version {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("9p", "9p", true),
            ("9p", "9p2000", false),
            ("fuse.*", "fuse.sshfs", true),
            ("fuse.*", "fuse", false),
            ("*-orbstack*", "6.1-orbstack-00", true),
            ("fs-*.efs.*", "fs-12.efs.eu-1.amazonaws.com:/", true),
            ("fs-*.efs.*", "fs-12.nfs.example:/", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn option_patterns_name_keys_values_and_bits() {
        for (pattern, option, fits) in [
            ("nobrl", "nobrl", true),
            ("nobrl", "nobrlx", false),
            ("soft", "soft=1", true),
            ("cache=mmap|loose", "cache=loose", true),
            ("cache=mmap|loose", "cache=none", false),
            ("cache=&0x4", "cache=0x5", true),
            ("cache=&0x4", "cache=5", true),
            ("cache=&0x4", "cache=0x1", false),
            ("cache=&0x4", "cache=f", true),
            ("cache=&0x8", "cache=2f", true),
            ("cache=&0x8", "cache=0x5", false),
            ("cache=&0x4", "cache=mmap", false),
            ("cache=mmap|loose", "mmap", true),
            ("cache=mmap|loose", "fscache", false),
            ("cache=none", "none", false),
            ("aname=drvfs*", "aname=drvfs;path=C:\\", true),
        ] {
            assert_eq!(option_holds(pattern, option), fits, "{pattern} {option}");
        }
    }

    #[test]
    fn kernel_versions_are_ordered_by_number() {
        let parse = |text| KernelVersion::parse(text).unwrap();
        assert!(parse("6.9.12-arch1") < parse("6.12.0"));
        assert!(parse("6.12-rc5") >= parse("6.12"));
        assert_eq!(KernelVersion::parse("release"), None);
    }
}
