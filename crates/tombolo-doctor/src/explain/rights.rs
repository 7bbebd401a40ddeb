//! Finds what a text says of owners, modes and paths: that they are right, or that they are not.

use super::sentence::Sentence;

/// Whether the text says that owner and mode have been looked at and are right, or shows it: files
/// can be made where the database cannot be written.
pub(super) fn are_right(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const RIGHTS: &[&str] =
        &["permission*", "owner*", "mode", "rights", "uid*", "acl*", "chmod", "belong*", "owned"];
    #[rustfmt::skip]
    const RIGHT: &[&str] = &[
        "right", "correct*", "fine", "ok", "okay", "same", "proper*", "good", "match*",
        "sufficient", "checked", "verified", "equal", "identical", "unchanged", "777", "0777",
    ];
    #[rustfmt::skip]
    const ACTS: &[&str] = &["write", "create", "created", "touch", "delete", "edit", "modify"];
    const THINGS: &[&str] = &["file", "files", "folder*", "everything", "anything", "director*"];
    const ABLE: &[&str] = &["can", "able", "works", "possible", "succeeds"];
    let ruled_out = |one: &Sentence<'_>| {
        one.says(&["not a permission", "no permission problem", "no permission issue"])
            || one.says(&["not about permission", "rules out permission", "permissions are not"])
    };
    let looked_at = |one: &Sentence<'_>| {
        one.near(RIGHTS, RIGHT, 8)
            && !one.denies()
            && !one.has(&["root"])
            && !one.has(&[
                "after", "until", "change*", "set", "setting", "made", "gave", "fix*", "need*",
            ])
    };
    let shown = |one: &Sentence<'_>| {
        let acts = one.near(ACTS, THINGS, 5) || one.near(&["touch"], &["rm", "work*"], 4);
        acts && one.has(ABLE)
            && !one.denies()
            && !one.says(&["unable", "database can", "db can", "write the database"])
            && !one.has(&["after", "until", "root"])
    };
    sentences.iter().any(|one| ruled_out(one) || looked_at(one) || shown(one))
}

