//! A trace that one process writes for all that it watches.
//!
//! Each record goes to its place at once, so that what was seen is in the file when the writer is
//! killed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use tombolo_core::trace::layout::{
    BLOCK_BYTES, BLOCK_START_BYTES, BlockStart, CLAIMED_OFFSET, HEADER_BYTES, LENGTH_BYTES,
    LOST_OFFSET,
};
use tombolo_core::trace::record::{RECORD_BYTES_MAX, Record};

/// The trace.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    limit_blocks: u64,
    claimed: u64,
    lost: u64,
}

/// Where the records of one process go.
#[derive(Debug)]
pub(super) struct Place {
    process: u32,
    began_ns: u64,
    /// The number of the block, and how much of it is used; `None` before the first record.
    block: Option<(u64, usize)>,
}

impl Place {
    /// `process` began to be recorded at this time.
    pub(super) fn new(process: u32, began_ns: u64) -> Self {
        Place { process, began_ns, block: None }
    }

    /// Monotonic time as this process's records have it.
    pub(super) fn relative(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.began_ns)
    }

    /// Whether nothing was written.
    pub(super) fn is_fresh(&self) -> bool {
        self.block.is_none()
    }
}

impl Writer {
    /// Writes into a trace that has a header and no blocks.
    pub(super) fn new(file: File, limit_blocks: u64) -> Self {
        Writer { file, limit_blocks, claimed: 0, lost: 0 }
    }

    /// Adds a record; one that finds no room is counted.
    pub(super) fn add(&mut self, place: &mut Place, record: &Record<'_>) {
        if !matches!(self.try_add(place, record), Ok(true)) {
            self.lost += 1;
            let _ = self.file.write_all_at(&self.lost.to_le_bytes(), LOST_OFFSET as u64);
        }
    }

    /// Whether there was room.
    fn try_add(&mut self, place: &mut Place, record: &Record<'_>) -> io::Result<bool> {
        let mut buffer = [0; RECORD_BYTES_MAX + LENGTH_BYTES];
        let (length_bytes, body) = buffer.split_at_mut(LENGTH_BYTES);
        let length = record.encode(body).and_then(|length| u16::try_from(length).ok());
        let Some(length) = length else { return Ok(false) };
        length_bytes.copy_from_slice(&length.to_le_bytes());
        let bytes = buffer.get(..LENGTH_BYTES + usize::from(length)).unwrap_or_default();
        let (block, used) = match place.block {
            Some((block, used)) if used + bytes.len() <= BLOCK_BYTES => (block, used),
            _ => match self.begin_block(place)? {
                Some(block) => (block, BLOCK_START_BYTES),
                None => return Ok(false),
            },
        };
        place.block = Some((block, used + bytes.len()));
        self.file.write_all_at(bytes, offset_of(block) + used as u64)?;
        Ok(true)
    }

    fn begin_block(&mut self, place: &Place) -> io::Result<Option<u64>> {
        if self.claimed >= self.limit_blocks {
            return Ok(None);
        }
        let block = self.claimed;
        self.claimed += 1;
        self.file.write_all_at(&self.claimed.to_le_bytes(), CLAIMED_OFFSET as u64)?;
        let start = BlockStart { process: place.process, began_ns: place.began_ns };
        // The blocks have a size of their own, also where the rest was never written.
        self.file.set_len(offset_of(self.claimed))?;
        self.file.write_all_at(&start.to_bytes(), offset_of(block))?;
        Ok(Some(block))
    }
}

fn offset_of(block: u64) -> u64 {
    HEADER_BYTES as u64 + block * BLOCK_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::trace::layout::Header;
    use tombolo_core::trace::read::Trace;
    use tombolo_core::trace::record::{File as Named, FileKind, Message, Process};

    #[test]
    fn what_was_written_is_read_and_what_found_no_room_is_counted() {
        let file = tempfile::tempfile().expect("a file");
        let header = Header { limit_blocks: 2, ..Header::default() };
        file.write_all_at(&header.to_bytes(), 0).expect("written");
        let mut writer = Writer::new(file.try_clone().expect("a copy"), 2);
        let (mut one, mut other) = (Place::new(7, 100), Place::new(8, 200));
        let path = b"/d/a.db";
        writer.add(&mut one, &Record::Process(Process { parent: 1, program: b"/bin/app" }));
        let named = Named { number: 1, kind: FileKind::Database, path };
        writer.add(&mut one, &Record::File(named));
        let text = [b'x'; 2000];
        let message = Record::Message(Message { thread: 7, at_ns: 3, code: 1, text: &text });
        for _ in 0..40 {
            writer.add(&mut one, &message);
        }
        writer.add(&mut other, &message);
        let mut bytes = vec![0; usize::try_from(file.metadata().expect("there").len()).unwrap()];
        file.read_exact_at(&mut bytes, 0).expect("read");
        let trace = Trace::read(&bytes).expect("a trace");
        assert_eq!((trace.messages.len(), trace.header.lost), (40, 1));
        assert_eq!((trace.processes.len(), trace.unread), (1, 0));
        assert_eq!(trace.messages[0].at_ns, 103);
    }
}
