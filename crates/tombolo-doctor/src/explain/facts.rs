//! What a report says, as facts that the rules can ask for.

use super::calls::{self, Call, FailedCall};
use super::codes;
use super::conclusions;
use super::mounts::{self, Mounts};
use super::openers::{self, Kernels};
use super::place;
use super::scan::{self, Meaning, Mention, Use};
use super::sign::{FileSystem, Sign};
use super::text::{self, Text};
use super::tone::{self, Tone};
use super::wording;
use crate::knowledge::option_holds;
use std::collections::{BTreeMap, BTreeSet};
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::result_code::ResultCode;

/// Journal mode, as far as the report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    Wal,
    Rollback,
    NotTold,
}

/// The facts of one report.
#[derive(Debug)]
pub(super) struct Facts {
    /// The file system that holds the database.
    pub(super) file_system: Option<FileSystem>,
    /// Every file system said to be in use; the holder's among them.
    pub(super) file_systems: BTreeSet<FileSystem>,
    pub(super) codes: Vec<ResultCode>,
    pub(super) calls: Vec<FailedCall>,
    pub(super) kernels: Kernels,
    pub(super) journal: Journal,
    pub(super) mounts: Mounts,
    pub(super) database: Option<String>,
    /// The application, where a label names it. For the steps of a remedy only: no rule reads it.
    pub(super) application: Option<String>,
    pub(super) tone: Tone,
    /// The words, and pairs of words that follow each other: see [`wording::words`].
    pub(super) words: BTreeMap<String, String>,
    signs: BTreeSet<Sign>,
    denied: BTreeSet<FileSystem>,
    contrasted: BTreeSet<FileSystem>,
}

impl Facts {
    /// Reads a report. Linear in its length.
    pub(super) fn read(raw: &str) -> Self {
        let text = Text::new(raw);
        let mentions = scan::scan(&text);
        let mounts = mounts::find(&text);
        let mut signs: BTreeSet<Sign> = mentions
            .iter()
            .filter(|one| {
                !matches!(one.usage, Use::Denied | Use::Feared)
                    || is_refusal(&text, one)
                    || is_absence(&text, one)
            })
            .filter(|one| place::is_about(&text, one))
            .filter(|one| {
                let before = || text.plain.get(..one.start).unwrap_or("");
                one.meaning != Meaning::Says(Sign::ReadOnlyOpen) || !codes::is_state(before())
            })
            .filter_map(|one| match one.meaning {
                Meaning::Says(sign) => Some(sign),
                Meaning::On(_) => None,
            })
            .collect();
        read_options(&mounts, &mut signs);
        let holder = suspected(&text, place::holder(&text, &mentions, &mounts), &signs);
        signs.extend(conclusions::drawn(&text, &mentions, holder, &signs));
        if signs.contains(&Sign::DoubtOnly) {
            // Then harm is what somebody fears, and not what has happened.
            use Sign::{
                Corrupt, DatabaseTrouble, Hang, LostData, MappedPageFault, Slow, StorageStall,
            };
            for feared in
                [Corrupt, DatabaseTrouble, Hang, LostData, MappedPageFault, Slow, StorageStall]
            {
                signs.remove(&feared);
            }
        }
        if signs.contains(&Sign::LockServiceRuns) {
            signs.remove(&Sign::LockService);
        }
        let on = |usage: Use| {
            mentions.iter().filter(move |one| one.usage == usage).filter_map(|one| {
                match one.meaning {
                    Meaning::On(kind) => Some(kind),
                    Meaning::Says(_) => None,
                }
            })
        };
        let mut file_systems: BTreeSet<FileSystem> = on(Use::Asserted).collect();
        file_systems.extend(mounts.lines.iter().map(|line| line.kind));
        file_systems.extend(holder);
        let several = match signs.contains(&Sign::SeveralKernels) {
            true => openers::Phrase::Several,
            false => openers::Phrase::None,
        };
        Facts {
            file_system: holder,
            file_systems,
            codes: codes::find(&text),
            calls: calls::find(&text),
            kernels: openers::find(&text, holder, several),
            journal: journal(&text, &signs),
            database: mounts::database_path(&text),
            application: application(&text),
            tone: tone::read(&text, &mentions, holder.is_some_and(weighs_tone)),
            words: wording::words(&text),
            denied: on(Use::Denied).collect(),
            contrasted: on(Use::Contrasted).collect(),
            mounts,
            signs,
        }
    }

