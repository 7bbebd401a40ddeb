//! Where the target is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?host=/SOCKET/DIRECTORY`, or
//! `mysql://USER:PASSWORD@HOST:PORT/DATABASE?socket=/SOCKET`.

use super::tls::{Mode, Trust};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// A database server and a database on it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) server: Server,
    pub(super) way: Way,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    pub(super) trust: Trust,
}

/// Which kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL
    Postgres,
    /// MySQL, or MariaDB
    Mysql,
    /// MariaDB, or MySQL
    Mariadb,
}

impl Server {
    /// The variable that its own programs take a password from.
    #[must_use]
    pub const fn password_variable(self) -> &'static str {
        match self {
            Server::Postgres => "PGPASSWORD",
            Server::Mysql | Server::Mariadb => "MYSQL_PWD",
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Server::Postgres => "postgres",
            Server::Mysql => "mysql",
            Server::Mariadb => "mariadb",
        }
    }
}

/// What an address begins with.
const BEGINS: &str = "an address begins with postgres://, mysql:// or mariadb://";

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Tcp(IpAddr, u16),
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What about it is not understood, or not supported.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let refuse = |text: &str| Err(AddressError(text.to_owned()));
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse(BEGINS);
        };
        let (server, default_port) = match scheme {
            "postgres" | "postgresql" => (Server::Postgres, 5432),
            "mysql" => (Server::Mysql, 3306),
            "mariadb" => (Server::Mariadb, 3306),
            _ => return refuse(BEGINS),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (login, None),
        };
        let mut found = Parts { host: decoded(host)?, ..Parts::default() };
        if let Some((name, port)) = split_port(host) {
            found.host = decoded(name)?;
            found.port = Some(port.to_owned());
        }
        options(query, &mut found)?;
        let port = match &found.port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| AddressError(format!("{port:?} is no port")))?,
        };
        let (user, database) = (decoded(user)?, decoded(database)?);
        if user.is_empty() || database.is_empty() || database.contains('/') {
            return refuse("name a user and a database: //USER@HOST/DATABASE");
        }
        if [&user, &database].iter().any(|name| name.contains('\0')) {
            return refuse("a name cannot hold a NUL");
        }
        let way = way(server, found.address.as_ref().unwrap_or(&found.host), port)?;
        let mode = found.mode.unwrap_or_else(|| Mode::of_way(&way));
        let name = found.host.trim_matches(['[', ']']).to_owned();
        let trust = Trust { mode, roots: found.roots, name };
        Ok(Address { server, way, user, password, database, trust })
    }

    /// Which kind of server it is.
    #[must_use]
    pub const fn server(&self) -> Server {
        self.server
    }

    /// The same address with a password from elsewhere, if it has none.
    #[must_use]
    pub fn or_password(mut self, password: Option<String>) -> Self {
        self.password = self.password.or(password);
        self
    }
}

#[derive(Default)]
struct Parts {
    host: String,
    /// Where the host is, if its name is not to be resolved.
    address: Option<String>,
    port: Option<String>,
    mode: Option<Mode>,
    roots: Option<PathBuf>,
}

/// A port after a host; colons in brackets are those of an address.
fn split_port(host: &str) -> Option<(&str, &str)> {
    let (name, port) = host.rsplit_once(':')?;
    (!port.contains(']') && (!name.contains(':') || name.ends_with(']'))).then_some((name, port))
}

fn options(query: &str, found: &mut Parts) -> Result<(), AddressError> {
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decoded(value)?;
        match name {
            "host" | "socket" => found.host = value,
            "port" => found.port = Some(value),
            "hostaddr" => found.address = Some(value),
            "sslmode" | "ssl-mode" => found.mode = Some(mode(&value)?),
            "sslrootcert" | "ssl-ca" => found.roots = Some(PathBuf::from(value)),
            _ => return Err(AddressError(format!("the option {name:?} is not understood"))),
        }
    }
    Ok(())
}

/// By the names of libpq, <https://www.postgresql.org/docs/current/libpq-ssl.html>, and of MySQL,
/// <https://dev.mysql.com/doc/refman/8.4/en/connection-options.html>.
fn mode(value: &str) -> Result<Mode, AddressError> {
    Ok(match value.to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => Mode::Disable,
        "allow" | "prefer" | "preferred" => Mode::Prefer,
        "require" | "required" => Mode::Require,
        "verify-ca" => Mode::VerifyCa,
        "verify-full" | "verify-identity" => Mode::VerifyFull,
        _ => {
            let known = "disable, prefer, require, verify-ca and verify-full";
            return Err(AddressError(format!("sslmode={value} is not known: {known} are")));
        }
    })
}

