use crate::harness::{Owner, finished, printed};

#[test]
fn a_stock_shell_works_through_the_door_as_on_a_local_file() {
    let owner = Owner::new();
    let sql = "
        PRAGMA journal_mode;
        CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE);
        INSERT INTO t VALUES(1, 'x'), (2, 'y');
        BEGIN; INSERT INTO t SELECT a + 10, b || 'z' FROM t; ROLLBACK;
        BEGIN; INSERT INTO t VALUES(3, 'w'); SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT;
        SELECT a, b FROM t ORDER BY a;
        PRAGMA integrity_check;
    ";
    assert_eq!(printed(&owner.door(sql)), "wal\n1|x\n2|y\n3|w\nok");
    assert_eq!(printed(&owner.stock("PRAGMA journal_mode; SELECT count(*) FROM t;")), "wal\n3");
}

#[test]
fn each_sees_what_the_other_committed() {
    let owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    printed(&owner.stock("INSERT INTO t VALUES(2);"));
    printed(&owner.door("INSERT INTO t VALUES(3); CREATE TABLE u(b);"));
    printed(&owner.stock("INSERT INTO u SELECT a FROM t;"));
    assert_eq!(printed(&owner.door("SELECT group_concat(b) FROM u;")), "1,2,3");
}

#[test]
fn a_large_transaction_is_committed_or_rolled_back_whole() {
    let owner = Owner::new();
    let fill = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO t SELECT i, randomblob(400) FROM n;";
    let sql = format!(
        "PRAGMA cache_size = 50; CREATE TABLE t(a INTEGER PRIMARY KEY, b);
         BEGIN; {fill} SELECT count(*) FROM t; ROLLBACK; SELECT count(*) FROM t;
         {fill} SELECT count(*) FROM t; PRAGMA integrity_check;"
    );
    assert_eq!(printed(&owner.door(&sql)), "20000\n0\n20000\nok");
    assert_eq!(
        printed(&owner.stock("PRAGMA integrity_check; SELECT count(*) FROM t;")),
        "ok\n20000"
    );
}

#[test]
fn vacuum_shrinks_and_a_dropped_table_leaves_nothing_broken() {
    let owner = Owner::new();
    let sql = "
        CREATE TABLE t(a, b);
        WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
            INSERT INTO t SELECT i, randomblob(500) FROM n;
        CREATE TABLE u AS SELECT a FROM t;
        DROP TABLE t;
        VACUUM;
        SELECT count(*) FROM u;
        PRAGMA page_count;
    ";
    let answer = printed(&owner.door(sql));
    let (rows, pages) = answer.split_once('\n').expect("two lines");
    assert_eq!(rows, "3000");
    assert!(pages.parse::<u32>().expect("a number") < 30, "{pages} pages");
    let check = "PRAGMA integrity_check; PRAGMA page_count;";
    assert_eq!(printed(&owner.stock(check)), format!("ok\n{pages}"));
}

#[test]
fn a_new_database_gets_the_page_size_that_its_first_program_wants() {
    for page_size in ["512", "1024", "65536"] {
        let owner = Owner::new();
        let sql = format!(
            "SELECT count(*) FROM sqlite_schema;
             PRAGMA page_size = {page_size}; PRAGMA cache_size = 2;
             BEGIN; CREATE TABLE t(a); CREATE TABLE u(a);
             WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
                INSERT INTO t SELECT randomblob(400) FROM n;
             COMMIT; SELECT count(*) FROM t;"
        );
        assert_eq!(printed(&owner.door(&sql)), "0\n500");
        let check = "PRAGMA page_size; PRAGMA journal_mode; PRAGMA integrity_check;";
        assert_eq!(printed(&owner.stock(check)), format!("{page_size}\nwal\nok"));
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    let refused = |sql: &str, reason: &str| {
        let output = owner.door(sql);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains(reason), "{errors}");
    };
    let path = owner.database();
    let path = path.display();
    refused(&format!("ATTACH 'file:{path}?vfs=tombolo&nolock=1' AS n;"), "unable to open");
    refused("ATTACH 'file:/nowhere/app.db?vfs=tombolo' AS n;", "unable to open");
    // One byte of page 1 cannot be set to what would break the file for everybody.
    refused(
        "PRAGMA writable_schema = ON; PRAGMA page_size = 1024; VACUUM; SELECT 1 / 0, x;",
        "no such column",
    );
    assert_eq!(printed(&owner.stock("PRAGMA page_size; PRAGMA integrity_check;")), "4096\nok");
}

#[test]
fn vacuum_shrinks_after_the_log_was_cut_too() {
    let owner = Owner::new();
    let sql = "
        PRAGMA page_size = 1024;
        CREATE TABLE t(x INTEGER PRIMARY KEY AUTOINCREMENT, y);
        PRAGMA wal_checkpoint(TRUNCATE);
        DROP TABLE t;
        PRAGMA wal_checkpoint(TRUNCATE);
        VACUUM;
        PRAGMA page_count;
        PRAGMA integrity_check;
    ";
    let said = printed(&owner.door(sql));
    assert!(said.ends_with("\n1\nok"), "{said}");
    assert_eq!(printed(&owner.stock("PRAGMA page_count; PRAGMA integrity_check;")), "1\nok");
}

#[test]
fn a_file_that_is_no_database_is_opened_and_refused_at_the_first_statement() {
    let directory = tempfile::tempdir().expect("a directory");
    let junk = vec![b'x'; 8192];
    std::fs::write(directory.path().join("app.db"), &junk).expect("written");
    let owner = Owner::within(directory);
    let stock = owner.stock("SELECT 1 FROM sqlite_schema;");
    let door = owner.door("SELECT 1 FROM sqlite_schema;");
    for output in [&stock, &door] {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains("file is not a database"), "{errors}");
        assert!(!errors.contains("unable to open"), "{errors}");
    }
    assert_eq!(door.status.code(), stock.status.code());
    assert!(std::fs::read(owner.database()).expect("read") == junk, "it was touched");
}

/// What a connection wants after it wrote is the turn; what it then does may be to read.
#[test]
fn a_reader_that_wrote_before_stops_no_writer_once_it_reads_on() {
    let owner = Owner::new();
    let said = finished(owner.program("read_on.py", &[]));
    assert_eq!(said, "100");
}

#[test]
fn the_owner_ends_when_it_is_told_to_and_leaves_a_plain_database() {
    let mut owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    assert_eq!(owner.stop().code(), Some(0));
    assert_eq!(printed(&owner.stock("SELECT a FROM t;")), "1");
    let output = owner.door("SELECT a FROM t;");
    assert!(!output.status.success(), "nobody serves it any more");
}
