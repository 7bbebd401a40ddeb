//! Rigs as data: `matrix.toml`, or a file of the user's own.

use super::MatrixError;
use crate::error::LabError;
use crate::lab::Lab;
use crate::shares::{Rig, Share};
use serde::Deserialize;

/// The rigs that the lab knows.
const OWN: &str = include_str!("../../matrix.toml");

/// Most clients of a rig.
const GUESTS_MAX: u8 = 2;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rig: Vec<RigData>,
}

/// One rig: a share with its options, who mounts it, and under which kernels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RigData {
    /// What it is called on the command line: lower-case letters, digits, hyphens.
    pub name: String,
    /// What the table calls it.
    pub title: String,
    /// Whether it belongs to the quick set.
    #[serde(default)]
    pub quick: bool,
    /// How many guests mount it. Ignored for shares that are mounted on the host.
    #[serde(default = "two")]
    pub guests: u8,
    /// How the releases of its kernels begin, as in `6.1.`; each gives a row. Empty: the newest.
    #[serde(default)]
    pub kernels: Vec<String>,
    pub(crate) share: Share,
}

fn two() -> u8 {
    GUESTS_MAX
}

impl RigData {
    /// The rows that it gives: the beginnings of the releases of its kernels.
    #[must_use]
    pub fn releases(&self) -> Vec<&str> {
        if self.kernels.is_empty() || self.share.is_on_host() {
            return vec![""];
        }
        self.kernels.iter().map(String::as_str).collect()
    }

    /// Serves a directory of the lab and has it mounted by these guests, on the newest kernel whose
    /// release begins so.
    ///
    /// # Errors
    /// When something is missing on this machine, then with what brings it; or when a server or a
    /// guest does not come up.
    pub fn bring_up(&self, lab: &Lab, kernel: &str) -> Result<Rig, LabError> {
        self.share.bring_up(lab, kernel, self.guests)
    }
}

/// The rigs of this text, or the lab's own.
///
/// # Errors
/// When it is not TOML, has keys that nobody knows or lacks some, names a rig twice, or asks for
/// more guests than a rig has.
pub fn rigs(text: Option<&str>) -> Result<Vec<RigData>, MatrixError> {
    let file: File = toml::from_str(text.unwrap_or(OWN))
        .map_err(|source| MatrixError::Data(Box::new(source)))?;
    for (index, rig) in file.rig.iter().enumerate() {
        let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        let wrong = if rig.name.is_empty() || !rig.name.chars().all(fits) {
            "is no name: lower-case letters, digits, hyphens"
        } else if file.rig[..index].iter().any(|other| other.name == rig.name) {
            "is there twice"
        } else if rig.guests == 0 || rig.guests > GUESTS_MAX {
            "has one guest or two"
        } else {
            continue;
        };
        return Err(MatrixError::Rig { name: rig.name.clone(), wrong });
    }
    Ok(file.rig)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIG: &str = "[[rig]]\nname = 'a'\ntitle = 'A'\n";

    fn refused(text: &str) -> String {
        rigs(Some(text)).expect_err("refused").to_string()
    }

    #[test]
    fn the_labs_own_rigs_are_sound() {
        let rigs = rigs(None).expect("sound");
        assert!(rigs.len() >= 25, "{}", rigs.len());
        let quick: Vec<_> =
            rigs.iter().filter(|rig| rig.quick).map(|of| of.name.as_str()).collect();
        assert_eq!(quick, ["9p-none", "9p-loose", "virtiofs-c-none", "smb-strict"]);
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused_wherever_it_stands() {
        let share = "share = { kind = 'virtfs', cache = 'none' }\n";
        assert_eq!(rigs(Some(&format!("{RIG}{share}"))).expect("sound")[0].guests, 2);
        assert!(refused(&format!("{RIG}{share}colour = 'red'\n")).contains("colour"));
        let share = "share = { kind = 'virtfs', cach = 'none' }\n";
        assert!(refused(&format!("{RIG}{share}")).contains("cach"));
        assert!(refused(&format!("{RIG}share = {{ kind = 'floppy' }}\n")).contains("floppy"));
        assert!(refused(RIG).contains("share"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let share = "share = { kind = 'local' }\n";
        assert!(refused(&format!("{RIG}{share}{RIG}{share}")).contains("twice"));
        assert!(refused(&format!("{RIG}guests = 3\n{share}")).contains("one guest or two"));
        assert!(
            refused("[[rig]]\nname = 'A b'\ntitle = 'A'\nshare.kind = 'local'\n").contains("A b")
        );
    }
}
