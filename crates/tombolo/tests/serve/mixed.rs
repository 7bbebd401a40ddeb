//! Mixed access: the file itself and the door at the same time.

use crate::harness::{Owner, finished, printed};

const TRANSFERS: u32 = 120;

#[test]
fn money_is_neither_made_nor_lost() {
    let owner = Owner::new();
    printed(&owner.door(
        "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
         CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));
         WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
             INSERT INTO account SELECT i, 1000 FROM n;",
    ));
    let transfers = TRANSFERS.to_string();
    let writers: Vec<_> = [("door", "a"), ("door", "b"), ("stock", "c"), ("stock", "d")]
        .map(|(way, name)| owner.program("bank.py", &[way, name, &transfers]))
        .into();
    for writer in writers {
        let looks: u32 = finished(writer).parse().expect("a number of looks");
        assert!(looks > 0, "it never looked");
    }
    let check = "SELECT count(*), count(DISTINCT who) FROM entry;
        SELECT sum(balance) FROM account; PRAGMA integrity_check;";
    let expected = format!("{}|4\n20000\nok", 4 * TRANSFERS);
    assert_eq!(printed(&owner.stock(check)), expected);
    assert_eq!(printed(&owner.door(check)), expected);
}
