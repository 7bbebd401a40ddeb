//! The way out that ends all others: a server owns the data, and everybody asks it.

use crate::app::run_app;
use crate::common::{PATIENCE, guest_spec, lab};
use crate::postgres::{HOST_OF_GUEST, Postgres, REQUIRED};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use tombolo_lab::{Guest, Namespace, Output, sqlite};

/// Transactions of each side.
const COUNT: usize = 40;

const TABLES: &str = "CREATE TABLE items(path text PRIMARY KEY); \
                      CREATE TABLE counter(n integer NOT NULL); INSERT INTO counter VALUES (0);";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_server_database_serves_two_kernels_and_leaves_isolation_to_the_program() {
    Namespace::run(|namespace| {
        let required = ["qemu-system-x86_64", "a kernel", "/usr/bin/python3", "sqlite3", REQUIRED];
        let lab = lab(&required);
        let postgres = Postgres::start(namespace, &lab);
        let guest = lab.guest(guest_spec()).expect("a guest");
        postgres.ask(TABLES);
        carries_the_old_data_over(namespace, &postgres);
        loses_nothing_of_two_kernels(&postgres, &guest);
        lets_a_program_overwrite_what_it_has_not_seen(&postgres, &guest);
    });
}

/// From the host, where the SQLite file can be read.
fn carries_the_old_data_over(namespace: &Namespace, postgres: &Postgres) {
    let path = namespace.directory("media").expect("a directory").join("library.db");
    let items = run_app(&path, &["--add", "3"]);
    let rows = sqlite(&path, "SELECT Path FROM Items;");
    postgres.ask(&rows.lines().fold(String::new(), |mut text, row| {
        let _ = write!(text, "INSERT INTO items VALUES ('{row}');");
        text
    }));
    assert_eq!(postgres.ask("SELECT path FROM items ORDER BY path"), items.join("\n"));
    postgres.ask("DELETE FROM items");
}

/// Both sides at once, in transactions that count and add.
fn loses_nothing_of_two_kernels(postgres: &Postgres, guest: &Guest) {
    let of_guest = guest.spawn(&postgres.client(HOST_OF_GUEST)).expect("the guest is there");
    of_guest.write(transactions("guest").as_bytes()).expect("written");
    of_guest.end_input().expect("ended");
    of_guest.wait_for_text("guest/1", PATIENCE).expect("it works");
    let client = postgres.client("127.0.0.1");
    let mut of_host = Command::new(&client[0]);
    of_host.args(&client[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut of_host = of_host.spawn().expect("it ran");
    let mut input = of_host.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, transactions("host").as_bytes()).expect("written");
    drop(input);
    let of_host = String::from_utf8(of_host.wait_with_output().expect("it ended").stdout);
    let of_guest = of_guest.wait(PATIENCE).and_then(Output::require_success).expect("it works");
    let acknowledged = of_host.expect("UTF-8") + "\n" + &of_guest.text();
    let acknowledged: BTreeSet<&str> =
        acknowledged.lines().filter(|line| line.contains('/')).collect();
    assert_eq!(acknowledged.len(), 2 * COUNT);
    let found = postgres.ask("SELECT path FROM items");
    assert_eq!(found.lines().collect::<BTreeSet<_>>(), acknowledged);
    assert_eq!(postgres.ask("SELECT n FROM counter"), (2 * COUNT).to_string());
}

/// A path is said when its COMMIT has returned.
fn transactions(client: &str) -> String {
    (0..COUNT).fold(String::new(), |mut text, number| {
        let _ = writeln!(
            text,
            "BEGIN; UPDATE counter SET n = n + 1; \
             INSERT INTO items VALUES ('{client}/{number}'); COMMIT;\n\\echo {client}/{number}"
        );
        text
    })
}

/// What SQLite's one writer spares a program: reading a number, and writing what follows from it
/// when another has done the same meanwhile. The default isolation lets it happen
/// ([PostgreSQL's documentation](https://www.postgresql.org/docs/15/transaction-iso.html)).
fn lets_a_program_overwrite_what_it_has_not_seen(postgres: &Postgres, guest: &Guest) {
    for (isolation, is_lost) in [("READ COMMITTED", true), ("REPEATABLE READ", false)] {
        postgres.ask("UPDATE counter SET n = 10");
        let slow = guest.spawn(&postgres.client(HOST_OF_GUEST)).expect("the guest is there");
        let read = format!("BEGIN ISOLATION LEVEL {isolation};\nSELECT n FROM counter;\n");
        slow.write(read.as_bytes()).expect("written");
        slow.wait_for_text("10", PATIENCE).expect("it has read");
        postgres.ask("UPDATE counter SET n = n + 1");
        slow.write(b"UPDATE counter SET n = 11;\nCOMMIT;\n").expect("written");
        slow.end_input().expect("ended");
        let output = slow.wait(PATIENCE).expect("it ended");
        assert_eq!(output.success(), is_lost, "{isolation}: {output:?}");
        let refused = output.error_text().contains("could not serialize access");
        assert_eq!(refused, !is_lost, "{isolation}: {output:?}");
        // Two have counted up, or one was told that it has not.
        assert_eq!(postgres.ask("SELECT n FROM counter"), "11");
    }
}
