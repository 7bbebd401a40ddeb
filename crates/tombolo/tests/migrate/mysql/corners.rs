//! SQLite's odd corners: each value arrives equal, or is named.

use super::server::Server;
use crate::corners::{CORNERS, NULLS, decided, named, table};
use crate::{Database, assert_same, migrate, not_made};

#[test]
fn every_value_arrives_equal_or_is_named() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(CORNERS), &server.address("app"), &[]);
    assert_eq!(code, 1);
    assert_same(&report);
    assert_eq!(table(&report, "vacant")["rows"], 0);
    assert_eq!(
        named(&report),
        [
            "integers.i 2 mixed_types",
            "integers.i 4 mixed_types",
            "mixed.a 4 mixed_types",
            "mixed.a 5 mixed_types",
            "mixed.b 2 mixed_types",
            "mixed.b 3 mixed_types",
            "mixed.c 2 mixed_types",
            "mixed.c 3 mixed_types",
            "mixed.c 4 mixed_types",
            "texts.t 3 invalid_utf8",
        ]
    );
    assert_eq!(
        not_made(&report),
        [
            "check checked.checked_check_2",
            "collation keyed.a",
            "default moments.r",
            "foreign_key child.child_p_fkey",
            "foreign_key child.child_q_fkey",
            "generated generated.c",
            "generated generated.e",
            "generated generated.f",
            "index expr",
            "index refused",
            "primary_key nullkey",
            "shadow table search_config",
            "shadow table search_content",
            "shadow table search_data",
            "shadow table search_docsize",
            "shadow table search_idx",
            "virtual table search",
        ]
    );
    assert_eq!(
        decided(&report),
        [
            "dates.d date_format longtext",
            "dates.e date_format longtext",
            "integers.i mixed_types decimal(21,0)",
            "mixed.a mixed_types longtext",
            "mixed.b mixed_types longtext",
            "mixed.c mixed_types longtext",
            "mixed.d other_type bigint",
            "reals.r out_of_range longtext",
        ]
    );
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(ask("SELECT i FROM strict ORDER BY i"), "-9223372036854775808\n9223372036854775807");
    assert_eq!(
        ask("SELECT group_concat(coalesce(r, '-') ORDER BY id SEPARATOR ' ') FROM reals"),
        "0.1 0.0 1e308 5e-324 Infinity -Infinity 1.7976931348623157e308 123456789012345680 \
         0.30000000000000004 3.0 -"
    );
    assert_eq!(
        ask("SELECT group_concat(i ORDER BY id SEPARATOR ' ') FROM integers"),
        "9223372036854775807 9223372036854775808 -9223372036854775808 100000000000000000000 7"
    );
    assert_eq!(ask("SELECT hex(t) FROM texts WHERE id = 2"), "610062");
    assert_eq!(ask("SELECT hex(t) FROM texts WHERE id = 3"), "EFBFBD41");
    assert_eq!(ask("SELECT hex(t) FROM texts WHERE id = 4"), "5C4E");
    assert_eq!(
        ask("SELECT row_key, hex(original) FROM tombolo_migration_value \
             WHERE table_name = 'texts' ORDER BY 1"),
        "3\tFF41"
    );
    assert_eq!(
        ask("SELECT a, b, e FROM generated ORDER BY a"),
        "NULL\tNULL\t00000\n-3\t-6\t-0003\n1\t2\t00001"
    );
    let computed = "SELECT group_concat(column_name) FROM information_schema.columns \
                    WHERE table_schema = 'app' AND is_generated = 'ALWAYS'";
    assert_eq!(ask(computed), "b");
    assert_eq!(
        ask("SELECT `select`, `_`, `a b`, `ctid` FROM `we\"ird 'n\u{e4}me' [x]`"),
        "1\tempty\tblank\tsystem"
    );
    assert_eq!(ask("SELECT x FROM tombolo_migration_1"), "mine");
    assert_eq!(ask("SELECT count(*) FROM taken"), "2");
    let orphan = report["objects"].as_array().unwrap().iter();
    let orphan = orphan.filter(|object| object["name"] == "child.child_p_fkey");
    let reason = orphan.map(|object| object["reason"].as_str().unwrap()).next().unwrap();
    assert!(reason.contains("2 to parent") && reason.contains("ER_NO_REFERENCED"), "{reason}");
    // It holds for new rows.
    let orphan = server.try_ask("app", "INSERT INTO child (id, p) VALUES (9, 98)");
    assert!(orphan.unwrap_err().contains("1452"));
    let check = server.try_ask("app", "INSERT INTO checked (n, m) VALUES (0, 'x')");
    assert!(check.unwrap_err().contains("4025"));
}

#[test]
fn a_column_that_holds_null_against_its_declaration_is_named() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(NULLS), &server.address("app"), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (1, vec!["not_null t.a".to_owned()]), "{report:#}");
    let nullable = "SELECT group_concat(column_name) FROM information_schema.columns \
                    WHERE table_schema = 'app' AND table_name = 't' AND is_nullable = 'YES'";
    assert_eq!(server.ask("app", nullable), "a");
}
