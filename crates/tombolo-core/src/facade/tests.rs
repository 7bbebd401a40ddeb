use super::*;
use crate::owner::engine::{Changes, Version};
use crate::sqlite::header::MAGIC;
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Begun, Outcome, Reservation, Settled, Turn};
use crate::wire::request::{Ending, Incarnation, Request, TurnWish};

const PAGE_BYTES: u32 = 1024;
const SIZE_PAGES: u32 = 3000;

fn page_one(counter: u32, size_pages: u32) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES as usize];
    page[..16].copy_from_slice(MAGIC);
    page[18..20].copy_from_slice(&[2, 2]);
    page[24..28].copy_from_slice(&counter.to_be_bytes());
    page[28..32].copy_from_slice(&size_pages.to_be_bytes());
    page
}

fn shape() -> Shape {
    Shape { page_size_bytes: PAGE_BYTES, size_pages: SIZE_PAGES }
}

pub(super) fn facade(access: Access) -> Facade {
    let header = *page_one(7, SIZE_PAGES).first_chunk().expect("longer");
    Facade::new(access, shape(), Box::new(header), 1 << 20)
}

pub(super) fn begun(version: u64) -> Begun {
    Begun {
        incarnation: Incarnation(1),
        version: Version(version),
        shape: shape(),
        changes: Changes::Pages(Vec::new()),
        turn: Turn::NotGranted,
        state: Settled::Yes,
        pages: Vec::new(),
    }
}

/// In a transaction of this version, with page 1 at hand.
pub(super) fn reading(facade: &mut Facade, version: u64) {
    assert!(matches!(facade.lock(Lock::Shared), Ok(Some(Request::Begin { .. }))));
    facade.begun(&begun(version)).expect("asked for");
    facade.pages_arrived(1, &page_one(7, SIZE_PAGES)).expect("a page");
}

pub(super) fn writing(facade: &mut Facade, version: u64) {
    let begin = facade.lock(Lock::Shared).expect("nothing is in the way");
    match begin {
        Some(Request::Begin { wish: TurnWish::IfFree, .. }) => {
            let begun = Begun { turn: Turn::Granted, ..begun(version) };
            facade.begun(&begun).expect("asked for");
            assert_eq!(facade.lock(Lock::Reserved), Ok(Some(Request::Use)));
        }
        _ => {
            facade.begun(&begun(version)).expect("asked for");
            let asked = facade.lock(Lock::Reserved);
            assert!(matches!(asked, Ok(Some(Request::Reserve { wait_ms: 0 }))));
            facade.reserved(Reservation::Granted).expect("asked for");
        }
    }
    facade.pages_arrived(1, &page_one(7, SIZE_PAGES)).expect("a page");
    assert_eq!(facade.lock(Lock::Exclusive), Ok(None));
}

