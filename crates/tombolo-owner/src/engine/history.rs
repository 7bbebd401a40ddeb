//! Which pages changed from version to version, as far back as there is room.

use std::collections::VecDeque;
use tombolo_core::owner::engine::{Changes, PageNumber, Version};

/// Page numbers that are kept in all: 256 KiB of them.
pub(super) const PAGES_MAX: usize = 65_536;
/// Versions that are kept; those that changed nothing cost as well.
const VERSIONS_MAX: usize = 65_536;

/// What each of the last versions changed.
///
/// 1. The entries are of consecutive versions, the last one is of the newest.
/// 2. Together they have at most [`PAGES_MAX`] page numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    pages: usize,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    changes: Changes,
}

impl Entry {
    fn pages(&self) -> usize {
        match &self.changes {
            Changes::Pages(pages) => pages.len(),
            Changes::All => 0,
        }
    }
}

impl History {
    /// Adds what the version after the last one changed.
    pub(super) fn push(&mut self, version: Version, changes: Changes) {
        if self.entries.back().is_some_and(|last| last.version.0 + 1 != version.0) {
            self.entries.clear();
            self.pages = 0;
        }
        let changes = match changes {
            Changes::Pages(mut pages) => {
                pages.sort_unstable();
                pages.dedup();
                if pages.len() > PAGES_MAX { Changes::All } else { Changes::Pages(pages) }
            }
            Changes::All => Changes::All,
        };
        let entry = Entry { version, changes };
        self.pages += entry.pages();
        self.entries.push_back(entry);
        while self.pages > PAGES_MAX || self.entries.len() > VERSIONS_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.pages -= oldest.pages();
        }
    }

    /// The pages that differ between two versions, sorted, each once.
    pub(super) fn changes(&self, since: Version, until: Version) -> Changes {
        if since >= until {
            return Changes::Pages(Vec::new());
        }
        let (Some(first), Some(last)) = (self.entries.front(), self.entries.back()) else {
            return Changes::All;
        };
        if since.0 + 1 < first.version.0 || until > last.version {
            return Changes::All;
        }
        let from = usize::try_from(since.0 + 1 - first.version.0).unwrap_or(usize::MAX);
        let between = self.entries.iter().skip(from).take_while(|entry| entry.version <= until);
        let mut union: Vec<PageNumber> = Vec::new();
        for entry in between {
            match &entry.changes {
                Changes::Pages(pages) => union.extend(pages),
                Changes::All => return Changes::All,
            }
        }
        union.sort_unstable();
        union.dedup();
        Changes::Pages(union)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(pages: &[PageNumber]) -> Changes {
        Changes::Pages(pages.to_vec())
    }

    #[test]
    fn the_union_is_sorted_and_each_page_is_there_once() {
        let mut history = History::default();
        history.push(Version(2), pages(&[9, 3, 3]));
        history.push(Version(3), pages(&[]));
        history.push(Version(4), pages(&[1, 9]));
        let changes = |since, until| history.changes(Version(since), Version(until));
        assert_eq!(changes(1, 2), pages(&[3, 9]));
        assert_eq!(changes(1, 4), pages(&[1, 3, 9]));
        assert_eq!(changes(2, 3), pages(&[]));
        assert_eq!(changes(4, 4), pages(&[]));
        assert_eq!(changes(0, 2), Changes::All, "older than all that is known");
        assert_eq!(changes(3, 5), Changes::All, "of the future");
    }

    #[test]
    fn all_covers_whatever_is_beside_it() {
        let mut history = History::default();
        history.push(Version(2), pages(&[1]));
        history.push(Version(3), Changes::All);
        history.push(Version(4), pages(&[2]));
        assert_eq!(history.changes(Version(1), Version(4)), Changes::All);
        assert_eq!(history.changes(Version(2), Version(3)), Changes::All);
        assert_eq!(history.changes(Version(3), Version(4)), pages(&[2]));
    }

    #[test]
    fn what_takes_too_much_room_is_forgotten_from_the_oldest_on() {
        let many: Vec<PageNumber> = (1..=40_000).collect();
        let mut history = History::default();
        history.push(Version(2), pages(&many));
        history.push(Version(3), pages(&[7]));
        assert_eq!(history.changes(Version(1), Version(3)), pages(&many));
        history.push(Version(4), pages(&many));
        assert_eq!(history.changes(Version(1), Version(3)), Changes::All);
        assert_eq!(history.changes(Version(2), Version(4)), pages(&many));
        assert!(history.pages <= PAGES_MAX);
        let beyond: Vec<PageNumber> = (1..=70_000).collect();
        history.push(Version(5), pages(&beyond));
        assert_eq!(history.changes(Version(4), Version(5)), Changes::All);
        history.push(Version(6), pages(&[1]));
        assert_eq!(history.changes(Version(5), Version(6)), pages(&[1]));
    }
}
