//! The pages of a database by its files alone: the file, and over it the committed frames of the
//! log, by a reading of the format that shares no code with the engine.

use super::log_of;
use std::path::Path;
use std::process::Command;

/// All pages, from page 1 on.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) page_size_bytes: u32,
    pub(crate) pages: Vec<Vec<u8>>,
}

impl Image {
    pub(crate) fn size_pages(&self) -> u32 {
        u32::try_from(self.pages.len()).expect("few")
    }

    pub(crate) fn page(&self, number: u32) -> Option<&Vec<u8>> {
        self.pages.get((number as usize).checked_sub(1)?)
    }

    /// The pages that another state has otherwise, or has not.
    pub(crate) fn differing(&self, other: &Image) -> Vec<u32> {
        let most = self.size_pages().max(other.size_pages());
        (1..=most).filter(|number| self.page(*number) != other.page(*number)).collect()
    }

    /// The free pages whose contents mean nothing (file format, section 1.5).
    pub(crate) fn free_leaves(&self) -> Vec<u32> {
        let mut leaves = Vec::new();
        let mut trunk = self.page(1).map_or(0, |page| word(page, 32));
        while trunk != 0 {
            let page = self.page(trunk).expect("a trunk");
            leaves.extend((0..word(page, 4) as usize).map(|leaf| word(page, 8 + 4 * leaf)));
            trunk = word(page, 0);
        }
        leaves
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Image) {
        assert_eq!(self.page_size_bytes, other.page_size_bytes);
        assert_eq!(self.pages.len(), other.pages.len(), "sizes in pages");
        let differing = self.differing(other);
        assert!(differing.is_empty(), "pages {differing:?} differ");
    }
}

/// The bytes of a file, read by another process; none where it is not there.
fn bytes(path: &Path) -> Vec<u8> {
    Command::new("cat").arg(path).output().expect("cat runs").stdout
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(bytes[offset..offset + 4].try_into().expect("four"))
}

/// The state that SQLite would show now. Nobody may be writing.
pub(crate) fn image(database: &Path) -> Image {
    let file = bytes(database);
    let log = bytes(&log_of(database));
    let page_size = if log.len() >= 32 {
        word(&log, 8) as usize
    } else {
        match u16::from_be_bytes(file[16..18].try_into().expect("two")) {
            1 => 65_536,
            size => usize::from(size),
        }
    };
    let page_size_bytes = u32::try_from(page_size).expect("small");
    let mut pages: Vec<Vec<u8>> = file
        .chunks(page_size)
        .map(|page| {
            let mut page = page.to_vec();
            page.resize(page_size, 0);
            page
        })
        .collect();
    for (size, frames) in commits(&log, page_size) {
        for (number, page) in frames {
            let index = number as usize - 1;
            if pages.len() <= index {
                pages.resize(index + 1, vec![0; page_size]);
            }
            pages[index] = page;
        }
        pages.resize(size as usize, vec![0; page_size]);
    }
    let lock_page = 0x4000_0000 / page_size;
    if let Some(page) = pages.get_mut(lock_page) {
        page.fill(0);
    }
    if pages.len() == 1 && word(&pages[0], 40) == 0 && word(&pages[0], 60) == 0 {
        // Nothing but what bringing it into WAL mode has written.
        pages.clear();
    }
    Image { page_size_bytes, pages }
}

type Frames = Vec<(u32, Vec<u8>)>;

/// The committed transactions of the log, each with the size of the database after it.
fn commits(log: &[u8], page_size: usize) -> Vec<(u32, Frames)> {
    if log.len() < 32 {
        return Vec::new();
    }
    let big_endian = word(log, 0) & 1 == 1;
    let mut sum = checksum((0, 0), &log[..24], big_endian);
    let salts = &log[16..24];
    let (mut done, mut open) = (Vec::new(), Vec::new());
    for frame in log[32..].chunks_exact(24 + page_size) {
        sum = checksum(sum, &frame[..8], big_endian);
        sum = checksum(sum, &frame[24..], big_endian);
        if frame[8..16] != *salts || (word(frame, 16), word(frame, 20)) != sum {
            break;
        }
        open.push((word(frame, 0), frame[24..].to_vec()));
        if word(frame, 4) != 0 {
            done.push((word(frame, 4), std::mem::take(&mut open)));
        }
    }
    done
}

fn checksum(start: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let (mut first, mut second) = start;
    for pair in bytes.chunks_exact(8) {
        let part = |offset: usize| {
            let word = word(pair, offset);
            if big_endian { word } else { word.swap_bytes() }
        };
        first = first.wrapping_add(part(0)).wrapping_add(second);
        second = second.wrapping_add(part(4)).wrapping_add(first);
    }
    (first, second)
}
