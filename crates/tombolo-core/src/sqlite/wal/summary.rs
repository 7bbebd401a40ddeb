//! Following the chain of frames as the bytes stream by.

use super::{Checksum, FRAME_HEADER_BYTES, FrameHeader, PageOne, WalHeader};
use crate::sqlite::header::HEADER_BYTES;

/// What a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalSummary {
    /// The header of the log.
    pub header: WalHeader,
    /// Frames of the chain: salts and checksums agree.
    pub frames: u64,
    /// Frames up to and with the last commit. SQLite reads these and no others.
    pub committed_frames: u64,
    /// Size of the database in pages after the last commit; `None` without a commit.
    pub committed_size_pages: Option<u32>,
    /// The checksum at the last commit; that of the header without one.
    pub committed_checksum: Checksum,
    /// The start of page 1 as of the last commit; `None` if no committed frame is of page 1. It
    /// can say another journal mode and size than the database file.
    pub committed_page_one: Option<PageOne>,
    /// Where and why the chain ends.
    pub end: ChainEnd,
}

/// Why the chain of frames ends. None of these is damage by itself: a writer may be at work, a
/// transaction may have been rolled back after its pages had overflowed into the log, or a power
/// failure may have cut it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainEnd {
    /// With the last frame of the file.
    EndOfFile,
    /// Inside a frame, of which so many bytes are there.
    PartialFrame {
        /// Bytes of the incomplete frame.
        bytes: u64,
    },
    /// At a frame of another generation: the log was restarted and has not yet grown this far.
    OtherSalts,
    /// At a frame for page 0, which does not exist.
    PageZero,
    /// At a frame of this generation whose checksum does not hold.
    Checksum {
        /// Frames further on that carry the salts of this generation and end a transaction, among
        /// those that were looked at. After a rollback there are none: committed transactions lie
        /// beyond the break, where SQLite does not see them.
        later_commits: u64,
    },
}

/// Whether a [`Summariser`] can learn more from further bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Yes.
    Wanting,
    /// No: every further byte belongs to an older generation.
    Done,
}

/// Which part of a frame comes next.
#[derive(Clone, Copy, Debug)]
enum Part {
    Header,
    Page { frame: FrameHeader, left_bytes: usize },
}

/// Follows the chain. Feed it everything after the header of the log, in pieces of any size; it
/// keeps some 300 bytes, however long the log is.
#[derive(Clone, Debug)]
pub struct Summariser {
    summary: WalSummary,
    checksum: Checksum,
    part: Part,
    /// What was fed of a header or of a pair of words that is not yet complete.
    carry: [u8; FRAME_HEADER_BYTES],
    carried_bytes: usize,
    /// The start of the page being read, if it is page 1.
    page_one: PageOne,
    /// The start of the last whole page 1 after the last commit.
    pending_page_one: Option<PageOne>,
}

