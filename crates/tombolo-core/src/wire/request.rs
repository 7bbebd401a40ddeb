//! What a door asks of an owner.

use super::fields::{Reader, Writer};
use super::limits::{PAGES_BYTES_MAX, PATH_BYTES_MAX, TEXT_BYTES_MAX};
use super::{Malformed, frame::Frame};
use crate::owner::engine::{CheckpointMode, PageNumber, Version};

/// One owner's life: drawn anew whenever it starts, or when the file under it was replaced.
/// Versions of two incarnations cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// A version of a certain incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Whose.
    pub incarnation: Incarnation,
    /// Which.
    pub version: Version,
}

/// The name of a commit, drawn by the door, by which its outcome can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitId(pub u128);

/// The name of a transaction over several databases, drawn by the door, which nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub u128);

/// What an open may do to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; made where there is none.
    Create,
}

/// What must have happened before a commit is acknowledged (`PRAGMA synchronous`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is in the log: survives the end of any process.
    Process,
    /// The log is on the disk: survives loss of power.
    Power,
}

/// What a session does with the turn to write when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnWish {
    /// It will only read, as far as is known.
    None,
    /// It takes the turn along if nobody is before it.
    IfFree,
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The turn and what was written; the snapshot stays.
    Writing,
    /// The transaction.
    Transaction,
}

/// A page that was written.
pub type WrittenPage<'a> = (PageNumber, &'a [u8]);

/// The end of a transaction, with the pages that were not sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit<'a> {
    /// Its name.
    pub id: CommitId,
    /// The version that it was made from.
    pub base: Version,
    /// Size of the database after it, in pages.
    pub size_pages: u32,
    /// When it is acknowledged.
    pub durability: Durability,
    /// How many pieces of it were sent before ([`Request::Write`]). Where the owner has another
    /// number of them, it has given the transaction up.
    pub pieces: u32,
    /// The other pages.
    pub pages: Pages<'a>,
}

/// Pages behind each other, each with its number before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages<'a> {
    page_size_bytes: u32,
    bytes: &'a [u8],
}

impl<'a> Pages<'a> {
    /// Of bytes as [`Pages::append`] makes them; `None` where they are not whole pages.
    #[must_use]
    pub fn new(page_size_bytes: u32, bytes: &'a [u8]) -> Option<Self> {
        let stride = usize::try_from(page_size_bytes).ok()?.checked_add(4)?;
        let size = (512..=65_536).contains(&page_size_bytes) && page_size_bytes.is_power_of_two();
        (size && bytes.len().is_multiple_of(stride)).then_some(Pages { page_size_bytes, bytes })
    }

    /// Appends one page to bytes for [`Pages::new`].
    pub fn append(into: &mut Vec<u8>, number: PageNumber, page: &[u8]) {
        into.extend_from_slice(&number.to_le_bytes());
        into.extend_from_slice(page);
    }

    /// Bytes of each page.
    #[must_use]
    pub fn page_size_bytes(&self) -> u32 {
        self.page_size_bytes
    }

