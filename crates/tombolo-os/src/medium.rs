//! What a file is kept on, as far as that changes what may be asked of it.

use std::fs::File;
use tombolo_core::errno::Errno;

/// What a file is kept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Memory of this kernel, by the file system's own account: nothing survives a power loss.
    Memory,
    /// An SMB share. `F_GETLK` there takes a free lock on the server and gives it back
    /// (`cifs_getlk` in fs/smb/client/file.c), so that another client may be told "busy".
    Smb,
    /// A device, a server, or what cannot be told.
    Other,
}

/// `f_type` of tmpfs, ramfs and hugetlbfs (statfs(2); include/uapi/linux/magic.h). 9p passes its
/// server's number on, and then it is the server's memory, which is one as well.
const MEMORY: [u64; 3] = [0x0102_1994, 0x8584_58f6, 0x9584_58f6];

/// `f_type` of the two SMB clients and of the number that newer servers' shares bear
/// (include/uapi/linux/magic.h).
const SMB: [u64; 3] = [0xff53_4d42, 0xfe53_4d42, 0x517b];

/// Asks `fstatfs`.
///
/// # Errors
/// What the kernel said.
pub fn of(file: &File) -> Result<Medium, Errno> {
    let answer = rustix::fs::fstatfs(file);
    let answer = answer.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    let number = answer.f_type.cast_unsigned() & 0xffff_ffff;
    Ok(from_number(number))
}

fn from_number(number: u64) -> Medium {
    match number {
        _ if MEMORY.contains(&number) => Medium::Memory,
        _ if SMB.contains(&number) => Medium::Smb,
        _ => Medium::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_from_disks() {
        assert_eq!(from_number(0xff53_4d42), Medium::Smb);
        assert_eq!(from_number(0xef53), Medium::Other);
    }

    #[test]
    fn shared_memory_is_memory_and_proc_is_not() {
        let memory = tempfile::tempfile_in("/dev/shm").expect("/dev/shm, a tmpfs, is needed");
        assert_eq!(of(&memory), Ok(Medium::Memory));
        assert_eq!(of(&File::open("/proc/self/stat").expect("/proc")), Ok(Medium::Other));
    }
}
