//! What takes a sentence or a line to say, and not only a phrase.

use super::calm;
use super::clearance;
use super::contention;
use super::course;
use super::cures;
use super::facts::{Journal, journal};
use super::handles;
use super::load;
use super::locks;
use super::losses;
use super::maps;
use super::place;
use super::readback;
use super::rights;
use super::scan::Mention;
use super::sentence::{Sentence, sentences};
use super::sidecars;
use super::sign::{FileSystem, Sign};
use super::text::{self, Text};
use super::turns;
use super::versions::{self, Versions};
use std::collections::BTreeSet;

/// What the sentences of a text say.
pub(super) fn drawn(
    text: &Text,
    mentions: &[Mention],
    holder: Option<FileSystem>,
    signs: &BTreeSet<Sign>,
) -> Vec<Sign> {
    let line = |says: fn(&str) -> bool| text.lines().any(says);
    let alone = || journal(text, signs) == Journal::Wal && sidecars::copied_alone(text);
    let unnamed = holder.is_none_or(place::is_vague);
    let said = sentences(text);
    let versions = versions::told_apart(text, holder, &said);
    let orphan =
        locks::nobody_holds(&said) && locks::copy_is_free(&said) || locks::holder_is_gone(&said);
    let found = [
        (Sign::ManyProcesses, contention::found(text) || contention::coincides(&said)),
        (Sign::Slow, line(syncs_slowly) || course::takes_long(text, &said)),
        (Sign::StorageStall, course::storage_stalls(&said)),
        (Sign::SyncRefused, course::sync_refused(&said)),
        (Sign::StorageStall, line(sync_stalls) || line(syncs_slowly)),
        (Sign::Hang, line(waits_for_minutes) || course::hangs(&said)),
        (Sign::LostData, losses::found(&said)),
        (Sign::StaleContent, maps::differs(&said)),
        (Sign::MapsSpokenOf, said.iter().any(maps::spoken_of)),
        (Sign::ReadOnlyOpen, rights::only_reads(&said)),
        (Sign::PremadeWal, line(brought_in_wal_mode)),
        (Sign::BusyAtWal, line(busy_at_wal)),
        (Sign::IoErrorAtWal, line(io_error_at_wal)),
        (Sign::FileWentAway, line(file_went_away)),
        (Sign::SidecarsGone, sidecars::parted(text) || alone()),
        (Sign::ProgramVersion, versions == Some(Versions::Program)),
        (Sign::SidecarsGone, sidecars::two_names(&said) || sidecars::taken_apart(&said)),
        (Sign::CuredWithoutLocks, cures::without_locks(text)),
        (Sign::WithoutLocksWanted, cures::without_locks_wanted(text)),
        (Sign::CuredByPageCache, cures::by_page_cache(text)),
        (Sign::CuredByOwner, cures::by_owner(text)),
        (Sign::LostWithContainer, course::lost_with_container(text)),
        (Sign::WorksSlowly, course::works_slowly(text)),
        (Sign::RebootCures, cures::reboot(text)),
        (Sign::SameElsewhere, cures::same_elsewhere(text)),
        (
            Sign::PlatformChanged,
            versions::platform_changed(text, holder) || versions == Some(Versions::Platform),
        ),
        (Sign::DriverChanged, versions::driver_changed(text)),
        (Sign::OldKernel, versions::old_kernel(text)),
        (Sign::MountNotTold, unnamed && place::left_open(text, mentions)),
        (Sign::PoolPathTold, holder == Some(FileSystem::Shfs) && place::pool_path_told(text)),
        (Sign::MapFailed, maps::refused(&said)),
        (Sign::MappedStore, maps::store(text)),
        (Sign::LocksRefused, locks::refused(&said)),
        (Sign::FlockOff, locks::absent(&said)),
        (Sign::LocksRefused, locks::absent(&said)),
        (Sign::LocksIgnored, locks::ignored(&said)),
        (Sign::DatabaseTrouble, course::database_fails(&said)),
        (Sign::OrphanLock, orphan),
        (
            Sign::RightsAreRight,
            rights::are_right(&said) && !signs.contains(&Sign::PermissionDenied),
        ),
        (Sign::SingleFileMount, sidecars::file_mounted(&said)),
        (Sign::KernelBug, versions::other_client_does_well(&said)),
        (Sign::OwnerMismatch, rights::are_wrong(&said)),
        (Sign::WrongPath, rights::path_is_wrong(&said)),
        (Sign::NotWritable, rights::not_writable(&said)),
    ];
    let found = found.into_iter().filter(|(_, said)| *said).map(|(sign, _)| sign);
    found.chain(of_course(text, &said)).chain(of_situation(text, &said)).collect()
}

