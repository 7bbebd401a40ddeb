//! Who uses the database.
//!
//! On this kernel the programs that have it open can be found. Of another kernel only signs can:
//! files that change by nobody's hand, locks of nobody here, a claim.

use crate::copy;
use crate::error::Error;
use crate::files;
use crate::state::Place;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::report::Opener;
use tombolo_os::lock::{self, Holder};
use tombolo_os::read;

/// How long the files are watched for changes. NFS shows the size and time of a file as they were
/// up to 3 s ago unless it is opened afresh (`acregmin` in nfs(5)), which is done here.
const WATCHED: Duration = Duration::from_millis(1500);

/// Finds the programs of this kernel that have a database open.
pub trait Watch {
    /// Looks at the programs that run now.
    ///
    /// # Errors
    /// Why none could be looked at, in words.
    fn look(&mut self, database: &Path) -> Result<Programs, String>;
}

/// The programs of this kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// Those that have the database open.
    pub openers: Vec<Opener>,
    /// How many may not be looked at, as those of other users.
    pub not_seen: usize,
}

/// What a step needs of programs that may not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing: SQLite's own locks keep them out while it works.
    Locked,
    /// That there are none. A program that has a file open goes on to write to it under whatever
    /// name it has by then.
    Refused,
}

/// What to think of other kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Look for signs, and believe them.
    Look,
    /// The user says that no other kernel uses it.
    AssumeUnused,
}

/// A sign that a program of another kernel uses the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A file changed while nobody here had it open.
    Changing {
        /// Its name.
        name: String,
    },
    /// A lock is held on the database by no program of this kernel.
    Locked,
    /// An owner has claimed it: `NAME-tombolo` stands beside it.
    Claimed,
}

impl fmt::Display for Sign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Changing { name } => write!(formatter, "{name} changes"),
            Sign::Locked => write!(formatter, "it is locked"),
            Sign::Claimed => write!(formatter, "an owner has claimed it"),
        }
    }
}

/// Makes sure that nobody uses a database, as far as that can be known.
///
/// # Errors
/// [`Error::InUse`], [`Error::UseNotKnown`], [`Error::UsedElsewhere`], and what the kernel said.
pub fn check(
    place: &Place,
    watch: &mut dyn Watch,
    elsewhere: Elsewhere,
    unseen: Unseen,
) -> Result<(), Error> {
    let programs = watch.look(&place.target()).map_err(Error::UseNotKnown)?;
    if !programs.openers.is_empty() {
        return Err(Error::InUse(programs.openers));
    }
    match elsewhere {
        Elsewhere::AssumeUnused => Ok(()),
        Elsewhere::Look if programs.not_seen > 0 && unseen == Unseen::Refused => {
            let count = programs.not_seen;
            let some = if count == 1 { "program" } else { "programs" };
            let text = format!("{count} {some} may not be looked at");
            Err(Error::UseNotKnown(text))
        }
        Elsewhere::Look => match signs(place)? {
            signs if signs.is_empty() => Ok(()),
            signs => Err(Error::UsedElsewhere(signs)),
        },
    }
}

/// Signs of use, which take [`WATCHED`] to be seen.
fn signs(place: &Place) -> Result<Vec<Sign>, Error> {
    let before = looks(place)?;
    let end = Instant::now() + WATCHED;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
    let after = looks(place)?;
    let mut signs: Vec<Sign> = files::ALL
        .iter()
        .zip(before.iter().zip(&after))
        .filter(|(_, (before, after))| before != after)
        .map(|(suffix, _)| Sign::Changing { name: format!("{}{suffix}", place.name) })
        .collect();
    if locked(&place.target())? {
        signs.push(Sign::Locked);
    }
    if place.beside("-tombolo").is_dir() {
        signs.push(Sign::Claimed);
    }
    Ok(signs)
}

/// A file as it is: size, time, and its first bytes, in which SQLite counts.
type Look = Option<(u64, u64, Vec<u8>)>;

fn looks(place: &Place) -> Result<Vec<Look>, Error> {
    const START_BYTES: usize = 136;
    let look = |suffix: &&str| {
        let path = place.beside(suffix);
        let Some(state) = copy::look(&path)? else { return Ok(None) };
        let start = match read::open(&path) {
            Ok(opened) => opened.bytes_at(0, START_BYTES)?,
            Err(_) => Vec::new(),
        };
        Ok(Some((state.size_bytes, state.modified_ns, start)))
    };
    files::ALL.iter().map(look).collect()
}

/// Whether somebody holds one of SQLite's locks. A file system that cannot say so says no.
fn locked(database: &Path) -> Result<bool, Error> {
    let opened = read::open(database).map_err(copy::read_error)?;
    Ok(matches!(lock::query(opened.file(), files::LOCKED), Ok(Holder::Process(_))))
}