impl Summariser {
    /// Begins behind the header.
    #[must_use]
    pub fn new(header: WalHeader) -> Self {
        Summariser {
            summary: WalSummary {
                header,
                frames: 0,
                committed_frames: 0,
                committed_size_pages: None,
                committed_checksum: header.checksum,
                committed_page_one: None,
                end: ChainEnd::EndOfFile,
            },
            checksum: header.checksum,
            part: Part::Header,
            carry: [0; FRAME_HEADER_BYTES],
            carried_bytes: 0,
            page_one: [0; HEADER_BYTES],
            pending_page_one: None,
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Progress {
        while !bytes.is_empty() && self.progress() == Progress::Wanting {
            bytes = match self.part {
                Part::Header => self.take_header(bytes),
                Part::Page { frame, left_bytes } => self.take_page(frame, left_bytes, bytes),
            };
        }
        self.progress()
    }

    /// What was learnt, when the file has no more bytes.
    #[must_use]
    pub fn finish(self) -> WalSummary {
        let page_size_bytes = self.summary.header.page_size_bytes as usize;
        let partial_bytes = match self.part {
            Part::Header => self.carried_bytes,
            Part::Page { left_bytes, .. } => {
                FRAME_HEADER_BYTES + page_size_bytes - left_bytes + self.carried_bytes
            }
        };
        let end = match self.summary.end {
            ChainEnd::EndOfFile if partial_bytes > 0 => {
                ChainEnd::PartialFrame { bytes: partial_bytes as u64 }
            }
            end => end,
        };
        WalSummary { end, ..self.summary }
    }

    fn progress(&self) -> Progress {
        match self.summary.end {
            ChainEnd::OtherSalts | ChainEnd::PageZero => Progress::Done,
            _ => Progress::Wanting,
        }
    }

    fn broken(&self) -> bool {
        self.summary.end != ChainEnd::EndOfFile
    }

    /// Moves bytes into `carry` until it holds `wanted_bytes`; says whether it does, and what is
    /// left of the input.
    fn fill<'a>(&mut self, wanted_bytes: usize, bytes: &'a [u8]) -> (bool, &'a [u8]) {
        let free = self.carry.get_mut(self.carried_bytes..wanted_bytes).unwrap_or_default();
        let taken_bytes = free.len().min(bytes.len());
        let (taken, rest) = bytes.split_at(taken_bytes);
        for (target, byte) in free.iter_mut().zip(taken) {
            *target = *byte;
        }
        self.carried_bytes += taken_bytes;
        let full = self.carried_bytes == wanted_bytes;
        if full {
            self.carried_bytes = 0;
        }
        (full, rest)
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (full, rest) = self.fill(FRAME_HEADER_BYTES, bytes);
        if full && let Some(frame) = FrameHeader::parse(&self.carry) {
            self.begin(frame);
        }
        rest
    }

    fn begin(&mut self, frame: FrameHeader) {
        let header = self.summary.header;
        let ours = frame.salts == header.salts;
        if !self.broken() {
            if !ours {
                self.summary.end = ChainEnd::OtherSalts;
            } else if frame.page_number == 0 {
                self.summary.end = ChainEnd::PageZero;
            }
            let (covered, _) = self.carry.split_at(8);
            self.checksum = self.checksum.over(covered, header.checksum_order);
        } else if let ChainEnd::Checksum { later_commits } = &mut self.summary.end
            && ours
            && frame.page_number > 0
            && frame.commit_size_pages > 0
        {
            *later_commits += 1;
        }
        self.part = Part::Page { frame, left_bytes: header.page_size_bytes as usize };
    }

    fn take_page<'a>(
        &mut self,
        frame: FrameHeader,
        left_bytes: usize,
        bytes: &'a [u8],
    ) -> &'a [u8] {
        let whole_bytes = left_bytes.min(bytes.len()) & !7;
        if self.broken() {
            let skipped_bytes = left_bytes.min(bytes.len());
            self.advance(frame, left_bytes, skipped_bytes);
            return bytes.get(skipped_bytes..).unwrap_or_default();
        }
        if self.carried_bytes > 0 || whole_bytes == 0 {
            let (full, rest) = self.fill(8, bytes);
            if full && let Some(pair) = self.carry.first_chunk::<8>().copied() {
                self.absorb(frame, left_bytes, &pair);
            }
            return rest;
        }
        let (whole, rest) = bytes.split_at(whole_bytes);
        self.absorb(frame, left_bytes, whole);
        rest
    }

    /// Goes over bytes of a page, a multiple of 8 of them.
    fn absorb(&mut self, frame: FrameHeader, left_bytes: usize, bytes: &[u8]) {
        let header = self.summary.header;
        self.checksum = self.checksum.over(bytes, header.checksum_order);
        if frame.page_number == 1 {
            let offset = header.page_size_bytes as usize - left_bytes;
            let target = self.page_one.get_mut(offset..).unwrap_or_default();
            for (target, byte) in target.iter_mut().zip(bytes) {
                *target = *byte;
            }
        }
        self.advance(frame, left_bytes, bytes.len());
    }

    fn advance(&mut self, frame: FrameHeader, left_bytes: usize, taken_bytes: usize) {
        let left_bytes = left_bytes - taken_bytes;
        if left_bytes > 0 {
            self.part = Part::Page { frame, left_bytes };
            return;
        }
        self.part = Part::Header;
        if !self.broken() {
            self.end_frame(frame);
        }
    }

    fn end_frame(&mut self, frame: FrameHeader) {
        if self.checksum != frame.checksum {
            self.summary.end = ChainEnd::Checksum { later_commits: 0 };
            return;
        }
        self.summary.frames += 1;
        if frame.page_number == 1 {
            self.pending_page_one = Some(self.page_one);
        }
        if frame.commit_size_pages > 0 {
            self.summary.committed_frames = self.summary.frames;
            self.summary.committed_size_pages = Some(frame.commit_size_pages);
            self.summary.committed_checksum = self.checksum;
            if let Some(page_one) = self.pending_page_one.take() {
                self.summary.committed_page_one = Some(page_one);
            }
        }
    }
}
