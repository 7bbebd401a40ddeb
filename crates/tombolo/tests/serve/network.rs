//! Doors that come over a network, as those of other kernels do.

use crate::harness::{Owner, door, finished, library, printed};
use crate::proxy::Proxy;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const ANY_PORT: &str = "tcp://127.0.0.1:0";

fn over_tcp() -> Owner {
    Owner::with(tempfile::tempdir().expect("a directory"), &["--listen", ANY_PORT])
}

fn address(owner: &Owner) -> &str {
    owner.addresses().get(1).expect("it listens on a network")
}

fn socket_address(owner: &Owner) -> SocketAddr {
    let (_, place) = address(owner).split_once("://").expect("a scheme");
    place.parse().expect("an address")
}

fn credentials(owner: &Owner) -> PathBuf {
    let mut directory = owner.database().into_os_string();
    directory.push("-tombolo/credentials");
    directory.into()
}

fn ask(owner: &Owner, sql: &str) -> Output {
    door(&owner.database(), &format!("&owner={}", address(owner)), sql)
}

fn failure(output: &Output) -> String {
    assert!(!output.status.success(), "it did not fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A database does not open; the shell would go on with another one.
fn refused(database: &Path, parameters: &str) {
    let text = "import sqlite3, sys, os
loader = sqlite3.connect(':memory:')
loader.enable_load_extension(True)
loader.load_extension(os.environ['TOMBOLO_LIBRARY'])
try:
    sqlite3.connect(sys.argv[1], uri=True).execute('SELECT 1 FROM sqlite_schema')
    sys.exit('it was let in')
except sqlite3.OperationalError as error:
    print(error)";
    let uri = format!("file:{}?vfs=tombolo{parameters}", database.display());
    let output = Command::new("/usr/bin/python3")
        .args(["-c", text, &uri])
        .env("TOMBOLO_LIBRARY", library())
        .output()
        .expect("Debian's python3 is installed");
    let said = printed(&output);
    let expected = ["unable to open database file", "disk I/O error"];
    assert!(expected.contains(&said.as_str()), "{said}");
}

/// What the door says of it.
fn reason(owner: &Owner, address: &str, credentials: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.args(["status", "--owner", address, "--credentials"]).arg(credentials);
    failure(&command.arg(owner.database()).output().expect("it runs"))
}

fn serve(arguments: &[&str], database: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.args(["serve", "--engine", "shared"]).args(arguments).arg(database);
    command.stdin(Stdio::null()).output().expect("it runs")
}

#[test]
fn a_stock_shell_and_python_work_over_tls_as_at_the_socket() {
    let owner = over_tcp();
    let fill = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO t SELECT i, randomblob(400) FROM n;";
    let sql = format!(
        "PRAGMA journal_mode; PRAGMA cache_size = 50; CREATE TABLE t(a INTEGER PRIMARY KEY, b);
         BEGIN; {fill} SELECT count(*) FROM t; ROLLBACK; SELECT count(*) FROM t;
         {fill} SELECT count(*) FROM t; PRAGMA integrity_check;"
    );
    assert_eq!(printed(&ask(&owner, &sql)), "wal\n20000\n0\n20000\nok");
    printed(&owner.stock("DELETE FROM t WHERE a > 10;"));
    assert_eq!(printed(&ask(&owner, "SELECT count(*), sum(a) FROM t;")), "10|55");
    assert_eq!(printed(&owner.door("SELECT count(*), sum(a) FROM t;")), "10|55");
}

#[test]
fn money_is_neither_made_nor_lost_between_network_socket_and_file() {
    let owner = over_tcp();
    printed(&ask(
        &owner,
        "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
         CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));
         WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
             INSERT INTO account SELECT i, 1000 FROM n;",
    ));
    let writers = [("network", "a"), ("network", "b"), ("door", "c"), ("stock", "d")];
    let writers = writers.map(|(way, name)| match way {
        "network" => owner.program_at(Some(address(&owner)), "bank.py", &["door", name, "60"]),
        way => owner.program("bank.py", &[way, name, "60"]),
    });
    for writer in writers {
        assert!(finished(writer).parse::<u32>().expect("a number of looks") > 0);
    }
    let check = "SELECT count(*), count(DISTINCT who) FROM entry;
        SELECT sum(balance) FROM account; PRAGMA integrity_check;";
    assert_eq!(printed(&ask(&owner, check)), "240|4\n20000\nok");
    assert_eq!(printed(&owner.stock(check)), "240|4\n20000\nok");
}

#[test]
fn an_unmodified_program_is_taken_there_by_the_environment() {
    let owner = over_tcp();
    let sql = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
               c.execute('CREATE TABLE t(a)'); c.execute('INSERT INTO t VALUES (7)'); c.commit(); \
               print(c.execute('PRAGMA tombolo_status').fetchone()[0])";
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.args(["run", "--", "/usr/bin/python3", "-c", sql]).arg(owner.database());
    let output = command.env("TOMBOLO_OWNER", address(&owner)).output().expect("it runs");
    let status: Value = serde_json::from_str(&printed(&output)).expect("a document");
    let session = &status["databases"][0]["sessions"][0];
    let from = session["address"].as_str().expect("it comes over a network");
    assert!(from.starts_with("tcp://127.0.0.1:"), "{from}");
    assert_eq!(session["kernel"], "same");
    assert_eq!(session["boot_id"], status["boot_id"]);
    assert_eq!(printed(&owner.stock("SELECT a FROM t;")), "7");
}

