//! The shares of real kernels that two FUSE mounts can stand for, and what it takes of each.
//!
//! What is said of a share was measured on real kernels (Linux 6.1 clients, SQLite 3.40.1) unless
//! a source is named. A FUSE mount cannot imitate everything: what differs in the experiments of
//! the matrix stands in `imitations.toml`, with the reason, and a test of the lab holds the two
//! against each other.

use crate::faults::{Faults, Gone, Kept, Locks, Maps, Pages};
use rustix::io::Errno;
use std::time::Duration;

/// A share, with the options that decide how it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// 9p by QEMU, `cache=none`: no shared maps, everything else fresh, no lock crosses. The
    /// refusal is EINVAL there and ENODEV here; SQLite makes SQLITE_IOERR_SHMMAP of both.
    NinePNone,
    /// 9p by QEMU, `cache=mmap`: reads and writes are fresh, maps are not.
    NinePMmap,
    /// 9p by QEMU, `cache=loose`: what was seen once is never asked for again
    /// (Documentation/filesystems/9p.rst). There a client never learns a size from the server
    /// again; here it does after a change of its own.
    NinePLoose,
    /// virtiofsd `--cache=never`: as `cache=none` of 9p, but the server knows files by descriptor.
    VirtiofsNever,
    /// virtiofsd `--cache=auto`: names and attributes for a second, pages until a change is seen.
    VirtiofsAuto,
    /// virtiofsd `--cache=always`: names and attributes for a day, pages kept.
    VirtiofsAlways,
    /// NFS 4.2 with its locks: they cross, and with each the client asks for the file again; names
    /// and sizes are late, for as long as `acdirmin` of nfs(5). So the log of WAL mode, which
    /// SQLite never locks, is read short (SQLITE_IOERR_SHORT_READ). Leases that run out are not
    /// imitated.
    Nfs,
    /// SMB 3.1.1 `cache=strict` between two clients: locks cross, but a shared one is never made
    /// exclusive, which SQLite's rollback modes need; sizes and new names are late by `actimeo`
    /// (mount.cifs(8)).
    /// There a lock keeps others from reading its range, and `flock` crosses too; not here.
    SmbStrict,
    /// sshfs: no lock crosses; names and attributes for 20 seconds (`dcache_timeout`, sshfs(1)).
    Sshfs,
    /// mergerfs `cache.files=off` before its release 2.41: direct I/O without shared maps, no lock
    /// crosses, names and attributes for a second (`cache.entry`, `cache.attr`).
    Mergerfs,
}

impl Share {
    /// All of them.
    pub const ALL: &'static [Share] = &[
        Share::NinePNone,
        Share::NinePMmap,
        Share::NinePLoose,
        Share::VirtiofsNever,
        Share::VirtiofsAuto,
        Share::VirtiofsAlways,
        Share::Nfs,
        Share::SmbStrict,
        Share::Sshfs,
        Share::Mergerfs,
    ];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Share::NinePNone => "9p cache=none",
            Share::NinePMmap => "9p cache=mmap",
            Share::NinePLoose => "9p cache=loose",
            Share::VirtiofsNever => "virtiofs cache=never",
            Share::VirtiofsAuto => "virtiofs cache=auto",
            Share::VirtiofsAlways => "virtiofs cache=always",
            Share::Nfs => "NFS 4.2",
            Share::SmbStrict => "SMB 3.1.1 cache=strict",
            Share::Sshfs => "sshfs",
            Share::Mergerfs => "mergerfs cache.files=off",
        }
    }

    /// The rigs of `matrix.toml` that it stands for, as they are under Linux 6.1.
    #[must_use]
    pub fn rigs(self) -> &'static [&'static str] {
        match self {
            Share::NinePNone => &["9p-none", "9p-none-mapped-xattr", "9p-none-passthrough"],
            Share::NinePMmap => &["9p-mmap"],
            Share::NinePLoose => &["9p-loose", "9p-fscache"],
            Share::VirtiofsNever => &["virtiofs-c-none", "virtiofs-rust-never"],
            Share::VirtiofsAuto => &["virtiofs-c-auto", "virtiofs-rust-auto"],
            Share::VirtiofsAlways => &["virtiofs-c-always", "virtiofs-rust-always"],
            Share::Nfs => &["nfs-4-2"],
            Share::SmbStrict => &["smb-strict"],
            Share::Sshfs => &["sshfs"],
            Share::Mergerfs => &["mergerfs-off"],
        }
    }

    /// What the mount table says, as far as a FUSE mount can say it.
    #[must_use]
    pub fn filesystem(self) -> &'static str {
        match self {
            Share::Sshfs => "fuse.sshfs",
            Share::Mergerfs => "fuse.mergerfs",
            _ => "fuse",
        }
    }

    /// What each of the two mounts has.
    #[must_use]
    pub fn faults(self) -> Faults {
        let seconds = |count| Kept::For(Duration::from_secs(count));
        let by_path = Faults { gone: Gone::Refused(Errno::NOENT), ..Faults::default() };
        match self {
            Share::NinePNone => Faults { maps: Maps::Refused, ..by_path },
            Share::NinePMmap => Faults { maps: Maps::Direct, ..by_path },
            Share::NinePLoose => {
                Faults { attributes: Kept::ForADay, pages: Pages::Kept, ..by_path }
            }
            Share::VirtiofsNever => Faults { maps: Maps::Refused, ..Faults::default() },
            Share::VirtiofsAuto => {
                Faults { attributes: seconds(1), pages: Pages::UntilChanged, ..Faults::default() }
            }
            Share::VirtiofsAlways => {
                Faults { attributes: Kept::ForADay, pages: Pages::Kept, ..Faults::default() }
            }
            Share::Nfs => Faults {
                locks: Locks::Server,
                attributes: seconds(30),
                missing_names: seconds(30),
                pages: Pages::UntilLocked,
                gone: Gone::Refused(Errno::STALE),
                ..Faults::default()
            },
            Share::SmbStrict => Faults {
                maps: Maps::Direct,
                locks: Locks::UpgradeRefused,
                pages: Pages::UntilLocked,
                attributes: seconds(1),
                missing_names: seconds(1),
                ..by_path
            },
            Share::Sshfs => {
                Faults { attributes: seconds(20), pages: Pages::UntilChanged, ..by_path }
            }
            Share::Mergerfs => Faults { maps: Maps::Refused, attributes: seconds(1), ..by_path },
        }
    }
}
