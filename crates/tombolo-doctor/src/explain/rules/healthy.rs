//! Nothing is wrong.
//!
//! A block device over the network with a local file system on it and one mounter is local. A
//! warning without a symptom on a local file system is a false alarm.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let local = facts.on_class(FileSystem::is_local);
    let well = facts.says_any(&[Sign::Works, Sign::CheckPassed]);
    let failing = !facts.codes.is_empty()
        || !facts.calls.is_empty()
        || facts.says_any(&[Sign::Corrupt, Sign::LostData, Sign::Hang, Sign::Stale]);
    if well && !failing {
        case.speaks(45, "the text names no failure and says that it works");
    }
    if local && !failing {
        case.speaks(40, format!("{} with one kernel is what SQLite wants", facts.place()));
    }
    if facts.on(FileSystem::NetworkBlock) && !failing {
        case.speaks(15, "a block device with a local file system counts as local");
    }
    let split = facts.says_any(&[Sign::SingleFileMount, Sign::SidecarsGone]);
    if failing || split || facts.several() {
        case.against(50);
    }
    if facts.says(Sign::DatabaseTrouble) && !well {
        case.against(25);
    }
}