#[test]
fn the_owner_tells_how_it_is_to_who_has_the_credentials() {
    let owner = over_tcp();
    let status = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.arg("status").args(arguments).output().expect("it runs")
    };
    let database = owner.database().display().to_string();
    let text = printed(&status(&["--owner", address(&owner), &database]));
    assert!(text.contains(&database), "{text}");
    let file = credentials(&owner).display().to_string();
    printed(&status(&["--owner", address(&owner), "--credentials", &file]));
    let nowhere = status(&["--owner", address(&owner), "/"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("credentials"));
}

#[test]
fn without_the_right_credentials_nobody_is_let_in() {
    let (owner, other) = (over_tcp(), over_tcp());
    printed(&ask(&owner, "CREATE TABLE t(a);"));
    let wrong = credentials(&other);
    let at = address(&owner);
    // A door of the other owner, and the keys of a third: the owner is known, the door is not.
    let ours = std::fs::read_to_string(credentials(&owner)).expect("read");
    let theirs = std::fs::read_to_string(&wrong).expect("read");
    let line = |text: &str, name: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        found.expect("it has one").to_owned()
    };
    let mixed = ours.replace(&line(&ours, "door-secret"), &line(&theirs, "door-secret"));
    let file = owner.database().with_file_name("mixed");
    std::fs::write(&file, mixed).expect("written");
    for (given, why) in [
        (&wrong, "the other side has not the key that it should have"),
        (&file, "the owner does not accept these credentials"),
        (&PathBuf::from("/none"), "no such file"),
        (&owner.database(), "it is not of the form"),
    ] {
        refused(&owner.database(), &format!("&owner={at}&credentials={}", given.display()));
        let said = reason(&owner, at, given);
        assert!(said.contains(why), "{said}");
    }
    let elsewhere = tempfile::tempdir().expect("a directory");
    refused(&elsewhere.path().join("app.db"), &format!("&owner={at}"));
    assert_eq!(printed(&ask(&owner, "SELECT count(*) FROM t;")), "0", "it goes on");
}

#[test]
fn who_has_no_credentials_learns_no_name_and_who_has_them_tells_none() {
    let owner = over_tcp();
    let name = b"app.db";
    let holds = |bytes: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    // A door that does not encrypt, at a port that does: frames in the clear.
    let text = address(&owner).replace("tcp://", "insecure-tcp://");
    refused(&owner.database(), &format!("&owner={text}"));
    // Whatever else is said there.
    let open = [&[7_u8, 0, 0, 0, 2, 0, 6, 0][..], name].concat();
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], &open, &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9][..]] {
        let mut stream = TcpStream::connect(socket_address(&owner)).expect("connects");
        stream.write_all(said).expect("sent");
        let mut heard = Vec::new();
        // It may be reset after the answer.
        let _ = stream.read_to_end(&mut heard);
        assert!(!holds(&heard) && heard.len() < 64, "{heard:?}");
    }
    // And on the way of one who is let in.
    let proxy = Proxy::new(socket_address(&owner), |_| u64::MAX);
    let parameters = format!("&owner=tcp://{}", proxy.address());
    printed(&door(&owner.database(), &parameters, "CREATE TABLE overheard(a);"));
    let heard = proxy.heard();
    assert!(heard.len() > 1000 && !holds(&heard), "{} bytes", heard.len());
    assert!(!heard.windows(9).any(|window| window == b"overheard"));
}

#[test]
fn the_credentials_are_for_those_who_may_write_the_database() {
    let mut owner = over_tcp();
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let file = credentials(&owner);
    let own = file.parent().expect("a directory").to_owned();
    assert_eq!((mode(&file), mode(&own)), (0o600, 0o700));
    assert_eq!(mode(&own.join("owner.key")), 0o600);
    printed(&ask(&owner, "CREATE TABLE t(a);"));
    let shared = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(owner.database(), shared).expect("set");
    let before = std::fs::read(&file).expect("read");
    owner.kill_and_restart();
    assert_eq!((mode(&file), mode(&own)), (0o640, 0o710));
    assert!(std::fs::read(&file).expect("read") == before, "the keys stay");
    printed(&ask(&owner, "INSERT INTO t VALUES(1);"));
    // Keys that others may have read let nobody in.
    owner.kill();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(own.join("owner.key"), open).expect("set");
    let output = serve(&["--listen", ANY_PORT], &owner.database());
    assert_eq!(output.status.code(), Some(1));
    assert!(failure(&output).contains("--keys"), "the hint");
}

