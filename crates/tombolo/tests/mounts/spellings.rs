//! How each library is told to use the VFS `unix-excl`, as the doctor spells it: with stock
//! clients, on a mount that refuses shared maps.

use crate::exclusive::mounted;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tombolo_doctor::remedy::drivers::{self, Driver};

/// What each program prints that works: its journal mode, and how many rows it has written.
const WORKS: &str = "wal\n1\n";

/// A program that has the database open.
const HOLDS: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute('SELECT count(*) FROM made').fetchall()
print('ready', flush=True)
sys.stdin.read()";

/// A program in which `{line}` is what the doctor says, and how it is run.
enum Client {
    /// Given to an interpreter after an option.
    Words(&'static [&'static str], &'static str),
    /// Given to an interpreter as a file of this name, after words.
    File(&'static [&'static str], &'static str, &'static str),
    /// Compiled by `cc`.
    C(&'static str),
    /// A connection of this program itself.
    Rusqlite,
}

const PYTHON: &[&str] = &["/usr/bin/python3", "-W", "ignore", "-c"];

fn client(driver: &Driver) -> Client {
    match driver.name.as_str() {
        "Python, module sqlite3" => Client::Words(
            PYTHON,
            "import sqlite3
database = {line}
print(database.execute('PRAGMA journal_mode=WAL').fetchone()[0])
database.execute('CREATE TABLE t(x)')
database.execute('INSERT INTO t VALUES (1)')
print(database.execute('SELECT count(*) FROM t').fetchone()[0])",
        ),
        "Python, SQLAlchemy" => Client::Words(
            PYTHON,
            "from sqlalchemy import create_engine, text
database = {line}.connect()
run = lambda sql: database.execute(text(sql))
print(run('PRAGMA journal_mode=WAL').scalar())
run('CREATE TABLE t(x)')
run('INSERT INTO t VALUES (1)')
print(run('SELECT count(*) FROM t').scalar())",
        ),
        "Python, Django" => Client::Words(
            PYTHON,
            "from django.conf import settings
{line}
settings.configure(DATABASES=DATABASES)
from django.db import connection
database = connection.cursor()
print(database.execute('PRAGMA journal_mode=WAL').fetchone()[0])
database.execute('CREATE TABLE t(x)')
database.execute('INSERT INTO t VALUES (1)')
print(database.execute('SELECT count(*) FROM t').fetchone()[0])",
        ),
        "Python, peewee" => Client::Words(
            PYTHON,
            "from peewee import SqliteDatabase
database = {line}
print(database.execute_sql('PRAGMA journal_mode=WAL').fetchone()[0])
database.execute_sql('CREATE TABLE t(x)')
database.execute_sql('INSERT INTO t VALUES (1)')
print(database.execute_sql('SELECT count(*) FROM t').fetchone()[0])",
        ),
        _ => other_client(driver),
    }
}

