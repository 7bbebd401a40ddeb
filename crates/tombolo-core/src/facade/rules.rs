//! Rules of the file that a program sees which no other test needs to hold.

use super::pragma::Pragma;
use super::*;
use crate::owner::engine::{Changes, CheckpointMode, Version};
use crate::sqlite::header::MAGIC;
use crate::wire::reply::{Begun, Outcome, Reservation, Settled, Turn};
use crate::wire::request::{Ending, Incarnation, Pages, Request};

const PAGE_BYTES: u32 = 1024;
const SIZE_PAGES: u32 = 100;
const AS_BEFORE: Changes = Changes::Pages(Vec::new());

fn offset(number: u32) -> u64 {
    u64::from(number - 1) * u64::from(PAGE_BYTES)
}

fn page_one(counter: u32) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES as usize];
    page[..16].copy_from_slice(MAGIC);
    page[18..20].fill(2);
    page[24..28].copy_from_slice(&counter.to_be_bytes());
    page[28..32].copy_from_slice(&SIZE_PAGES.to_be_bytes());
    page
}

fn file() -> Facade {
    let shape = Shape { page_size_bytes: PAGE_BYTES, size_pages: SIZE_PAGES };
    let header = *page_one(7).first_chunk().expect("longer");
    Facade::new(Access::Write, shape, Box::new(header), 1 << 20)
}

/// What this owner answers to a begin.
fn begun((incarnation, version): (u64, u64), changes: Changes) -> Begun {
    Begun {
        incarnation: Incarnation(incarnation),
        version: Version(version),
        shape: Shape { page_size_bytes: PAGE_BYTES, size_pages: SIZE_PAGES },
        changes,
        turn: Turn::NotGranted,
        state: Settled::Yes,
        pages: Vec::new(),
    }
}

/// A transaction begins at this version of this owner.
fn begin(file: &mut Facade, version: (u64, u64), changes: Changes) {
    begin_as(file, &begun(version, changes));
}

fn begin_as(file: &mut Facade, begun: &Begun) {
    assert!(matches!(file.lock(Lock::Shared), Ok(Some(Request::Begin { .. }))));
    file.begun(begun).expect("asked for");
}

/// The same, with page 1 and others at hand that are full of 1.
fn begin_with(file: &mut Facade, others: &[u32]) {
    begin(file, (1, 5), AS_BEFORE);
    file.pages_arrived(1, &page_one(7)).expect("a page");
    for number in others {
        file.pages_arrived(*number, &[1; PAGE_BYTES as usize]).expect("a page");
    }
}

fn take_turn(file: &mut Facade) {
    assert!(matches!(file.lock(Lock::Reserved), Ok(Some(Request::Reserve { .. }))));
    file.reserved(Reservation::Granted).expect("asked for");
}

/// The first byte of a page; `None` where the owner has to be asked for it.
fn byte(file: &mut Facade, number: u32) -> Option<u8> {
    let mut byte = [0];
    match file.read(offset(number), &mut byte).expect("a lock is held") {
        Read::Whole => Some(byte[0]),
        _ => None,
    }
}

fn counter(file: &mut Facade) -> u32 {
    let mut bytes = [0; 4];
    assert_eq!(file.read(24, &mut bytes), Ok(Read::Whole));
    u32::from_be_bytes(bytes)
}

#[test]
fn a_version_of_another_owner_is_another_version_whatever_its_number() {
    let mut file = file();
    begin_with(&mut file, &[2]);
    let before = counter(&mut file);
    file.unlock(Unlock::ToNone);
    begin(&mut file, (2, 5), AS_BEFORE);
    assert_eq!(byte(&mut file, 2), None, "nothing that was kept is of this owner");
    file.pages_arrived(1, &page_one(7)).expect("a page");
    assert_ne!(counter(&mut file), before);
}

#[test]
fn the_counter_moves_though_page_1_is_kept_and_each_file_has_its_own() {
    let (mut often, mut once) = (file(), file());
    for file in [&mut often, &mut once] {
        begin_with(file, &[]);
        file.unlock(Unlock::ToNone);
    }
    let mut shown = Vec::new();
    for version in [6, 7, 8] {
        begin(&mut often, (1, version), AS_BEFORE);
        shown.push(counter(&mut often));
        often.unlock(Unlock::ToNone);
    }
    begin(&mut once, (1, 8), AS_BEFORE);
    assert_eq!(shown, [8, 9, 10], "nothing on disk says so");
    assert_eq!(counter(&mut once), 8);
}

#[test]
fn pages_that_changed_are_asked_for_again_and_others_are_not() {
    let mut file = file();
    begin_with(&mut file, &[2, 3]);
    file.unlock(Unlock::ToNone);
    begin(&mut file, (1, 6), Changes::Pages(vec![2]));
    assert_eq!([byte(&mut file, 2), byte(&mut file, 3)], [None, Some(1)]);
    file.unlock(Unlock::ToNone);
    begin(&mut file, (1, 7), Changes::All);
    assert_eq!(byte(&mut file, 3), None);
}

