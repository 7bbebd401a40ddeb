//! Which call on which file gets which answer.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

const RULES_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 4096;
const SUFFIX_BYTES_MAX: usize = 255;
/// What `readlink` of a descriptor in `/proc` appends to the name of a removed file
/// (proc_pid_fd(5)).
const REMOVED: &[u8] = b" (deleted)";

/// A kind of call that a rule can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `open` in any form, `creat`.
    Open,
    /// `open` for writing.
    OpenWrite,
    /// Byte-range locks by `fcntl`, of the process or of the description; queries do not count.
    Lock,
    /// `flock`.
    Flock,
    /// `mmap` with `MAP_SHARED`.
    Map,
    /// `read`, `pread`.
    Read,
    /// `write`, `pwrite`.
    Write,
    /// `fsync`, `fdatasync`.
    Sync,
    /// `ftruncate`.
    Truncate,
    /// `unlink`, `unlinkat`.
    Remove,
    /// `stat` in any form, `access`.
    Stat,
}

const CALLS: &[(&str, Call)] = &[
    ("open", Call::Open),
    ("open-write", Call::OpenWrite),
    ("lock", Call::Lock),
    ("flock", Call::Flock),
    ("map", Call::Map),
    ("read", Call::Read),
    ("write", Call::Write),
    ("sync", Call::Sync),
    ("truncate", Call::Truncate),
    ("remove", Call::Remove),
    ("stat", Call::Stat),
];

/// What file systems answer; the numbers are the platform's (errno(3)).
const ERRORS: &[(&str, i32)] = &[
    ("EACCES", libc::EACCES),
    ("EAGAIN", libc::EAGAIN),
    ("EDQUOT", libc::EDQUOT),
    ("EINTR", libc::EINTR),
    ("EINVAL", libc::EINVAL),
    ("EIO", libc::EIO),
    ("ENODEV", libc::ENODEV),
    ("ENOENT", libc::ENOENT),
    ("ENOLCK", libc::ENOLCK),
    ("ENOMEM", libc::ENOMEM),
    ("ENOSPC", libc::ENOSPC),
    ("ENOSYS", libc::ENOSYS),
    ("ENOTCONN", libc::ENOTCONN),
    ("EOPNOTSUPP", libc::EOPNOTSUPP),
    ("EPERM", libc::EPERM),
    ("EROFS", libc::EROFS),
    ("ESTALE", libc::ESTALE),
    ("ETIMEDOUT", libc::ETIMEDOUT),
];

impl Call {
    fn name(self) -> &'static str {
        CALLS.iter().find(|(_, call)| *call == self).map_or("", |(name, _)| name)
    }

    /// Whether a rule about this kind is about what happens, too.
    fn covers(self, happens: Call) -> bool {
        self == happens || (self == Call::Open && happens == Call::OpenWrite)
    }
}

/// A rule that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Longer than anybody writes.
    #[error("more than {TEXT_BYTES_MAX} bytes, or more than {RULES_MAX} rules")]
    TooLong,
    /// No rule at all.
    #[error("no rule")]
    Empty,
    /// Not four words.
    #[error("\"{0}\" is not CALL,SUFFIX,ERRNO,NTH, nor log=PATH or when=PATH")]
    Shape(String),
    /// A kind of call that does not exist.
    #[error("\"{0}\" is no kind of call")]
    Call(String),
    /// An error that is not known.
    #[error("\"{0}\" is no known errno")]
    Errno(String),
    /// Not the number of a call.
    #[error("\"{0}\" is not a number from 1, nor one with a + behind it")]
    Nth(String),
}

/// One kind of call on one kind of file.
#[derive(Debug)]
struct Rule {
    call: Call,
    suffix: Vec<u8>,
    errno_name: &'static str,
    errno: i32,
    nth: u32,
    for_ever: bool,
    seen: AtomicU32,
}

/// The answer to one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the call fails with.
    pub errno: i32,
    /// What stands in the log: the call, the end of the file's name, the errno; with a newline.
    pub line: String,
}

/// All rules of one process.
#[derive(Debug)]
pub struct Plan {
    rules: Vec<Rule>,
    log: Option<CString>,
    when: Option<CString>,
}