fn other_client(driver: &Driver) -> Client {
    match driver.name.as_str() {
        "Java, sqlite-jdbc" => Client::File(
            &["java", "-cp", "/usr/share/java/sqlite-jdbc.jar"],
            "App.java",
            "import java.sql.*;
public class App {
    public static void main(String[] words) throws Exception {
        Statement database = DriverManager.getConnection(\"{line}\").createStatement();
        System.out.println(database.executeQuery(\"PRAGMA journal_mode=WAL\").getString(1));
        database.execute(\"CREATE TABLE t(x)\");
        database.execute(\"INSERT INTO t VALUES (1)\");
        System.out.println(database.executeQuery(\"SELECT count(*) FROM t\").getString(1));
    }
}",
        ),
        "PHP, PDO" => Client::Words(
            &["php", "-r"],
            "$database = {line};
echo $database->query('PRAGMA journal_mode=WAL')->fetchColumn(), \"\\n\";
$database->exec('CREATE TABLE t(x)');
$database->exec('INSERT INTO t VALUES (1)');
echo $database->query('SELECT count(*) FROM t')->fetchColumn(), \"\\n\";",
        ),
        "PHP, class SQLite3" => Client::Words(
            &["php", "-r"],
            "echo (new SQLite3(':memory:'))->querySingle('SELECT 7');
echo (new SQLite3('{uri}'))->querySingle('PRAGMA journal_mode=WAL');",
        ),
        "Ruby, sqlite3" => Client::Words(
            &["ruby", "-rsqlite3", "-e"],
            "database = {line}
puts database.get_first_value('PRAGMA journal_mode=WAL')
database.execute('CREATE TABLE t(x)')
database.execute('INSERT INTO t VALUES (1)')
puts database.get_first_value('SELECT count(*) FROM t')",
        ),
        "Perl, DBD::SQLite" => Client::Words(
            &["perl", "-MDBI", "-e"],
            "my $database = {line};
print $database->selectrow_array('PRAGMA journal_mode=WAL'), \"\\n\";
$database->do('CREATE TABLE t(x)');
$database->do('INSERT INTO t VALUES (1)');
print $database->selectrow_array('SELECT count(*) FROM t'), \"\\n\";",
        ),
        "Tcl" => Client::File(
            &["tclsh"],
            "app.tcl",
            "package require sqlite3
{line}
puts [db eval {PRAGMA journal_mode=WAL}]
db eval {CREATE TABLE t(x)}
db eval {INSERT INTO t VALUES (1)}
puts [db eval {SELECT count(*) FROM t}]",
        ),
        "the shell of SQLite" => Client::Words(
            &["sh", "-c"],
            "{line} 'PRAGMA journal_mode=WAL' 'CREATE TABLE t(x)' 'INSERT INTO t VALUES (1)' \
             'SELECT count(*) FROM t'",
        ),
        "Node.js, better-sqlite3" => Client::Words(
            &["node", "-e"],
            "const Database = require(process.env.HOME +
  '/.cache/tombolo-lab/node/node_modules/better-sqlite3');
console.log(new Database(':memory:').prepare('SELECT 7').pluck().get());
console.log(new Database('{uri}').pragma('journal_mode = WAL', { simple: true }));",
        ),
        "Rust, rusqlite" => Client::Rusqlite,
        "C and C++" => Client::C(
            "#include <sqlite3.h>
#include <stdio.h>
static int print(void *nothing, int count, char **values, char **names) {
    return !puts(values[0]);
}
int main(int count, char **words) {
    const char *path = words[1];
    sqlite3 *database;
    return {line} || sqlite3_exec(database, \"PRAGMA journal_mode=WAL; CREATE TABLE t(x); \"
        \"INSERT INTO t VALUES (1); SELECT count(*) FROM t\", print, NULL, NULL);
}",
        ),
        other => panic!("the table says that {other} was tried, and nothing tries it"),
    }
}

fn run(words: &[&str], last: &str) -> Output {
    let (program, words) = words.split_first().expect("a program");
    let output = Command::new(program).args(words).arg(last).output();
    output.unwrap_or_else(|error| panic!("./setup test installs {program}: {error}"))
}

/// What a client prints, and what it says of errors.
fn tried(client: &Client, line: &str, uri: &str, database: &Path) -> (String, String) {
    let beside = tempfile::tempdir().expect("a directory");
    let filled = |text: &str| text.replace("{line}", line).replace("{uri}", uri);
    let output = match client {
        Client::Words(words, script) => run(words, &filled(script)),
        Client::File(words, name, script) => {
            let file = beside.path().join(name);
            std::fs::write(&file, filled(script)).expect("written");
            run(words, file.to_str().expect("UTF-8"))
        }
        Client::C(source) => {
            let (file, program) = (beside.path().join("app.c"), beside.path().join("app"));
            std::fs::write(&file, filled(source)).expect("written");
            let mut compiler = Command::new("cc");
            compiler.arg("-o").arg(&program).arg(&file).arg("-lsqlite3");
            assert!(compiler.status().expect("a C compiler").success());
            run(&[program.to_str().expect("UTF-8")], database.to_str().expect("UTF-8"))
        }
        Client::Rusqlite => return (by_rusqlite(uri), String::new()),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn by_rusqlite(uri: &str) -> String {
    let database = rusqlite::Connection::open(uri).expect("open");
    let ask = |sql: &str| {
        let value = database.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
        match value.unwrap_or_else(|error| panic!("{sql}: {error}")) {
            rusqlite::types::Value::Text(text) => format!("{text}\n"),
            rusqlite::types::Value::Integer(number) => format!("{number}\n"),
            other => panic!("{other:?}"),
        }
    };
    let mode = ask("PRAGMA journal_mode=WAL");
    database.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").expect("written");
    mode + &ask("SELECT count(*) FROM t")
}

#[test]
fn each_spelling_that_was_tried_works_without_shared_maps() {
    let tried_ones: Vec<_> = drivers::all().iter().filter(|one| !one.tested.is_empty()).collect();
    assert!(tried_ones.len() > 10, "{}", tried_ones.len());
    for driver in tried_ones {
        mounted(|database| {
            let uri = format!("file:{}?vfs=unix-excl", database.display());
            let line = driver.fill(&uri);
            let (said, wrong) =
                tried(&client(driver), line.as_deref().unwrap_or_default(), &uri, database);
            match line {
                Some(_) => assert_eq!(said, WORKS, "{}: {wrong}", driver.name),
                // It answers from memory, and does not open the URI.
                None => assert_eq!(said.trim(), "7", "{}: {wrong}", driver.name),
            }
            assert!(!database.with_extension("db-shm").exists(), "{}", driver.name);
        });
    }
}

#[test]
fn the_list_of_ways_out_names_the_setting_of_the_program_that_has_it_open() {
    mounted(|database| {
        let mut holder = Command::new("/usr/bin/python3")
            .args(["-c", HOLDS])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut ready = String::new();
        let out = holder.stdout.as_mut().expect("a pipe");
        BufReader::new(out).read_line(&mut ready).expect("it starts");
        assert_eq!(ready, "ready\n");
        let output =
            run(&[env!("CARGO_BIN_EXE_tombolo"), "fix"], database.to_str().expect("UTF-8"));
        drop(holder.stdin.take());
        assert!(holder.wait().expect("it ends").success());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let uri = format!("file:{}?vfs=unix-excl", database.display());
        assert!(said.contains(&format!("sqlite3.connect(\"{uri}\", uri=True)")), "{said}");
        assert!(said.contains("tombolo run --exclusive --db"), "{said}");
        assert!(!said.contains("jdbc"), "{said}");
    });
}
