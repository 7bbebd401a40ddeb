//! Which process a number means: numbers are used again, numbers with a start time are not.

use crate::error::LabError;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// A process, beyond the reuse of its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Ticks of the clock since boot, field 22 of `/proc/PID/stat` (`proc_pid_stat(5)`).
    pub(crate) start_ticks: u64,
}

impl Identity {
    pub(crate) fn of(pid: u32) -> Result<Self, LabError> {
        let path = format!("/proc/{pid}/stat");
        let path = Path::new(&path);
        let text = fs::read_to_string(path).map_err(LabError::call("read", path))?;
        let stat = Stat::parse(&text).ok_or_else(|| {
            LabError::Request(format!("{}: not in the form of proc_pid_stat(5)", path.display()))
        })?;
        Ok(Identity { pid, start_ticks: stat.start_ticks })
    }

    /// Whether this very process is there, and more than a zombie.
    pub(crate) fn is_alive(&self) -> bool {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        Stat::parse(&text)
            .is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.state != 'Z')
    }
}

/// Of one line of `/proc/PID/stat`.
struct Stat {
    state: char,
    parent: u32,
    start_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The name in parentheses may hold anything, parentheses included.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let start_ticks = fields.nth(17)?.parse().ok()?;
        Some(Stat { state, parent, start_ticks })
    }
}

/// The numbers of all processes.
fn numbers() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The children of a process, their children, and so on.
pub(crate) fn descendants(ancestor: u32) -> Vec<Identity> {
    let all: Vec<(Identity, u32)> = numbers()
        .into_iter()
        .filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let stat = Stat::parse(&text)?;
            Some((Identity { pid, start_ticks: stat.start_ticks }, stat.parent))
        })
        .collect();
    let (mut found, mut parents) = (Vec::new(), vec![ancestor]);
    while let Some(parent) = parents.pop() {
        for (identity, _) in all.iter().filter(|(_, of)| *of == parent) {
            parents.push(identity.pid);
            found.push(identity.clone());
        }
    }
    found
}

/// The processes whose environment, as they were started with it, holds `variable=value`.
pub(crate) fn marked(variable: &str, value: &OsStr) -> Vec<Identity> {
    let wanted = [variable.as_bytes(), b"=", value.as_encoded_bytes()].concat();
    let own = std::process::id();
    let holds = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
    };
    let candidates = numbers().into_iter().filter(|pid| *pid != own).filter(holds);
    candidates.filter_map(|pid| Identity::of(pid).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read() {
        let text = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 991 5 6";
        let stat = Stat::parse(text).expect("it is complete");
        assert_eq!((stat.state, stat.parent, stat.start_ticks), ('S', 3, 991));
        assert!(Stat::parse("7 (a) S 3").is_none());
    }

    #[test]
    fn this_process_is_itself_and_no_earlier_one() {
        let own = Identity::of(std::process::id()).expect("it runs");
        assert!(own.is_alive());
        assert!(!Identity { start_ticks: own.start_ticks + 1, ..own }.is_alive());
    }

    #[test]
    fn a_marked_child_is_found_and_is_a_descendant() {
        let mut command = std::process::Command::new("sleep");
        let mut child = command.arg("60").env("LAB_MARK", "this").spawn().expect("sleep runs");
        // The environment is that of the test until the child has called execve.
        let found = || marked("LAB_MARK", OsStr::new("this")).iter().any(|of| of.pid == child.id());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !found() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(found());
        assert!(marked("LAB_MARK", OsStr::new("thi")).is_empty());
        assert!(descendants(std::process::id()).iter().any(|of| of.pid == child.id()));
        child.kill().expect("killed");
        child.wait().expect("waited for");
    }
}