    pub(super) fn says(&self, sign: Sign) -> bool {
        self.signs.contains(&sign)
    }

    pub(super) fn says_any(&self, signs: &[Sign]) -> bool {
        signs.iter().any(|sign| self.says(*sign))
    }

    /// An option keeps the requests from the server, and nothing is refused any more.
    pub(super) fn lock_requests_silenced(&self) -> bool {
        self.says_any(&[Sign::NoLock, Sign::NoByteRangeLocks]) && self.says(Sign::NoErrorNow)
    }

    /// The file is opened as one that never changes, is not refused, and another program writes it.
    pub(super) fn reads_a_live_file(&self) -> bool {
        let refused = self.busy() || self.cannot_open() || self.readonly();
        self.says(Sign::Immutable) && self.says(Sign::ManyProcesses) && !refused
    }

    pub(super) fn on(&self, kind: FileSystem) -> bool {
        self.file_system == Some(kind)
    }

    pub(super) fn on_any(&self, kinds: &[FileSystem]) -> bool {
        kinds.iter().any(|kind| self.on(*kind))
    }

    /// Whether the holder is of a class, such as [`FileSystem::is_vm_share`].
    pub(super) fn on_class(&self, class: fn(FileSystem) -> bool) -> bool {
        self.file_system.is_some_and(class)
    }

    /// Whether the report says that no share is involved.
    pub(super) fn share_denied(&self) -> bool {
        self.denied.iter().any(|kind| !kind.is_local())
    }

    /// Whether the report says that all is well on this kind.
    pub(super) fn works_on(&self, kind: FileSystem) -> bool {
        self.contrasted.contains(&kind)
    }

    /// The report has neither a code, a failed call, options nor a journal mode.
    pub(super) fn bare(&self) -> bool {
        self.codes.is_empty()
            && self.calls.is_empty()
            && self.mounts.lines.is_empty()
            && self.journal == Journal::NotTold
            && !self.says_any(&[Sign::Wal, Sign::Rollback])
    }

    /// A lock or a map failed in a way that no owner or mode explains.
    pub(super) fn lock_or_map_failed(&self) -> bool {
        let refused = |errno: &Errno| matches!(*errno, Errno::EACCES | Errno::EPERM);
        [5386, 3850].into_iter().any(|number| self.number(number))
            || self
                .calls
                .iter()
                .filter(|failed| matches!(failed.call, Call::Lock | Call::Map))
                .any(|failed| !refused(&failed.errno))
    }