/// What the sentences say of how it began, what ends it, and whose fault it is.
fn of_course(text: &Text, said: &[Sentence<'_>]) -> Vec<Sign> {
    let sound = clearance::check_passed(said) && clearance::goes_on(said);
    let found = [
        (Sign::ReplacedWhileOpen, handles::replaced_while_open(said)),
        (Sign::FailsAfterWhile, handles::restart_heals(said)),
        (Sign::OtherProgramHolds, cures::closing(said)),
        (Sign::FailsAtOnce, cures::new_files_fail(said)),
        (Sign::SinceReboot, cures::since_reboot(text)),
        (Sign::Cleared, clearance::found(said)),
        (Sign::FoundSound, sound),
        (Sign::OldLibrary, versions::old_library(text)),
        (Sign::SinceUpgrade, versions::since_upgrade(said)),
        (Sign::WalSinceVersion, versions::wal_since(text)),
        (Sign::ForeignDriver, versions::foreign_driver(said)),
        (Sign::KernelBug, versions::owned_up_to(said) || versions::mended_below(said)),
        (Sign::ProgramVersion, turns::program_version(text, said)),
        (Sign::SettingDecides, turns::setting(said)),
        (Sign::ProgramDefect, turns::program_owns_up(said)),
        (Sign::DamagedBefore, turns::hardware_fails(said)),
        (Sign::RawAccess, turns::raw_access(said)),
        (Sign::BuildsDiffer, turns::builds_differ(said)),
        (Sign::ProgramPart, turns::program_part(said)),
        (Sign::OtherProgramHolds, turns::waits_for_other(said)),
        (Sign::FactsAskedFor, turns::facts_asked_for(said)),
    ];
    found.into_iter().filter(|(_, said)| *said).map(|(sign, _)| sign).collect()
}

/// What the sentences say of the surroundings: load, comparisons, doubts.
fn of_situation(text: &Text, said: &[Sentence<'_>]) -> Vec<Sign> {
    let found = [
        (Sign::DoubtOnly, calm::found(text)),
        (Sign::LockServiceRuns, locks::service_runs(said)),
        (Sign::OtherLocalClean, readback::other_local_clean(said)),
        (Sign::NoErrorNow, text.lines().any(calm::says_none)),
        (Sign::ConstantWait, course::constant_wait(said)),
        (Sign::SqlError, said.iter().any(table_is_missing)),
        (Sign::Intermittent, course::intermittent(said)),
        (Sign::Loaded, load::loaded(said)),
        (Sign::FarServer, load::far(said)),
        (Sign::CuredByPatience, load::patience_helps(said)),
        (Sign::CuredByQuiet, load::quiet_helps(said)),
        (Sign::ReadsBackWrong, readback::differs(said)),
        (Sign::ComparedElsewhere, readback::compared(said)),
        (Sign::PlaceInDoubt, place::in_doubt(said)),
        (Sign::DirectoryForFile, rights::directory_for_file(said)),
        (Sign::RelativeUrl, course::relative_url(text)),
        (Sign::FailsLocallyToo, cures::same_on_local_disk(said)),
        (Sign::SchemaNotParsed, text.lines().any(schema_not_parsed)),
        (Sign::ReadOnlyPlace, rights::mounted_read_only(said)),
        (Sign::MayOnlyRead, rights::may_only_read(said)),
        (Sign::LockFileNotMade, rights::lock_file_not_made(said)),
    ];
    found.into_iter().filter(|(_, said)| *said).map(|(sign, _)| sign).collect()
}

/// "The table `main.user` does not exist".
fn table_is_missing(one: &Sentence<'_>) -> bool {
    one.near(&["table", "column", "tables", "relation"], &["exist", "exists"], 6) && one.denies()
}

/// "malformed database schema (x) - near "WHERE": syntax error": made by a newer SQLite than the
/// one that reads it.
fn schema_not_parsed(line: &str) -> bool {
    const PARSER: &[&str] =
        &["near \"", "syntax error", "near '", "unknown tokenizer", "no such module"];
    line.contains("malformed database schema") && PARSER.iter().any(|words| line.contains(words))
}

/// "PRAGMA journal_mode = WAL: database is locked", "failed executing PRAGMA journal_mode = 'wal'".
fn busy_at_wal(line: &str) -> bool {
    const FAILS: &[&str] = &["locked", "busy", "failed exec", "timed out", "timeout", "fails"];
    switches_to_wal(line)
        && FAILS.iter().any(|words| line.contains(words))
        && !line.contains("i/o error")
}

/// "failed to turn on WAL: disk I/O error".
fn io_error_at_wal(line: &str) -> bool {
    const ERRORS: &[&str] = &["i/o error", "io error", "ioerr", "errorio", "ioexception"];
    switches_to_wal(line) && ERRORS.iter().any(|words| line.contains(words))
}

/// "disk I/O error: no such file or directory". A file that was never there cannot be opened, which
/// is another error.
fn file_went_away(line: &str) -> bool {
    line.contains("disk i/o error: no such file")
}

fn switches_to_wal(line: &str) -> bool {
    const SWITCHES: &[&str] = &[
        "journal_mode",
        "journal mode",
        "to wal",
        "on wal",
        "enable wal",
        "enabling wal",
        "turning on wal",
        "switching to wal",
    ];
    line.contains("wal") && SWITCHES.iter().any(|words| line.contains(words))
}

/// "6 minutes waiting", "blocks for 20 min".
fn waits_for_minutes(line: &str) -> bool {
    const WAITS: &[&str] = &["wait", "hang", "block", "stall", "delay", "takes", "took", "stuck"];
    if !line.contains(" min") {
        return false;
    }
    let words: Vec<&str> = text::words(line).take(120).collect();
    let minutes = words.windows(2).any(|pair| {
        matches!(pair, [count, "minutes" | "minute" | "min" | "mins"]
            if count.starts_with(|letter: char| letter.is_ascii_digit()))
    });
    minutes && words.iter().any(|word| WAITS.iter().any(|stem| word.starts_with(stem)))
}

/// "fsync: median 173 ms", "each commit takes 2 s". A time-out is a setting, not a measurement.
fn syncs_slowly(line: &str) -> bool {
    const WRITES: &[&str] = &["fsync", "fdatasync", "commit", "flush"];
    if !WRITES.iter().any(|write| line.contains(write)) || line.contains("timeout") {
        return false;
    }
    let words: Vec<&str> = text::words(line).take(120).collect();
    words.windows(2).any(|pair| {
        let [count, unit] = pair else { return false };
        let count = count.parse::<u32>().unwrap_or(0);
        match *unit {
            "ms" => count >= 50,
            "s" | "sec" | "secs" | "seconds" => (1..600).contains(&count),
            _ => false,
        }
    })
}

/// "fdatasync stalls in strace", "blocked in fsync for 20 s".
fn sync_stalls(line: &str) -> bool {
    const SYNCS: &[&str] = &["fsync", "fdatasync", "sync_file_range"];
    const STALLS: &[&str] = &["stall", "block", "hang", "stuck", "wait"];
    SYNCS.iter().any(|call| line.contains(call))
        && text::words(line).take(120).any(|word| STALLS.iter().any(|stem| word.starts_with(stem)))
}

/// "WAL, created on another machine and uploaded".
fn brought_in_wal_mode(line: &str) -> bool {
    const CAME: &[&str] = &["uploaded", "upload", "copied", "brought"];
    const MADE: &[&str] = &["created", "made", "converted", "set", "prepared", "built", "already"];
    let mut words = text::words(line).take(80);
    line.contains("wal") && {
        let (mut wal, mut came, mut made) = (false, false, false);
        words.by_ref().for_each(|word| {
            wal |= word == "wal";
            came |= CAME.contains(&word);
            made |= MADE.contains(&word);
        });
        wal && came && made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_a_newer_version() {
        assert!(schema_not_parsed("malformed database schema (v) - near \"over\": syntax error"));
        assert!(!schema_not_parsed("malformed database schema (v)"));
    }

    #[test]
    fn a_table_that_is_missing_is_no_path() {
        assert!(table_is_missing(&Sentence::of("the table main.x does not exist")));
        assert!(!table_is_missing(&Sentence::of("the table exists")));
        assert!(!table_is_missing(&Sentence::of("the folder does not exist")));
    }
}
