//! The server's error codes by name,
//! <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html> and
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>.

/// An error of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) number: u16,
    pub(super) state: String,
    pub(super) text: String,
}

const NAMES: [(u16, &str); 42] = [
    (1005, "ER_CANT_CREATE_TABLE"),
    (1040, "ER_CON_COUNT_ERROR"),
    (1044, "ER_DBACCESS_DENIED_ERROR"),
    (1045, "ER_ACCESS_DENIED_ERROR"),
    (1049, "ER_BAD_DB_ERROR"),
    (1050, "ER_TABLE_EXISTS_ERROR"),
    (1054, "ER_BAD_FIELD_ERROR"),
    (1059, "ER_TOO_LONG_IDENT"),
    (1060, "ER_DUP_FIELDNAME"),
    (1061, "ER_DUP_KEYNAME"),
    (1062, "ER_DUP_ENTRY"),
    (1064, "ER_PARSE_ERROR"),
    (1067, "ER_INVALID_DEFAULT"),
    (1068, "ER_MULTIPLE_PRI_KEY"),
    (1071, "ER_TOO_LONG_KEY"),
    (1075, "ER_WRONG_AUTO_KEY"),
    (1101, "ER_BLOB_CANT_HAVE_DEFAULT"),
    (1114, "ER_RECORD_FILE_FULL"),
    (1118, "ER_TOO_BIG_ROWSIZE"),
    (1129, "ER_HOST_IS_BLOCKED"),
    (1130, "ER_HOST_NOT_PRIVILEGED"),
    (1142, "ER_TABLEACCESS_DENIED_ERROR"),
    (1146, "ER_NO_SUCH_TABLE"),
    (1148, "ER_NOT_ALLOWED_COMMAND"),
    (1153, "ER_NET_PACKET_TOO_LARGE"),
    (1166, "ER_WRONG_COLUMN_NAME"),
    (1170, "ER_BLOB_KEY_WITHOUT_LENGTH"),
    (1205, "ER_LOCK_WAIT_TIMEOUT"),
    (1213, "ER_LOCK_DEADLOCK"),
    (1215, "ER_CANNOT_ADD_FOREIGN"),
    (1227, "ER_SPECIFIC_ACCESS_DENIED_ERROR"),
    (1290, "ER_OPTION_PREVENTS_STATEMENT"),
    (1301, "ER_WARN_ALLOWED_PACKET_OVERFLOWED"),
    (1366, "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD"),
    (1406, "ER_DATA_TOO_LONG"),
    (1452, "ER_NO_REFERENCED_ROW_2"),
    (1524, "ER_PLUGIN_IS_NOT_LOADED"),
    (1698, "ER_ACCESS_DENIED_NO_PASSWORD_ERROR"),
    (1826, "ER_DUP_CONSTRAINT_NAME"),
    (1901, "ER_GENERATED_COLUMN_FUNCTION_IS_NOT_ALLOWED"),
    (3948, "ER_CLIENT_LOCAL_FILES_DISABLED"),
    (4025, "ER_CONSTRAINT_FAILED"),
];

/// Codes that say that what is to be made is there already: an index, a primary key, a constraint.
const EXISTS: [u16; 5] = [1061, 1068, 1022, 1826, 3822];

impl Said {
    /// Its name, number and SQLSTATE.
    pub(super) fn code(&self) -> String {
        let name = NAMES.iter().find(|(number, _)| *number == self.number);
        let name = name.map(|(_, name)| format!("{name} ")).unwrap_or_default();
        let state = if self.state.is_empty() { "" } else { ", SQLSTATE " };
        format!("{name}{}{state}{}", self.number, self.state)
    }

    /// Whether what was to be made is there.
    pub(super) fn is_there(&self) -> bool {
        // A foreign key of this name is told by InnoDB's errno 121.
        EXISTS.contains(&self.number) || (self.number == 1005 && self.text.contains("errno: 121"))
    }
}

/// The server's words without the name of a user, which it quotes as `'USER'@'HOST'`.
pub(super) fn without_user(text: &str) -> String {
    let Some((start, rest)) = text.split_once(" user '") else { return text.to_owned() };
    let Some((_, after)) = rest.split_once("'@'") else { return text.to_owned() };
    let (_, end) = after.split_once('\'').unwrap_or(("", ""));
    format!("{start} this user{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_name_and_without_the_user() {
        let said = Said { number: 1062, state: "23000".to_owned(), text: String::new() };
        assert_eq!(said.code(), "ER_DUP_ENTRY 1062, SQLSTATE 23000");
        let said = Said { number: 1999, state: String::new(), text: String::new() };
        assert_eq!(said.code(), "1999");
        assert_eq!(
            without_user("Access denied for user 'me'@'localhost' (using password: YES)"),
            "Access denied for this user (using password: YES)"
        );
        assert_eq!(without_user("no user"), "no user");
    }
}
