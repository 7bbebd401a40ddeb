//! Which system call a child that did not end is waiting in.

use crate::bounded::read_file;
use std::path::Path;

/// Processes of one child that are looked at; experiments make one more.
const PROCESSES_MAX: usize = 8;

/// `/proc/PID/syscall` and `/proc/PID/task/PID/children` are one line each (proc(5)).
const LINE_BYTES_MAX: u64 = 4096;

/// Calls on files that can sleep for ever in the kernel, by the names of their manual pages. Calls
/// by which one process waits for another (read of a pipe, poll, wait4) are not among them.
const CALLS: &[(libc::c_long, &str)] = &[
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_msync, "msync"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_munmap, "munmap"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_pread64, "pread"),
    (libc::SYS_pwrite64, "pwrite"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_openat, "open"),
    (libc::SYS_close, "close"),
    (libc::SYS_unlinkat, "unlink"),
    (libc::SYS_linkat, "link"),
    (libc::SYS_renameat2, "rename"),
    (libc::SYS_mkdirat, "mkdir"),
    (libc::SYS_getdents64, "getdents"),
    (libc::SYS_statx, "stat"),
    (libc::SYS_fstat, "fstat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_newfstatat, "stat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, "stat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, "lstat"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, "open"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, "unlink"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_link, "link"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, "rename"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, "mkdir"),
];

/// The call on a file that `pid`, or a process that it made, sleeps in. `None` where none does, or
/// the kernel does not say.
pub(super) fn call_of(pid: i32) -> Option<&'static str> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        let call = line(pid, "syscall").as_deref().and_then(name);
        if call.is_some() {
            return call;
        }
        let children = line(pid, &format!("task/{pid}/children")).unwrap_or_default();
        let children = children.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok());
        family.extend(children.take(PROCESSES_MAX.saturating_sub(family.len())));
        next += 1;
    }
    None
}

fn line(pid: i32, file: &str) -> Option<String> {
    let bytes = read_file(Path::new(&format!("/proc/{pid}/{file}")), LINE_BYTES_MAX).ok()?;
    String::from_utf8(bytes).ok()
}

/// The line begins with the number of the call; of a process that runs it is `running`.
fn name(syscall: &str) -> Option<&'static str> {
    let number: libc::c_long = syscall.split_ascii_whitespace().next()?.parse().ok()?;
    CALLS.iter().find(|(call, _)| *call == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_proc_gives_the_name() {
        let line = format!("{} 0x3 0x0 0x7ffe 0x7f0a\n", libc::SYS_ftruncate);
        assert_eq!(name(&line), Some("ftruncate"));
        for other in ["running\n", "-1 0x7ffe 0x7f0a\n", "", "x"] {
            assert_eq!(name(other), None, "{other}");
        }
        let waits = format!("{} 0x0", libc::SYS_wait4);
        assert_eq!(name(&waits), None, "one process waits for another");
    }
}