#[test]
fn what_was_written_and_cut_goes_with_the_lock() {
    for kept in [Unlock::ToShared, Unlock::ToNone] {
        let mut file = file();
        begin_with(&mut file, &[2]);
        take_turn(&mut file);
        file.write(offset(2), &[9; PAGE_BYTES as usize]).expect("the lock is held");
        file.truncate(offset(4)).expect("the lock is held");
        assert_eq!((byte(&mut file, 2), byte(&mut file, 50)), (Some(9), None));
        assert_eq!(file.file_size_bytes(), offset(4));
        let ending = if kept == Unlock::ToShared { Ending::Writing } else { Ending::Transaction };
        assert_eq!(file.unlock(kept), Some(Request::End(ending)));
        if kept == Unlock::ToNone {
            begin(&mut file, (1, 5), AS_BEFORE);
        }
        assert_ne!(byte(&mut file, 2), Some(9), "{kept:?}");
        assert_eq!(file.file_size_bytes(), offset(SIZE_PAGES + 1), "{kept:?}");
    }
}

/// In exclusive locking mode SQLite counts the first commit under a lock and no other
/// (`changeCountDone` in pager.c).
#[test]
fn a_second_commit_under_one_lock_needs_no_counter() {
    let mut file = file();
    begin_with(&mut file, &[]);
    take_turn(&mut file);
    let shown = counter(&mut file);
    let write = |file: &mut Facade, number: u32, page: &[u8]| {
        file.write(offset(number), page).expect("the lock is held");
    };
    write(&mut file, 1, &page_one(shown + 1));
    assert!(file.sync().expect("it fits").is_some());
    file.committed(Outcome::Committed(Version(6)), SIZE_PAGES).expect("committed");
    write(&mut file, 3, &[9; PAGE_BYTES as usize]);
    let commit = file.sync().expect("it fits").expect("it differs");
    assert_eq!((commit.base.version, commit.size_pages), (Version(6), SIZE_PAGES));
    file.committed(Outcome::Committed(Version(7)), SIZE_PAGES).expect("committed");
    file.unlock(Unlock::ToNone);
    // Under another lock the same is a rollback.
    begin_as(&mut file, &Begun { turn: Turn::Granted, ..begun((1, 7), AS_BEFORE) });
    assert_eq!(file.lock(Lock::Reserved), Ok(Some(Request::Use)));
    write(&mut file, 3, &[8; PAGE_BYTES as usize]);
    assert_eq!(file.sync(), Ok(None));
}

#[test]
fn what_is_not_durable_is_withheld_from_who_reads_on() {
    let mut file = file();
    begin_with(&mut file, &[2]);
    take_turn(&mut file);
    file.unlock(Unlock::ToNone);
    let unsettled = Begun { turn: Turn::Granted, state: Settled::No, ..begun((1, 6), AS_BEFORE) };
    begin_as(&mut file, &unsettled);
    assert_eq!(file.read(offset(2), &mut [0]), Ok(Read::TurnUnused));
    assert_eq!(file.give_turn_back(), Some(Request::End(Ending::Writing)));
    assert_eq!(file.read(offset(2), &mut [0]), Ok(Read::Unsettled));
    file.settled();
    assert_eq!(byte(&mut file, 2), Some(1));
}

#[test]
fn page_1_is_not_sent_before_it_says_whether_there_is_a_commit() {
    let mut file = file();
    begin_with(&mut file, &[]);
    take_turn(&mut file);
    file.write(0, &page_one(8)).expect("the lock is held");
    file.write(offset(2), &[9; PAGE_BYTES as usize]).expect("the lock is held");
    let piece = file.send_ahead();
    let sent = Pages::new(PAGE_BYTES, &piece).expect("whole pages");
    assert_eq!(sent.iter().map(|(number, _)| number).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_checkpoint_is_passed_on_as_it_is_asked_for_and_off_is_no_less_than_the_log() {
    let mut file = file();
    for (argument, mode) in [
        (None, CheckpointMode::Passive),
        (Some("full"), CheckpointMode::Full),
        (Some(" RESTART "), CheckpointMode::Restart),
        (Some("Truncate"), CheckpointMode::Truncate),
    ] {
        assert_eq!(file.pragma("wal_checkpoint", argument), Pragma::Checkpoint(mode));
    }
    file.pragma("synchronous", Some("OFF"));
    begin_with(&mut file, &[]);
    take_turn(&mut file);
    file.write(0, &page_one(8)).expect("the lock is held");
    let commit = file.sync().expect("it fits").expect("the counter moved");
    assert_eq!(commit.durability, Durability::Process);
}