#[test]
fn keys_are_kept_elsewhere_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let keys = tempfile::tempdir().expect("a directory");
    let given = keys.path().display().to_string();
    let owner = Owner::with(directory, &["--listen", ANY_PORT, "--keys", &given]);
    assert!(!credentials(&owner).exists());
    let file = keys.path().join("credentials");
    let parameters = format!("&owner={}&credentials={}", address(&owner), file.display());
    printed(&door(&owner.database(), &parameters, "CREATE TABLE t(a);"));
    refused(&owner.database(), &format!("&owner={}", address(&owner)));
}

#[test]
fn nothing_is_unencrypted_unless_it_is_asked_for_and_nobody_else_reaches_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    for arguments in [
        &["--insecure", "--listen", "tcp://0.0.0.0:0"][..],
        &["--insecure", "--listen", "tcp://[::]:0"],
        &["--insecure", "--listen", "vsock://any:0"],
        &["--insecure-for-others", "--listen", ANY_PORT],
        &["--listen", "insecure-tcp://127.0.0.1:0"],
        &["--listen", "tcp://example.org:7000"],
    ] {
        let output = serve(arguments, &database);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", failure(&output));
    }
    assert!(!database.exists());
    let owner = Owner::with(directory, &["--insecure", "--listen", ANY_PORT]);
    assert!(address(&owner).starts_with("insecure-tcp://127.0.0.1:"));
    printed(&ask(&owner, "CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    // A door that means to encrypt does not go on without.
    let file = directory_with_credentials();
    let text = address(&owner).replace("insecure-", "");
    let given = file.path().join("credentials");
    refused(&owner.database(), &format!("&owner={text}&credentials={}", given.display()));
    let others = ["--insecure", "--insecure-for-others", "--listen", "tcp://0.0.0.0:0"];
    let owner = Owner::with(tempfile::tempdir().expect("a directory"), &others);
    assert!(address(&owner).starts_with("insecure-tcp://0.0.0.0:"));
}

/// Credentials of some owner.
fn directory_with_credentials() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let owner = over_tcp();
    let copied = std::fs::copy(credentials(&owner), directory.path().join("credentials"));
    copied.expect("copied");
    directory
}

#[test]
fn strangers_who_say_nothing_keep_nobody_out() {
    let owner = over_tcp();
    let mut first = TcpStream::connect(socket_address(&owner)).expect("connects");
    let mut others = Vec::new();
    // More than are kept.
    for _ in 0..400 {
        others.push(TcpStream::connect(socket_address(&owner)).expect("connects"));
    }
    assert_eq!(printed(&ask(&owner, "SELECT 7;")), "7");
    assert_eq!(printed(&owner.door("SELECT 8;")), "8");
    // It waits until it is ended: by the others, or by the time.
    assert_eq!(first.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn cut_connections_lose_nothing_that_was_acknowledged() {
    let owner = over_tcp();
    printed(&owner.door("CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));"));
    // All are let in once; then some are cut in the handshake, some within a commit.
    let bytes = |number| if number < 2 { 30_000 } else { 900 + (number * 4703) % 60_000 };
    let proxy = Proxy::new(socket_address(&owner), bytes);
    let to = format!("tcp://{}", proxy.address());
    let children =
        ["a", "b"].map(|who| owner.program_at(Some(&to), "counter.py", &["door", who, "6"]));
    for (child, who) in children.into_iter().zip(["a", "b"]) {
        let seen: BTreeSet<u32> =
            finished(child).lines().map(|line| line.parse().expect("a number")).collect();
        let sql = format!("SELECT number FROM entry WHERE who = '{who}';");
        let there: BTreeSet<u32> = printed(&owner.stock(&sql))
            .lines()
            .map(|line| line.parse().expect("a number"))
            .collect();
        assert!(!seen.is_empty() && seen.is_subset(&there), "{who}: acknowledged and lost");
    }
    assert!(proxy.cuts() > 3, "{} cuts", proxy.cuts());
    assert_eq!(printed(&ask(&owner, "PRAGMA integrity_check;")), "ok");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn vsock_is_listened_at_and_works_where_the_kernel_connects_it_to_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    if !Path::new("/dev/vsock").exists() {
        return eprintln!("NOT RUN: this machine has no vsock");
    }
    let owner = Owner::with(directory, &["--listen", "vsock://any:0", "--listen", ANY_PORT]);
    let [_, vsock, tcp] = owner.addresses() else { panic!("{:?}", owner.addresses()) };
    let port = vsock.strip_prefix("vsock://any:").expect("it is told");
    printed(&door(&database, &format!("&owner={tcp}"), "CREATE TABLE t(a);"));
    let parameters = format!("&owner=vsock://1:{port}");
    let output = door(&database, &parameters, "INSERT INTO t VALUES(1); SELECT a FROM t;");
    if output.status.success() {
        assert_eq!(printed(&output), "1");
    } else {
        let error = failure(&output);
        eprintln!("NOT RUN: vsock does not lead back to this machine: {error}");
    }
}
