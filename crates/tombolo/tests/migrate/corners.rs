//! SQLite's odd corners: each value arrives equal, or is named.

use super::{Database, Server, assert_same, migrate, not_made};
use serde_json::Value;

pub(crate) const CORNERS: &str = include_str!("sql/corners.sql");

pub(crate) fn table<'a>(report: &'a Value, name: &str) -> &'a Value {
    let tables = report["tables"].as_array().unwrap();
    tables.iter().find(|table| table["name"] == name).unwrap()
}

/// What is said of single values, as `table.column row`.
pub(crate) fn named(report: &Value) -> Vec<String> {
    let values = report["values"].as_array().unwrap().iter();
    let text = |value: &Value| {
        let part = |key: &str| value[key].as_str().unwrap().to_owned();
        format!("{}.{} {} {}", part("table"), part("column"), part("rowid"), part("kind"))
    };
    let mut names: Vec<String> = values.map(text).collect();
    names.sort();
    names
}

/// What is said of columns, as `table.column kind type`.
pub(crate) fn decided(report: &Value) -> Vec<String> {
    let columns = report["columns"].as_array().unwrap().iter();
    let mut decided: Vec<String> = columns
        .map(|column| {
            let part = |key: &str| column[key].as_str().unwrap().to_owned();
            format!("{}.{} {} {}", part("table"), part("column"), part("kind"), part("decided"))
        })
        .collect();
    decided.sort();
    decided
}

#[test]
fn every_value_arrives_equal_or_is_named() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(CORNERS), &server.address(), &[]);
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
            "texts.t 2 nul_in_text",
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
            "generated generated.e",
            "generated generated.f",
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
            "dates.d date_format text",
            "dates.e date_format text",
            "integers.i mixed_types numeric",
            "mixed.a mixed_types text",
            "mixed.b mixed_types text",
            "mixed.c mixed_types text",
            "mixed.d other_type bigint",
        ]
    );
}

#[test]
fn another_reader_sees_the_values() {
    let server = Server::start();
    let (_, report) = migrate(&Database::new(CORNERS), &server.address(), &[]);
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(ask("SELECT i FROM strict ORDER BY i"), "-9223372036854775808\n9223372036854775807");
    assert_eq!(
        ask("SELECT string_agg(coalesce(r::text, '-'), ' ' ORDER BY id) FROM reals"),
        "0.1 0 1e+308 5e-324 Infinity -Infinity 1.7976931348623157e+308 1.2345678901234568e+17 \
         0.30000000000000004 3 -"
    );
    assert_eq!(
        ask("SELECT string_agg(i::text, ' ' ORDER BY id) FROM integers"),
        "9223372036854775807 9223372036854775808 -9223372036854775808 100000000000000000000 7"
    );
    assert_eq!(ask("SELECT t FROM texts WHERE id = 2"), "a\u{2400}b");
    assert_eq!(ask("SELECT t FROM texts WHERE id = 3"), "\u{fffd}A");
    assert_eq!(ask("SELECT t = '\\N' FROM texts WHERE id = 4"), "t");
    assert_eq!(
        ask("SELECT row_key, encode(original, 'hex') FROM tombolo_migration_value \
             WHERE table_name = 'texts' ORDER BY 1"),
        "2|610062\n3|ff41"
    );
    assert_eq!(ask("SELECT b FROM mixed ORDER BY id"), "text\n\\x00ff\nab\nx");
    assert_eq!(
        ask("SELECT a, b, c, e FROM generated ORDER BY a"),
        "-3|-6|xy|-0003\n1|2|\u{c0}b|00001\n|||00000"
    );
    let computed = "SELECT string_agg(column_name, ',' ORDER BY 1) FROM information_schema.columns \
                    WHERE is_generated = 'ALWAYS'";
    assert_eq!(ask(computed), "b,c");
    let weird = "SELECT \"select\", \"_\", \"a b\", \"ctid_1\" FROM \"we\"\"ird 'n\u{e4}me' [x]\"";
    assert_eq!(ask(weird), "1|empty|blank|system");
    let renamed: Vec<_> = report["renamed"].as_array().unwrap().iter().collect();
    assert_eq!(renamed.len(), 5, "{renamed:#?}");
    assert_eq!(ask("SELECT x FROM tombolo_migration_1"), "mine");
    assert_eq!(ask("SELECT count(*) FROM taken"), "2");
    let orphan = report["objects"].as_array().unwrap().iter();
    let orphan = orphan.filter(|object| object["name"] == "child.child_p_fkey");
    let reason = orphan.map(|object| object["reason"].as_str().unwrap()).next().unwrap();
    assert!(reason.contains("2 to parent"), "{reason}");
    let index = ask("SELECT indexdef FROM pg_indexes WHERE indexname = 'expr'");
    assert!(index.contains("lower((m COLLATE \"C\")) DESC"), "{index}");
}

/// Declared after the rows were there, as by a tool that edits the schema.
pub(crate) const NULLS: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT NOT NULL);
    INSERT INTO t (a, b) VALUES (NULL, 'x'), ('y', 'z');
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'a TEXT', 'a TEXT NOT NULL');
    PRAGMA writable_schema = RESET;";

#[test]
fn a_column_that_holds_null_against_its_declaration_is_named() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(NULLS), &server.address(), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (1, vec!["not_null t.a".to_owned()]), "{report:#}");
    let nullable = "SELECT string_agg(column_name, ',' ORDER BY 1) FROM information_schema.columns \
                    WHERE table_name = 't' AND is_nullable = 'YES'";
    assert_eq!(server.ask("app", nullable), "a");
}