    /// What the file system is called in a sentence.
    pub(super) fn place(&self) -> &'static str {
        self.file_system.map_or("the file system", FileSystem::name)
    }

    pub(super) fn number(&self, number: u16) -> bool {
        self.codes.iter().any(|code| code.number() == number)
    }

    /// Whether a code of this family was named.
    pub(super) fn family(&self, primary: ResultCode) -> bool {
        self.codes.iter().any(|code| code.primary() == primary)
    }

    /// "disk I/O error" and no word on which call failed.
    pub(super) fn bare_io_error(&self) -> bool {
        self.codes.contains(&ResultCode::IOERR)
    }

    pub(super) fn busy(&self) -> bool {
        self.family(ResultCode::BUSY)
    }

    pub(super) fn corrupt(&self) -> bool {
        self.family(ResultCode::CORRUPT)
            || self.family(ResultCode::NOTADB)
            || self.says(Sign::Corrupt)
    }

    pub(super) fn cannot_open(&self) -> bool {
        self.family(ResultCode::CANTOPEN)
    }

    pub(super) fn readonly(&self) -> bool {
        self.family(ResultCode::READONLY)
    }

    /// The error is about a statement or a call of the API, and not about a file.
    pub(super) fn statement_error(&self) -> bool {
        // SQLITE_ERROR, NOMEM, INTERRUPT, SCHEMA, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, RANGE.
        const OF_STATEMENTS: &[u16] = &[1, 7, 9, 17, 18, 19, 20, 21, 25];
        let statement = |code: &ResultCode| OF_STATEMENTS.contains(&code.primary().number());
        let named = self.codes.iter().any(|code| statement(code) && code.number() != 1);
        (named || self.says(Sign::SqlError)) && self.codes.iter().all(statement) && !self.corrupt()
    }

    /// The file or its directory refuses, and nothing else is wrong.
    pub(super) fn refused_only(&self) -> bool {
        (self.readonly() || self.cannot_open())
            && !(self.busy() || self.bare_io_error() || self.corrupt())
    }

    /// A write failed that had to succeed, in whatever words.
    pub(super) fn failing_write(&self) -> bool {
        self.family(ResultCode::IOERR) || self.family(ResultCode::PROTOCOL)
    }

    /// The error of a failed call of this kind.
    pub(super) fn failed(&self, call: Call) -> Option<Errno> {
        self.calls.iter().find(|failed| failed.call == call).map(|failed| failed.errno)
    }

    /// Whether anything at all went wrong.
    pub(super) fn trouble(&self) -> bool {
        !self.codes.is_empty()
            || !self.calls.is_empty()
            || self.says_any(&[
                Sign::DatabaseTrouble,
                Sign::Corrupt,
                Sign::LostData,
                Sign::Hang,
                Sign::StaleContent,
                Sign::MappedPageFault,
                Sign::Stale,
            ])
    }

    /// "database is locked", "locking protocol", or an I/O error of a lock call.
    pub(super) fn family_of_locks(&self) -> bool {
        self.busy() || self.family(ResultCode::PROTOCOL) || self.number(3850)
    }

    pub(super) fn several(&self) -> bool {
        self.kernels == Kernels::Several
    }

    pub(super) fn wal(&self) -> bool {
        self.journal == Journal::Wal
    }

    pub(super) fn rollback(&self) -> bool {
        self.journal == Journal::Rollback
    }

    pub(super) fn signs(&self) -> impl Iterator<Item = Sign> {
        self.signs.iter().copied()
    }
}

/// Places of which a complaint, or that there is none, says something.
fn weighs_tone(kind: FileSystem) -> bool {
    use FileSystem::{Fat, OtherFuse, Sshfs, Unikernel};
    kind.is_local() || matches!(kind, Fat | OtherFuse | Sshfs | Unikernel)
}

fn application(text: &Text) -> Option<String> {
    let named = text.lines().find_map(|line| text::after_label(line, text::OF_APPLICATION))?;
    Some(text::head(named.trim(), 80).to_owned()).filter(|name| !name.is_empty())
}

pub(super) fn journal(text: &Text, signs: &BTreeSet<Sign>) -> Journal {
    for line in text.lines() {
        let Some(mode) = text::after_label(line, &["journal_mode", "journal mode", "journal"])
        else {
            continue;
        };
        let mode = mode.trim();
        let wal = mode.starts_with("wal");
        let rollback = ["delete", "truncate", "persist"].iter().any(|name| mode.starts_with(name));
        let both = mode.contains("wal") && mode.contains("delete");
        if both {
            return Journal::NotTold;
        }
        if wal || rollback {
            return if wal { Journal::Wal } else { Journal::Rollback };
        }
    }
    match (signs.contains(&Sign::Wal), signs.contains(&Sign::Rollback)) {
        (true, false) => Journal::Wal,
        (false, true) => Journal::Rollback,
        _ => Journal::NotTold,
    }
}

