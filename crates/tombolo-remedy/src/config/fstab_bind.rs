//! A directory that is mounted over another one, in the table of file systems: mount(8), fstab(5).

use super::field::Edit;
use super::fstab::{self, Entry};
use super::{Edited, Refusal, lines, same_path};
use std::fmt;
use std::str::FromStr;

/// A path that can stand in the table: absolute, and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePath(String);

/// Why a path cannot stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in a table of file systems")]
pub struct NoTablePath(String);

impl TablePath {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TablePath {
    type Err = NoTablePath;

    fn from_str(text: &str) -> Result<Self, NoTablePath> {
        if text.starts_with('/') && !text.contains(char::is_control) {
            Ok(TablePath(text.to_owned()))
        } else {
            Err(NoTablePath(text.to_owned()))
        }
    }
}

/// As it is written: what would end a field stands there as an octal number (getmntent(3)).
impl fmt::Display for TablePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            ' ' | '\\' => write!(formatter, "\\{:03o}", u32::from(character)),
            other => write!(formatter, "{other}"),
        })
    }
}

/// A directory and the one that it is mounted over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindMount {
    /// What is shown.
    pub from: TablePath,
    /// Where.
    pub over: TablePath,
    /// When it can be mounted.
    pub waits: Waits,
}

/// When a machine that starts can mount it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// With the disks.
    ForDisks,
    /// When there is a network: it stands on a file system of one.
    ForNetwork,
}

/// The line for a mount, where there is none yet.
///
/// # Errors
/// [`Refusal`] where something else is mounted there.
pub fn bind(text: &str, wanted: &BindMount) -> Result<Edited, Refusal> {
    let entries = fstab::entries(text);
    let mut there = entries.iter().filter(|entry| entry.is_at(&wanted.over));
    if let (Some(first), second) = (there.next(), there.next()) {
        if let Some(second) = second {
            return Err(Refusal::Twice {
                mount: wanted.over.as_str().to_owned(),
                first: lines::line_of(text, first.start()),
                second: lines::line_of(text, second.start()),
            });
        }
        if first.is_bind_of(&wanted.from) {
            return Ok(Edited::default());
        }
        let reason = format!("something else is mounted at {}", wanted.over.as_str());
        return Err(Refusal::unknown(text, first.start(), reason));
    }
    let (newline, before) = (lines::newline(text), text.chars().next_back());
    let break_before = if before.is_none_or(|last| last == '\n') { "" } else { newline };
    let line = wanted.line();
    let edit = Edit::insert(text.len(), format!("{break_before}{line}{newline}"));
    Ok(Edited { edits: vec![edit], notes: Vec::new() })
}

/// Takes the line out, wherever it stands by now and whatever its options are. None is none.
///
/// # Errors
/// [`Refusal`] where there are two.
pub fn unbind(text: &str, wanted: &BindMount) -> Result<Edited, Refusal> {
    let entries = fstab::entries(text);
    let is_it = |entry: &&Entry| entry.is_at(&wanted.over) && entry.is_bind_of(&wanted.from);
    let mut found = entries.iter().filter(is_it);
    match (found.next(), found.next()) {
        (None, _) => Ok(Edited::default()),
        (Some(entry), None) => {
            let edits = vec![Edit::replace(lines::whole(text, entry.start()), "")];
            Ok(Edited { edits, notes: Vec::new() })
        }
        (Some(first), Some(second)) => Err(Refusal::Twice {
            mount: wanted.over.as_str().to_owned(),
            first: lines::line_of(text, first.start()),
            second: lines::line_of(text, second.start()),
        }),
    }
}

impl BindMount {
    /// `nofail`: a machine whose share is gone starts all the same (systemd.mount(5)).
    fn line(&self) -> String {
        let network = match self.waits {
            Waits::ForDisks => "",
            Waits::ForNetwork => ",_netdev",
        };
        format!("{} {} none bind,nofail{network} 0 0", self.from, self.over)
    }
}

impl Entry {
    fn is_at(&self, over: &TablePath) -> bool {
        same_path(Some(self.field(1)), Some(over.as_str()))
    }

    fn is_bind_of(&self, from: &TablePath) -> bool {
        let bound = self.field(3).split(',').any(|option| option == "bind" || option == "rbind");
        bound && same_path(Some(self.field(0)), Some(from.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::edited;
    use proptest::prelude::*;

    fn wanted(from: &str, over: &str) -> BindMount {
        let path = |text: &str| text.parse().unwrap();
        BindMount { from: path(from), over: path(over), waits: Waits::ForDisks }
    }

    fn with(text: &str, mount: &BindMount) -> String {
        edited(text, &bind(text, mount).unwrap().edits).unwrap()
    }

    #[test]
    fn a_line_is_added_once_and_taken_out() {
        let mount = wanted("/var/lib/Media Server", "/mnt/share/app data");
        let line = "/var/lib/Media\\040Server /mnt/share/app\\040data none bind,nofail 0 0";
        for (before, after) in [
            ("", format!("{line}\n")),
            (
                "tag /mnt/share 9p defaults 0 0\n",
                format!("tag /mnt/share 9p defaults 0 0\n{line}\n"),
            ),
            ("# no end", format!("# no end\n{line}\n")),
            ("a /b ext4 x 0 0\r\n", format!("a /b ext4 x 0 0\r\n{line}\r\n")),
        ] {
            assert_eq!(with(before, &mount), after);
            assert!(bind(&after, &mount).unwrap().edits.is_empty());
            let edits = unbind(&after, &mount).unwrap().edits;
            assert_eq!(edited(&after, &edits).unwrap().trim_end(), before.trim_end());
        }
        let network = BindMount { waits: Waits::ForNetwork, ..mount.clone() };
        assert!(with("", &network).contains(" none bind,nofail,_netdev 0 0"));
        let changed =
            format!("a /b ext4 x 0 0\n{}\nc /d ext4 x 0 0\n", line.replace(",nofail", ""));
        let edits = unbind(&changed, &mount).unwrap().edits;
        assert_eq!(edited(&changed, &edits).unwrap(), "a /b ext4 x 0 0\nc /d ext4 x 0 0\n");
        assert!(unbind("a /b ext4 x 0 0\n", &mount).unwrap().edits.is_empty());
    }

    #[test]
    fn what_is_mounted_there_already_is_named_by_its_line() {
        let mount = wanted("/new", "/old");
        let refused = bind("# share\nserver:/e /old/ nfs hard 0 0\n", &mount).unwrap_err();
        assert!(refused.to_string().starts_with("line 2: something else"), "{refused}");
        let twice = "/new /old none bind 0 0\n/new /old none bind 0 0\n";
        assert!(matches!(bind(twice, &mount), Err(Refusal::Twice { first: 1, second: 2, .. })));
        assert!(matches!(unbind(twice, &mount), Err(Refusal::Twice { .. })));
        for path in ["old", "", "/a\nb", "/a\tb"] {
            assert!(path.parse::<TablePath>().is_err(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read_as_it_was_written(
            from in "/[^\\p{Cc}]{0,20}", over in "/[^\\p{Cc}]{1,20}", text in any::<String>(),
        ) {
            let mount = wanted(&from, &over);
            let Ok(found) = bind(&text, &mount) else { return Ok(()) };
            let after = edited(&text, &found.edits).unwrap();
            prop_assert!(bind(&after, &mount).unwrap().edits.is_empty(), "{:?}", after);
            let edits = unbind(&after, &mount).unwrap().edits;
            prop_assert_eq!(edits.len(), 1);
        }
    }
}
