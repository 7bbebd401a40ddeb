//! What an owner answers.

use super::fields::{Reader, Writer};
use super::limits::{CHANGES_MAX, TEXT_BYTES_MAX};
use super::request::{Incarnation, Pages};
use super::{Malformed, frame::Frame};
use crate::owner::engine::{Changes, Checkpointed, EngineError, PageNumber, Shape, Version};
use crate::sqlite::header::HEADER_BYTES;
use crate::sqlite::result_code::ResultCode;

/// What a session knows when its transaction begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Whose versions these are.
    pub incarnation: Incarnation,
    /// The version that it reads.
    pub version: Version,
    /// Page size, and size of the database in pages.
    pub shape: Shape,
    /// What changed since the version that the session had seen.
    pub changes: Changes,
    /// Whether the session has the turn.
    pub turn: Turn,
    /// Whether all of the version is as durable as its writers asked.
    pub state: Settled,
    /// Some of the changed pages, in the form of [`Pages`].
    pub pages: Vec<u8>,
}

/// Whether a session may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It has the turn.
    Granted,
    /// It has not.
    NotGranted,
    /// Nobody has, and it is not to be had for a moment: who asks for it waits.
    HeldBack,
}

/// Whether a version may be shown to whoever does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is as durable as its writers asked.
    Yes,
    /// Not yet: [`super::Request::Settle`] waits for it.
    No,
}

/// What came of asking for the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The session has it.
    Granted,
    /// Somebody else has, and the time is up.
    Busy,
    /// The session's snapshot is not the newest version: it has to begin again.
    Stale,
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the database, at this version, as durable as was asked.
    Committed(Version),
    /// It is not, and never will be: somebody else had committed.
    Conflict,
    /// It is not, and never will be, or the owner has never heard of it.
    NotCommitted,
    /// It was committed, but its sync failed or is under way.
    Unknown,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`super::Request::Hello`].
    Welcome {
        /// [`super::PROTOCOL`].
        protocol: u16,
    },
    /// To [`super::Request::Open`].
    Opened {
        /// Size of pages and of the database.
        shape: Shape,
        /// The first 100 bytes; zeros where the database has no page.
        header: Box<[u8; HEADER_BYTES]>,
    },
    /// To [`super::Request::Begin`] and [`super::Request::Await`].
    Begun(Begun),
    /// To [`super::Request::Read`]: whole pages from the first on, fewer at the end of the file.
    Pages(Vec<u8>),
    /// To [`super::Request::Reserve`] and [`super::Request::Await`].
    Reserved(Reservation),
    /// To [`super::Request::Commit`] and [`super::Request::Outcome`].
    Outcome(Outcome),
    /// To [`super::Request::Settle`]: it is.
    Settled,
    /// To [`super::Request::Prepare`]: it will be committed if its group is.
    Prepared,
    /// To [`super::Request::Checkpoint`].
    Checkpointed(Checkpointed),
    /// To [`super::Request::Status`].
    Status(Vec<u8>),
    /// To any of them: it was not done.
    Failed(EngineError),
}

/// The kind of [`Reply::Pages`].
const PAGES: u8 = 132;