/// The file system that options and hosts give away where no name does.
fn suspected(
    text: &Text,
    holder: Option<FileSystem>,
    signs: &BTreeSet<Sign>,
) -> Option<FileSystem> {
    let vague = holder.is_none_or(|kind| kind == FileSystem::UnnamedShare);
    // Only the CIFS client has this option.
    if signs.contains(&Sign::NoByteRangeLocks) && vague {
        return Some(FileSystem::Smb);
    }
    let in_a_vm = signs.contains(&Sign::DesktopHost) && signs.contains(&Sign::Container);
    let unnamed = holder.is_none_or(|kind| kind == FileSystem::HypervisorShare);
    if unnamed && in_a_vm {
        return Some(FileSystem::DesktopShare);
    }
    // "a directory of the host" is a share only where somebody is not on the host.
    const ELSEWHERE: &[&str] = &[
        "guest",
        "vm",
        "virtual",
        "mac",
        "windows",
        "parallels",
        "utm",
        "hyper-v",
        "hypervisor",
        "qemu",
        "vmware",
        "vagrant",
        "lima",
        "share",
        "shared",
    ];
    let container = signs.contains(&Sign::Container);
    let of_host = holder == Some(FileSystem::HypervisorShare) && container;
    holder.filter(|_| !of_host || ELSEWHERE.iter().any(|word| text.plain.contains(word)))
}

/// "there is no nlockmgr": that a service is not there is what such a phrase is about.
fn is_absence(text: &Text, mention: &Mention) -> bool {
    const SERVICES: &[&str] =
        &["lockd", "statd", "rpc.statd", "rpcbind", "nlockmgr", "lock manager", "lock service"];
    let phrase = text.plain.get(mention.start..mention.end).unwrap_or("");
    mention.usage == Use::Denied
        && mention.meaning == Meaning::Says(Sign::LockService)
        && SERVICES.contains(&phrase)
}

/// "could not acquire a lock": the denial is what the phrase is about.
fn is_refusal(text: &Text, mention: &Mention) -> bool {
    const VERBS: &[&str] = &["acquire", "obtain", "get a lock"];
    let phrase = text.plain.get(mention.start..mention.end).unwrap_or("");
    mention.usage == Use::Denied
        && mention.meaning == Meaning::Says(Sign::LocksRefused)
        && VERBS.iter().any(|verb| phrase.starts_with(verb))
}

/// What the options of mount lines and the volumes of compose files say.
fn read_options(mounts: &Mounts, signs: &mut BTreeSet<Sign>) {
    if mounts.single_file {
        signs.insert(Sign::SingleFileMount);
    }
    if mounts.read_only {
        signs.insert(Sign::ReadOnlyPlace);
    }
    for line in &mounts.lines {
        // As the kernel lists it: `mmap` alone before Linux 6.4, a number after. Without any, it is
        // `cache=none` (Documentation/filesystems/9p.rst).
        let cached =
            line.options.iter().any(|one| option_holds("cache=mmap|loose|fscache|&0x4", one));
        if line.kind == FileSystem::NineP && !cached {
            signs.insert(Sign::NoPageCache);
        }
        for option in &line.options {
            match option.as_str() {
                "ro" => signs.insert(Sign::ReadOnlyPlace),
                "soft" => signs.insert(Sign::SoftMount),
                "nolock" => signs.insert(Sign::NoLock),
                "nobrl" => signs.insert(Sign::NoByteRangeLocks),
                _ => false,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_a_9p_mount_is_read_as_the_kernel_lists_it() {
        let cached = |options: &str| {
            let report = format!("share /data 9p rw,relatime,trans=virtio{options} 0 0");
            !Facts::read(&report).says(Sign::NoPageCache)
        };
        for options in [",mmap", ",loose", ",cache=fscache", ",cache=f", ",cache=0x5"] {
            assert!(cached(options), "{options}");
        }
        for options in ["", ",cache=none", ",cache=1", ",access=client"] {
            assert!(!cached(options), "{options}");
        }
    }

    #[test]
    fn journal_mode_comes_from_its_label_first() {
        assert_eq!(Facts::read("journal_mode: DELETE\nno -wal file").journal, Journal::Rollback);
        assert_eq!(Facts::read("PRAGMA journal_mode=WAL").journal, Journal::Wal);
        assert_eq!(Facts::read("journal_mode: unknown").journal, Journal::NotTold);
    }
}
