// pgJDBC: metadata as graphical clients ask for it, parameters, prepared statements, fetch size, cancelling. Prints JSON.
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import org.postgresql.util.PSQLException;

public class PostgresMatrix {
    interface Step {
        boolean isRight() throws Exception;
    }

    static final Map<String, String> seen = new LinkedHashMap<>();

    static void check(String name, Step step) {
        try {
            seen.put(name, String.valueOf(step.isRight()));
        } catch (Exception error) {
            seen.put(name, '"' + error.getMessage().replaceAll("[\"\\\\\\s]", " ") + '"');
        }
    }

    static int rows(ResultSet found) throws SQLException {
        try (found) {
            int rows = 0;
            while (found.next()) {
                rows++;
            }
            return rows;
        }
    }

    /// Every question that the driver has about a server. Names come as catalog, schema, table, and again.
    static boolean everything(DatabaseMetaData metadata) throws Exception {
        int asked = 0;
        for (Method method : DatabaseMetaData.class.getDeclaredMethods()) {
            Object[] given = new Object[method.getParameterCount()];
            for (int place = 0; place < given.length; place++) {
                Class<?> type = method.getParameterTypes()[place];
                given[place] = type == boolean.class ? (Object) false
                    : type == int.class ? (Object) 1
                    : type == String.class ? new String[] {null, "public", "readings"}[place % 3]
                    : null;
            }
            try {
                Object answer = method.invoke(metadata, given);
                if (answer instanceof ResultSet) {
                    rows((ResultSet) answer);
                }
                asked++;
            } catch (InvocationTargetException error) {
                Throwable cause = error.getCause();
                // What the driver itself does not have, or will not do for no name.
                boolean isDrivers = cause instanceof SQLFeatureNotSupportedException
                    || (cause instanceof PSQLException && ((PSQLException) cause).getServerErrorMessage() == null);
                if (!isDrivers) {
                    throw new Exception(method.getName() + " " + cause, cause);
                }
            }
        }
        return asked > 150;
    }

    /// Statements of a file with an object's id as each parameter.
    static boolean replayed(Connection connection, String file) throws Exception {
        long readings;
        try (ResultSet found = connection.createStatement().executeQuery("SELECT 'readings'::regclass::oid")) {
            found.next();
            readings = found.getLong(1);
        }
        int columns = 0;
        for (String sql : file.substring(file.indexOf('\n')).split("\n;;\n")) {
            try (PreparedStatement statement = connection.prepareStatement(sql.replaceAll("\\$[12]", "?"))) {
                int parameters = statement.getParameterMetaData().getParameterCount();
                for (int place = 1; place <= parameters; place++) {
                    statement.setLong(place, sql.contains("namespace=$1") || sql.contains("namespace IN ($1)") ? 2200 : readings);
                }
                try (ResultSet found = statement.executeQuery()) {
                    while (found.next()) {
                        for (int column = 1; column <= found.getMetaData().getColumnCount(); column++) {
                            found.getObject(column);
                        }
                    }
                    columns += found.getMetaData().getColumnCount();
                }
            } catch (SQLException error) {
                throw new Exception(error.getMessage() + " in " + sql, error);
            }
        }
        return columns > 200;
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/gwbank?user=gwbank";
        try (Connection connection = DriverManager.getConnection(url)) {
            DatabaseMetaData metadata = connection.getMetaData();
            check("schemas", () -> rows(metadata.getSchemas()) == 3);
            check("tables", () -> rows(metadata.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})) > 10);
            check("columns", () -> {
                try (ResultSet columns = metadata.getColumns(null, "public", "readings", "value")) {
                    return columns.next() && columns.getString("TYPE_NAME").equals("float8")
                        && columns.getString("REMARKS").startsWith("in the parameter's");
                }
            });
            check("keys", () -> rows(metadata.getPrimaryKeys(null, "public", "readings"))
                + rows(metadata.getImportedKeys(null, "public", "readings"))
                + rows(metadata.getIndexInfo(null, "public", "readings", false, true)) == 0);
            check("types", () -> rows(metadata.getTypeInfo()) > 10);
            check("functions", () -> rows(metadata.getFunctions(null, "public", "%")) >= 4);
            check("all of the metadata", () -> everything(metadata));
            check("DBeaver's questions", () -> replayed(connection, Files.readString(Path.of(arguments[2]))));
            check("privileges", () -> rows(metadata.getTablePrivileges(null, "public", "readings")) >= 0);
            check("versions", () -> rows(metadata.getVersionColumns(null, "public", "readings")) >= 0);
            check("keywords", () -> metadata.getSQLKeywords().contains("limit"));
            check("prepared", () -> {
                String sql = "SELECT well_id, time, value FROM readings WHERE well_id = ? AND time >= ? AND value < ? LIMIT ?";
                try (PreparedStatement statement = connection.prepareStatement(sql)) {
                    statement.setString(1, "W1");
                    statement.setObject(2, OffsetDateTime.parse("2026-11-01T00:00:00Z"));
                    statement.setDouble(3, 100);
                    statement.setInt(4, 5);
                    // From the fifth time on it is prepared at the server, with values in binary form.
                    for (int time = 0; time < 8; time++) {
                        if (rows(statement.executeQuery()) != 5) {
                            return false;
                        }
                    }
                    return true;
                }
            });
            connection.setAutoCommit(false);
            check("fetch size", () -> {
                try (Statement statement = connection.createStatement()) {
                    statement.setFetchSize(50);
                    return rows(statement.executeQuery("SELECT * FROM readings")) == 1000;
                }
            });
            connection.commit();
            check("cancel", () -> {
                try (Statement statement = connection.createStatement()) {
                    statement.setQueryTimeout(1);
                    statement.executeQuery("SELECT count(*) FROM generate_series(1, 100000000000)");
                    return false;
                } catch (SQLException error) {
                    return error.getSQLState().equals("57014");
                }
            });
            connection.rollback();
        }
        StringBuilder json = new StringBuilder("{");
        seen.forEach((name, outcome) -> json.append(json.length() > 1 ? "," : "").append('"' + name + "\":" + outcome));
        System.out.println(json.append('}'));
    }
}
