//! Pages of one version.

use crate::owner::engine::{Changes, PageNumber};
use std::collections::{HashMap, VecDeque};

/// Pages, at most so many bytes of them; those that were not looked at for longest go first.
///
/// 1. `order` holds each number of `pages` at least once; numbers without a page are skipped.
#[derive(Debug)]
pub struct Cache {
    pages: HashMap<PageNumber, Entry>,
    order: VecDeque<PageNumber>,
    bytes: usize,
    bytes_max: usize,
    /// Memory of the page that went last, for the next one.
    spare: Option<Box<[u8]>>,
    window: Window,
}

/// Pages side by side that are looked at once: a scan of more than the cache has room for does not
/// push out what is looked at again and again.
///
/// 1. A page that is in `pages` as well is the same there.
#[derive(Debug, Default)]
struct Window {
    first: PageNumber,
    page_size: usize,
    bytes: Vec<u8>,
}

impl Window {
    fn get(&self, number: PageNumber) -> Option<&[u8]> {
        if self.bytes.is_empty() {
            return None;
        }
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let begin = index.checked_mul(self.page_size)?;
        self.bytes.get(begin..begin.checked_add(self.page_size)?)
    }
}

#[derive(Debug)]
struct Entry {
    page: Box<[u8]>,
    looked_at: bool,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Cache {
            pages: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
            spare: None,
            window: Window::default(),
        }
    }

    pub(super) fn get(&mut self, number: PageNumber) -> Option<&[u8]> {
        match self.pages.get_mut(&number) {
            Some(entry) => {
                entry.looked_at = true;
                Some(&entry.page)
            }
            None => self.window.get(number),
        }
    }

    /// Whether so many bytes more would push nothing out.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// Keeps pages side by side from `first` on until the next such, or until one of them changes.
    pub(super) fn keep_window(&mut self, first: PageNumber, page_size: usize, bytes: &[u8]) {
        (self.window.first, self.window.page_size) = (first, page_size);
        self.window.bytes.clear();
        self.window.bytes.extend_from_slice(bytes);
    }

    pub(super) fn insert(&mut self, number: PageNumber, page: &[u8]) {
        self.remove(number);
        self.bytes += page.len();
        let page = match self.spare.take() {
            Some(mut spare) if spare.len() == page.len() => {
                spare.copy_from_slice(page);
                spare
            }
            _ => page.into(),
        };
        self.pages.insert(number, Entry { page, looked_at: false });
        self.order.push_back(number);
        self.evict(number);
    }

    pub(super) fn remove(&mut self, number: PageNumber) {
        if self.window.get(number).is_some() {
            self.window.bytes.clear();
        }
        if let Some(entry) = self.pages.remove(&number) {
            self.bytes -= entry.page.len();
            self.spare = Some(entry.page);
        }
    }

    pub(super) fn clear(&mut self) {
        self.window.bytes.clear();
        self.pages.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// Drops what is not as it was.
    pub(super) fn apply(&mut self, changes: &Changes) {
        match changes {
            Changes::All => self.clear(),
            Changes::Pages(pages) => pages.iter().for_each(|page| self.remove(*page)),
        }
    }

    /// Keeps to the size. The page that was put in last stays: it is about to be read.
    fn evict(&mut self, last: PageNumber) {
        while self.bytes > self.bytes_max && self.pages.len() > 1 {
            let Some(number) = self.order.pop_front() else { return };
            let Some(entry) = self.pages.get_mut(&number) else { continue };
            if std::mem::take(&mut entry.looked_at) || number == last {
                self.order.push_back(number);
            } else {
                self.remove(number);
            }
        }
        // Pages that were put in again leave their old places behind.
        if self.order.len() > 2 * self.pages.len() + 16 {
            let mut seen = std::collections::HashSet::new();
            self.order.retain(|number| self.pages.contains_key(number) && seen.insert(*number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_to_its_size_and_what_is_looked_at() {
        let mut cache = Cache::new(10 * 512);
        for number in 1..=1000 {
            cache.insert(number, &[number as u8; 512]);
            assert!(cache.bytes <= 10 * 512);
            assert!(cache.get(1).is_some_and(|page| page[0] == 1), "{number}");
        }
        assert!(cache.get(1000).is_some());
        assert!(cache.get(500).is_none());
        assert!(cache.order.len() <= 50, "{}", cache.order.len());
    }

    #[test]
    fn a_page_that_was_put_in_stays_until_it_is_read() {
        let mut cache = Cache::new(10 * 512);
        for number in 1..=1000 {
            cache.insert(number, &[number as u8; 512]);
            assert!(cache.get(number).is_some(), "{number}");
        }
    }

    #[test]
    fn a_page_put_in_again_is_counted_once() {
        let mut cache = Cache::new(10 * 512);
        for _ in 0..1000 {
            cache.insert(1, &[1; 512]);
        }
        assert_eq!((cache.bytes, cache.pages.len()), (512, 1));
        assert!(cache.order.len() < 50);
        cache.apply(&Changes::Pages(vec![1, 2]));
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn a_cache_without_room_holds_one_page() {
        let mut cache = Cache::new(0);
        cache.insert(1, &[1; 512]);
        cache.insert(2, &[2; 512]);
        assert!(cache.get(1).is_none());
        assert!(cache.get(2).is_some());
    }

    #[test]
    fn a_window_is_there_until_a_page_of_it_changes_and_pushes_nothing_out() {
        let mut cache = Cache::new(2 * 512);
        cache.insert(1, &[1; 512]);
        assert!(cache.has_room_for(512) && !cache.has_room_for(513));
        let window: Vec<u8> = [[7; 512], [8; 512], [9; 512]].concat();
        cache.keep_window(5, 512, &window);
        let shown = [4, 5, 6, 7, 8].map(|number| cache.get(number).map(|page| page[0]));
        assert_eq!(shown, [None, Some(7), Some(8), Some(9), None]);
        assert_eq!(cache.get(1).map(|page| page[0]), Some(1));
        cache.insert(6, &[3; 512]);
        assert_eq!(cache.get(6).map(|page| page[0]), Some(3));
        assert_eq!(cache.get(5), None, "all of it is dropped");
        cache.keep_window(5, 512, &window);
        cache.apply(&Changes::Pages(vec![7]));
        assert_eq!(cache.get(5), None);
        cache.keep_window(5, 512, &window);
        cache.apply(&Changes::All);
        assert_eq!(cache.get(5), None);
    }
}
