//! What single calls say, by `xfs_io` for maps and by `fcntl(2)` for locks.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// What `xfs_io` says of a file after these commands, errors included.
pub(crate) fn xfs_io(file: &Path, commands: &[&str]) -> String {
    let mut command = Command::new("xfs_io");
    commands.iter().for_each(|text| {
        command.args(["-c", text]);
    });
    let output = command.arg(file).output().expect("xfs_io runs (package xfsprogs)");
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn byte(kind: i32, start: i64) -> libc::flock {
    let (whence, kind) = (libc::SEEK_SET as i16, kind as i16);
    libc::flock { l_type: kind, l_whence: whence, l_start: start, l_len: 1, l_pid: 0 }
}

/// A lock of the open file description, so that two files of one process conflict.
pub(crate) fn lock(file: &File, kind: i32, start: i64) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte(kind, start))).map(drop)
}

/// The kind of lock that is in the way of an exclusive one; `F_UNLCK` where none is.
pub(crate) fn query(file: &File, start: i64) -> nix::Result<i32> {
    let mut asked = byte(libc::F_WRLCK, start);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked))?;
    Ok(i32::from(asked.l_type))
}
