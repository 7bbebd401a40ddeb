//! Where the target is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?host=/SOCKET/DIRECTORY`, or
//! `mysql://USER:PASSWORD@HOST:PORT/DATABASE?socket=/SOCKET`.

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
        let mut found = Parts { host: decoded(host)?, port: None };
        if let Some((name, port)) = split_port(host) {
            found = Parts { host: decoded(name)?, port: Some(port.to_owned()) };
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
        let way = way(server, &found.host, port)?;
        Ok(Address { server, way, user, password, database })
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

struct Parts {
    host: String,
    port: Option<String>,
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
            "sslmode" | "ssl-mode" => match value.to_ascii_lowercase().as_str() {
                "disable" | "disabled" | "allow" | "prefer" | "preferred" => {}
                _ => {
                    return Err(AddressError(format!(
                        "sslmode={value} asks for TLS, which this program does not speak: use a \
                         Unix socket, or a tunnel such as ssh -L"
                    )));
                }
            },
            _ => return Err(AddressError(format!("the option {name:?} is not understood"))),
        }
    }
    Ok(())
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
             {host}` tells the address"
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
    fn what_is_not_supported_is_refused_in_words() {
        for (text, word) in [
            ("app.db", "begins"),
            ("oracle://me@h/d", "begins"),
            ("postgres://me@host.example/app", "getent"),
            ("postgres://me@localhost/app?sslmode=require", "TLS"),
            ("postgres://me@localhost/app?sslmode=verify-full", "TLS"),
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