impl Plan {
    /// Reads rules, separated by semicolons; see the crate's own page for their form.
    ///
    /// # Errors
    /// The first rule that cannot be read.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(PlanError::TooLong);
        }
        let mut plan = Plan { rules: Vec::new(), log: None, when: None };
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let path = |path: &str| {
                let absolute = CString::new(path).ok().filter(|_| path.starts_with('/'));
                absolute.ok_or_else(|| PlanError::Shape(part.to_owned()))
            };
            if let Some(log) = part.strip_prefix("log=") {
                plan.log = Some(path(log)?);
            } else if let Some(when) = part.strip_prefix("when=") {
                plan.when = Some(path(when)?);
            } else {
                plan.rules.push(Rule::parse(part)?);
            }
        }
        match plan.rules.len() {
            0 => Err(PlanError::Empty),
            1..=RULES_MAX => Ok(plan),
            _ => Err(PlanError::TooLong),
        }
    }

    /// Where answers are noted.
    #[must_use]
    pub fn log(&self) -> Option<&CString> {
        self.log.as_ref()
    }

    /// The file without which no call counts.
    #[must_use]
    pub fn when(&self) -> Option<&CString> {
        self.when.as_ref()
    }

    /// Whether any rule is about such calls. Where none is, the file's name need not be asked for.
    #[must_use]
    pub fn concerns(&self, call: Call) -> bool {
        self.rules.iter().any(|rule| rule.call.covers(call))
    }

    /// Counts a call on a file, and says what it is answered with; `None` lets it through.
    ///
    /// `is_armed` is asked only of a call that some rule is about.
    pub fn answer(
        &self,
        call: Call,
        path: &[u8],
        is_armed: impl FnOnce() -> bool,
    ) -> Option<Answer> {
        let path = path.strip_suffix(REMOVED).unwrap_or(path);
        let mut about = self.rules.iter().filter(|rule| rule.is_about(call, path)).peekable();
        if about.peek().is_none() || !is_armed() {
            return None;
        }
        // Each rule counts for itself, so none may be passed over for another.
        let hits: Vec<&Rule> = about.filter(|rule| rule.count()).collect();
        let rule = hits.first()?;
        let suffix = String::from_utf8_lossy(&rule.suffix);
        let line = format!("{} {suffix} {}\n", rule.call.name(), rule.errno_name);
        Some(Answer { errno: rule.errno, line })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, PlanError> {
        let words: Vec<&str> = text.split(',').collect();
        let [call, suffix, errno, nth] = words[..] else {
            return Err(PlanError::Shape(text.to_owned()));
        };
        if suffix.is_empty() || suffix.len() > SUFFIX_BYTES_MAX {
            return Err(PlanError::Shape(text.to_owned()));
        }
        let known = CALLS.iter().find(|(name, _)| *name == call);
        let (_, call) = known.ok_or_else(|| PlanError::Call(call.to_owned()))?;
        let known = ERRORS.iter().find(|(name, _)| *name == errno);
        let (errno_name, errno) = known.ok_or_else(|| PlanError::Errno(errno.to_owned()))?;
        let for_ever = nth.ends_with('+');
        let number = nth.strip_suffix('+').unwrap_or(nth);
        // `parse` alone would take "+1".
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| is_number && *number > 0);
        let nth_number = number.ok_or_else(|| PlanError::Nth(nth.to_owned()))?;
        Ok(Rule {
            call: *call,
            suffix: suffix.as_bytes().to_owned(),
            errno_name,
            errno: *errno,
            nth: nth_number,
            for_ever,
            seen: AtomicU32::new(0),
        })
    }

    fn is_about(&self, call: Call, path: &[u8]) -> bool {
        self.call.covers(call) && path.ends_with(&self.suffix)
    }

    /// Counts one more call, and says whether it is one to be answered.
    fn count(&self) -> bool {
        let add = |seen: u32| Some(seen.saturating_add(1));
        let before = self.seen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        let number = before.unwrap_or(u32::MAX).saturating_add(1);
        number == self.nth || (self.for_ever && number > self.nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::parse(text).expect(text)
    }

    fn errnos(plan: &Plan, call: Call, path: &str, count: usize) -> Vec<i32> {
        let ask = |_| plan.answer(call, path.as_bytes(), || true).map_or(0, |it| it.errno);
        (0..count).map(ask).collect()
    }

    #[test]
    fn a_call_is_counted_from_one_and_answered_once_or_for_ever() {
        let once = plan("write,-wal,ENOSPC,2");
        let want = [0, libc::ENOSPC, 0, 0];
        assert_eq!(errnos(&once, Call::Write, "/srv/app.db-wal", 4), want);
        let for_ever = plan("write,-wal,ENOSPC,2+");
        let want = [0, libc::ENOSPC, libc::ENOSPC, libc::ENOSPC];
        assert_eq!(errnos(&for_ever, Call::Write, "/srv/app.db-wal", 4), want);
    }

    #[test]
    fn only_the_named_file_and_call_are_meant() {
        let plan = plan("sync,app.db,EIO,1+");
        assert_eq!(errnos(&plan, Call::Sync, "/srv/app.db", 1), [libc::EIO]);
        assert_eq!(errnos(&plan, Call::Sync, "/srv/app.db (deleted)", 1), [libc::EIO]);
        assert_eq!(errnos(&plan, Call::Sync, "/srv/app.db-wal", 1), [0]);
        assert_eq!(errnos(&plan, Call::Read, "/srv/app.db", 1), [0]);
        assert!(plan.concerns(Call::Sync));
        assert!(!plan.concerns(Call::Read));
    }

    #[test]
    fn an_open_for_writing_is_an_open() {
        let any = plan("open,app.db,EACCES,1+");
        assert_eq!(errnos(&any, Call::OpenWrite, "/app.db", 1), [libc::EACCES]);
        let writing = plan("open-write,app.db,EROFS,1+");
        assert_eq!(errnos(&writing, Call::OpenWrite, "/app.db", 1), [libc::EROFS]);
        assert_eq!(errnos(&writing, Call::Open, "/app.db", 1), [0]);
    }

    #[test]
    fn each_rule_counts_for_itself() {
        let plan = plan("read,.db,EIO,1;read,app.db,ESTALE,2");
        assert_eq!(errnos(&plan, Call::Read, "app.db", 3), [libc::EIO, libc::ESTALE, 0]);
    }

    #[test]
    fn calls_before_the_arming_do_not_count() {
        let plan = plan("read,app.db,EIO,1;when=/armed");
        assert_eq!(plan.answer(Call::Read, b"app.db", || false), None);
        assert_eq!(plan.answer(Call::Write, b"app.db", || panic!("not asked")), None);
        let answer = plan.answer(Call::Read, b"app.db", || true).expect("armed");
        assert_eq!(answer, Answer { errno: libc::EIO, line: "read app.db EIO\n".to_owned() });
        assert_eq!(plan.when().map(|path| path.as_bytes()), Some(&b"/armed"[..]));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |text: &str| Plan::parse(text).expect_err(text);
        assert_eq!(refused(""), PlanError::Empty);
        assert_eq!(refused("log=/x"), PlanError::Empty);
        assert_eq!(refused("map,-shm,EINVAL"), PlanError::Shape("map,-shm,EINVAL".to_owned()));
        assert_eq!(refused("map,,EINVAL,1"), PlanError::Shape("map,,EINVAL,1".to_owned()));
        assert_eq!(refused("log=x"), PlanError::Shape("log=x".to_owned()));
        assert_eq!(refused("nap,-shm,EINVAL,1"), PlanError::Call("nap".to_owned()));
        assert_eq!(refused("map,-shm,22,1"), PlanError::Errno("22".to_owned()));
        for nth in ["0", "", "+", "+1", "1++", "-1", "99999999999"] {
            assert_eq!(refused(&format!("map,-shm,EIO,{nth}")), PlanError::Nth(nth.to_owned()));
        }
        assert_eq!(refused(&"map,-shm,EIO,1;".repeat(17)), PlanError::TooLong);
        assert_eq!(refused(&"x".repeat(5000)), PlanError::TooLong);
    }

    #[test]
    fn counting_never_wraps() {
        let plan = plan("map,x,EIO,1");
        plan.rules[0].seen.store(u32::MAX, Ordering::Relaxed);
        assert_eq!(errnos(&plan, Call::Map, "x", 2), [0, 0]);
    }
}
