//! The kernel's table of mounts (`proc_pid_mountinfo(5)`).
