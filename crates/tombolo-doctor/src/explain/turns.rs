//! Finds what made the trouble come or go, where that was the program itself: its version, one of
//! its settings, the library or module it brings, or the way it handles its own file.

use super::sentence::Sentence;
use super::text::{self, Text};
use super::versions;

/// Labels of lines that describe and do not tell.
const LABELS: &[&str] = &[
    "app",
    "application",
    "filesystem",
    "file system",
    "kernels",
    "openers",
    "host",
    "journal_mode",
    "journal mode",
];

#[rustfmt::skip]
const WELL: &[&str] = &[
    "work", "works", "worked", "working", "fine", "ok", "okay", "run", "runs", "ran", "fast",
    "cure*", "clean", "stops", "stopped", "help*", "fixed", "fixes", "solve*", "stable", "gone",
    "normal", "resolve*", "away", "starts", "started", "fired", "pass*", "unaffected", "correct",
];

fn told<'said, 'text>(
    said: &'said [Sentence<'text>],
) -> impl Iterator<Item = &'said Sentence<'text>> {
    said.iter().filter(|one| text::after_label(one.plain, LABELS).is_none())
}

/// "rolling back the release stops the crashes", "slow from 3.12.0 on", "the new image fired right
/// up": it came or went with a version of the program, and nothing else is said to have changed.
pub(super) fn program_version(text: &Text, said: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const BACK: &[&str] = &[
        "rolling", "rolled", "roll", "going", "went", "downgrad*", "revert*", "older", "old",
        "previous", "former", "earlier", "bisected", "new", "newer",
    ];
    #[rustfmt::skip]
    const VERSIONS: &[&str] =
        &["version*", "release*", "build", "builds", "image", "tag", "commit", "auto-update*",
            "back"];
    #[rustfmt::skip]
    const BEGAN: &[&str] = &["since", "from", "until", "began", "begins", "started", "only",
        "each", "came"];
    const UPDATES: &[&str] = &["update*", "upgrade*", "auto-update*", "release*", "version*"];
    let program = versions::Program::read(text);
    told(said).any(|one| {
        let of_platform =
            || versions::names_platform(one.plain) || one.has(&["sqlite*", "driver*"]);
        let back = one.near(BACK, VERSIONS, 3) && one.has(WELL);
        let began = one.near(BEGAN, UPDATES, 5);
        let numbered = program.has_version_in(one.plain)
            && (one.has(WELL) || one.near(BEGAN, &["on", "sporadic*", "fail*", "slow*"], 9));
        (back || began || numbered) && !of_platform()
    })
}

