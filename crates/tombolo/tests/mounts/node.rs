//! better-sqlite3 of npm, whose SQLite is linked into a module of Node.js: `tombolo run` and
//! `tombolo trace` reach it.

use crate::exclusive::{self, exclusively};
use crate::trace::{first_failure, mounted, traced};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tombolo_lab::{Faults, Maps};

/// Two connections that write in turn, and a question of the first.
const SCRIPT: &str = "
const Database = require(process.argv[1]);
const connections = [0, 1].map(() => new Database(process.argv[2]));
const [first, second] = connections;
console.log(first.pragma('journal_mode = WAL', { simple: true }));
first.exec('CREATE TABLE IF NOT EXISTS t(x)');
for (let row = 0; row < 50; row++)
  for (const one of connections) one.prepare('INSERT INTO t VALUES (?)').run(row);
console.log(first.prepare('SELECT count(*) AS n FROM t').get().n);
second.close();
first.close();";

/// Where `./setup test` has it built.
fn module() -> PathBuf {
    let home = std::env::var_os("HOME").expect("a home directory");
    let module = Path::new(&home).join(".cache/tombolo-lab/node/node_modules/better-sqlite3");
    let built = module.join("build/Release/better_sqlite3.node");
    assert!(built.is_file(), "./setup test installs it: {}", built.display());
    module
}

fn words(database: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let words = ["node".to_owned(), "-e".to_owned(), SCRIPT.to_owned()];
    words.into_iter().chain([text(&module()), text(database)]).collect()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_program_alone_uses_wal_without_shared_maps() {
    exclusive::mounted(|database| {
        let words = words(database);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let alone = Command::new(words[0]).args(&words[1..]).output().expect("node");
        assert!(!alone.status.success(), "it fails by itself: {:?}", said(&alone));
        let output = exclusively(database, &words);
        assert_eq!(said(&output).0, "wal\n100\n", "{:?}", said(&output));
        assert!(output.status.success());
    });
}

#[test]
fn both_ways_of_tracing_name_the_first_failure() {
    for options in [&[][..], &["--syscalls"]] {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        mounted(faults, |database, beside| {
            let words = words(database);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let trace = traced(beside, options, &words);
            assert!(!trace.output.status.success(), "{:?}", trace.texts());
            let (call, errno, file, cause) = first_failure(&trace.json());
            let expected = ["mmap", "ENODEV", "app.db-shm", "MMAP_REFUSED"];
            assert_eq!([&*call, &*errno, &*file, &*cause], expected, "{options:?}");
        });
    }
}