fn counter(facade: &mut Facade) -> u32 {
    let mut bytes = [0; 4];
    assert_eq!(facade.read(24, &mut bytes), Ok(Read::Whole));
    u32::from_be_bytes(bytes)
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> ResultCode {
    result.expect_err("refused").code
}

fn write_page(facade: &mut Facade, number: u32, byte: u8) -> Option<Vec<u8>> {
    let offset = u64::from(number - 1) * u64::from(PAGE_BYTES);
    facade.write(offset, &[byte; PAGE_BYTES as usize]).expect("the lock is held")
}

#[test]
fn the_program_sees_a_rollback_journal_and_a_counter_that_moves_with_the_version() {
    let mut facade = facade(Access::Write);
    let mut header = [0; HEADER_BYTES];
    assert_eq!(facade.read(0, &mut header), Ok(Read::Whole), "before any lock");
    assert_eq!(header[18..20], [1, 1]);
    reading(&mut facade, 5);
    let first = counter(&mut facade);
    assert_eq!(facade.unlock(Unlock::ToNone), Some(Request::End(Ending::Transaction)));
    reading(&mut facade, 5);
    assert_eq!(counter(&mut facade), first, "the same version");
    facade.unlock(Unlock::ToNone);
    reading(&mut facade, 6);
    assert_ne!(counter(&mut facade), first, "commits in WAL mode do not move it on disk");
}

#[test]
fn its_own_commit_shows_the_counter_that_sqlite_wrote() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    let shown = counter(&mut facade);
    facade.write(0, &page_one(shown + 1, 4)).expect("the lock is held");
    write_page(&mut facade, 4, 9);
    let commit = facade.sync().expect("it fits").expect("the counter moved");
    assert_eq!(
        (commit.base.version, commit.size_pages),
        (Version(5), 4),
        "of page 1, not of the file"
    );
    facade.committed(Outcome::Committed(Version(6)), 4).expect("committed");
    // VACUUM cuts the file after the commit.
    facade.truncate(4 * u64::from(PAGE_BYTES)).expect("nothing to do");
    assert_eq!(facade.file_size_bytes(), 4 * u64::from(PAGE_BYTES));
    assert_eq!(facade.sync(), Ok(None), "nothing was written since");
    facade.unlock(Unlock::ToNone);
    facade.lock(Lock::Shared).expect("free");
    facade.begun(&Begun { shape: Shape { size_pages: 4, ..shape() }, ..begun(6) }).expect("asked");
    assert_eq!(counter(&mut facade), shown + 1, "SQLite's cache stays good");
}

#[test]
fn who_takes_a_commit_for_failed_and_cuts_the_file_looks_at_it_anew() {
    for (size_pages, is_rollback) in [(4, false), (0, true)] {
        let mut facade = facade(Access::Write);
        writing(&mut facade, 5);
        let written = counter(&mut facade) + 1;
        facade.write(0, &page_one(written, 4)).expect("the lock is held");
        let commit = facade.sync().expect("it fits").expect("the counter moved");
        let committed = facade.committed(Outcome::Committed(Version(6)), commit.size_pages);
        committed.expect("it is");
        facade.truncate(size_pages * u64::from(PAGE_BYTES)).expect("the lock is held");
        assert_eq!(facade.sync(), Ok(None));
        facade.unlock(Unlock::ToNone);
        facade.lock(Lock::Shared).expect("nothing is in the way");
        facade.begun(&begun(6)).expect("asked for");
        assert_eq!(counter(&mut facade) != written, is_rollback);
    }
}

#[test]
fn a_rollback_after_a_spill_is_no_commit() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    let shown = counter(&mut facade);
    write_page(&mut facade, 9, 1);
    // The journal is played back, but for a page that was free before.
    facade.write(0, &page_one(shown, SIZE_PAGES)).expect("the lock is held");
    assert_eq!(facade.sync(), Ok(None));
}

#[test]
fn another_page_size_is_refused_and_rolled_back_cleanly() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    let shown = counter(&mut facade);
    facade.write(0, &vec![1; 512]).expect("taken");
    assert_eq!(code(facade.sync()), ResultCode::READONLY);
    facade.write(0, &page_one(shown, SIZE_PAGES)).expect("played back");
    assert_eq!(facade.sync(), Ok(None));
}

#[test]
fn whoever_cannot_write_is_told_why_and_never_plain_busy_at_the_end() {
    let mut facade = facade(Access::Write);
    reading(&mut facade, 5);
    facade.lock(Lock::Reserved).expect("asks");
    assert_eq!(code(facade.reserved(Reservation::Busy)), ResultCode::BUSY);
    facade.lock(Lock::Reserved).expect("asks");
    assert_eq!(code(facade.reserved(Reservation::Stale)), ResultCode::BUSY_SNAPSHOT);
    facade.unlock(Unlock::ToNone);
    for outcome in [Outcome::Conflict, Outcome::NotCommitted, Outcome::Unknown] {
        writing(&mut facade, 5);
        let shown = counter(&mut facade);
        facade.write(0, &page_one(shown + 1, SIZE_PAGES)).expect("the lock is held");
        assert!(facade.sync().expect("it fits").is_some());
        assert_ne!(code(facade.committed(outcome, SIZE_PAGES)), ResultCode::BUSY);
        assert_eq!(facade.sync(), Ok(None), "the rollback that follows");
        facade.unlock(Unlock::ToNone);
        reading(&mut facade, 5);
        assert_eq!(counter(&mut facade), shown, "still the same version");
        facade.unlock(Unlock::ToNone);
    }
}

