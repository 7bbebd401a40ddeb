//! Does what another side asks: [`tombolo_core::peer::step`].
//!
//! A hand works on files of the working directory that have numbers in place of names, and follows
//! no link. It must be a process that holds nothing else, because POSIX locks are of the process;
//! and a [`crate::worker`], because a call may hang and a page of a map may be gone (SIGBUS).

use crate::error::errno_of;
use crate::lock::{self, Family, Range, Strength};
use crate::map::SharedMap;
use crate::worker::pause;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::step::{
    Answer, BEYOND_END, FileNumber, Hold, LockBytes, LockKind, Look, Opening, RaceCall, Raced,
    SLOTS, Slot, Step, Times,
};

/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a side of a race waits that has won one name; twice as long for each further one in a
/// row, up to so many. The other side may be a thousand times slower.
const AHEAD_PAUSE: Duration = Duration::from_micros(50);
const AHEAD_MAX: u32 = 12;

/// What a file system may ask of buffers and offsets of direct reads (open(2), `O_DIRECT`).
const DIRECT_BYTES: usize = 4096;

/// One page of a database.
const PAGE_BYTES: usize = 4096;

/// Files that are open, by slot.
#[derive(Debug, Default)]
pub struct Hand {
    slots: [Option<Open>; SLOTS as usize],
}

#[derive(Debug)]
struct Open {
    file: File,
    map: Option<SharedMap>,
}

/// Why a step has no result.
enum Not {
    Refused(Errno),
    Senseless,
}

impl From<Errno> for Not {
    fn from(errno: Errno) -> Self {
        Not::Refused(errno)
    }
}

impl From<std::io::Error> for Not {
    fn from(error: std::io::Error) -> Self {
        Not::Refused(errno_of(&error))
    }
}

type Done<T> = Result<T, Not>;

/// The name of a scratch file.
#[must_use]
pub fn name(file: FileNumber) -> String {
    format!("probe.{file}")
}

impl Hand {
    /// Does one step. [`Step::Sql`] makes no sense here: this crate knows no SQLite.
    pub fn perform(&mut self, step: &Step) -> Answer {
        if !step.is_bounded() {
            return Answer::Senseless;
        }
        self.try_to(step).unwrap_or_else(|not| match not {
            Not::Refused(errno) => Answer::Refused(errno.raw()),
            Not::Senseless => Answer::Senseless,
        })
    }

    fn try_to(&mut self, step: &Step) -> Done<Answer> {
        match *step {
            Step::Open(slot, file, how) => {
                let open = Open { file: open(file, how)?, map: None };
                *self.slots.get_mut(usize::from(slot)).ok_or(Not::Senseless)? = Some(open);
            }
            Step::Close(slot) => {
                *self.slots.get_mut(usize::from(slot)).ok_or(Not::Senseless)? = None;
            }
            Step::Write(slot, at, length, byte) => {
                self.file(slot)?.write_all_at(&vec![byte; length as usize], u64::from(at))?;
            }
            Step::Append(file, length, byte) => {
                let mut file = options().append(true).open(name(file))?;
                file.write_all(&vec![byte; length as usize])?;
            }
            Step::Sync(slot) => self.file(slot)?.sync_all()?,
            Step::Truncate(slot, length) => self.file(slot)?.set_len(u64::from(length))?,
            Step::Map(slot, length) => {
                let open = self.slot(slot)?;
                open.map = Some(SharedMap::new(&open.file, length as usize)?);
            }
            Step::MapWrite(slot, at, byte) => self.map(slot)?.write(at as usize, byte),
            Step::MapStore(slot) => self.map(slot)?.store()?,
            Step::Look(look) => return self.look(look).map(Answer::Value),
            Step::Until(look, wanted, time_ms) => return self.until(look, wanted, time_ms),
            Step::Lock(slot, kind, hold, bytes) => set_lock(self.file(slot)?, kind, hold, bytes)?,
            Step::Query(slot, bytes) => return query(self.file(slot)?, bytes),
            Step::Rename(from, to) => std::fs::rename(name(from), name(to))?,
            Step::Unlink(file) => std::fs::remove_file(name(file))?,
            Step::Race(call, first, count, time_ms) => {
                return Ok(Answer::Raced(race(call, first, count, time_ms)));
            }
            Step::Clear(first, count) => clear(first, count),
            Step::Measure(slot, rounds) => return measure(self.file(slot)?, rounds),
            Step::Sql(_) => return Err(Not::Senseless),
        }
        Ok(Answer::Done)
    }

