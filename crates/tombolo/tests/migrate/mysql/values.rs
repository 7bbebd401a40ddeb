//! Values that the protocol, a type or a key of MySQL could change.

use super::server::Server;
use crate::{Database, assert_same, command, errors, migrate, not_made};
use rusqlite::{Connection, params};

/// Reals that a text could lose digits of, -0.0 in a column that does not make an integer of it.
const REALS: [f64; 12] = [
    0.1,
    -0.0,
    1e308,
    5e-324,
    -1.797_693_134_862_315_7e308,
    2.225_073_858_507_201_4e-308,
    123_456_789_012_345_680.0,
    0.300_000_000_000_000_04,
    1.0 / 3.0,
    9_007_199_254_740_993.0,
    1e-7,
    -2.5,
];

/// A database with every byte, alone and in runs; reals; blobs longer than a packet.
fn database(longest_bytes: usize) -> Database {
    let database = Database::new(
        "CREATE TABLE bytes (id INTEGER PRIMARY KEY, t TEXT, b BLOB);
        CREATE TABLE reals (id INTEGER PRIMARY KEY, r REAL, any);
        CREATE TABLE keys (k TEXT PRIMARY KEY, b BLOB UNIQUE) WITHOUT ROWID;
        INSERT INTO keys VALUES ('a', x'00'), ('A', x''), ('a ', x'0000'), (' a', x'61'),
            ('', x'20'), (' ', x'2020'), ('\u{e4}', x'e4'), ('\u{c4}', x'c4'), ('ss', x'7373'),
            ('\u{df}', x'df'), ('a' || char(0), x'6100'), ('a' || char(9), x'09');
        CREATE TABLE dates (id INTEGER PRIMARY KEY, d DATE, t DATETIME, z TIMESTAMP);
        INSERT INTO dates VALUES (1, '0001-01-01', '9999-12-31 23:59:59.999999', NULL),
            (2, '1582-10-10', '0001-01-01 00:00:00', '2038-01-20 00:00:00Z');",
    );
    let connection = Connection::open(database.path()).unwrap();
    let every: Vec<u8> = (0..=255).collect();
    for byte in 0..=127_u8 {
        let text = format!("a{0}{0}b{0}", char::from(byte));
        let insert = "INSERT INTO bytes (t, b) VALUES (?1, ?2)";
        connection.execute(insert, params![text, text.as_bytes()]).unwrap();
    }
    for (text, blob) in [
        ("", &[][..]),
        ("\\N", &b"\\N"[..]),
        ("\\", &every[..]),
        ("\u{1f600}\u{feff}\u{1a}", &every.repeat(300)[..]),
        ("a\\\n", &vec![b'\\'; 20_000][..]),
        ("x", &vec![0xff; longest_bytes][..]),
    ] {
        let insert = "INSERT INTO bytes (t, b) VALUES (?1, ?2)";
        connection.execute(insert, params![text, blob]).unwrap();
    }
    for real in REALS {
        connection.execute("INSERT INTO reals (r, any) VALUES (?1, ?1)", [real]).unwrap();
    }
    database
}

fn check(server: &Server, database: &Database) {
    let (code, report) = migrate(database, &server.address("app"), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(ask("SELECT count(*) FROM bytes WHERE cast(t AS binary) = b"), "130");
    assert_eq!(ask("SELECT hex(t) FROM bytes WHERE id = 27"), "611A1A621A");
    assert_eq!(ask("SELECT count(*), count(DISTINCT k) FROM `keys`"), "12\t12");
    assert_eq!(ask("SELECT count(*) FROM `keys` WHERE k = 'a'"), "1");
    let clash = server.try_ask("app", "INSERT INTO `keys` VALUES ('a ', 'new')");
    assert!(clash.unwrap_err().contains("1062"));
    // Every bit of them, by the server itself.
    for (index, real) in REALS.iter().enumerate() {
        let sql =
            format!("SELECT r = {real:e} AND any = {real:e} FROM reals WHERE id = {}", index + 1);
        assert_eq!(ask(&sql), "1", "{real:e}");
    }
    // MariaDB 10.11.19 keeps no sign of zero; with and without, it is equal to what was sent.
    assert!(["-0", "0"].contains(&&*ask("SELECT any FROM reals WHERE id = 2")));
    assert_eq!(
        ask("SELECT d, t, z FROM dates ORDER BY id"),
        "0001-01-01\t9999-12-31 23:59:59.999999\tNULL\n\
         1582-10-10\t0001-01-01 00:00:00.000000\t2038-01-20 00:00:00.000000"
    );
}

#[test]
fn every_value_arrives_by_load_data() {
    // Longer than a packet of the protocol, and than a statement could be.
    check(&Server::start_with(&["--max-allowed-packet=16M"]), &database(20_000_000));
}

#[test]
fn every_value_arrives_by_insert_where_the_other_way_is_closed() {
    let server = Server::start_with(&["--local-infile=0"]);
    check(&server, &database(1_000_000));
    server
        .ask("", "DROP DATABASE app; CREATE DATABASE app; SET GLOBAL max_allowed_packet = 1048576");
    let output = command(&database(900_000).path(), &server.address("app"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    assert!(
        text.contains("ER_NET_PACKET_TOO_LARGE") && text.contains("max_allowed_packet"),
        "{text}"
    );
}

#[test]
fn values_too_long_for_a_key_are_still_unique() {
    let server = Server::start();
    let database = Database::new(
        "CREATE TABLE long (t TEXT UNIQUE, k TEXT PRIMARY KEY);
        INSERT INTO long VALUES (hex(randomblob(4000)), hex(randomblob(4000))), ('x', 'y');
        CREATE INDEX part ON long (k, t);
        CREATE TABLE wide (a VARCHAR(16000), b VARCHAR(16000), c VARCHAR(20));
        INSERT INTO wide VALUES ('a', 'b', 'c');",
    );
    let (code, report) = migrate(&database, &server.address("app"), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (1, vec!["primary_key long".to_owned()]), "{report:#}");
    for insert in ["('x', 'new')", "('new', 'y')"] {
        let clash = server.try_ask("app", &format!("INSERT INTO long VALUES {insert}"));
        assert!(clash.is_err(), "{insert}");
    }
}

/// What the program may have of memory: less than the database, and than any table of it.
const MEMORY_KIB: u32 = 48 * 1024;

#[test]
fn memory_does_not_grow_with_the_database() {
    let server = Server::start();
    let database = Database::new(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, b BLOB);
        INSERT INTO big (b) WITH RECURSIVE n(i) AS
            (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110)
            SELECT randomblob(500000) FROM n;",
    );
    let run = command(&database.path(), &server.address("app"), &[]);
    let mut limited = std::process::Command::new("prlimit");
    limited.arg(format!("--as={}", u64::from(MEMORY_KIB) * 1024)).arg(run.get_program());
    let output = limited.args(run.get_args()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(server.ask("app", "SELECT count(*) FROM big"), "110");
}
