//! The preload library, seen by stock programs.

use nix::errno::Errno;
use std::path::Path;
use std::process::{Command, Output};
use tombolo_lab::{Preload, Refused, Times};

const PYTHON: &str = "/usr/bin/python3";

/// Calls a function of libc by its name, so that each name is tried and not only those that some
/// program happens to use. Prints the name and what errno it left.
const BY_NAME: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
file, armed = sys.argv[1].encode(), sys.argv[2]
fd = os.open(file, os.O_RDWR | os.O_CREAT)
os.write(fd, b"x" * 4096)
room = ctypes.create_string_buffer(4096)
lock = (ctypes.c_int16 * 16)()
N = ctypes.c_size_t
here, shared, both, setlk = -100, 1, 3, 6
calls = {
    "open": (file, os.O_RDONLY), "open64": (file, os.O_RDONLY),
    "openat": (here, file, os.O_RDONLY), "openat64": (here, file, os.O_RDONLY),
    "__open_2": (file, os.O_RDONLY), "__open64_2": (file, os.O_RDONLY),
    "__openat_2": (here, file, os.O_RDONLY), "__openat64_2": (here, file, os.O_RDONLY),
    "creat": (file, 0o600), "creat64": (file, 0o600),
    "stat": (file, room), "stat64": (file, room), "lstat": (file, room), "lstat64": (file, room),
    "fstat": (fd, room), "fstat64": (fd, room), "access": (file, 0),
    "__xstat": (1, file, room), "__xstat64": (1, file, room), "__lxstat": (1, file, room),
    "__lxstat64": (1, file, room), "__fxstat": (1, fd, room), "__fxstat64": (1, fd, room),
    "fcntl": (fd, setlk, lock), "fcntl64": (fd, setlk, lock), "flock": (fd, 1),
    "mmap": (None, N(4096), both, shared, fd, N(0)),
    "mmap64": (None, N(4096), both, shared, fd, N(0)),
    "read": (fd, room, N(8)), "pread": (fd, room, N(8), N(0)), "pread64": (fd, room, N(8), N(0)),
    "__read_chk": (fd, room, N(8), N(64)), "__pread_chk": (fd, room, N(8), N(0), N(64)),
    "__pread64_chk": (fd, room, N(8), N(0), N(64)),
    "write": (fd, room, N(8)), "pwrite": (fd, room, N(8), N(0)), "pwrite64": (fd, room, N(8), N(0)),
    "fsync": (fd,), "fdatasync": (fd,), "ftruncate": (fd, N(8)), "ftruncate64": (fd, N(8)),
    "unlink": (file,), "unlinkat": (here, file, 0),
}
if len(sys.argv) > 3:
    open(armed, "w").close()
for name, arguments in calls.items():
    ctypes.set_errno(0)
    function = getattr(libc, name)
    function.restype = ctypes.c_ssize_t
    result = ctypes.c_int32(function(*arguments)).value
    print(name, ctypes.get_errno() if result == -1 else "went through")
    if name.startswith("unlink") and result == 0:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT))
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(preload: &Preload, command: &mut Command) -> Output {
    preload.apply(command);
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; install its package"))
}

fn preload(directory: &Path) -> Preload {
    Preload::new(&directory.join("answers")).expect("built beside this test")
}

/// What `dd` says when it copies 4 blocks to `to`.
fn dd(preload: &Preload, to: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("dd");
    command.args(["if=/dev/zero", "bs=512", "count=4"]).arg(format!("of={}", to.display()));
    let output = run(preload, command.args(arguments).env("LC_ALL", "C"));
    (output.status.success(), text(&output.stderr))
}

fn sqlite(preload: &Preload, database: &Path, statements: &str) -> String {
    let output = run(preload, Command::new("sqlite3").arg(database).arg(statements));
    text(&[output.stdout, output.stderr].concat())
}

