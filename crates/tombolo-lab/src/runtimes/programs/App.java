import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;

public class App {
    static void pause(String stage) throws IOException {
        System.out.println(stage);
        System.out.flush();
        int next = System.in.read();
        while (next != '\n' && next >= 0) {
            next = System.in.read();
        }
    }

    static Connection connect(String file) throws SQLException {
        return DriverManager.getConnection("jdbc:sqlite:" + file);
    }

    static void count(Connection db) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.executeQuery("SELECT count(*) FROM items").close();
        }
    }

    static void run(Connection db, String sql) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute(sql);
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection memory = connect(":memory:")) {
            String driver = memory.getMetaData().getDriverVersion();
            String library = memory.getMetaData().getDatabaseProductVersion();
            System.out.println("version Java " + System.getProperty("java.version")
                + ", sqlite-jdbc " + driver + ", SQLite " + library);
        }
        Connection db = connect(arguments[0]);
        run(db, "PRAGMA journal_mode=@MODE@");
        run(db, "CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)");
        run(db, "INSERT INTO items(data) VALUES(zeroblob(200000))");
        count(db);
        pause("running");
        run(db, "INSERT INTO items(data) VALUES('second')");
        Connection other = connect(arguments[0]);
        count(other);
        other.close();
        run(db, "BEGIN IMMEDIATE");
        run(db, "INSERT INTO items(data) VALUES('third')");
        pause("transaction");
        run(db, "COMMIT");
        run(db, "DELETE FROM items");
        run(db, "VACUUM");
        run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        db.close();
    }
}
