//! Whether the bundled SQLite is the one that the engine needs. By itself, because the other tests
//! do not even link without it.

#[test]
fn the_library_was_built_with_what_the_engine_needs() {
    let connection = rusqlite::Connection::open_in_memory().expect("opened");
    for option in ["ENABLE_DBPAGE_VTAB", "ENABLE_SNAPSHOT", "ENABLE_SETLK_TIMEOUT"] {
        let used: bool = connection
            .query_row("SELECT sqlite_compileoption_used(?1)", [option], |row| row.get(0))
            .expect("asked");
        assert!(
            used,
            "SQLite was built without SQLITE_{option}: LIBSQLITE3_FLAGS of .cargo/config.toml was \
             not seen by the build"
        );
    }
}
