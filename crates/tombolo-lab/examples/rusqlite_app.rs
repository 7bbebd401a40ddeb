//! A program as people write them with rusqlite: errors end it by `?` in `main`.
//!
//! It stands for Rust among the runtimes whose error texts are recorded; see
//! `tombolo_lab::runtimes`. Arguments: the database, and the journal mode.

use rusqlite::Connection;
use std::error::Error;
use std::io::{Write as _, stdin, stdout};

fn pause(stage: &str) -> Result<(), Box<dyn Error>> {
    writeln!(stdout(), "{stage}")?;
    stdin().read_line(&mut String::new())?;
    Ok(())
}

fn count(db: &Connection) -> Result<i64, Box<dyn Error>> {
    Ok(db.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, mode] = &arguments[..] else { return Err("FILE and MODE are wanted".into()) };
    writeln!(stdout(), "version rusqlite, SQLite {}", rusqlite::version())?;

    let db = Connection::open(file)?;
    db.pragma_update(None, "journal_mode", mode)?;
    db.execute("CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)", [])?;
    db.execute("INSERT INTO items(data) VALUES(zeroblob(200000))", [])?;
    count(&db)?;
    pause("running")?;
    db.execute("INSERT INTO items(data) VALUES('second')", [])?;
    let other = Connection::open(file)?;
    count(&other)?;
    drop(other);
    db.execute_batch("BEGIN IMMEDIATE")?;
    db.execute("INSERT INTO items(data) VALUES('third')", [])?;
    pause("transaction")?;
    db.execute_batch("COMMIT")?;
    db.execute("DELETE FROM items", [])?;
    db.execute_batch("VACUUM")?;
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}
