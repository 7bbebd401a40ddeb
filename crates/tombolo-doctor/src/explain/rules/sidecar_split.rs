//! `-wal` or `-shm` was separated from its database, or deleted under it.
//!
//! Mounting only the database file leaves its sidecars in another directory. Deleting `-wal` or
//! `-shm` loses every commit that was still in it, and under a running writer makes two
//! generations of WAL. Tools that synchronise or clean directories do the same.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    if facts.says(Sign::SingleFileMount) {
        case.speaks(92, "only the database file is mounted, so -wal and -shm land elsewhere");
    }
    if facts.says(Sign::DirectoryForFile) && facts.cannot_open() {
        case.against(70);
    }
    let replaced = facts.number(1032) || facts.says(Sign::ReplacedWhileOpen);
    if facts.says(Sign::SingleFileMount) && facts.rollback() && replaced {
        // Without WAL nothing but the file itself is bound, by its old inode.
        case.against(70);
    }
    if facts.says(Sign::SingleFileMount) && facts.rollback() && facts.says(Sign::OwnerMismatch) {
        // Without WAL it is the journal that cannot be made.
        case.against(35);
    }
    if facts.says(Sign::SidecarsGone) {
        case.speaks(72, "-wal or -shm was deleted, replaced or left behind");
        if facts.corrupt() || facts.says(Sign::LostData) {
            case.speaks(15, "and data were harmed");
        }
    }
    if facts.says(Sign::ReplacedWhileOpen) && facts.wal() && facts.corrupt() {
        case.speaks(45, "in WAL mode the -wal of the file that was there is replayed into the new");
    }
    if facts.on(FileSystem::SyncedFolder) && (facts.corrupt() || facts.says(Sign::LostData)) {
        case.speaks(62, "programs that keep folders in step copy the three files one by one");
    }
    if facts.reads_a_live_file() {
        // SQLite does not look at -wal then, whether it is there or not.
        case.against(60);
    }
    if facts.says(Sign::RawAccess) {
        // Then it is the locks that were lost.
        case.against(50);
    }
    if facts.says(Sign::FileWentAway) {
        case.speaks(45, "a file that SQLite had open before was not there any more");
    }
    if facts.number(5898) {
        case.speaks(56, "somebody else deleted the journal of a running transaction");
    }
    if facts.number(1032) {
        case.speaks(35, "SQLITE_READONLY_DBMOVED: the file was replaced while open");
    }
}
