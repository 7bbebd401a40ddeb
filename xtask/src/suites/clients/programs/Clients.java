import java.sql.*;
import java.util.*;
import org.sqlite.SQLiteConfig;

/** What JDBC offers, on a database in the working directory. */
public class Clients {
    private interface Body {
        Object run() throws Exception;
    }

    private static void section(String name, Body body) {
        System.out.println("== " + name);
        try {
            System.out.println(body.run());
        } catch (Exception error) {
            System.out.println(error);
        }
    }

    private static Connection open() throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:app.db");
    }

    private static List<String> rows(Connection database, String sql) throws SQLException {
        List<String> all = new ArrayList<>();
        try (Statement statement = database.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            while (rows.next()) {
                List<String> row = new ArrayList<>();
                for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                    row.add(rows.getString(column));
                }
                all.add(String.join("|", row));
            }
        }
        return all;
    }

    private static int run(Connection database, String sql) throws SQLException {
        try (Statement statement = database.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    private static final String COUNT = "SELECT count(*) FROM item";

    public static void main(String[] arguments) throws Exception {
        try (Connection database = open()) {
            statements(database);
            transactions(database);
            connections(database);
            section("in the end", () -> rows(database, "PRAGMA integrity_check"));
        }
    }

    private static void statements(Connection database) {
        section("create", () -> run(database,
            "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL, raw BLOB)"));
        section("keys", () -> {
            try (PreparedStatement insert = database.prepareStatement(
                    "INSERT INTO item(name, price, raw) VALUES (?, ?, ?)",
                    Statement.RETURN_GENERATED_KEYS)) {
                insert.setString(1, "a");
                insert.setDouble(2, 1.5);
                insert.setBytes(3, new byte[] {0, -1});
                int changed = insert.executeUpdate();
                ResultSet keys = insert.getGeneratedKeys();
                return changed + " " + keys.next() + " " + keys.getLong(1);
            }
        });
        section("batch", () -> {
            try (PreparedStatement insert =
                    database.prepareStatement("INSERT INTO item(name, price) VALUES (?, ?)")) {
                for (int number = 0; number < 100; number++) {
                    insert.setString(1, "item " + number);
                    insert.setInt(2, number);
                    insert.addBatch();
                }
                return Arrays.stream(insert.executeBatch()).sum();
            }
        });
        section("rows", () -> rows(database,
            "SELECT id, name, price, hex(raw) FROM item ORDER BY id LIMIT 5"));
        section("a unique name", () -> run(database, "INSERT INTO item(name) VALUES ('a')"));
        section("a syntax error", () -> run(database, "SELEC 1"));
        section("metadata", () -> {
            List<String> said = new ArrayList<>();
            DatabaseMetaData metadata = database.getMetaData();
            ResultSet columns = metadata.getColumns(null, null, "item", null);
            while (columns.next()) {
                said.add(columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
            }
            ResultSet indexes = metadata.getIndexInfo(null, null, "item", true, false);
            while (indexes.next()) {
                said.add(indexes.getString("INDEX_NAME"));
            }
            return said;
        });
    }

    private static void transactions(Connection database) {
        section("rollback", () -> {
            database.setAutoCommit(false);
            int deleted = run(database, "DELETE FROM item");
            database.rollback();
            return deleted + " " + rows(database, COUNT);
        });
        section("savepoints", () -> {
            run(database, "INSERT INTO item(name) VALUES ('kept')");
            Savepoint one = database.setSavepoint("one");
            run(database, "DELETE FROM item");
            database.rollback(one);
            database.releaseSavepoint(one);
            database.commit();
            database.setAutoCommit(true);
            return rows(database, COUNT);
        });
        section("two connections", () -> {
            try (Connection other = open()) {
                run(other, "PRAGMA busy_timeout = 0");
                database.setAutoCommit(false);
                run(database, "INSERT INTO item(name) VALUES ('first')");
                List<String> said = new ArrayList<>(rows(other, COUNT));
                try {
                    run(other, "INSERT INTO item(name) VALUES ('second')");
                } catch (SQLException error) {
                    said.add(error.getMessage());
                }
                database.commit();
                database.setAutoCommit(true);
                run(other, "INSERT INTO item(name) VALUES ('second')");
                said.addAll(rows(database, COUNT));
                return said;
            }
        });
    }

    private static void connections(Connection database) {
        section("read only", () -> {
            SQLiteConfig config = new SQLiteConfig();
            config.setReadOnly(true);
            try (Connection reader = config.createConnection("jdbc:sqlite:app.db")) {
                System.out.println(rows(reader, COUNT));
                return run(reader, "DELETE FROM item");
            }
        });
        section("threads", () -> {
            run(database, "CREATE TABLE count(thread, n)");
            List<Thread> threads = new ArrayList<>();
            List<Exception> errors = Collections.synchronizedList(new ArrayList<>());
            for (int thread = 0; thread < 4; thread++) {
                int number = thread;
                threads.add(new Thread(() -> {
                    try (Connection own = open()) {
                        run(own, "PRAGMA busy_timeout = 60000");
                        for (int n = 0; n < 25; n++) {
                            run(own, "INSERT INTO count VALUES (" + number + ", " + n + ")");
                        }
                    } catch (SQLException error) {
                        errors.add(error);
                    }
                }));
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            return errors + " " + rows(database,
                "SELECT thread, count(*), sum(n) FROM count GROUP BY thread");
        });
        section("backup", () -> {
            int code = run(database, "backup to copy.db");
            try (Connection copy = DriverManager.getConnection("jdbc:sqlite:copy.db")) {
                return code + " " + rows(copy, COUNT) + rows(copy, "PRAGMA integrity_check");
            }
        });
        section("restore", () -> {
            run(database, "DELETE FROM item");
            int code = run(database, "restore from copy.db");
            return code + " " + rows(database, COUNT);
        });
    }
}