fn way(server: Server, host: &str, port: u16) -> Result<Way, AddressError> {
    let bare = host.trim_matches(['[', ']']);
    if host.starts_with('/') {
        return Ok(Way::Unix(match server {
            Server::Postgres => PathBuf::from(format!("{host}/.s.PGSQL.{port}")),
            Server::Mysql | Server::Mariadb => PathBuf::from(host),
        }));
    }
    if bare.eq_ignore_ascii_case("localhost") || bare.is_empty() {
        return Ok(Way::Tcp(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let ip = bare.parse().map_err(|_| {
        AddressError(format!(
            "{host:?} is no IP address; names are not resolved by this program: `getent hosts \
             {host}` tells the address, which can also be given beside a name as hostaddr=IP"
        ))
    })?;
    Ok(Way::Tcp(ip, port))
}

/// Percent-encoding undone, RFC 3986.
fn decoded(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError(format!("{text:?} is not percent-encoded well"));
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(wrong)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.server.scheme();
        let (user, database) = (&self.user, &self.database);
        match (&self.way, self.server) {
            (Way::Tcp(ip @ IpAddr::V6(_), port), _) => {
                write!(formatter, "{scheme}://{user}@[{ip}]:{port}/{database}")
            }
            (Way::Tcp(ip, port), _) => {
                write!(formatter, "{scheme}://{user}@{ip}:{port}/{database}")
            }
            (Way::Unix(path), Server::Postgres) => {
                let directory = path.parent().unwrap_or(path).display();
                let port = path.extension().unwrap_or_default().display();
                write!(formatter, "{scheme}://{user}@/{database}?host={directory}&port={port}")
            }
            (Way::Unix(path), _) => {
                write!(formatter, "{scheme}://{user}@/{database}?socket={}", path.display())
            }
        }
    }
}

/// The password is never printed.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_printed_without_its_password() {
        let address = Address::parse("postgres://me:s%40cret@192.0.2.7:5433/app").unwrap();
        assert_eq!(address.to_string(), "postgres://me@192.0.2.7:5433/app");
        assert_eq!(address.password.as_deref(), Some("s@cret"));
        assert!(!format!("{address:?}").contains("cret"));
        let address = Address::parse("postgresql://me@/app?host=/run/pg&port=5433").unwrap();
        assert_eq!(address.way, Way::Unix("/run/pg/.s.PGSQL.5433".into()));
        assert_eq!(address.to_string(), "postgres://me@/app?host=/run/pg&port=5433");
        let address = Address::parse("postgres://me@[2001:db8::7]:5/app").unwrap();
        assert_eq!(address.to_string(), "postgres://me@[2001:db8::7]:5/app");
        let address = Address::parse("postgres://me@%2Frun%2Fpg/app").unwrap();
        assert_eq!(address.way, Way::Unix("/run/pg/.s.PGSQL.5432".into()));
        let address = Address::parse("mysql://me@/app?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(address.to_string(), "mysql://me@/app?socket=/run/mysqld/mysqld.sock");
        let address = Address::parse("mariadb://me@192.0.2.7/app").unwrap();
        assert_eq!(address.to_string(), "mariadb://me@192.0.2.7:3306/app");
    }

    #[test]
    fn what_others_could_read_is_encrypted_unless_told_otherwise() {
        for (text, mode, name) in [
            ("postgres://me@192.0.2.7/app", Mode::Require, "192.0.2.7"),
            ("postgres://me@localhost/app", Mode::Disable, "localhost"),
            ("postgres://me@[::1]/app", Mode::Disable, "::1"),
            ("mysql://me@/app?socket=/s", Mode::Disable, "/s"),
            ("mysql://me@192.0.2.7/app?ssl-mode=DISABLED", Mode::Disable, "192.0.2.7"),
            ("mysql://me@127.0.0.1/app?ssl-mode=VERIFY_IDENTITY", Mode::VerifyFull, "127.0.0.1"),
            ("postgres://me@db.example/app?hostaddr=192.0.2.7", Mode::Require, "db.example"),
        ] {
            let trust = Address::parse(text).expect(text).trust;
            assert_eq!((trust.mode, trust.name.as_str()), (mode, name), "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_in_words() {
        for (text, word) in [
            ("app.db", "begins"),
            ("oracle://me@h/d", "begins"),
            ("postgres://me@host.example/app", "getent"),
            ("postgres://me@localhost/app?sslmode=sometimes", "sslmode"),
            ("postgres://me@localhost", "database"),
            ("postgres://@localhost/app", "user"),
            ("postgres://me@localhost:x/app", "port"),
            ("postgres://m%zz@localhost/app", "percent"),
            ("postgres://me@localhost/app?x=y", "option"),
        ] {
            let error = Address::parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