#[test]
fn who_is_told_busy_by_a_begin_does_not_ask_at_once_again() {
    let mut facade = facade(Access::Write);
    reading(&mut facade, 5);
    facade.lock(Lock::Reserved).expect("asks");
    assert_eq!(code(facade.reserved(Reservation::Busy)), ResultCode::BUSY);
    facade.unlock(Unlock::ToNone);
    // It wants the turn along now, and does not get it.
    reading(&mut facade, 5);
    assert_eq!(code(facade.lock(Lock::Reserved)), ResultCode::BUSY);
    let asks = |facade: &mut Facade| {
        let asked = facade.lock(Lock::Reserved);
        assert!(matches!(asked, Ok(Some(Request::Reserve { wait_ms: 0 }))), "{asked:?}");
    };
    asks(&mut facade);
    assert_eq!(code(facade.reserved(Reservation::Busy)), ResultCode::BUSY);
    facade.unlock(Unlock::ToNone);
    // Who is not told busy by it asks.
    facade.lock(Lock::Shared).expect("nothing is in the way");
    facade.begun(&Begun { turn: Turn::HeldBack, ..begun(5) }).expect("asked for");
    asks(&mut facade);
    facade.unlock(Unlock::ToNone);
    // After other pages were read, some time may have passed.
    reading(&mut facade, 5);
    facade.pages_arrived(9, &[1; PAGE_BYTES as usize]).expect("a page");
    assert_eq!(facade.read(8 * u64::from(PAGE_BYTES), &mut [0]), Ok(Read::Whole));
    asks(&mut facade);
}

#[test]
fn a_scan_reads_ahead_and_passes_over_what_is_with_the_owner() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    let piece = (500..).find_map(|number| write_page(&mut facade, number, 1)).expect("many pages");
    let last = 499 + u32::try_from(piece.len()).expect("small") / (PAGE_BYTES + 4);
    let (mut number, mut windows) = (2, 0);
    while number <= last + 5 {
        let offset = u64::from(number - 1) * u64::from(PAGE_BYTES);
        let mut byte = [9];
        if let Read::Missing { first, count } = facade.read(offset, &mut byte).expect("a lock") {
            assert_eq!(first, number);
            // As the owner answers: the first page as it was written, the others as they were.
            let is_sent = (500..=last).contains(&first);
            let mut pages = vec![0; (count * PAGE_BYTES) as usize];
            pages[0] = u8::from(is_sent);
            facade.pages_arrived(first, &pages).expect("pages");
            if let Some((next, wanted)) = facade.next_window() {
                assert_eq!((next, wanted), (first + count, (count * 2).min(256)));
                windows += 1;
            }
            assert_eq!(facade.read(offset, &mut byte), Ok(Read::Whole));
        }
        assert_eq!(byte, [u8::from((500..=last).contains(&number))], "page {number}");
        number += 1;
    }
    assert!(windows > 3, "{windows}");
}

#[test]
fn each_lock_permits_what_it_permits() {
    let mut facade = facade(Access::Read);
    let mut far = [0; 8];
    assert_eq!(code(facade.read(4096, &mut far)), ResultCode::MISUSE, "no lock");
    assert_eq!(code(facade.lock(Lock::Reserved)), ResultCode::MISUSE, "a lock was skipped");
    reading(&mut facade, 5);
    assert_eq!(code(facade.write(0, &[0; 1024])), ResultCode::MISUSE);
    assert_eq!(code(facade.lock(Lock::Reserved)), ResultCode::READONLY);
}