    /// Each page.
    pub fn iter(&self) -> impl Iterator<Item = WrittenPage<'a>> + use<'a> {
        let stride = self.page_size_bytes as usize + 4;
        self.bytes.chunks_exact(stride).filter_map(|chunk| {
            let (number, page) = chunk.split_first_chunk::<4>()?;
            Some((PageNumber::from_le_bytes(*number), page))
        })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(self.page_size_bytes).bytes(self.bytes);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let page_size_bytes = reader.u32()?;
        let bytes = reader.rest();
        let pages = Pages::new(page_size_bytes, bytes).ok_or(reader.invalid())?;
        if bytes.len() > PAGES_BYTES_MAX {
            return Err(reader.invalid());
        }
        Ok(pages)
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Who is calling.
    Hello {
        /// [`super::PROTOCOL`].
        protocol: u16,
        /// The boot id of the caller's kernel.
        boot_id: &'a [u8],
        /// The process.
        process: u32,
        /// The name of its program.
        program: &'a [u8],
    },
    /// Which database, by its absolute path as the caller has it.
    Open {
        /// Bytes, since paths are.
        path: &'a [u8],
        /// What for.
        access: Access,
    },
    /// A transaction begins.
    Begin {
        /// The version that the caller's cache is of.
        seen: Option<Seen>,
        /// Whether it will write.
        wish: TurnWish,
    },
    /// Pages of the snapshot, or those that the transaction has written.
    Read {
        /// The first.
        first: PageNumber,
        /// How many, at least 1.
        count: u32,
    },
    /// The turn to write.
    Reserve {
        /// How long the answer may take, in milliseconds.
        wait_ms: u32,
    },
    /// The turn, together with a new begin at the moment at which it is had. Answered by
    /// [`super::reply::Begun`], or by a reservation: granted where the snapshot that the session
    /// reads is the newest, busy when the time is up or the session has left.
    ///
    /// A snapshot that the session reads stays as it is until the new begin is adopted.
    Await {
        /// The version that the caller's cache is of.
        seen: Option<Seen>,
        /// How long the answer may take, in milliseconds.
        wait_ms: u32,
    },
    /// The session no longer waits: [`Request::Await`] is answered, if it was not. Not answered
    /// itself.
    Leave,
    /// The session reads the version that it has begun by [`Request::Await`], and uses the turn.
    /// Not answered.
    Adopt {
        /// Which version that is.
        version: Version,
    },
    /// The turn that came along with the begin is used. Not answered.
    Use,
    /// A piece of a transaction that is too long for one frame. Not answered.
    Write(Pages<'a>),
    /// The rest of it.
    Commit(Commit<'a>),
    /// The rest of a transaction that is one of a group: it is committed when the group is.
    Prepare {
        /// Which.
        group: GroupId,
        /// The rest.
        commit: Commit<'a>,
    },
    /// All of a group are prepared, and are to be committed together. Each of them is answered by
    /// its outcome; where nothing is committed, the one that asks is answered alone.
    Decide {
        /// Which.
        group: GroupId,
        /// How many sessions belong to it.
        members: u32,
    },
    /// Something ends. Not answered.
    End(Ending),
    /// What became of a commit whose answer was lost.
    Outcome {
        /// Its name.
        id: CommitId,
        /// The version that it was made from.
        seen: Seen,
    },
    /// Frames of the log are to go into the database.
    Checkpoint(CheckpointMode),
    /// What the owner says of itself, as JSON.
    Status,
    /// Answered when the version that the session reads is as durable as its writers asked.
    Settle,
}

impl<'a> Request<'a> {
    /// Whether a reply follows.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !matches!(
            self,
            Request::Use
                | Request::Write(_)
                | Request::End(_)
                | Request::Leave
                | Request::Adopt { .. }
        )
    }

    /// Appends it as a frame.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut writer = Writer::new(into, self.kind());
        match *self {
            Request::Hello { protocol, boot_id, process, program } => {
                writer.u16(protocol).u32(process);
                writer.text(boot_id, TEXT_BYTES_MAX).text(program, TEXT_BYTES_MAX);
            }
            Request::Open { path, access } => {
                let access = match access {
                    Access::Read => 0,
                    Access::Write => 1,
                    Access::Create => 2,
                };
                writer.byte(access).text(path, PATH_BYTES_MAX);
            }
            Request::Begin { seen, wish } => {
                writer.byte((wish == TurnWish::IfFree).into());
                write_seen(&mut writer, seen);
            }
            Request::Await { seen, wait_ms } => {
                writer.u32(wait_ms);
                write_seen(&mut writer, seen);
            }
            Request::Adopt { version } => {
                writer.u64(version.0);
            }
            Request::Read { first, count } => {
                writer.u32(first).u32(count);
            }
            Request::Reserve { wait_ms } => {
                writer.u32(wait_ms);
            }
            Request::Write(pages) => pages.write(&mut writer),
            Request::Commit(commit) => write_commit(&mut writer, &commit),
            Request::Prepare { group, commit } => {
                writer.u128(group.0);
                write_commit(&mut writer, &commit);
            }
            Request::Decide { group, members } => {
                writer.u128(group.0).u32(members);
            }
            Request::End(ending) => {
                writer.byte((ending == Ending::Transaction).into());
            }
            Request::Outcome { id, seen } => {
                writer.u128(id.0).u64(seen.incarnation.0).u64(seen.version.0);
            }
            Request::Checkpoint(mode) => {
                let mode = match mode {
                    CheckpointMode::Passive => 0,
                    CheckpointMode::Full => 1,
                    CheckpointMode::Restart => 2,
                    CheckpointMode::Truncate => 3,
                };
                writer.byte(mode);
            }
            Request::Status | Request::Settle | Request::Use | Request::Leave => {}
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Request::Hello { .. } => 1,
            Request::Open { .. } => 2,
            Request::Begin { .. } => 3,
            Request::Read { .. } => 4,
            Request::Reserve { .. } => 5,
            Request::Write(_) => 6,
            Request::Commit(_) => 7,
            Request::End(_) => 8,
            Request::Outcome { .. } => 9,
            Request::Checkpoint(_) => 10,
            Request::Status => 11,
            Request::Settle => 12,
            Request::Prepare { .. } => 13,
            Request::Decide { .. } => 14,
            Request::Use => 15,
            Request::Await { .. } => 16,
            Request::Leave => 17,
            Request::Adopt { .. } => 18,
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(frame: Frame<'a>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame.kind, frame.fields);
        let request = match frame.kind {
            1 => {
                let (protocol, process) = (reader.u16()?, reader.u32()?);
                let boot_id = reader.text(TEXT_BYTES_MAX)?;
                let program = reader.text(TEXT_BYTES_MAX)?;
                Request::Hello { protocol, boot_id, process, program }
            }
            2 => {
                let access = match reader.byte()? {
                    0 => Access::Read,
                    1 => Access::Write,
                    2 => Access::Create,
                    _ => return Err(reader.invalid()),
                };
                Request::Open { path: reader.text(PATH_BYTES_MAX)?, access }
            }
            3 => {
                let wish = if reader.flag()? { TurnWish::IfFree } else { TurnWish::None };
                let seen = if frame.fields.len() > 1 { Some(seen(&mut reader)?) } else { None };
                Request::Begin { seen, wish }
            }
            4 => Request::Read { first: reader.u32()?, count: reader.u32()? },
            5 => Request::Reserve { wait_ms: reader.u32()? },
            6 => Request::Write(Pages::read(&mut reader)?),
            7 => Request::Commit(commit(&mut reader)?),
            8 => Request::End(if reader.flag()? { Ending::Transaction } else { Ending::Writing }),
            9 => {
                let id = CommitId(reader.u128()?);
                Request::Outcome { id, seen: seen(&mut reader)? }
            }
            10 => Request::Checkpoint(match reader.byte()? {
                0 => CheckpointMode::Passive,
                1 => CheckpointMode::Full,
                2 => CheckpointMode::Restart,
                3 => CheckpointMode::Truncate,
                _ => return Err(reader.invalid()),
            }),
            11 => Request::Status,
            12 => Request::Settle,
            13 => {
                let group = GroupId(reader.u128()?);
                Request::Prepare { group, commit: commit(&mut reader)? }
            }
            14 => Request::Decide { group: GroupId(reader.u128()?), members: reader.u32()? },
            15 => Request::Use,
            16 => {
                let wait_ms = reader.u32()?;
                let seen = if frame.fields.len() > 4 { Some(seen(&mut reader)?) } else { None };
                Request::Await { seen, wait_ms }
            }
            17 => Request::Leave,
            18 => Request::Adopt { version: Version(reader.u64()?) },
            other => return Err(Malformed::Kind(other)),
        };
        reader.end(request)
    }
}

fn seen(reader: &mut Reader<'_>) -> Result<Seen, Malformed> {
    let incarnation = Incarnation(reader.u64()?);
    Ok(Seen { incarnation, version: Version(reader.u64()?) })
}

fn write_seen(writer: &mut Writer<'_>, seen: Option<Seen>) {
    if let Some(seen) = seen {
        writer.u64(seen.incarnation.0).u64(seen.version.0);
    }
}

fn write_commit(writer: &mut Writer<'_>, commit: &Commit<'_>) {
    writer.u128(commit.id.0).u64(commit.base.0).u32(commit.size_pages);
    writer.byte((commit.durability == Durability::Power).into()).u32(commit.pieces);
    commit.pages.write(writer);
}

fn commit<'a>(reader: &mut Reader<'a>) -> Result<Commit<'a>, Malformed> {
    let id = CommitId(reader.u128()?);
    let base = Version(reader.u64()?);
    let size_pages = reader.u32()?;
    let durability = if reader.flag()? { Durability::Power } else { Durability::Process };
    let pieces = reader.u32()?;
    Ok(Commit { id, base, size_pages, durability, pieces, pages: Pages::read(reader)? })
}

