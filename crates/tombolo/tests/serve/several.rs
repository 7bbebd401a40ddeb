//! Transactions over several databases.

use crate::harness::{door, finished, printed, program, serve};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Child;
use tempfile::TempDir;

/// A directory with two databases, and its owner.
struct Pair {
    directory: TempDir,
    owner: Child,
}

impl Pair {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let owner = serve(directory.path());
        let pair = Pair { directory, owner };
        pair.both("CREATE TABLE main.counter(n); INSERT INTO main.counter VALUES(0);");
        pair.both("CREATE TABLE other.counter(n); INSERT INTO other.counter VALUES(0);");
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs SQL on both, and prints what it says.
    fn both(&self, sql: &str) -> String {
        let other = self.path("b.db");
        let attach = format!("ATTACH 'file:{}?vfs=tombolo' AS other;\n", other.display());
        printed(&door(&self.path("a.db"), "", &(attach + sql)))
    }

    /// Both counts, while nobody else can write: two databases have no common snapshot.
    fn counts(&self) -> String {
        self.both(
            "BEGIN IMMEDIATE;
            SELECT (SELECT n FROM main.counter), (SELECT n FROM other.counter);
            COMMIT;",
        )
    }

    fn end(&mut self) {
        self.owner.kill().expect("killed");
        self.owner.wait().expect("waited for");
    }

    fn restart(&mut self) {
        self.end();
        self.owner = serve(self.directory.path());
    }

    /// What is kept of transactions that are under way.
    fn kept(&self) -> usize {
        let kept = self.path(".tombolo/groups");
        std::fs::read_dir(kept).map_or(0, |entries| entries.count())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.owner.kill();
        let _ = self.owner.wait();
    }
}

#[test]
fn a_transaction_over_two_databases_is_in_both_or_in_none() {
    let pair = Pair::new();
    let update = "UPDATE main.counter SET n = n + 1; UPDATE other.counter SET n = n + 1;";
    assert_eq!(pair.both(&format!("BEGIN; {update} COMMIT;")), "");
    assert_eq!(pair.counts(), "1|1");
    assert_eq!(pair.both(&format!("BEGIN; {update} ROLLBACK;")), "");
    assert_eq!(pair.counts(), "1|1");
    assert_eq!(pair.kept(), 0, "nothing is left of it");
    for name in ["a.db", "b.db"] {
        assert_eq!(printed(&door(&pair.path(name), "", "PRAGMA integrity_check;")), "ok");
    }
}

#[test]
fn where_one_database_refuses_its_part_the_other_does_not_change() {
    let pair = Pair::new();
    let second = pair.path("b.db");
    let arguments = [second.to_str().expect("plain")];
    let said = finished(program(&pair.path("a.db"), "replaced.py", &arguments));
    assert_eq!(said, "database is locked\n0 0\n0 0\n1 0");
    assert_eq!(pair.kept(), 0, "nothing is left of it");
}

#[test]
fn a_database_without_an_owner_rolls_back_with_the_others() {
    let pair = Pair::new();
    let plain = pair.path("plain.db");
    let script = format!(
        "ATTACH 'file:{}?vfs=unix' AS plain; CREATE TABLE plain.t(x);
        BEGIN; UPDATE main.counter SET n = 5; UPDATE other.counter SET n = 5;
        INSERT INTO plain.t VALUES('p'); COMMIT; SELECT * FROM plain.t;",
        plain.display()
    );
    assert_eq!(pair.both(&script), "p");
    assert_eq!(pair.counts(), "5|5");
    let directory = std::fs::read_dir(pair.directory.path()).expect("readable");
    let names = directory.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names.filter(|name| name.contains("-mj")).collect();
    assert!(left.is_empty(), "the super-journal is removed: {left:?}");
}

#[test]
fn an_owner_that_is_killed_leaves_no_half_of_a_transaction() {
    let mut pair = Pair::new();
    let second = pair.path("b.db");
    let arguments = [second.to_str().expect("plain"), "8"];
    let mut child = program(&pair.path("a.db"), "pair.py", &arguments);
    let output = child.stdout.take().expect("piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut last = 0;
    for round in 0..6 {
        for line in lines.by_ref().take(5 + round * 3) {
            last = line.parse::<u64>().expect("a number");
        }
        pair.restart();
        let counts = pair.counts();
        let (first, second) = counts.split_once('|').expect("two");
        assert_eq!(first, second, "round {round}");
        assert!(first.parse::<u64>().expect("a number") >= last, "{first} after {last}");
    }
    drop(lines);
    child.kill().expect("killed");
    child.wait().expect("waited for");
    assert!(last > 0);
}