#[test]
fn a_large_transaction_is_sent_ahead_and_read_back_from_the_owner() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    let piece = (2..).find_map(|number| write_page(&mut facade, number, 1)).expect("many pages");
    assert!(piece.len() > 1 << 20);
    let mut byte = [0];
    let offset = 4 * u64::from(PAGE_BYTES);
    assert_eq!(facade.read(offset, &mut byte), Ok(Read::Missing { first: 5, count: 1 }));
    facade.pages_arrived(5, &[1; PAGE_BYTES as usize]).expect("a page");
    assert_eq!((facade.read(offset, &mut byte), byte), (Ok(Read::Whole), [1]));
    // Rolled back: what was read back of it is not of any version.
    facade.unlock(Unlock::ToNone);
    reading(&mut facade, 5);
    assert_eq!(facade.read(offset, &mut byte), Ok(Read::Missing { first: 5, count: 1 }));
}

#[test]
fn a_new_page_that_was_never_written_reads_as_a_hole_in_a_file_does() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    write_page(&mut facade, SIZE_PAGES + 3, 9);
    let offset = u64::from(SIZE_PAGES) * u64::from(PAGE_BYTES);
    let mut page = [1; PAGE_BYTES as usize];
    assert_eq!(facade.read(offset, &mut page), Ok(Read::Whole), "the owner has no such page");
    assert!(page.iter().all(|byte| *byte == 0));
    assert!(!facade.send_ahead().is_empty());
    let missing = Read::Missing { first: SIZE_PAGES + 3, count: 1 };
    assert_eq!(facade.read(offset + 2 * u64::from(PAGE_BYTES), &mut page), Ok(missing));
    assert_eq!(facade.read(offset, &mut page), Ok(Read::Whole));
}

#[test]
fn a_lost_connection_fails_until_the_locks_are_given_back() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    facade.lost();
    let mut byte = [0];
    assert_eq!(code(facade.read(0, &mut byte)), ResultCode::IOERR);
    assert_eq!(code(facade.write(0, &[0; 1024])), ResultCode::IOERR);
    assert_eq!(code(facade.sync()), ResultCode::IOERR);
    assert_eq!(facade.unlock(Unlock::ToShared), None);
    assert_eq!(code(facade.lock(Lock::Reserved)), ResultCode::IOERR, "still the same transaction");
    assert_eq!(facade.unlock(Unlock::ToNone), None, "nobody to tell");
    reading(&mut facade, 6);
}

#[test]
fn what_is_not_durable_yet_is_seen_by_a_writer_only() {
    let mut facade = facade(Access::Write);
    facade.lock(Lock::Shared).expect("free");
    let unsettled = Begun { turn: Turn::Granted, state: Settled::No, ..begun(6) };
    facade.begun(&unsettled).expect("asked for");
    facade.pages_arrived(1, &[page_one(7, SIZE_PAGES), vec![3; 1024]].concat()).expect("pages");
    let mut byte = [0];
    assert_eq!(facade.read(24, &mut byte), Ok(Read::Whole), "page 1 comes before the lock");
    assert_eq!(facade.read(1024, &mut byte), Ok(Read::TurnUnused), "it does not write");
    assert!(!facade.must_settle(), "nothing was seen");
    facade.lock(Lock::Reserved).expect("it has the turn");
    assert_eq!((facade.read(1024, &mut byte), byte), (Ok(Read::Whole), [3]));
    assert!(facade.must_settle(), "it may end without a commit");
    facade.settled();
    assert!(!facade.must_settle());
    facade.unlock(Unlock::ToNone);
}