#[cfg(test)]
mod tests {
    use super::super::frame::FrameReader;
    use super::*;

    fn there_and_back(request: &Request<'_>) {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        let mut reader = FrameReader::default();
        reader.push(&bytes);
        let frame = reader.next_frame().expect("well formed").expect("whole");
        assert_eq!(Request::decode(frame), Ok(*request));
        for cut in 0..frame.fields.len() {
            let fields = frame.fields.get(..cut).expect("within");
            // A begin that nobody has a cache for is shorter by its last field.
            let shorter =
                matches!((request, cut), (Request::Begin { .. }, 1) | (Request::Await { .. }, 4));
            let decoded = Request::decode(Frame { kind: frame.kind, fields });
            assert_eq!(decoded.is_ok(), shorter, "{request:?} cut to {cut}");
        }
        let longer = [frame.fields, b"\0"].concat();
        assert!(Request::decode(Frame { kind: frame.kind, fields: &longer }).is_err());
    }

    #[test]
    fn every_request_comes_back() {
        let seen = Seen { incarnation: Incarnation(u64::MAX), version: Version(3) };
        let mut bytes = Vec::new();
        Pages::append(&mut bytes, 9, &[7; 512]);
        let pages = Pages::new(512, &bytes).expect("whole pages");
        assert_eq!(pages.iter().collect::<Vec<_>>(), [(9, &[7; 512][..])]);
        let commit = Commit {
            id: CommitId(1 << 100),
            base: Version(2),
            size_pages: 9,
            durability: Durability::Power,
            pieces: 3,
            pages,
        };
        let hello = Request::Hello { protocol: 1, boot_id: b"b", process: 5, program: b"sqlite3" };
        for request in [
            hello,
            Request::Open { path: b"/srv/a b", access: Access::Create },
            Request::Begin { seen: None, wish: TurnWish::IfFree },
            Request::Begin { seen: Some(seen), wish: TurnWish::None },
            Request::Read { first: 1, count: 2 },
            Request::Reserve { wait_ms: 100 },
            Request::End(Ending::Writing),
            Request::End(Ending::Transaction),
            Request::Outcome { id: CommitId(4), seen },
            Request::Checkpoint(CheckpointMode::Truncate),
            Request::Status,
            Request::Settle,
            Request::Use,
            Request::Await { seen: None, wait_ms: 5 },
            Request::Await { seen: Some(seen), wait_ms: 6 },
            Request::Leave,
            Request::Adopt { version: Version(12) },
            Request::Decide { group: GroupId(1 << 90), members: 2 },
        ] {
            there_and_back(&request);
        }
        let mut framed = Vec::new();
        let prepare = Request::Prepare { group: GroupId(7), commit };
        for request in [Request::Write(pages), Request::Commit(commit), prepare] {
            framed.clear();
            request.encode(&mut framed);
            let mut reader = FrameReader::default();
            reader.push(&framed);
            let frame = reader.next_frame().expect("well formed").expect("whole");
            assert_eq!(Request::decode(frame), Ok(request));
        }
    }

    #[test]
    fn pages_are_whole_and_of_a_size_that_sqlite_has() {
        for (size, bytes) in [(512, 515), (512, 517), (1000, 1004), (256, 260), (131_072, 131_076)]
        {
            assert_eq!(Pages::new(size, &vec![0; bytes]), None, "{size} {bytes}");
        }
    }
}
