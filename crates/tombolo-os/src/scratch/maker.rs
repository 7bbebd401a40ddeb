//! Who made a scratch directory, as its name tells.
//!
//! `.tombolo-probe-BOOT-NAMESPACE-PROCESS-START-RANDOM`: the first digits of the boot id, the
//! number of the pid namespace, the process id in it, and when the process started, in ticks since
//! boot (`proc_pid_stat(5)`, field 22). Process ids are used again; together with the start they
//! are not. A directory to meet in begins `.tombolo-peer-` and ends with the code by which it is
//! found.

use super::{MEETING_PREFIX, PREFIX};
use crate::bounded::read_file;
use crate::process::Stat;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, test_kill_process};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A number that is not known.
const UNKNOWN: u64 = 0;

/// Whether a maker still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    Ended,
    /// It is in another pid namespace, or `/proc` does not tell.
    NotKnown,
}

/// What a directory is made for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    Probes,
    /// To be found by this code.
    Meeting(&'a str),
}

/// What follows the prefix.
fn fields_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(MEETING_PREFIX))
}

/// This process, as a maker.
pub(super) struct Maker {
    boot: Option<String>,
    namespace: u64,
    pid: i32,
    start: u64,
    /// Our own `/proc`, also after another mount namespace was entered.
    proc: Option<OwnedFd>,
}

/// What a name tells.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    namespace: u64,
    pid: i32,
    start: u64,
}

impl Maker {
    pub(super) fn here() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // `/proc` may be that of another pid namespace, where our number means somebody else.
        let own =
            std::fs::read_link("/proc/self").is_ok_and(|link| link == Path::new(&pid.to_string()));
        let proc = own.then(|| rustix::fs::open("/proc", flags, Mode::empty()).ok()).flatten();
        let start = proc.as_ref().and_then(|proc| start_of(proc, pid));
        let start = start.map_or(UNKNOWN, |start| start.ticks);
        Maker { boot: boot_tag(), namespace: pid_namespace(), pid, start, proc }
    }

    /// A name for a new directory.
    pub(super) fn name_for(&self, purpose: Purpose<'_>) -> String {
        match purpose {
            Purpose::Probes => self.fresh_name(),
            Purpose::Meeting(code) => self.name(MEETING_PREFIX, code),
        }
    }

    /// A name that was most likely never used before.
    pub(super) fn fresh_name(&self) -> String {
        let mut random = [0_u8; 8];
        let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
        self.name(PREFIX, &format!("{:016x}", u64::from_le_bytes(random)))
    }

    fn name(&self, prefix: &str, tail: &str) -> String {
        let boot = self.boot.as_deref().unwrap_or("00000000");
        let Maker { namespace, pid, start, .. } = self;
        format!("{prefix}{boot}-{namespace}-{pid}-{start}-{tail}")
    }

    /// Whether a directory of this name was made under the running kernel.
    pub(super) fn is_of_this_kernel(&self, name: &str) -> bool {
        let rest = fields_of(name).and_then(|rest| rest.split_once('-'));
        self.boot.is_some() && rest.map(|(boot, _)| boot) == self.boot.as_deref()
    }

    /// Whether the maker of a directory of this kernel still runs.
    pub(super) fn life_of(&self, name: &str) -> Life {
        let Some(named) = Named::parse(name) else { return Life::NotKnown };
        if named.namespace != self.namespace || named.namespace == UNKNOWN {
            return Life::NotKnown;
        }
        let Some(pid) = Pid::from_raw(named.pid) else { return Life::NotKnown };
        // Asked of the kernel and not of `/proc`, which may hide processes (`hidepid=`, `proc(5)`).
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return Life::Ended;
        }
        match self.proc.as_ref().and_then(|proc| start_of(proc, named.pid)) {
            // Dead, and nobody has asked how it died (as in a container without an init).
            Some(Start { state: 'Z' | 'X', .. }) => Life::Ended,
            Some(Start { ticks: start, .. }) if named.start != UNKNOWN && start == named.start => {
                Life::Runs
            }
            Some(_) if named.start != UNKNOWN => Life::Ended,
            _ => Life::NotKnown,
        }
    }
}