#[test]
fn a_transaction_that_goes_on_reading_gives_back_the_turn_that_it_took_along() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    facade.unlock(Unlock::ToNone);
    let begin = facade.lock(Lock::Shared).expect("free");
    assert!(matches!(begin, Some(Request::Begin { wish: TurnWish::IfFree, .. })));
    facade.begun(&Begun { turn: Turn::Granted, ..begun(5) }).expect("asked for");
    let mut byte = [0];
    assert_eq!(facade.read(24, &mut byte), Ok(Read::Whole), "page 1 comes before the lock");
    assert_eq!(facade.read(1024, &mut byte), Ok(Read::TurnUnused));
    assert_eq!(facade.give_turn_back(), Some(Request::End(Ending::Writing)));
    assert_eq!(facade.give_turn_back(), None);
    assert_eq!(facade.read(1024, &mut byte), Ok(Read::Missing { first: 2, count: 1 }));
    let reserve = facade.lock(Lock::Reserved).expect("asks");
    assert!(matches!(reserve, Some(Request::Reserve { wait_ms: 0 })));
    facade.unlock(Unlock::ToNone);
    let begin = facade.lock(Lock::Shared).expect("free");
    assert!(matches!(begin, Some(Request::Begin { wish: TurnWish::None, .. })));
}

#[test]
fn a_turn_that_came_along_long_ago_is_asked_for_anew() {
    let mut facade = facade(Access::Write);
    writing(&mut facade, 5);
    facade.unlock(Unlock::ToNone);
    facade.lock(Lock::Shared).expect("free");
    facade.begun(&Begun { turn: Turn::Granted, ..begun(5) }).expect("asked for");
    facade.doubt_turn();
    let reserve = facade.lock(Lock::Reserved).expect("asks");
    assert!(matches!(reserve, Some(Request::Reserve { wait_ms: 0 })));
}

#[test]
fn scans_are_read_ahead_and_points_are_not() {
    let mut facade = facade(Access::Write);
    reading(&mut facade, 5);
    let mut byte = [0];
    let mut asked = Vec::new();
    let mut page = 10_u32;
    while asked.len() < 6 {
        let offset = u64::from(page - 1) * u64::from(PAGE_BYTES);
        if let Ok(Read::Missing { first, count }) = facade.read(offset, &mut byte) {
            let bytes = vec![0; (count * PAGE_BYTES) as usize];
            facade.pages_arrived(first, &bytes).expect("pages");
            asked.push(count);
        }
        page += 1;
    }
    assert_eq!(asked, [1, 2, 4, 8, 16, 32]);
    let far = 2000 * u64::from(PAGE_BYTES);
    assert_eq!(facade.read(far, &mut byte), Ok(Read::Missing { first: 2001, count: 1 }));
}

#[test]
fn a_scan_of_more_than_the_cache_holds_pushes_nothing_out() {
    let mut facade = facade(Access::Write);
    reading(&mut facade, 5);
    let mut byte = [0];
    for number in 2..=SIZE_PAGES {
        let offset = u64::from(number - 1) * u64::from(PAGE_BYTES);
        if let Ok(Read::Missing { first, count }) = facade.read(offset, &mut byte) {
            let pages: Vec<u8> = (first..first + count)
                .flat_map(|number| [number as u8; PAGE_BYTES as usize])
                .collect();
            facade.pages_arrived(first, &pages).expect("pages");
            assert_eq!(facade.read(offset, &mut byte), Ok(Read::Whole));
        }
        assert_eq!(byte, [number as u8], "page {number}");
    }
    assert_eq!(facade.read(u64::from(PAGE_BYTES), &mut byte), Ok(Read::Whole), "of the start");
}

#[test]
fn pragmas_do_not_lead_the_file_out_of_what_it_is() {
    use super::pragma::Pragma;
    let mut facade = facade(Access::Write);
    assert_eq!(facade.pragma("journal_mode", Some("DELETE")), Pragma::Answered("wal"));
    assert_eq!(facade.pragma("locking_mode", Some("EXCLUSIVE")), Pragma::Answered("normal"));
    assert_eq!(facade.pragma("page_size", Some("512")), Pragma::Swallowed);
    assert_eq!(facade.pragma("page_size", None), Pragma::Passed);
    assert_eq!(facade.pragma("user_version", Some("3")), Pragma::Passed);
    for (level, durability) in [("NORMAL", Durability::Process), (" full ", Durability::Power)] {
        assert_eq!(facade.pragma("Synchronous", Some(level)), Pragma::Passed);
        assert_eq!(facade.durability, durability, "{level}");
    }
}
