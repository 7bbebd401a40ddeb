//! Finds a file that is exchanged under an open handle, and a mount that goes away.

use super::sentence::Sentence;

/// "the download is written over the file while a connection is open", "the log rotation moves the
/// database away; the server keeps the old descriptor": in one sentence or two.
pub(super) fn replaced_while_open(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const EXCHANGES: &[&str] = &[
        "overwrit*", "overwrote", "replac*", "swap*", "renam*", "re-download*", "redownload*",
        "downloaded", "unlink*", "exchanged", "recreated", "moves", "re-clon*", "reclon*",
        "re-creat*",
    ];
    const OPENED: &[&str] = &["open", "connection*", "handle*", "descriptor*", "fd", "opened"];
    #[rustfmt::skip]
    const STILL: &[&str] = &[
        "while", "still", "keeps", "kept", "under", "old", "live", "without", "before", "running",
    ];
    let exchanges = |one: &Sentence<'_>| {
        let over =
            one.says(&["written over", "writes over", "moved away", "moves the", "put over"]);
        (one.has(EXCHANGES) || over) && !one.has(&["fix*", "mount", "share"])
    };
    let held = |one: &Sentence<'_>| {
        let running = one.near(&["without"], &["stopping", "closing", "restarting", "stop"], 3)
            || one.near(&["while", "still"], &["running", "runs", "ran"], 5);
        (running || one.near(STILL, OPENED, 5))
            && !one.has(&["error*", "unable"])
            && !one.says(&["not open"])
    };
    let one = sentences.iter().any(|one| {
        (exchanges(one) || taken_away(one)) && held(one) || holds_old(one) || over_live(one)
    });
    // "shows yesterday's data until it is restarted"
    let until = |one: &Sentence<'_>| one.follows(&["until", "till"], &["restart*"], 5);
    let over = |one: &Sentence<'_>| {
        exchanges(one) && one.has(&["over", "replac*"]) || one.has(&["mv"]) && !one.denies()
    };
    one || sentences.iter().any(over) && sentences.iter().any(until)
        || sentences.windows(2).any(|pair| match pair {
            [first, second] => exchanges(first) && held(second),
            _ => false,
        })
}

/// "the folder is deleted", "the backup is restored": the database itself, and not its sidecars.
fn taken_away(one: &Sentence<'_>) -> bool {
    #[rustfmt::skip]
    const TAKES: &[&str] =
        &["remov*", "delet*", "rotat*", "restor*", "wipe*", "rebuilt", "rm"];
    #[rustfmt::skip]
    const FILES: &[&str] = &[
        "database*", "db", "file", "files", "folder*", "directory", "directories", "backup*",
        "store",
    ];
    const SIDECARS: &[&str] = &["-wal", "-shm", "journal", "sidecar"];
    one.near(TAKES, FILES, 6) && !one.says(SIDECARS) && !one.has(&["row", "rows", "lock"])
}

/// "63 handles into the renamed directory", "the container keeps the old inode".
fn holds_old(one: &Sentence<'_>) -> bool {
    const HANDLES: &[&str] = &["handle*", "descriptor*", "inode*", "fd", "fds"];
    const OLD: &[&str] = &["old", "renamed", "deleted", "removed", "unlinked", "orphan*"];
    const HOLDS: &[&str] =
        &["keep*", "kept", "hold*", "held", "still", "pins", "into", "lsof", "open"];
    one.near(OLD, HANDLES, 4) && one.has(HOLDS) && !one.says(&["-wal", "-shm"])
}

/// "the restore writes its file over the open one".
fn over_live(one: &Sentence<'_>) -> bool {
    one.near(&["writ*", "wrote", "copie*", "copy*"], &["over"], 6)
        && one.follows(&["over"], &["open", "running", "live"], 3)
        && !one.denies()
}