    fn slot(&mut self, slot: Slot) -> Done<&mut Open> {
        self.slots.get_mut(usize::from(slot)).and_then(Option::as_mut).ok_or(Not::Senseless)
    }

    fn file(&mut self, slot: Slot) -> Done<&File> {
        self.slot(slot).map(|open| &open.file)
    }

    fn map(&mut self, slot: Slot) -> Done<&SharedMap> {
        self.slot(slot)?.map.as_ref().ok_or(Not::Senseless)
    }

    fn look(&mut self, look: Look) -> Done<u64> {
        match look {
            Look::Byte(slot, at) => byte(self.file(slot)?, at),
            Look::ByteUnderLock(slot, at) => under_lock(self.file(slot)?, |file| byte(file, at)),
            Look::ByteOf(file, at) => byte(&open(file, Opening::Read)?, at),
            Look::DirectByteOf(file, at) => direct_byte(file, at),
            Look::MapByte(slot, at) => {
                self.map(slot)?.read(at as usize).map(u64::from).ok_or(Not::Senseless)
            }
            Look::Size(slot) => Ok(self.file(slot)?.metadata()?.len()),
            Look::SizeUnderLock(slot) => {
                under_lock(self.file(slot)?, |file| Ok(file.metadata()?.len()))
            }
            Look::SizeOf(file) => Ok(std::fs::symlink_metadata(name(file))?.len()),
            Look::Exists(file) => match std::fs::symlink_metadata(name(file)) {
                Ok(_) => Ok(1),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
                Err(error) => Err(error.into()),
            },
        }
    }

    fn until(&mut self, look: Look, wanted: u64, time_ms: u32) -> Done<Answer> {
        let start = Instant::now();
        let mut looks = 0_u32;
        loop {
            let seen = self.look(look);
            looks = looks.saturating_add(1);
            let elapsed_ms = u32::try_from(start.elapsed().as_millis()).unwrap_or(u32::MAX);
            let late = elapsed_ms >= time_ms;
            match seen {
                Ok(seen) if seen == wanted => return Ok(Answer::Seen(elapsed_ms, looks)),
                Ok(seen) if late => return Ok(Answer::NotSeen(seen)),
                // A file that another side has just made or replaced.
                Err(Not::Refused(Errno::ENOENT | Errno::ESTALE)) if !late => {}
                Err(not) => return Err(not),
                Ok(_) => {}
            }
            pause(PAUSE);
        }
    }
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.custom_flags(libc::O_NOFOLLOW);
    options
}

fn open(file: FileNumber, how: Opening) -> Done<File> {
    let mut options = options();
    match how {
        Opening::Read => options.read(true),
        Opening::ReadWrite => options.read(true).write(true),
        Opening::New => options.read(true).write(true).create_new(true),
    };
    Ok(options.mode(0o600).open(name(file))?)
}

fn byte(file: &File, at: u32) -> Done<u64> {
    let mut byte = [0];
    match file.read_at(&mut byte, u64::from(at))? {
        0 => Ok(BEYOND_END),
        _ => Ok(u64::from(byte[0])),
    }
}

/// As a reader of a database takes and gives back SHARED around what it reads.
fn under_lock<T>(file: &File, read: impl FnOnce(&File) -> Done<T>) -> Done<T> {
    set_lock(file, LockKind::Posix, Hold::Shared, LockBytes::Shared)?;
    let seen = read(file);
    set_lock(file, LockKind::Posix, Hold::Nothing, LockBytes::Shared)?;
    seen
}