/// "folder mode 700", "the state directory belongs to root", "no storage permission granted".
pub(super) fn are_wrong(sentences: &[Sentence<'_>]) -> bool {
    const MODES: &[&str] = &["mode", "permissions", "st_mode", "perms", "chmod", "rights"];
    const CLOSED: &[&str] =
        &["700", "0700", "600", "0600", "750", "0750", "500", "0500", "400", "0400", "555", "0555"];
    const GIVEN: &[&str] = &["granted", "grant", "given", "entitlement*", "consent"];
    const RIGHTS: &[&str] = &["permission*", "access", "right", "rights", "write", "bit"];
    const LACKS: &[&str] = &["lacks", "lacking", "missing", "without", "no", "not", "never"];
    sentences.iter().any(|one| {
        let octal = one.has(&["folder", "directory"])
            && one.has(&["0700", "0600", "0500", "0750", "0550", "drwx------"]);
        let mode = octal
            || one.near(MODES, CLOSED, 5)
            || one.says(&["drwx------", "drwxr-x---", "-rw-----"]);
        let held_back = one.near(LACKS, GIVEN, 5) && one.has(RIGHTS)
            || one.says(&["full disk access", "write bit", "no write permission"]) && one.denies()
            || one.near(&["lacks", "lacking"], &["write", "permission*"], 4);
        let other = one.near(&["belong*", "owned", "owner"], &["root", "another", "other"], 4);
        let made_by_root = one.near(&["created", "made", "mounted"], &["root"], 3);
        let plain = one.has(&["unprivileged", "non-root", "nonroot", "rootless", "distroless"]);
        mode || held_back || other && !one.denies() || made_by_root || plain && !one.denies()
    })
}

/// "could not open lockfile", "failed to write .lock file": a file is refused, and no lock.
pub(super) fn lock_file_not_made(sentences: &[Sentence<'_>]) -> bool {
    const FILES: &[&str] = &["lockfile", "lock"];
    const MADE: &[&str] =
        &["open", "opened", "write", "written", "create", "created", "make", "made", "touch"];
    sentences.iter().any(|one| {
        let named = one.has(&["lockfile"]) || one.says(&["lock file", ".lock "]);
        let failed = one.denies() || one.has(&["fail*", "unable", "refused", "denied"]);
        named && failed && one.follows(MADE, FILES, 3)
    })
}

/// "read-only container image", "the account of the NAS was set up read-only".
pub(super) fn may_only_read(sentences: &[Sentence<'_>]) -> bool {
    const READ_ONLY: &[&str] = &["read-only", "readonly"];
    const WHOSE: &[&str] = &["image", "account", "login", "sif"];
    sentences.iter().any(|one| one.near(READ_ONLY, WHOSE, 5) && !one.denies())
}

/// "the path is turned into /x/y", "there is no such directory in the image".
pub(super) fn path_is_wrong(sentences: &[Sentence<'_>]) -> bool {
    const PATHS: &[&str] = &["path*", "directory", "directories", "folder", "mountpoint", "url"];
    #[rustfmt::skip]
    const TURNED: &[&str] = &[
        "rewritten", "rewrites", "mangled", "mangles", "translated", "translates", "misread",
        "misspelled", "mistyped", "wrong", "nonexistent", "non-existent", "typo", "garbled",
    ];
    const NONE: &[&str] = &["missing", "absent"];
    // The kernel's text behind an I/O error is about the call.
    sentences.iter().filter(|one| !one.says(&["i/o error"])).any(|one| {
        one.near(PATHS, TURNED, 5)
            || one.near(PATHS, NONE, 2) && !one.has(&["entitlement*", "permission*", "right*"])
            || one.says(&["is turned into", "turned into /", "turns the ", "converted into /"])
                && (one.has(PATHS) || one.plain.contains('/'))
            || one.says(&[
                "/ is not there",
                "/ does not exist",
                "/ is missing",
                "/ was not created",
            ])
            || one.says(&["host path", "path of the host", "tilde"])
                && one.has(&["container", "inside", "expand*", "guest"])
            || one.says(&["no such file", "no such directory", "no such folder", "file not found"])
            || one.near(PATHS, &["exist", "exists", "created"], 5)
                && one.denies()
                && !one.says(&["permission"])
    })
}

/// "docker made a directory of that name": the file that was to be mounted did not exist.
pub(super) fn directory_for_file(sentences: &[Sentence<'_>]) -> bool {
    const DIRECTORIES: &[&str] = &["directory", "folder"];
    sentences.iter().any(|one| {
        let instead = one.near(DIRECTORIES, &["named", "instead", "name", "called"], 5)
            && (one.has(&["file", "made", "created", "creates", "shows"]) || one.says(&[".db"]));
        let is_one = one.says(&["is a directory", "is a folder", "is actually a directory"]);
        (instead || is_one) && !one.has(&["different", "another", "wrong"])
    })
}

/// "mount nfs4 ro", "NFS export (ro)".
pub(super) fn mounted_read_only(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const PLACES: &[&str] = &[
        "mount*", "export*", "volume*", "nfs*", "cifs", "smb*", "share", "bind*", "type", "fstab",
        "ext4", "xfs", "overlay*", "disk", "snapshot*", "filesystem", "pvc", "remount*",
    ];
    sentences.iter().any(|one| one.near(&["ro"], PLACES, 4) && !one.has(&["errors"]))
}

/// "a user that may read and not write": a reader that cannot make what a reader of a WAL database
/// needs.
pub(super) fn only_reads(sentences: &[Sentence<'_>]) -> bool {
    const READS: &[&str] = &["read", "reads", "reading", "reader"];
    const WRITES: &[&str] = &["write", "writes", "writing", "writable"];
    const NOT: &[&str] = &["not", "no", "without", "cannot", "never", "nor", "neither"];
    sentences.iter().any(|one| {
        one.near(READS, WRITES, 6) && one.near(NOT, WRITES, 3) && !one.near(NOT, READS, 1)
            || one.says(&["read access only", "only read access", "read permission only"])
    })
}

/// "the database is not writable": a program's own words for whatever keeps it from writing.
pub(super) fn not_writable(sentences: &[Sentence<'_>]) -> bool {
    const DATABASES: &[&str] = &["database*", "db", "sqlite*", "settings", "file", "folder"];
    const WRITABLE: &[&str] = &["writable", "writeable"];
    let made = |one: &Sentence<'_>| {
        one.near(&["file", "files", "journal"], &["create", "created"], 4)
            && (one.has(&["cannot", "can't", "unable"]) || one.says(&["could not", "not be "]))
    };
    sentences.iter().any(|one| one.near(DATABASES, WRITABLE, 6) && one.denies() || made(one))
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_lock_file_is_no_lock() {
        for report in ["error: Could not open lockfile", "Failed to write .lock file in envs"] {
            assert!(finds(lock_file_not_made, report), "{report}");
        }
        assert!(!finds(lock_file_not_made, "unable to lock file, errno = 524"));
        assert!(!finds(lock_file_not_made, "the lock file is made first"));
    }

    #[test]
    fn rights_that_were_looked_at() {
        for report in [
            "not a permission problem according to the developer",
            "owner and mode 644 the same as locally",
            "uid:gid right, login works",
            "user in the container can write every file in the directory",
            "touch and rm work on the share, it works otherwise",
            "permissions have been checked",
            "we are able to create files there",
        ] {
            assert!(finds(are_right, report), "{report}");
        }
        for report in [
            "owner is not the same",
            "works after permissions were set right",
            "setting the right permissions on the folder made it work",
            "the container can not create files",
            "file_mode=0777",
            "can write the database after a chown",
        ] {
            assert!(!finds(are_right, report), "{report}");
        }
    }

    #[test]
    fn rights_that_are_wrong() {
        for report in [
            "folder mode 700 in the user's Library",
            "Docker Desktop runs unprivileged",
            "the state directory belongs to root",
            "no storage permission granted",
            "Docker has no full disk access",
            "the group lacks the write bit",
            "./data was created by root",
            "drwx------ 2 root root",
        ] {
            assert!(finds(are_wrong, report), "{report}");
        }
        for report in ["mode 777", "700 rows in the directory listing", "runs as root"] {
            assert!(!finds(are_wrong, report), "{report}");
        }
    }

    #[test]
    fn paths_that_are_wrong() {
        for report in [
            "\\\\wsl$\\a\\b is turned into /a/b by the program",
            "the path is mangled by the launcher",
            "directory /data does not exist in the image",
            "could not open /x/a.db: file not found",
            "the parent folder is missing",
        ] {
            assert!(finds(path_is_wrong, report), "{report}");
        }
        for report in ["the path is on NFS", "the folder exists and is writable"] {
            assert!(!finds(path_is_wrong, report), "{report}");
        }
    }

    #[test]
    fn readers_that_may_not_write() {
        assert!(finds(only_reads, "runs as a user that may read and not write the directory"));
        assert!(finds(only_reads, "the account can read the folder, but cannot write to it"));
        assert!(finds(only_reads, "grafana has read access only"));
        assert!(!finds(only_reads, "it reads and writes"));
        assert!(!finds(only_reads, "neither read nor write"));
    }

    #[test]
    fn what_cannot_be_written() {
        assert!(finds(not_writable, "Settings database is not writeable."));
        assert!(!finds(not_writable, "the database is writable"));
    }

    #[test]
    fn a_directory_where_a_file_was_meant() {
        assert!(finds(directory_for_file, "the engine created a directory called x.db"));
        assert!(finds(directory_for_file, "/data/x.db is a directory"));
        assert!(!finds(directory_for_file, "it lies in another directory called files"));
    }

    #[test]
    fn a_mount_that_is_read_only_by_its_option() {
        assert!(finds(mounted_read_only, "bind mount, ro"));
        assert!(finds(mounted_read_only, "type nfs4 (ro,relatime)"));
        assert!(!finds(mounted_read_only, "errors=remount-ro on the disk"));
        assert!(!finds(mounted_read_only, "the share is rw"));
    }

    #[test]
    fn a_file_that_cannot_be_made() {
        assert!(finds(not_writable, "the journal file could not be created"));
        assert!(!finds(not_writable, "a new file was created"));
    }
}
