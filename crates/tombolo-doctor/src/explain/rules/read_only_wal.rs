//! A WAL database is read where `-shm` cannot be created.
//!
//! Even a reader of a WAL database needs `-shm`. On a read-only mount, in an image or in a
//! directory without write permission it works only while the sidecars exist and a writer lives,
//! or with `immutable=1` on a file that nobody can change (sqlite.org/wal.html, "Read-Only
//! Databases").

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let wal = facts.wal() || facts.says(Sign::Wal);
    let place = facts.says(Sign::ReadOnlyPlace);
    if place && wal {
        case.speaks(75, "the database is in WAL mode and its directory is read-only");
    } else if place {
        case.speaks(35, "the directory is read-only");
    } else if facts.says(Sign::ReadOnlyOpen) && wal {
        case.speaks(48, "the database is in WAL mode and is opened only to read");
        if facts.says(Sign::OwnerMismatch) {
            case.speaks(25, "and the reader may not write where it lies");
        }
    }
    if place && (facts.cannot_open() || facts.readonly()) {
        case.speaks(20, "the error is the one of a file that cannot be created");
    }
    let refused = facts.cannot_open() || facts.readonly();
    if facts.says(Sign::ReadOnlyOpen) && refused && !facts.rollback() {
        let points = if facts.says(Sign::MayOnlyRead) && !wal { 20 } else { 38 };
        case.speaks(points, "opened only to read, it still needs a file that cannot be created");
    }
    if facts.says(Sign::Immutable) && refused && !facts.rollback() {
        case.speaks(50, "with `immutable=1` SQLite needs neither -shm nor a lock");
    }
    if facts.number(1544)
        || facts.number(264)
        || facts.number(1288)
        || facts.number(776)
        || facts.number(520)
    {
        case.speaks(45, "recovery or the creation of sidecars was refused");
        if wal && !place {
            case.speaks(25, "and the database is in WAL mode");
        }
    }
    if facts.says(Sign::ReadOnlyOpen) && facts.on(FileSystem::HypervisorShare) {
        case.speaks(25, "a share whose maps are refused serves a reader");
    }
    if facts.reads_a_live_file() {
        // It reads without locks what another program writes.
        case.against(60);
    }
    if facts.says(Sign::SingleFileMount) {
        // What lies beside the file is another place.
        case.against(40);
    }
    if facts.rollback() || facts.says(Sign::NoTemporaryDirectory) || facts.number(6410) {
        case.against(40);
    }
}