fn direct_byte(file: FileNumber, at: u32) -> Done<u64> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECT)
        .open(name(file))?;
    let mut buffer = vec![0; 2 * DIRECT_BYTES];
    let start = buffer.as_ptr().align_offset(DIRECT_BYTES);
    let block = buffer.get_mut(start..start + DIRECT_BYTES).ok_or(Not::Senseless)?;
    let at = at as usize;
    let count = file.read_at(block, (at / DIRECT_BYTES * DIRECT_BYTES) as u64)?;
    let read = block.get(..count).unwrap_or_default();
    Ok(read.get(at % DIRECT_BYTES).map_or(BEYOND_END, |byte| u64::from(*byte)))
}

fn range(bytes: LockBytes) -> Range {
    let (start, length) = bytes.range();
    Range { start: start.cast_signed(), length: length.cast_signed() }
}

fn set_lock(file: &File, kind: LockKind, hold: Hold, bytes: LockBytes) -> Done<()> {
    let strength = match hold {
        Hold::Shared => Strength::Shared,
        Hold::Exclusive => Strength::Exclusive,
        Hold::Nothing => Strength::None,
    };
    match kind {
        LockKind::Posix => lock::set(file, Family::Posix, strength, range(bytes))?,
        LockKind::OpenFile => lock::set(file, Family::OpenFile, strength, range(bytes))?,
        LockKind::Whole => lock::set_whole(file, strength)?,
    }
    Ok(())
}

fn query(file: &File, bytes: LockBytes) -> Done<Answer> {
    Ok(match lock::query(file, range(bytes))? {
        lock::Holder::Nobody => Answer::Free,
        lock::Holder::Process(held) if held.strength == Strength::Shared => Answer::HeldShared,
        lock::Holder::Process(_) => Answer::HeldExclusive,
    })
}

/// Who wins one name after the other is ahead, and waits longer and longer for the other side,
/// which may be far slower: a race that one side runs alone shows nothing.
fn race(call: RaceCall, first: FileNumber, count: u16, time_ms: u32) -> Raced {
    let start = Instant::now();
    let time = Duration::from_millis(u64::from(time_ms));
    let mut raced = Raced::default();
    let mut ahead = 0_u32;
    for number in 0..count {
        if start.elapsed() >= time {
            break;
        }
        let name = name(first + number);
        let tried = match call {
            RaceCall::Create => options().write(true).create_new(true).open(name).map(drop),
            RaceCall::MakeDirectory => std::fs::create_dir(name),
            RaceCall::Link(source) => std::fs::hard_link(self::name(source), name),
        };
        raced.tried = number + 1;
        match tried.map_err(|error| errno_of(&error)) {
            Ok(()) => {
                raced.win(number);
                ahead += 1;
                pause(AHEAD_PAUSE * (1 << ahead.min(AHEAD_MAX)));
            }
            Err(Errno::EEXIST) => ahead = 0,
            Err(errno) => {
                raced.failed = Some((number, errno.raw()));
                break;
            }
        }
    }
    raced
}

/// Whoever comes second finds nothing. On FUSE his kernel may go on remembering the file then:
/// Linux 6.1 forgets it where the server removed it, and not where that failed (`fuse_unlink` in
/// `fs/fuse/dir.c`; for a name that is gone virtiofsd in C says EIO, `lo_unlink`). It asks the
/// server again before it makes a name (`LOOKUP_EXCL` in `fuse_dentry_revalidate`), and a directory
/// never gets a second one (EPERM, link(2)).
fn clear(first: FileNumber, count: u16) {
    for number in 0..count {
        let name = name(first + number);
        if std::fs::remove_file(&name).is_err() && std::fs::remove_dir(&name).is_err() {
            let _ = std::fs::hard_link(".", &name);
        }
    }
}

fn measure(file: &File, rounds: u16) -> Done<Answer> {
    let page = [7; PAGE_BYTES];
    let (mut write, mut sync, mut lock, mut create) = (vec![], vec![], vec![], vec![]);
    let timed = |times: &mut Vec<Duration>, work: &mut dyn FnMut() -> Done<()>| -> Done<()> {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
        Ok(())
    };
    let made = "probe.time";
    for _ in 0..rounds.max(1) {
        timed(&mut write, &mut || Ok(file.write_all_at(&page, 0)?))?;
        timed(&mut sync, &mut || Ok(file.sync_all()?))?;
        timed(&mut lock, &mut || under_lock(file, |_| Ok(())))?;
        timed(&mut create, &mut || {
            options().write(true).create_new(true).open(made)?;
            Ok(std::fs::remove_file(made)?)
        })?;
    }
    Ok(Answer::Times(Times {
        write_us: median_us(write),
        sync_us: median_us(sync),
        lock_us: median_us(lock),
        create_us: median_us(create),
    }))
}

