//! Where the owner of a database is, and what it takes to be let in.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::address::{NetworkAddress, Protection};
use tombolo_core::wire::place;

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A network, with the file of the credentials for what is encrypted; `None` is to be found
    /// beside the database or above it.
    Network(NetworkAddress, Option<PathBuf>),
}

impl Address {
    /// As it is written: a path, `unix:` and a path, or `tcp://IP:PORT`, `vsock://CID:PORT`; with
    /// `insecure-` before it, nothing is encrypted.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` with what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let unix = text.strip_prefix(b"unix://").or_else(|| text.strip_prefix(b"unix:"));
        let path = unix.unwrap_or(text);
        if path.starts_with(b"/") {
            return Ok(Address::Unix(Path::new(OsStr::from_bytes(path)).to_owned()));
        }
        let network = NetworkAddress::parse(text);
        let network =
            network.map_err(|error| Refusal::new(ResultCode::CANTOPEN, &error.to_string()))?;
        Ok(Address::Network(network, None))
    }

    /// The same with this file of credentials.
    #[must_use]
    pub fn with_credentials(self, file: PathBuf) -> Self {
        match self {
            Address::Network(network, _) => Address::Network(network, Some(file)),
            unix => unix,
        }
    }

    /// The owner of a database that is to be found by its path: beside it, or in a directory above.
    #[must_use]
    pub fn find(database: &Path) -> Option<Self> {
        let beside = socket_beside(database);
        let within = database.ancestors().skip(1).map(socket_within);
        std::iter::once(beside).chain(within).find(|socket| socket.exists()).map(Address::Unix)
    }
}

/// The socket of an owner of one database.
#[must_use]
pub fn socket_beside(database: &Path) -> PathBuf {
    place::beside(database).join(place::SOCKET)
}

/// The socket of an owner of a directory.
#[must_use]
pub fn socket_within(directory: &Path) -> PathBuf {
    place::within(directory).join(place::SOCKET)
}

/// An owner, as a door calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// By a Unix socket.
    Unix(PathBuf),
    /// Over a network, where nothing is encrypted.
    Bare(NetworkAddress),
    /// Over a network, with credentials in this file.
    Tls(NetworkAddress, PathBuf),
}

impl Owner {
    /// The owner at an address, and the name by which it knows a database: where its directory is
    /// found beside the database or above, a path from there, since kernels give it different
    /// names; else the path as it is.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` where credentials are needed and none are found.
    pub(crate) fn of(address: &Address, database: &[u8]) -> Result<(Self, Vec<u8>), Refusal> {
        let (network, given) = match address {
            Address::Unix(path) => return Ok((Owner::Unix(path.clone()), database.to_vec())),
            Address::Network(network, given) => (*network, given),
        };
        let path = Path::new(OsStr::from_bytes(database));
        let found = shared(path);
        let name = found.as_ref().and_then(|(_, from)| path.strip_prefix(from).ok());
        let name = name.map_or(database, |name| name.as_os_str().as_bytes()).to_vec();
        let file = given.clone().or(found.map(|(file, _)| file));
        match (network.protection, file) {
            (Protection::None, _) => Ok((Owner::Bare(network), name)),
            (Protection::Tls, Some(file)) => Ok((Owner::Tls(network, file), name)),
            (Protection::Tls, None) => {
                let message = format!(
                    "no credentials for {network} are beside {} or above it: name the file by \
                     `credentials=` or TOMBOLO_CREDENTIALS",
                    path.display()
                );
                Err(Refusal::new(ResultCode::CANTOPEN, &message))
            }
        }
    }
}

/// The credentials that an owner has left for a database, and the directory that it tells paths
/// from: beside the database, or in a directory above.
fn shared(database: &Path) -> Option<(PathBuf, &Path)> {
    let beside = database.parent().map(|parent| (place::beside(database), parent));
    // A directory may be asked for as well.
    let within = database.ancestors().map(|directory| (place::within(directory), directory));
    let places = beside.into_iter().chain(within);
    let files = places.map(|(directory, from)| (directory.join(place::CREDENTIALS), from));
    files.into_iter().find(|(file, _)| file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_beside_or_above_and_paths_are_told_from_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        let address = Address::parse(b"tcp://127.0.0.1:7").expect("an address");
        let Address::Network(network, None) = address else { panic!("{address:?}") };
        let database = root.join("sub/app.db");
        let bytes = database.as_os_str().as_bytes();
        let refusal = Owner::of(&address, bytes).expect_err("there are none");
        assert!(refusal.message.contains("credentials"), "{refusal}");

        let above = root.join(".tombolo/credentials");
        let beside = root.join("sub/app.db-tombolo/credentials");
        for (file, name) in [(&above, "sub/app.db"), (&beside, "app.db")] {
            std::fs::create_dir_all(file.parent().expect("a directory")).expect("made");
            std::fs::write(file, b"").expect("made");
            let expected = (Owner::Tls(network, file.clone()), name.as_bytes().to_vec());
            assert_eq!(Owner::of(&address, bytes), Ok(expected));
        }
        let given = address.clone().with_credentials("/etc/other".into());
        let expected = (Owner::Tls(network, "/etc/other".into()), b"app.db".to_vec());
        assert_eq!(Owner::of(&given, bytes), Ok(expected));
        let expected = (Owner::Tls(network, "/etc/other".into()), b"/srv/app.db".to_vec());
        assert_eq!(Owner::of(&given, b"/srv/app.db"), Ok(expected));
    }

    #[test]
    fn without_encryption_nothing_is_needed_and_it_must_be_asked_for() {
        let address = Address::parse(b"insecure-tcp://127.0.0.1:7").expect("an address");
        assert!(matches!(Owner::of(&address, b"/srv/app.db"), Ok((Owner::Bare(_), _))));
        let address = Address::parse(b"unix:///run/owner.sock").expect("an address");
        assert_eq!(address, Address::Unix("/run/owner.sock".into()));
        assert!(Address::parse(b"tcp:nowhere").is_err());
    }
}
