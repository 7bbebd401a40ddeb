//! A program whose SQLite is linked in, without symbols that anybody could take over: several
//! threads write to one database in WAL mode, each by a connection of its own.
//!
//! `bundled_sqlite DATABASE ROWS` prints the number of rows at the end.
#![allow(clippy::print_stdout, missing_docs)]

use rusqlite::Connection;
use std::time::Duration;

const THREADS: i64 = 4;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("a database is needed")?;
    let rows: i64 = arguments.next().ok_or("a number of rows is needed")?.parse()?;
    let connection = Connection::open(&path)?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    connection.execute("CREATE TABLE IF NOT EXISTS t(x)", [])?;
    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| write(&path, rows / THREADS))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a thread ended")?)
    })?;
    let count: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?;
    println!("{count}");
    Ok(())
}

fn write(path: &str, rows: i64) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(60))?;
    for row in 0..rows {
        connection.execute("INSERT INTO t VALUES (?1)", [row])?;
    }
    Ok(())
}