fn median_us(mut times: Vec<Duration>) -> u32 {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    u32::try_from(median.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker;

    /// Two hands are two processes: this one does the second list while the first one's process
    /// waits, in a fresh directory.
    fn by_two(first: &[Step], second: &[Step]) -> (Vec<Answer>, Vec<Answer>) {
        let directory = tempfile::tempdir().expect("a directory");
        let serve = |questions: &mut worker::Questions<'_>, outbox: &mut worker::Outbox| {
            rustix::process::chdir(directory.path()).expect("entered");
            let mut hand = Hand::default();
            while let Some(question) = questions.next_question() {
                let steps: Vec<Step> = serde_json::from_slice(&question).expect("steps");
                let answers: Vec<Answer> = steps.iter().map(|step| hand.perform(step)).collect();
                outbox.send(&serde_json::to_vec(&answers).expect("JSON"));
            }
        };
        let mut hands = [0, 1].map(|_| worker::Servant::start(serve).expect("a process"));
        let answers = [first, second].into_iter().zip(&mut hands).map(|(steps, hand)| {
            hand.ask(&serde_json::to_vec(steps).expect("JSON")).expect("asked");
            let soon = Instant::now() + Duration::from_secs(10);
            let answer = hand.answer(soon).expect("alive").expect("in time");
            serde_json::from_slice(&answer).expect("answers")
        });
        let mut answers: Vec<Vec<Answer>> = answers.collect();
        (answers.remove(0), answers.remove(0))
    }

    use Answer::{Done, HeldExclusive, HeldShared, Refused, Senseless, Value};

    #[test]
    fn what_one_writes_and_locks_the_other_sees() {
        let lock = |kind, hold| Step::Lock(0, kind, hold, LockBytes::Shared);
        let (first, second) = by_two(
            &[
                Step::Open(0, 1, Opening::New),
                Step::Write(0, 0, 5000, 9),
                Step::Append(1, 10, 8),
                Step::Map(0, 4096),
                Step::MapWrite(0, 1, 77),
                Step::MapStore(0),
                lock(LockKind::Posix, Hold::Exclusive),
                Step::Lock(0, LockKind::Posix, Hold::Shared, LockBytes::Pending),
                Step::Sync(0),
            ],
            &[
                Step::Open(0, 1, Opening::ReadWrite),
                Step::Look(Look::Byte(0, 1)),
                Step::Look(Look::ByteOf(1, 5005)),
                Step::Look(Look::ByteOf(1, 6000)),
                Step::Until(Look::SizeOf(1), 5010, 100),
                Step::Until(Look::Size(0), 1, 5),
                lock(LockKind::Posix, Hold::Shared),
                lock(LockKind::OpenFile, Hold::Shared),
                lock(LockKind::Whole, Hold::Exclusive),
                Step::Query(0, LockBytes::Shared),
                Step::Query(0, LockBytes::Pending),
                Step::Query(0, LockBytes::Reserved),
                Step::Look(Look::ByteUnderLock(0, 0)),
            ],
        );
        assert!(first.iter().all(|answer| *answer == Done), "{first:?}");
        let busy = || Refused(Errno::EAGAIN.raw());
        assert!(matches!(second[4], Answer::Seen(..)), "{second:?}");
        assert_eq!(second[5], Answer::NotSeen(5010));
        let rest = [&second[..4], &second[6..]].concat();
        assert_eq!(
            rest,
            [
                Done,
                Value(77),
                Value(8),
                Value(BEYOND_END),
                busy(),
                busy(),
                Done,
                HeldExclusive,
                HeldShared,
                Answer::Free,
                busy()
            ]
        );
    }

    #[test]
    fn names_are_won_once_moved_and_cleared() {
        let race = Step::Race(RaceCall::Create, 10, 9, 1000);
        let (first, second) = by_two(
            &[Step::Open(0, 1, Opening::New), Step::Write(0, 0, 1, 5), Step::Rename(1, 2), race],
            &[
                race,
                Step::Clear(10, 9),
                Step::Race(RaceCall::Link(2), 10, 2, 1000),
                Step::Race(RaceCall::MakeDirectory, 11, 2, 1000),
                Step::Clear(10, 9),
                Step::Clear(10, 9),
                Step::Look(Look::Exists(12)),
                Step::Look(Look::Exists(2)),
                Step::Look(Look::DirectByteOf(2, 0)),
                Step::Unlink(2),
                Step::Look(Look::ByteOf(2, 0)),
            ],
        );
        let all = Raced { tried: 9, won: vec![0xff, 1], failed: None };
        assert_eq!(first[3], Answer::Raced(all));
        assert_eq!(second[0], Answer::Raced(Raced { tried: 9, ..Raced::default() }));
        assert_eq!(second[2], Answer::Raced(Raced { tried: 2, won: vec![3], failed: None }));
        assert_eq!(second[3], Answer::Raced(Raced { tried: 2, won: vec![2], failed: None }));
        let direct = [Value(5), Refused(Errno::EINVAL.raw())];
        assert!(direct.contains(&second[8]), "{second:?}");
        let rest = [Done, Value(0), Value(1), Done, Refused(Errno::ENOENT.raw())];
        assert_eq!([&second[5..8], &second[9..]].concat(), rest);
    }

    /// The other side has won every second name.
    #[test]
    fn a_race_goes_through_all_names_however_often_the_lead_changes() {
        let others: Vec<Step> =
            (10..400).step_by(2).map(|name| Step::Open(0, name, Opening::New)).collect();
        let (_, second) = by_two(&others, &[Step::Race(RaceCall::Create, 10, 390, 3_000)]);
        let Answer::Raced(raced) = &second[0] else { panic!("{second:?}") };
        assert_eq!((raced.tried, raced.failed), (390, None));
        assert!((0..390).all(|name| raced.has_won(name) == (name % 2 == 1)), "{raced:?}");
    }

    #[test]
    fn steps_that_make_no_sense_do_nothing_and_links_are_not_followed() {
        let directory = tempfile::tempdir().expect("a directory");
        let precious = directory.path().join("precious");
        std::fs::write(&precious, b"data").expect("written");
        let (first, _) = by_two(
            &[
                Step::Write(3, 0, 1, 1),
                Step::Open(200, 0, Opening::New),
                Step::Map(0, 0),
                Step::Sql(tombolo_core::peer::step::Sql::Check(
                    0,
                    tombolo_core::peer::step::Journal::Wal,
                )),
            ],
            &[],
        );
        assert!(first.iter().all(|answer| *answer == Senseless), "{first:?}");
        let mut answers: Vec<Answer> = Vec::new();
        let body = |outbox: &mut worker::Outbox| {
            rustix::process::chdir(directory.path()).expect("entered");
            std::os::unix::fs::symlink(&precious, "probe.1").expect("linked");
            let mut hand = Hand::default();
            let steps = [
                Step::Open(0, 1, Opening::ReadWrite),
                Step::Open(0, 1, Opening::New),
                Step::Append(1, 1, 1),
            ];
            outbox.send(&serde_json::to_vec(&steps.map(|s| hand.perform(&s))).expect("JSON"));
        };
        let soon = Instant::now() + Duration::from_secs(5);
        worker::run(soon, body, &mut |message| {
            answers = serde_json::from_slice(message).expect("answers");
        })
        .expect("a process");
        let (link, exists) = (Refused(Errno::ELOOP.raw()), Refused(Errno::EEXIST.raw()));
        assert_eq!(answers, [link.clone(), exists, link]);
        assert_eq!(std::fs::read(&precious).expect("readable"), b"data");
    }

    #[test]
    fn times_are_measured() {
        let (first, _) = by_two(&[Step::Open(0, 1, Opening::New), Step::Measure(0, 5)], &[]);
        assert!(matches!(first[1], Answer::Times(Times { create_us: 1.., .. })), "{first:?}");
    }
}