impl Named {
    fn parse(name: &str) -> Option<Self> {
        let mut fields = fields_of(name)?.split('-').skip(1);
        let namespace = fields.next()?.parse().ok()?;
        let pid = fields.next()?.parse().ok().filter(|pid| *pid > 0)?;
        let start = fields.next()?.parse().ok()?;
        (fields.count() == 1).then_some(Named { namespace, pid, start })
    }
}

/// Of `/proc/PID/stat`.
struct Start {
    state: char,
    ticks: u64,
}

fn start_of(proc: &OwnedFd, pid: i32) -> Option<Start> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = rustix::fs::openat(proc, format!("{pid}/stat"), flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    std::fs::File::from(stat).take(Stat::BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let stat = Stat::of(&bytes);
    let state = stat.field(3)?.chars().next()?;
    Some(Start { state, ticks: stat.start_ticks()? })
}

/// The number in `pid:[4026531836]` (`namespaces(7)`).
fn pid_namespace() -> u64 {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let number = link.to_str().and_then(|link| link.strip_prefix("pid:[")?.strip_suffix(']'));
    number.and_then(|number| number.parse().ok()).unwrap_or(UNKNOWN)
}

/// The first eight digits of the boot id, which tell this kernel's directories from others'.
fn boot_tag() -> Option<String> {
    let id = read_file(Path::new("/proc/sys/kernel/random/boot_id"), 64).ok()?;
    let tag: String = id.iter().take(8).map(|byte| char::from(*byte)).collect();
    (tag.len() == 8 && tag.chars().all(|digit| digit.is_ascii_hexdigit())).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions};
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_tells_its_maker() {
        let maker = Maker::here();
        let name = maker.fresh_name();
        assert!(maker.is_of_this_kernel(&name));
        let Maker { namespace, pid, start, .. } = maker;
        assert_eq!(Named::parse(&name), Some(Named { namespace, pid, start }));
        assert!(start != UNKNOWN && namespace != UNKNOWN);
        for other in ["x", "1-2", "1-2-3-4-5", "1-0-3-4", "a-2-3-4", "1--2-3-4"] {
            assert_eq!(Named::parse(&format!("{PREFIX}0000abcd-{other}")), None, "{other}");
        }
    }

    #[test]
    fn the_living_the_dead_and_their_successors_are_told_apart() {
        let maker = Maker::here();
        assert_eq!(maker.life_of(&maker.fresh_name()), Life::Runs);
        let successor = Maker { start: maker.start + 1, ..Maker::here() };
        assert_eq!(maker.life_of(&successor.fresh_name()), Life::Ended);
        let mut child = Command::new("true").stdout(Stdio::null()).spawn().expect("started");
        let pid = i32::try_from(child.id()).expect("a process id");
        assert!(unreaped_is_ended(&maker, pid), "a zombie works no more");
        child.wait().expect("ended");
        let dead = Maker { pid, ..Maker::here() };
        assert_eq!(maker.life_of(&dead.fresh_name()), Life::Ended);
        let elsewhere = Maker { namespace: maker.namespace + 1, ..Maker::here() };
        assert_eq!(maker.life_of(&elsewhere.fresh_name()), Life::NotKnown);
        let blind = Maker { start: UNKNOWN, ..Maker::here() };
        assert_eq!(maker.life_of(&blind.fresh_name()), Life::NotKnown);
    }

    fn unreaped_is_ended(maker: &Maker, pid: i32) -> bool {
        let proc = maker.proc.as_ref().expect("/proc");
        let id = Pid::from_raw(pid).expect("not zero");
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::Pid(id), options).expect("it ends");
        let start = start_of(proc, pid).expect("a zombie has one").ticks;
        let zombie = Maker { pid, start, ..Maker::here() };
        maker.life_of(&zombie.fresh_name()) == Life::Ended
    }
}