/// "USB disconnect, then mounted again": who holds the old mount still points at what is gone.
fn place_came_back(sentences: &[Sentence<'_>]) -> bool {
    const PLACES: &[&str] =
        &["usb", "disk", "drive", "share", "volume", "mount", "nas", "server", "connection"];
    #[rustfmt::skip]
    const LEFT: &[&str] =
        &["disconnect*", "dropped", "unplugged", "replugged", "unmounted", "migrated", "moved"];
    const BACK: &[&str] =
        &["again", "back", "new", "becomes", "reconnect*", "remount*", "re-mounted"];
    const HELD: &[&str] = &["container", "still", "old", "before", "process", "inside"];
    sentences.iter().any(|one| one.near(PLACES, LEFT, 3) && !one.near(&["not", "never"], LEFT, 2))
        && sentences.iter().any(|one| one.has(BACK))
        && sentences.iter().any(|one| one.has(HELD))
        && !sentences.iter().any(|one| one.near(&["moved", "migrated"], &["local", "locally"], 4))
}

/// "fine for some hours, then every file gives an error".
fn works_for_a_while(sentences: &[Sentence<'_>]) -> bool {
    const TIMES: &[&str] = &[
        "hour*", "minutes", "day", "days", "week*", "while", "night", "time", "boot", "reboot",
        "start", "login", "morning",
    ];
    sentences.iter().any(|one| {
        one.near(&["works", "worked", "fine", "ok", "runs"], TIMES, 4)
            && one.follows(TIMES, &["then", "until", "before", "afterwards"], 4)
    })
}

/// "works again after the readers restart too", "fails since the mounting container was updated":
/// it lasts until something that holds an old handle is started anew.
pub(super) fn restart_heals(sentences: &[Sentence<'_>]) -> bool {
    const RESTARTS: &[&str] = &["restart*", "re-start*", "remount*", "re-mount*", "recreat*"];
    #[rustfmt::skip]
    const HEALS: &[&str] = &[
        "helps", "helped", "fixes", "fixed", "cures", "heals", "again", "until", "brings", "back",
        "repairs", "recovers", "restores",
    ];
    #[rustfmt::skip]
    const SERVERS: &[&str] = &[
        "nas", "server", "filer", "share", "export", "mounting", "host", "router", "switch", "vpn",
        "network", "wifi", "wi-fi", "link",
    ];
    #[rustfmt::skip]
    const GOES: &[&str] = &[
        "fails", "failed", "lost", "gone", "drops", "dropped", "error", "dead", "empty", "stale",
    ];
    sentences.iter().any(|one| {
        let heals = one.near(RESTARTS, HEALS, 6);
        let served =
            one.near(SERVERS, &["restart*", "reboot*", "updated", "failover", "failed"], 4)
                && one.has(&["after", "since", "until", "when"]);
        served && (one.has(GOES) || heals) || heals && one.has(GOES)
    }) || works_for_a_while(sentences)
        && sentences.iter().any(|one| one.near(RESTARTS, HEALS, 6) && !one.denies())
        || place_came_back(sentences)
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_file_exchanged_under_its_handle() {
        let found = |report: &str| finds(replaced_while_open, report);
        for report in [
            "a new .db file is written over the existing one while the connection is open",
            "the sync job replaces the file under an open handle",
            "rotation moves the database away; the server keeps the old descriptor",
            "the asset is re-downloaded without closing the connection",
            "a deploy script moves a new app.db over the old one without stopping the server",
            "an update renamed the file while the app had it open",
        ] {
            assert!(found(report), "{report}");
        }
        for report in [
            "the file is open in two programs",
            "we replaced NFS by a local disk",
            "the database was renamed before the start",
        ] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn a_database_that_is_taken_away_or_put_back() {
        let found = |report: &str| finds(replaced_while_open, report);
        for report in [
            "the user deletes the data folder while the app is open",
            "a backup of the database was restored while the server ran",
            "lsof shows handles into the renamed directory",
            "an editor saves by rename, the service keeps the old inode",
            "the restore writes its copy over the live database",
        ] {
            assert!(found(report), "{report}");
        }
        for report in [
            "the -shm file is deleted while the server runs",
            "old rows are deleted while the report runs",
            "the backup was restored before the start",
            "many open handles",
        ] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn what_a_restart_heals() {
        let found = |report: &str| finds(restart_heals, report);
        for report in [
            "fails after the NAS has been restarted, a restart of the container helps each time",
            "after the mounting container was updated the others see an error until restarted",
            "the mount is dead until I restart the reader",
        ] {
            assert!(found(report), "{report}");
        }
        for report in ["it fails after every restart", "I restarted the app twice"] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn a_mount_that_goes_away_after_a_while() {
        let found = |report: &str| finds(restart_heals, report);
        assert!(found("fine for a few days, then each call fails. A restart of the VM helps."));
        assert!(!found("fine for a few days, then each call fails. A restart does not change it."));
    }

    #[test]
    fn a_directory_that_is_made_anew_under_a_program() {
        let report = "the folder was removed and re-created while the app ran";
        assert!(finds(replaced_while_open, report));
    }

    #[test]
    fn a_place_that_left_and_came_back() {
        let found = |report: &str| finds(restart_heals, report);
        assert!(found("the drive was unplugged and plugged in again, the container sees nothing"));
        assert!(!found("the drive was not unplugged"));
        assert!(!found("the drive was unplugged"));
    }
}
