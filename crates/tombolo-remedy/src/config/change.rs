//! What is wanted, as data.

use std::fmt;
use std::str::FromStr;

/// A wanted change of a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The option stands there, with this value and no other.
    Set(MountOption),
    /// The option does not stand there; without a value, with none at all.
    Drop(MountOption),
    /// The directory is mounted in place of the single file in it.
    BindDirectory,
    /// A named volume of the container tool in place of a directory of the host.
    NamedVolume(VolumeName),
    /// virtiofs in place of 9p.
    Virtiofs,
    /// This directory of the host in place of the one that a container is given.
    Source(HostPath),
    /// The share is no longer mounted, or no longer offered.
    Detach,
}

/// An option of a mount: a name, perhaps with a value. Neither holds a character that means
/// something in any of the formats, so that it needs no quotes anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOption {
    name: String,
    value: Option<String>,
}

/// The name of a volume of a container tool. One letter would be the drive of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeName(String);

/// A directory of a host: absolute, and plain everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(String);

/// Why a text is no option or name that is written anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} has a character that is not written into configuration files")]
pub struct NotPlain(String);

const LENGTH_MAX: usize = 255;

/// Whether a text holds letters, digits and these other characters alone, and is no option.
pub(crate) fn is_plain(text: &str, others: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    !text.is_empty()
        && text.len() <= LENGTH_MAX
        && text.as_bytes().first().is_some_and(|byte| *byte != b'-')
        && text.bytes().all(plain)
}

impl MountOption {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether an option as it stands in a file has this name.
    pub(super) fn names(&self, option: &str) -> bool {
        option.split('=').next() == Some(&self.name)
    }

    /// Whether an option as it stands in a file is meant to be dropped.
    pub(super) fn covers(&self, option: &str) -> bool {
        match &self.value {
            None => self.names(option),
            Some(_) => option == self.to_string(),
        }
    }
}

impl fmt::Display for MountOption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(formatter, "{}", self.name),
            Some(value) => write!(formatter, "{}={value}", self.name),
        }
    }
}

impl FromStr for MountOption {
    type Err = NotPlain;

    fn from_str(text: &str) -> Result<Self, NotPlain> {
        let (name, value) = match text.split_once('=') {
            None => (text, None),
            Some((name, value)) => (name, Some(value)),
        };
        let fits = is_plain(name, b"._-")
            && value.is_none_or(|value| {
                // A colon at the end would make a key of a text of YAML.
                is_plain(value, b"._-/:+") && !value.ends_with(':')
            });
        let option = MountOption { name: name.to_owned(), value: value.map(str::to_owned) };
        if fits { Ok(option) } else { Err(NotPlain(text.to_owned())) }
    }
}

impl VolumeName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VolumeName {
    type Err = NotPlain;

    fn from_str(text: &str) -> Result<Self, NotPlain> {
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if begins && text.len() > 1 && is_plain(text, b"_-") {
            Ok(VolumeName(text.to_owned()))
        } else {
            Err(NotPlain(text.to_owned()))
        }
    }
}

impl HostPath {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostPath {
    type Err = NotPlain;

    fn from_str(text: &str) -> Result<Self, NotPlain> {
        if text.starts_with('/') && is_plain(text, b"._-/+@") {
            Ok(HostPath(text.to_owned()))
        } else {
            Err(NotPlain(text.to_owned()))
        }
    }
}

impl Change {
    /// Only changes of options, or the refusal of a kind of file that cannot say the others.
    pub(super) fn is_option(&self) -> bool {
        matches!(self, Change::Set(_) | Change::Drop(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_file_is_no_option() {
        for good in ["soft", "cache=mmap", "vers=4.2", "cache.files=auto-full", "direct-io"] {
            assert_eq!(good.parse::<MountOption>().unwrap().to_string(), good);
        }
        for bad in [
            "", "=", "a=", "a b", "a,b", "a\nb", "a#", "a;b", "$(x)", "%h", "a'b", "-a", "a=\\",
            "a=b:",
        ] {
            assert!(bad.parse::<MountOption>().is_err(), "{bad:?}");
        }
        assert!("app-data".parse::<VolumeName>().is_ok());
        for bad in ["", "7", "d", "./x", "a:b", "a/b"] {
            assert!(bad.parse::<VolumeName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_option_without_a_value_is_dropped_with_any() {
        let option = |text: &str| text.parse::<MountOption>().unwrap();
        assert!(option("cache").covers("cache=loose") && option("cache").covers("cache"));
        assert!(!option("cache").covers("cachetag=x"));
        assert!(option("cache=loose").covers("cache=loose"));
        assert!(!option("cache=loose").covers("cache=mmap"));
    }
}
