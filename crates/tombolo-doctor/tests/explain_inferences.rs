//! `explain` draws the conclusions that an expert draws from a cure, a place or what is missing.

use serde::Deserialize;
use std::fmt::Write as _;
use tombolo_doctor::explain::explain;

/// The cause that each report must name first, or among the first two where that is enough.
type Row<'text> = (&'text str, &'text str);

fn check(places: usize, rows: &[Row<'_>]) {
    assert!(!rows.is_empty());
    let mut missed = String::new();
    for (want, report) in rows {
        let causes = explain(report).causes;
        let named: Vec<&str> = causes.iter().map(|cause| cause.code.as_str()).collect();
        if !named.iter().take(places).any(|code| code == want) {
            let _ = writeln!(missed, "want {want}, got {named:?}: {report}");
        }
    }
    assert!(missed.is_empty(), "\n{missed}");
}

#[test]
fn a_cure_by_owner_or_mode_names_the_cause() {
    check(
        1,
        &[
            (
                "PERMISSION_OR_PATH",
                "The bot logs disk I/O error in its container. Chowning the directory again \
                 resolved it.",
            ),
            (
                "PERMISSION_OR_PATH",
                "sqlite3.OperationalError: unable to open database file, the volume is NFS. \
                 Fixed by chmod 775 on the data folder.",
            ),
            (
                "PERMISSION_OR_PATH",
                "Data is on a CIFS mount: unable to open database file. After changing the owner \
                 to the container's user it works.",
            ),
            (
                "PERMISSION_OR_PATH",
                "appdata on Unraid, SQLITE_CANTOPEN at start. Setting PUID=99 and PGID=100 solved \
                 it.",
            ),
            (
                "PERMISSION_OR_PATH",
                "docker volume, 'database is locked' at start-up. Running the container as root \
                 makes the error go away.",
            ),
            (
                "PERMISSION_OR_PATH",
                "Error: The database is now readonly. App runs in docker, host is Debian.",
            ),
            ("PERMISSION_OR_PATH", "the SQLite database became read-only after I restored it"),
        ],
    );
}

#[test]
fn a_cure_by_owner_is_outweighed_by_the_error_of_a_call() {
    check(
        1,
        &[
            (
                "NFS_LOCK_SERVICE",
                "NFS home. fcntl(3, F_SETLK, {...}) = -1 ENOLCK. Someone said chmod fixed it.",
            ),
            (
                "MMAP_REFUSED",
                "9p share of qemu. SQLITE_IOERR_SHMMAP. Another user fixed it by chown, we did \
                 not.",
            ),
        ],
    );
}

#[test]
fn data_that_go_with_the_container_were_never_in_the_volume() {
    check(
        1,
        &[
            (
                "PERMISSION_OR_PATH",
                "After recreating the container all my entries are gone. DB_PATH=./data/app.db",
            ),
            (
                "PERMISSION_OR_PATH",
                "Every time I docker compose down and up the SQLite database is empty again. I \
                 have not mounted a volume.",
            ),
            (
                "PERMISSION_OR_PATH",
                "DATABASE_URL=sqlite:///./app.db in compose. All users are lost after a container \
                 restart, an empty database is created each time.",
            ),
            (
                "PERMISSION_OR_PATH",
                "After an update of the image the app starts with a fresh database; volume is \
                 mounted to /config but the app writes to ./db.sqlite.",
            ),
        ],
    );
}

#[test]
fn maps_are_refused_to_any_embedded_database() {
    check(
        1,
        &[
            ("MMAP_REFUSED", "qemu guest, plan9 share: bolt open /data/meta.db: invalid argument"),
            ("MMAP_REFUSED", "lmdb: mdb_env_open fails with EINVAL on a virtfs mount"),
            ("MMAP_REFUSED", "LevelDB on the 9p transport: Invalid argument when it opens"),
            ("MMAP_REFUSED", "9p mount of the host, database fails to open: invalid argument"),
            (
                "MMAP_REFUSED",
                "WAL is not working in a VirtualBox shared folder, DELETE mode works there.",
            ),
            ("MMAP_REFUSED", "sqlite in WAL mode does not work on vboxsf"),
        ],
    );
}

#[test]
fn one_client_of_smb_that_is_locked_was_refused_its_upgrade() {
    check(
        1,
        &[
            (
                "SMB_LOCK_UPGRADE",
                "//nas/apps /mnt/apps cifs credentials=/etc/c,uid=1000,vers=3.0 0 0\nThe only \
                 container logs: database is locked",
            ),
            (
                "SMB_LOCK_UPGRADE",
                "Container Apps with an Azure Files share: unable to get a lock on the database",
            ),
            (
                "SMB_LOCK_UPGRADE",
                "Config folder on SMB: failed to acquire lock on app.db. A single instance runs.",
            ),
            (
                "SMB_LOCK_UPGRADE",
                "Azure Files, one pod. Please add an option for nolock so that sqlite can be \
                 opened; at present it cannot start.",
            ),
        ],
    );
}

#[test]
fn nfs_that_refuses_the_first_lock_lacks_its_lock_service() {
    check(
        1,
        &[
            (
                "NFS_LOCK_SERVICE",
                "home on NFS. sqlite3 test.db 'create table t(a)' gives at once: database is \
                 locked. With :memory: it works.",
            ),
            (
                "NFS_LOCK_SERVICE",
                "Creating a new database on the NFS mount fails immediately, database is locked, \
                 nothing else runs.",
            ),
            (
                "NFS_LOCK_SERVICE",
                "NFS volume: database is locked. The same share mounted over SMB works.",
            ),
            (
                "NFS_LOCK_SERVICE",
                "On NFS the tool says database is locked; strace shows that the fcntl lock call \
                 fails.",
            ),
        ],
    );
    check(
        1,
        &[
            (
                "WAL_OVER_REMOTE",
                "journal_mode=WAL on NFS, database is locked from a single process",
            ),
            (
                "WAL_OVER_REMOTE",
                "database on NFS, a single process: first database is locked, then database disk \
                 image is malformed",
            ),
        ],
    );
}

#[test]
fn what_works_and_takes_minutes_is_slow() {
    check(
        1,
        &[
            (
                "LATENCY",
                "The library is on an NFS share. Opening the catalogue takes minutes, then it \
                 works.",
            ),
            ("LATENCY", "Config on SMB: start-up is very slow, about five minutes. No errors."),
            (
                "LATENCY",
                "Over the network drive the app does thousands of small reads, a query that is \
                 instant locally needs ages.",
            ),
        ],
    );
}

#[test]
fn a_version_of_the_file_system_that_cures_it_is_the_culprit() {
    check(
        1,
        &[
            (
                "VENDOR_FS_BUG",
                "SQLite in WAL mode on our FUSE mount: SQLITE_READONLY_DBMOVED. After upgrading \
                 the fuse driver to 1.4.2 it works.",
            ),
            (
                "VENDOR_FS_BUG",
                "attempt to write a readonly database in Docker Desktop since the update to \
                 4.31; going back to 4.30 helps.",
            ),
            (
                "VENDOR_FS_BUG",
                "Upgrading virtiofsd to 1.11 fixed our database disk image is malformed",
            ),
            (
                "VENDOR_FS_BUG",
                "network file system of our vendor: the inode number changes while the file is \
                 open, sqlite says 1032. Fixed in client 2.3.",
            ),
            (
                "VENDOR_FS_BUG",
                "JuiceFS 1.0 gives database disk image is malformed, after upgrading the client \
                 to 1.1 the same test passes.",
            ),
        ],
    );
}

#[test]
fn locks_that_a_sandbox_or_odd_file_system_lacks() {
    check(
        1,
        &[
            ("LOCKS_UNSUPPORTED", "Under gVisor the F_GETLK command of fcntl is unsupported"),
            ("LOCKS_UNSUPPORTED", "runsc: fcntl(5, F_SETLK, 0xc0) = -1 EINVAL; disk I/O error"),
            ("LOCKS_UNSUPPORTED", "sqlite fails with disk I/O error when run with runsc"),
        ],
    );
    check(
        2,
        &[
            ("LOCKS_UNSUPPORTED", "jffs2 router: disk I/O error: invalid argument (Go)"),
            ("LOCKS_UNSUPPORTED", "vboxsf: disk I/O error: invalid argument while opening, Go"),
            ("LOCKS_UNSUPPORTED", "overlay on ubifs: disk I/O error: invalid argument"),
        ],
    );
}

#[test]
fn a_reader_beside_a_writer_that_immutable_helps_cannot_make_the_index() {
    check(
        1,
        &[
            (
                "RO_WAL",
                "I open file:app.db?mode=ro while the server writes: attempt to write a readonly \
                 database",
            ),
            ("RO_WAL", "unable to open database file with mode=ro; with immutable=1 it works"),
            (
                "RO_WAL",
                "The directory is read-only for the exporter: attempt to write a readonly \
                 database on a SELECT while the daemon is running.",
            ),
        ],
    );
}

#[test]
fn without_an_error_and_without_options_the_facts_are_asked_for() {
    check(
        1,
        &[
            ("NEEDS_FACTS", "I use NFS. The application does not work."),
            ("NEEDS_FACTS", "With the data directory on NFS nothing is shown in the interface."),
            ("NEEDS_FACTS", "The page stays blank when the library is on my NFS share."),
        ],
    );
}

#[test]
fn a_pool_that_times_out_on_a_local_volume_is_the_program() {
    check(
        1,
        &[
            ("NOT_FS", "docker volume on the server, Sequelize: SQLITE_BUSY: database is locked"),
            (
                "NOT_FS",
                "SequelizeTimeoutError: SQLITE_BUSY: database is locked. Container with a bind \
                 mount ./data:/data.",
            ),
            (
                "NOT_FS",
                "sqlalchemy QueuePool limit of size 5 overflow 10 reached, connection timed out; \
                 database is locked. Docker on Ubuntu, local volume.",
            ),
            (
                "NOT_FS",
                "Prisma: Timed out fetching a new connection from the connection pool; SQLITE_BUSY \
                 in docker",
            ),
        ],
    );
}

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    group: String,
    want: String,
    text: String,
}

fn check_group(group: &str) {
    let reports: Reports =
        toml::from_str(include_str!("explain_inferences.toml")).expect("the reports are TOML");
    let rows: Vec<(&str, &str)> = reports
        .report
        .iter()
        .filter(|report| report.group == group)
        .map(|report| (report.want.as_str(), report.text.as_str()))
        .collect();
    check(1, &rows);
}

#[test]
fn the_same_conclusions_are_drawn_in_other_words() {
    check_group("other words");
}

#[test]
fn labelled_lines_are_read_like_prose() {
    check_group("labelled");
}

#[test]
fn the_same_words_do_not_outweigh_a_clear_sign() {
    check_group("guard");
}