impl Reply {
    /// Appends it as a frame.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut writer = Writer::new(into, self.kind());
        match self {
            Reply::Welcome { protocol } => {
                writer.u16(*protocol);
            }
            Reply::Opened { shape, header } => {
                write_shape(&mut writer, *shape).bytes(header.as_slice());
            }
            Reply::Begun(begun) => write_begun(&mut writer, begun),
            Reply::Pages(bytes) | Reply::Status(bytes) => {
                writer.bytes(bytes);
            }
            Reply::Reserved(reservation) => {
                writer.byte(match reservation {
                    Reservation::Granted => 0,
                    Reservation::Busy => 1,
                    Reservation::Stale => 2,
                });
            }
            Reply::Outcome(outcome) => {
                match outcome {
                    Outcome::Committed(version) => writer.byte(0).u64(version.0),
                    Outcome::Conflict => writer.byte(1).u64(0),
                    Outcome::NotCommitted => writer.byte(2).u64(0),
                    Outcome::Unknown => writer.byte(3).u64(0),
                };
            }
            Reply::Checkpointed(row) => {
                writer.byte(row.busy.into()).u32(row.log_frames).u32(row.checkpointed_frames);
            }
            Reply::Settled | Reply::Prepared => {}
            Reply::Failed(error) => {
                writer.u16(error.code.number()).u32(error.errno.unwrap_or(0).cast_unsigned());
                writer.text(error.message.as_bytes(), TEXT_BYTES_MAX);
            }
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Reply::Welcome { .. } => 129,
            Reply::Opened { .. } => 130,
            Reply::Begun(_) => 131,
            Reply::Pages(_) => PAGES,
            Reply::Reserved(_) => 133,
            Reply::Outcome(_) => 134,
            Reply::Checkpointed(_) => 135,
            Reply::Status(_) => 136,
            Reply::Failed(_) => 137,
            Reply::Settled => 138,
            Reply::Prepared => 139,
        }
    }

    /// The pages that a frame holds, where they stand, if it is a [`Reply::Pages`].
    #[must_use]
    pub fn pages(frame: Frame<'_>) -> Option<&[u8]> {
        (frame.kind == PAGES).then_some(frame.fields)
    }

    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(frame: Frame<'_>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame.kind, frame.fields);
        let reply = match frame.kind {
            129 => Reply::Welcome { protocol: reader.u16()? },
            130 => {
                let shape = read_shape(&mut reader)?;
                let header = reader.bytes(HEADER_BYTES)?;
                let header = header.try_into().map_err(|_| reader.invalid())?;
                Reply::Opened { shape, header: Box::new(header) }
            }
            131 => Reply::Begun(read_begun(&mut reader)?),
            PAGES => Reply::Pages(reader.rest().to_vec()),
            133 => Reply::Reserved(match reader.byte()? {
                0 => Reservation::Granted,
                1 => Reservation::Busy,
                2 => Reservation::Stale,
                _ => return Err(reader.invalid()),
            }),
            134 => {
                let (kind, version) = (reader.byte()?, Version(reader.u64()?));
                Reply::Outcome(match kind {
                    0 => Outcome::Committed(version),
                    1 => Outcome::Conflict,
                    2 => Outcome::NotCommitted,
                    3 => Outcome::Unknown,
                    _ => return Err(reader.invalid()),
                })
            }
            135 => {
                let busy = reader.flag()?;
                let (log_frames, checkpointed_frames) = (reader.u32()?, reader.u32()?);
                Reply::Checkpointed(Checkpointed { busy, log_frames, checkpointed_frames })
            }
            136 => Reply::Status(reader.rest().to_vec()),
            137 => {
                let code = ResultCode::from_number(reader.u16()?.into()).ok_or(reader.invalid())?;
                let errno = reader.u32()?.cast_signed();
                let message = String::from_utf8_lossy(reader.text(TEXT_BYTES_MAX)?).into_owned();
                Reply::Failed(EngineError { code, errno: (errno != 0).then_some(errno), message })
            }
            138 => Reply::Settled,
            139 => Reply::Prepared,
            other => return Err(Malformed::Kind(other)),
        };
        reader.end(reply)
    }
}

fn write_shape<'a, 'b>(writer: &'a mut Writer<'b>, shape: Shape) -> &'a mut Writer<'b> {
    writer.u32(shape.page_size_bytes).u32(shape.size_pages)
}

fn read_shape(reader: &mut Reader<'_>) -> Result<Shape, Malformed> {
    let (page_size_bytes, size_pages) = (reader.u32()?, reader.u32()?);
    if !(512..=65_536).contains(&page_size_bytes) || !page_size_bytes.is_power_of_two() {
        return Err(reader.invalid());
    }
    Ok(Shape { page_size_bytes, size_pages })
}

fn write_begun(writer: &mut Writer<'_>, begun: &Begun) {
    writer.u64(begun.incarnation.0).u64(begun.version.0);
    let turn = match begun.turn {
        Turn::NotGranted => 0,
        Turn::Granted => 1,
        Turn::HeldBack => 2,
    };
    write_shape(writer, begun.shape).byte(turn);
    writer.byte((begun.state == Settled::Yes).into());
    match &begun.changes {
        Changes::Pages(pages) if pages.len() <= CHANGES_MAX => {
            writer.u32(pages.len() as u32);
            for page in pages {
                writer.u32(*page);
            }
        }
        Changes::Pages(_) | Changes::All => {
            writer.u32(u32::MAX);
        }
    }
    writer.bytes(&begun.pages);
}

