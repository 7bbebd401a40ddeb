import java.sql.*;

public class Count {
    public static void main(String[] arguments) throws SQLException {
        try (Connection database = DriverManager.getConnection("jdbc:sqlite:" + arguments[0]);
                Statement statement = database.createStatement()) {
            statement.execute("CREATE TABLE IF NOT EXISTS t(a)");
            database.setAutoCommit(false);
            try (PreparedStatement insert = database.prepareStatement("INSERT INTO t VALUES(?)")) {
                for (int number = 0; number < 3; number++) {
                    insert.setInt(1, number);
                    insert.executeUpdate();
                }
            }
            database.commit();
            System.out.println(value(statement, "SELECT count(*) FROM t"));
            System.out.println(value(statement, "PRAGMA tombolo_status").substring(0, 29));
        }
    }

    private static String value(Statement statement, String sql) throws SQLException {
        try (ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }
}
