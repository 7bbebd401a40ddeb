//! One database of two kernels at once, in WAL mode, through an owner: a guest at its door over
//! TCP, stock SQLite of the host on the file. The guest stands still for a while, then dies.
//!
//! The guest sees the directory of the database by a file system that cannot carry SQLite's locks,
//! and needs nothing of it but the credentials.

use crate::common::{PATIENCE, guest_spec, lab, wait_until};
use crate::tool_build::{built, library};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tombolo_lab::{Guest, Running};

const TRANSFERS: &str = "40";
const SETUP: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));
    WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        INSERT INTO account SELECT i, 1000 FROM n;";

/// A database on the host and its owner, which ends with it.
struct Owner {
    directory: TempDir,
    child: Child,
    port: u16,
}

impl Owner {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(built())
            .args(["serve", "--engine", "shared", "--listen", "tcp://127.0.0.1:0"])
            .arg(directory.path().join("app.db"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, place) = line.split_once("is served at tcp://127.0.0.1:")?;
            place.split_whitespace().next()?.parse().ok()
        });
        // What it says later is read, so that it does not wait.
        std::thread::spawn(move || lines.for_each(drop));
        Owner { directory, child, port: port.expect("it says where it listens") }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    /// Stock SQLite of this kernel, on the file.
    fn stock(&self, sql: &str) -> String {
        let mut command = Command::new("sqlite3");
        command.args(["-bail", "-cmd", ".timeout 60000"]).arg(self.database()).arg(sql);
        let output = command.output().expect("sqlite3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A program on the host, on the file.
    fn on_host(&self, name: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(program(name)).arg(self.database()).arg("stock").args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// The same program in a guest, at the door: the host is there by an address of its own.
    fn in_guest(&self, guest: &Guest, name: &str, arguments: &[&str]) -> Running {
        let (program, database) = (program(name), self.database());
        let words = ["/usr/bin/python3", "-B", &program, text(&database), "door"];
        guest
            .command(&[&words[..], arguments].concat())
            .env("TOMBOLO_LIBRARY", library())
            .env("TOMBOLO_OWNER", &format!("tcp://10.0.2.2:{}", self.port))
            .timeout(PATIENCE)
            .spawn()
            .expect("the guest is there")
    }

    fn sessions(&self) -> Vec<Value> {
        let mut command = Command::new(built());
        command.args(["status", "--format", "json"]).arg(self.database());
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status: Value = serde_json::from_slice(&output.stdout).expect("a document");
        status["databases"][0]["sessions"].as_array().expect("a list").clone()
    }

    fn numbers(&self, who: &str) -> BTreeSet<u32> {
        let found = self.stock(&format!("SELECT number FROM entry WHERE who = '{who}'"));
        found.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that the command's own tests have, which the guest sees at the same path.
fn program(name: &str) -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tombolo/tests/serve/programs");
    let path = programs.join(name).canonicalize().expect("it is there");
    text(&path).to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What a program that counts has said until now to have been acknowledged.
fn acknowledged(running: &Running) -> BTreeSet<u32> {
    let said = String::from_utf8_lossy(&running.stdout_so_far()).into_owned();
    let lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| line.trim().parse().expect("a number")).collect()
}

/// An owner and a door in the guest, whose kernel leads vsock back to itself; a host's may not.
fn reaches_itself_by_vsock(guest: &Guest) {
    let sql =
        r"CREATE TABLE t(a); INSERT INTO t VALUES(7); SELECT a FROM t; PRAGMA tombolo_status;";
    let script = format!(
        r#"modprobe vsock_loopback && mkdir /tmp/vsock && cd /tmp/vsock || exit 1
        {} serve --engine shared --listen vsock://any:7000 /tmp/vsock/app.db 2>log &
        until grep -q 'served at vsock' log; do sleep 0.1; done
        printf '%s
' '.open "file:/tmp/vsock/app.db?vfs=tombolo&owner=vsock://1:7000"' '{sql};' |
            sqlite3 -bail -cmd '.load {}' || exit 1
        kill $!"#,
        built(),
        library()
    );
    let output = guest.shell(&script).and_then(|output| output.require_success());
    let text = output.expect("it works").text();
    assert!(text.starts_with("7\n") && text.contains(r#""address":"vsock://1:"#), "{text}");
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn two_kernels_write_one_database_and_one_of_them_stands_still_and_dies() {
    let lab = lab(&["qemu-system-x86_64", "sqlite3", "/usr/bin/python3"]);
    let owner = Owner::new();
    owner.stock(SETUP);
    let guest = lab.guest(guest_spec()).expect("a guest");
    reaches_itself_by_vsock(&guest);

    // Transfers from both sides, each of which looks at all accounts in one snapshot in between.
    let there = owner.in_guest(&guest, "bank.py", &["guest", TRANSFERS]);
    let here = owner.on_host("bank.py", &["host", TRANSFERS]);
    let output = here.wait_with_output().expect("waited for");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    there.wait(PATIENCE).and_then(|output| output.require_success()).expect("it ends well");
    let count = "SELECT count(*) FROM entry WHERE who IN ('guest', 'host')";
    assert_eq!(owner.stock(count), "80");

    // The guest is told as what it is, and stands still in the midst of its work.
    let counting = owner.in_guest(&guest, "counter.py", &["counting", "100000"]);
    wait_until("the guest counts", || acknowledged(&counting).len() > 5);
    let sessions = owner.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0]["kernel"], "other");
    let boot_id = guest.run(&["cat", "/proc/sys/kernel/random/boot_id"]).expect("read").text();
    assert_eq!(sessions[0]["boot_id"], boot_id.trim());
    let address = sessions[0]["address"].as_str().expect("one");
    assert!(address.starts_with("tcp://"), "{address}");
    guest.pause().expect("paused");
    for number in 0..10 {
        owner.stock(&format!("INSERT INTO entry VALUES('meanwhile', {number})"));
    }
    guest.resume().expect("resumed");
    let before = acknowledged(&counting).len();
    wait_until("the guest goes on", || acknowledged(&counting).len() > before + 5);

    // It loses its power. What was acknowledged is there, and nobody waits for it.
    guest.kill().expect("killed");
    let seen = acknowledged(&counting);
    owner.stock("INSERT INTO entry VALUES('afterwards', 1)");
    wait_until("the owner notices", || owner.sessions().is_empty());
    let lost: Vec<_> = seen.difference(&owner.numbers("counting")).copied().collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert_eq!(owner.numbers("meanwhile").len(), 10);
    let check = "SELECT sum(balance) FROM account; PRAGMA integrity_check; PRAGMA journal_mode;";
    assert_eq!(owner.stock(check), "20000\nok\nwal");
}
