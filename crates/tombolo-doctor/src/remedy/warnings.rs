//! Advice that is passed around and loses data.

use super::Situation;
use tombolo_core::report::{HeaderMode, KernelCount, Machine, Warning};

/// What a piece of advice depends on.
struct Advice {
    fits: fn(&Case) -> bool,
    advice: &'static str,
    why: &'static str,
}

/// The situation in the words of the advice.
struct Case {
    filesystem: String,
    share: bool,
    several: bool,
    local: bool,
    wal: bool,
    container: bool,
    docker_desktop: bool,
    wsl: bool,
}

impl Case {
    fn of(situation: &Situation) -> Self {
        let filesystem = situation.filesystem.clone().unwrap_or_default();
        let local = situation.reach == Some(KernelCount::One);
        Case {
            share: !local,
            several: situation.several_kernels_open.unwrap_or(!local),
            local,
            wal: !matches!(
                situation.journal_mode,
                Some(HeaderMode::Rollback | HeaderMode::Empty | HeaderMode::Unreadable)
            ),
            container: situation.container.is_some(),
            docker_desktop: situation.machine == Some(Machine::DockerDesktop)
                || filesystem.contains("grpcfuse")
                || filesystem == "fakeowner",
            wsl: matches!(situation.machine, Some(Machine::Wsl1 | Machine::Wsl2)),
            filesystem,
        }
    }

    fn is(&self, filesystems: &[&str]) -> bool {
        filesystems.contains(&self.filesystem.as_str())
    }
}

const ADVICE: &[Advice] = &[
    Advice {
        fits: |case| case.is(&["nfs", "nfs4"]),
        advice: "mount NFS with nolock, or with local_lock=all",
        why: "on NFSv3 the error goes away because locks are no longer sent: programs of other \
              clients are not excluded, and both lose commits; on NFSv4 nolock has no effect",
    },
    Advice {
        fits: |case| case.is(&["cifs", "smb3"]),
        advice: "mount SMB with nobrl",
        why: "\"database is locked\" goes away because locks are no longer sent: a second machine, \
              a second replica or an overlapping update then overwrites commits in silence",
    },
    Advice {
        fits: |case| case.is(&["cifs", "smb3"]),
        advice: "create the database in WAL mode elsewhere and upload it",
        why: "it avoids the refused lock and puts WAL on a network file system, where two machines \
              lose commits while integrity_check says ok",
    },
    Advice {
        fits: |case| case.several && !case.local,
        advice: "switch to journal_mode=DELETE and let both kernels write",
        why: "a rollback journal needs locks that cross and pages that are fresh: on 9p and \
              virtiofs two kernels lost up to 75 of 400 acknowledged commits in DELETE mode",
    },
    Advice {
        fits: |case| case.is(&["9p"]),
        advice: "mount 9p with cache=loose or cache=fscache",
        why: "the guest never looks again at what it has cached: what the host writes is not seen, \
              and what the guest writes back destroys it",
    },
    Advice {
        fits: |case| case.wal,
        advice: "delete the -wal and -shm files",
        why: "the -wal holds commits that the database file does not have yet; under a running \
              program two generations of it exist from then on, and the file becomes malformed",
    },
    Advice {
        fits: |case| case.wal,
        advice: "copy only the .db file",
        why: "every commit that still stands in the -wal is missing in such a copy: copy the whole \
              set with all programs stopped, or use .backup or VACUUM INTO",
    },
    Advice {
        fits: |case| case.wal,
        advice: "open the live database with immutable=1",
        why: "it ignores the -wal and a hot journal without a word: old rows, or a torn file; it \
              is for files that nobody writes",
    },
    Advice {
        fits: |case| case.share || case.wsl,
        advice: "add nolock=1 to the database's URI",
        why: "it turns SQLite's locks off: two programs write at once; a WAL database cannot be \
              opened with it at all",
    },
    Advice {
        fits: |case| case.share && !case.wal,
        advice: "turn WAL mode on because of \"database is locked\"",
        why: "WAL asks more of the file system, not less: it needs the shared memory of one kernel",
    },
    Advice {
        fits: |case| case.docker_desktop,
        advice: "switch Docker Desktop to gRPC FUSE or osxfs",
        why: "that is a share of another kernel as well, and slower: a named volume is the cure",
    },
    Advice {
        fits: |case| case.container,
        advice: "mount the database file alone, or the three files one by one",
        why: "SQLite removes and makes its sidecar files anew: they lie in the container then, and \
              are lost with it",
    },
    Advice {
        fits: |case| case.share,
        advice: "use the VFS unix-dotfile",
        why: "it lost nothing on uncached 9p and virtiofs in DELETE mode, lost commits on cached \
              ones, cannot open a WAL database, works only if every program uses it, and leaves a \
              stale lock after a crash",
    },
    Advice {
        fits: |case| case.share,
        advice: "open the database read-only from the other side, to look",
        why: "in WAL mode even a failed or read-only open cuts the -shm of the program that works \
              on it, which can kill it by SIGBUS or damage pages: look at a copy",
    },
    Advice {
        fits: |case| case.share,
        advice: "chmod 777 the directory",
        why: "rights are not the matter where locks or maps are refused, and everybody may write \
              then",
    },
    Advice {
        fits: |_| true,
        advice: "restore or delete the database because the program says \"corrupt\"",
        why: "programs say so for any failure: often the inner error is an I/O error of the mount, \
              and the file is sound; copy the set first and check the copy on a local disk",
    },
    Advice {
        fits: |case| case.local,
        advice: "force journal_mode=DELETE on a healthy local disk",
        why: "WAL is safe there, also on btrfs, ZFS and inside WSL2's own disk: it costs speed and \
              cures nothing",
    },
];

/// The advice to warn against here, the most dangerous first.
#[must_use]
pub fn warnings(situation: &Situation) -> Vec<Warning> {
    let case = Case::of(situation);
    let relevant = ADVICE.iter().filter(|advice| (advice.fits)(&case));
    relevant.map(|one| Warning { advice: one.advice.to_owned(), why: one.why.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(situation: &Situation) -> String {
        warnings(situation).into_iter().map(|warning| warning.advice + "\n").collect()
    }

    fn on(filesystem: &str, reach: KernelCount) -> Situation {
        Situation {
            filesystem: Some(filesystem.to_owned()),
            reach: Some(reach),
            ..Situation::default()
        }
    }

    #[test]
    fn each_family_is_warned_of_its_own() {
        for (filesystem, word) in [
            ("nfs", "nolock"),
            ("cifs", "nobrl"),
            ("cifs", "upload"),
            ("9p", "cache=loose"),
            ("fuse.grpcfuse", "gRPC FUSE"),
            ("virtiofs", "journal_mode=DELETE and let both"),
        ] {
            let text = against(&on(filesystem, KernelCount::Several));
            assert!(text.contains(word), "{filesystem}: {text}");
        }
    }

    #[test]
    fn a_local_disk_is_not_warned_of_shares() {
        let text = against(&on("ext4", KernelCount::One));
        for word in ["nobrl", "nolock", "cache=loose", "let both kernels", "gRPC", "dotfile"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(text.contains("healthy local disk"));
    }

    #[test]
    fn a_rollback_database_is_not_warned_about_its_wal() {
        let mut situation = on("nfs4", KernelCount::Several);
        situation.journal_mode = Some(HeaderMode::Rollback);
        let text = against(&situation);
        assert!(!text.contains("-wal") && text.contains("turn WAL mode on"));
    }
}