/// "MariaDB solved it", "confirmed as a bug by the project": the program asks too much of SQLite,
/// or its makers say that it is at fault.
pub(super) fn program_owns_up(said: &[Sentence<'_>]) -> bool {
    const SERVERS: &[&str] = &["mariadb", "mysql", "postgres*"];
    told(said).any(|one| {
        let server = one.near(SERVERS, &["solv*", "cure*", "fixed", "fixes", "helped", "never"], 5);
        let owned = one.near(&["confirmed", "known", "fixed"], &["bug", "duplicate", "project"], 4)
            && one.has(&["project", "developer*", "maintainer*", "release", "duplicate"]);
        let of_sqlite =
            one.says(&["bug in sqlite", "bug of sqlite", "sqlite bug"]) && !one.denies();
        (server || owned) && !versions::names_platform(one.plain) || of_sqlite
    })
}

/// "without that argument it runs", "with one worker no error since": a setting of the program
/// decides, and not one of the mount, the journal or the place.
pub(super) fn setting(said: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const SETTINGS: &[&str] = &[
        "argument*", "option*", "flag*", "setting*", "parameter*", "switch", "switched",
        "switching",
        "variable", "env", "false", "true", "runner", "disabled", "disabling", "enabled",
        "sleep", "plugin*", "add-on*", "extension*", "feature", "cpus", "memory",
    ];
    #[rustfmt::skip]
    const OTHERS: &[&str] = &[
        "mount*", "nolock*", "nobrl*", "cache*", "direct_io", "local_lock*", "wal", "journal*",
        "timeout*", "time-out*", "busy_timeout", "chown*", "permission*", "owner*", "uid",
        "volume*",
        "share", "local", "locks", "locking", "hard", "soft", "vers*", "nfs*", "disk", "immutable*",
        "kernel", "fsync", "sync", "synchronous", "mmap*", "flock", "root", "user", "apparmor",
        "selinux", "antivirus", "docker", "virtiofs", "wsl", "map*", "shared", "quota*",
    ];
    told(said).any(|one| {
        let ends = one.has(WELL) || one.says(&["no error", "without error", "without an error"]);
        let off = one.says(&["turned off", "switched off", " off it ", "set to off", "set to on"]);
        (off || one.has(SETTINGS))
            && ends
            && !one.has(OTHERS)
            && !one.says(&["did not", "does not", "no effect", "no difference", "didn't"])
    })
}

/// "opens the file raw, reads it and closes it": closing any descriptor of a file drops all locks
/// that the process has on it (fcntl(2); sqlite.org/howtocorrupt.html, section 2.2).
pub(super) fn raw_access(said: &[Sentence<'_>]) -> bool {
    const ACTS: &[&str] = &["read*", "open*", "copies", "copied", "copy", "clos*", "lock*"];
    told(said).any(|one| {
        let inside =
            one.says(&["same process", "one process", "own process", "within the process"])
                && one.has(&["copies", "copied", "closed", "closes", "descriptor*", "file.copy"]);
        let raw = one.near(&["raw"], ACTS, 4);
        let dropped = one.near(&["drop*", "loses", "lose", "releas*"], &["locks", "lock"], 4)
            && one.has(&["descriptor*", "close*", "closing", "fd"]);
        let no_lock =
            one.has(&["/proc/locks", "proc"]) && one.near(&["no"], &["line*", "lock*"], 4);
        let own_lock =
            one.says(&["flock(lock_ex)", "takes flock"]) && one.has(&["itself", "program"]);
        inside || raw || dropped || no_lock || own_lock
    })
}

/// "migration 1 was previously applied but has been modified", "two builds of the library": the
/// programs that use the file do not agree on what is in it.
pub(super) fn builds_differ(said: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const TWO: &[&str] = &["two", "both", "different", "several", "older", "another"];
    #[rustfmt::skip]
    const BUILDS: &[&str] = &["builds", "versions", "libraries", "copies", "copy", "binary",
        "binaries"];
    told(said).any(|one| {
        let applied = one.says(&["previously applied", "has been modified", "migration checksum"]);
        let two = one.near(TWO, BUILDS, 3)
            && one.has(&["same", "with", "embeds", "at", "library", "sqlite", "run", "migrations"])
            && !one.has(&["kernel*", "copied", "backup*"]);
        let other_vfs = one.has(&["unix-dotfile"]) && one.places(&["vfs"]).nth(1).is_some();
        applied || two || other_vfs
    })
}

/// "rebuilding the native module cures it", "error loading shared library": a part of the program
/// is missing or was built for something else.
pub(super) fn program_part(said: &[Sentence<'_>]) -> bool {
    const PARTS: &[&str] = &["module", "addon", "add-on", "bindings", "extension"];
    told(said).any(|one| {
        let native = one.near(&["native", "compiled", "prebuilt"], PARTS, 2);
        let loaded =
            one.says(&["loading shared library", "shared libraries", "cannot open shared"]);
        native || loaded || one.says(&["invalid elf", "symbol not found", "undefined symbol"])
    })
}

/// "the build waits until the search ends", "stops as soon as the service is stopped": another
/// program of the same machine holds the lock.
pub(super) fn waits_for_other(said: &[Sentence<'_>]) -> bool {
    const ENDS: &[&str] = &["end", "ends", "ended", "finish*", "done", "quit*", "exit*", "stopped"];
    told(said).any(|one| {
        let until = one.has(&["waits", "wait", "waited", "blocks", "blocked"])
            && one.follows(&["until"], ENDS, 6);
        let stops = one.says(&["as soon as"]) && one.has(&["stopped", "closed", "quit", "ended"]);
        let holds = one.says(&["whole life", "all the time", "as long as it runs"])
            && one.has(&["open*", "hold*", "keeps"]);
        (until || stops || holds) && !one.has(&["server", "reboot*", "mount*", "rpc*"])
    })
}

/// "a fault of the hard drive was found", "the card has issues", "the job ran out of memory".
pub(super) fn hardware_fails(said: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const PARTS: &[&str] =
        &["disk", "drive", "hdd", "card", "ram", "dimm", "hardware", "controller", "supply", "psu"];
    #[rustfmt::skip]
    const FAULTS: &[&str] = &[
        "fault*", "bad", "broken", "failing", "defect*", "dying", "worn", "issues", "burnt",
        "burned",
    ];
    told(said).any(|one| {
        let fault = one.near(PARTS, FAULTS, 4);
        let ended = one.near(&["ran", "run"], &["memory", "oom"], 3)
            || one.near(&["killed"], &["memory", "oom"], 8)
            || one.near(&["machine", "computer", "pc", "device"], &["switched", "pulled"], 4);
        (fault || ended) && !one.denies() && !one.has(&["rules", "if", "whether"])
    })
}

/// "owner and type are being asked for", "the form is empty": whoever could tell has not told.
pub(super) fn facts_asked_for(said: &[Sentence<'_>]) -> bool {
    const ASKS: &[&str] = &["asks", "asked", "asking"];
    const FOR: &[&str] = &["where", "whether", "which", "for", "what"];
    told(said).any(|one| {
        let asked =
            one.near(&["maintainer*", "developer*", "being", "project", "somebody"], ASKS, 3)
                && one.follows(ASKS, FOR, 3);
        let empty = one.says(&["left empty", "nothing but", "no further detail", "no details"]);
        asked || empty
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::sentences;
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_version_of_the_program() {
        let found = |report: &str| {
            let text = Text::new(report);
            program_version(&text, &sentences(&text))
        };
        for report in [
            "rolling back the release stops the crashes",
            "app: Shop\nsince the last update",
            "app: Shop 3.12\n3.11.2 is fast",
            "a new image tag fired right up",
            "app: Shop 10.9\nsporadic; since 10.9 it fails",
        ] {
            assert!(found(report), "{report}");
        }
        for report in [
            "with kernel 6.1 it works, since the update to 6.5 it fails",
            "a new version of the driver works",
            "the container was made anew",
            "filesystem: release share 2.1 works",
        ] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn a_setting_of_the_program() {
        assert!(finds(setting, "--clean was given; without that argument it runs"));
        assert!(finds(setting, "sleep 5 between starts helps"));
        assert!(!finds(setting, "mount option changed to cache=mmap: works"));
        assert!(!finds(setting, "with the flag it fails"));
        assert!(!finds(setting, "disabling WAL helped"));
    }

    #[test]
    fn descriptors_that_take_locks_with_them() {
        assert!(finds(raw_access, "another descriptor is opened and closed in the same process"));
        assert!(finds(raw_access, "the program opens the file raw and reads bytes"));
        assert!(!finds(raw_access, "one process has the file open"));
    }

    #[test]
    fn programs_that_do_not_agree() {
        assert!(finds(builds_differ, "migration 3 was previously applied but has been modified"));
        assert!(finds(builds_differ, "both versions run at once on the same store"));
        assert!(!finds(builds_differ, "two copies of the backup"));
        assert!(finds(program_part, "rebuilding the native module helps"));
    }

    #[test]
    fn a_lock_that_another_program_holds() {
        assert!(finds(waits_for_other, "nix build waits until nix search ends"));
        assert!(finds(waits_for_other, "it ends as soon as the web service is stopped"));
        assert!(!finds(waits_for_other, "it waits until the server is rebooted"));
    }

    #[test]
    fn hardware_that_fails() {
        assert!(finds(hardware_fails, "later a fault of the hard drive was found"));
        assert!(finds(hardware_fails, "the machine was switched off at the wrong time"));
        assert!(!finds(hardware_fails, "no issues with the disk"));
        assert!(!finds(hardware_fails, "the drive is a network drive"));
    }

    #[test]
    fn what_is_still_asked_for() {
        assert!(finds(facts_asked_for, "a maintainer asks where the volume lives"));
        assert!(finds(facts_asked_for, "owner and mode are being asked for"));
        assert!(!finds(facts_asked_for, "asks for nolock"));
    }
}