fn read_begun(reader: &mut Reader<'_>) -> Result<Begun, Malformed> {
    let incarnation = Incarnation(reader.u64()?);
    let version = Version(reader.u64()?);
    let shape = read_shape(reader)?;
    let turn = match reader.byte()? {
        0 => Turn::NotGranted,
        1 => Turn::Granted,
        2 => Turn::HeldBack,
        _ => return Err(reader.invalid()),
    };
    let state = if reader.flag()? { Settled::Yes } else { Settled::No };
    let changes = match reader.u32()? {
        u32::MAX => Changes::All,
        count if count as usize <= CHANGES_MAX => {
            let list = reader.bytes(count as usize * 4)?;
            let pages = list.as_chunks::<4>().0.iter().map(|page| PageNumber::from_le_bytes(*page));
            Changes::Pages(pages.collect())
        }
        _ => return Err(reader.invalid()),
    };
    let pages = reader.rest().to_vec();
    if Pages::new(shape.page_size_bytes, &pages).is_none() {
        return Err(reader.invalid());
    }
    Ok(Begun { incarnation, version, shape, changes, turn, state, pages })
}

#[cfg(test)]
mod tests {
    use super::super::frame::FrameReader;
    use super::*;

    #[test]
    fn every_reply_comes_back() {
        let shape = Shape { page_size_bytes: 512, size_pages: 3 };
        let mut pages = Vec::new();
        Pages::append(&mut pages, 2, &[1; 512]);
        let begun = Begun {
            incarnation: Incarnation(5),
            version: Version(6),
            shape,
            changes: Changes::Pages(vec![2, 9]),
            turn: Turn::Granted,
            state: Settled::No,
            pages,
        };
        let all = Begun { changes: Changes::All, pages: Vec::new(), ..begun.clone() };
        let code = ResultCode::from_number(778).expect("SQLITE_IOERR_WRITE");
        let error = |errno| EngineError { code, errno, message: "the disk is gone".into() };
        let row = Checkpointed { busy: true, log_frames: 7, checkpointed_frames: 6 };
        for reply in [
            Reply::Welcome { protocol: 1 },
            Reply::Opened { shape, header: Box::new([3; HEADER_BYTES]) },
            Reply::Begun(begun),
            Reply::Begun(all),
            Reply::Pages(vec![1; 1024]),
            Reply::Reserved(Reservation::Granted),
            Reply::Reserved(Reservation::Busy),
            Reply::Reserved(Reservation::Stale),
            Reply::Outcome(Outcome::Committed(Version(8))),
            Reply::Outcome(Outcome::Conflict),
            Reply::Outcome(Outcome::NotCommitted),
            Reply::Outcome(Outcome::Unknown),
            Reply::Checkpointed(row),
            Reply::Status(b"{}".to_vec()),
            Reply::Failed(error(Some(5))),
            Reply::Failed(error(None)),
            Reply::Settled,
            Reply::Prepared,
        ] {
            let mut bytes = Vec::new();
            reply.encode(&mut bytes);
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            let frame = reader.next_frame().expect("well formed").expect("whole");
            let pages = match &reply {
                Reply::Pages(bytes) => Some(bytes.as_slice()),
                _ => None,
            };
            assert_eq!(Reply::pages(frame), pages);
            assert_eq!(Reply::decode(frame), Ok(reply));
        }
    }

    #[test]
    fn a_long_list_of_changes_is_told_as_all() {
        let begun = Begun {
            incarnation: Incarnation(5),
            version: Version(6),
            shape: Shape { page_size_bytes: 4096, size_pages: 3 },
            changes: Changes::Pages(vec![2; CHANGES_MAX + 1]),
            turn: Turn::HeldBack,
            state: Settled::Yes,
            pages: Vec::new(),
        };
        let mut bytes = Vec::new();
        Reply::Begun(begun.clone()).encode(&mut bytes);
        let mut reader = FrameReader::default();
        reader.push(&bytes);
        let frame = reader.next_frame().expect("well formed").expect("whole");
        let all = Reply::Begun(Begun { changes: Changes::All, ..begun });
        assert_eq!(Reply::decode(frame), Ok(all));
    }
}