#[test]
fn every_name_is_answered_and_lets_through() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, armed) = (directory.path().join("a.file"), directory.path().join("armed"));
    let errnos = [
        (Refused::Open, Errno::EACCES),
        (Refused::Stat, Errno::ESTALE),
        (Refused::Lock, Errno::ENOLCK),
        (Refused::Flock, Errno::EAGAIN),
        (Refused::Map, Errno::ENODEV),
        (Refused::Read, Errno::EIO),
        (Refused::Write, Errno::EDQUOT),
        (Refused::Sync, Errno::ENOSPC),
        (Refused::Truncate, Errno::EINTR),
        (Refused::Remove, Errno::EROFS),
    ];
    let refusing = |preload: Preload, (call, errno): &(Refused, Errno)| {
        preload.refuse(*call, "a.file", *errno, Times::From(1))
    };
    let preload = errnos.iter().fold(preload(directory.path()), refusing).when(&armed);
    let run_python = |arguments: &[&str]| {
        let mut command = Command::new(PYTHON);
        let output =
            run(&preload, command.args(["-c", BY_NAME]).args([&file, &armed]).args(arguments));
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let through = run_python(&[]);
    assert_eq!(through.lines().count(), 43);
    let refused: Vec<_> = through.lines().filter(|line| !line.ends_with("went through")).collect();
    assert_eq!(refused, [""; 0]);
    assert_eq!(preload.answers(), [""; 0]);

    let refused = run_python(&["armed"]);
    let want = |name: &str| {
        let (call, errno) = errnos[match name.trim_start_matches("__") {
            name if name.starts_with("open") || name.starts_with("creat") => 0,
            name if name.contains("stat") || name == "access" => 1,
            name if name.starts_with("fcntl") => 2,
            "flock" => 3,
            name if name.starts_with("mmap") => 4,
            name if name.contains("read") => 5,
            name if name.contains("write") => 6,
            name if name.contains("sync") => 7,
            name if name.contains("truncate") => 8,
            _ => 9,
        }];
        (call, errno as i32)
    };
    for line in refused.lines() {
        let (name, errno) = line.split_once(' ').expect("two words");
        assert_eq!(errno, want(name).1.to_string(), "{name}: {:?}", want(name).0);
    }
    assert_eq!(refused.lines().count(), 43);
}

#[test]
fn the_third_write_alone_fails_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (meant, other) = (directory.path().join("a-wal"), directory.path().join("a-waldo"));
    let once = |number| {
        preload(directory.path()).refuse(Refused::Write, "-wal", Errno::ENOSPC, Times::Only(number))
    };
    let (worked, said) = dd(&once(3), &meant, &[]);
    assert!(!worked && said.contains("No space left on device"), "{said}");
    assert_eq!(std::fs::metadata(&meant).expect("made").len(), 2 * 512);
    assert_eq!(once(3).answers(), ["write -wal ENOSPC"]);
    let (worked, said) = dd(&once(5), &meant, &[]);
    assert!(worked, "{said}");
    let (worked, said) = dd(&once(1), &other, &[]);
    assert!(worked, "{said}");
    assert_eq!(once(1).answers().len(), 1);
}

#[test]
fn once_is_survived_where_for_ever_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    // Read as a script, the shell goes on after an error.
    let script = directory.path().join("script");
    let statements = "CREATE TABLE t(x);\nCREATE TABLE u(x);\n\
        SELECT 'tables', count(*) FROM sqlite_schema;\n";
    std::fs::write(&script, statements).expect("written");
    let syncing = |database: &str, times| {
        let preload =
            preload(directory.path()).refuse(Refused::Sync, ".db-journal", Errno::EIO, times);
        sqlite(&preload, &directory.path().join(database), &format!(".read {}", script.display()))
    };
    let said = syncing("once.db", Times::Only(1));
    assert_eq!(said.matches("disk I/O error").count(), 1, "{said}");
    assert!(said.contains("tables|1"), "{said}");
    let said = syncing("for-ever.db", Times::From(1));
    assert_eq!(said.matches("disk I/O error").count(), 2, "{said}");
    assert!(said.contains("tables|0"), "{said}");
}

#[test]
fn python_says_what_it_says_on_a_share_that_refuses_maps() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let program = "import sqlite3, sys\n\
        connection = sqlite3.connect(sys.argv[1])\n\
        print(connection.execute('PRAGMA journal_mode=WAL').fetchone())\n\
        try:\n    connection.execute('CREATE TABLE t(x)')\n\
        except sqlite3.Error as error:\n\
        \x20   print(error, error.sqlite_errorcode, error.sqlite_errorname)\n";
    let preload =
        preload(directory.path()).refuse(Refused::Map, "-shm", Errno::EINVAL, Times::From(1));
    let output = run(&preload, Command::new(PYTHON).args(["-c", program]).arg(&database));
    let want = "('wal',)\ndisk I/O error 5386 SQLITE_IOERR_SHMMAP\n";
    assert_eq!(text(&output.stdout), want, "{}", text(&output.stderr));
    assert_eq!(preload.answers().first().map(String::as_str), Some("map -shm EINVAL"));
}

#[test]
fn rules_that_cannot_be_read_end_the_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let preload = preload(directory.path()).refuse(Refused::Map, "", Errno::EINVAL, Times::From(1));
    let output =
        run(&preload, Command::new("sqlite3").arg("--version").stdin(std::process::Stdio::null()));
    assert_eq!(output.status.code(), Some(97));
    assert!(text(&output.stderr).contains("TOMBOLO_LAB_FAULTS"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
}
