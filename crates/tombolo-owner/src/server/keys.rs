//! The files by which an owner and its doors know each other on a network. They are made at the
//! first start that needs them.
//!
//! The credentials let a door write. So they are for those who may write the database, by its mode;
//! those of a directory are for this user alone, since the databases in it may differ.

use super::place::Served;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::wire::keys::{Credentials, FILE_BYTES_MAX, KEY_BYTES, NoKeys, OwnerKeys, Secret};
use tombolo_core::wire::place::{CREDENTIALS, OWNER_KEYS};
use tombolo_os::private_file::{self, PrivateError, Readers};
use tombolo_os::socket::tls::{self, OwnerTls, TlsError};

/// Why an owner has no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// They cannot be kept where only those reach them who should.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// A system call failed.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// How.
        #[source]
        error: io::Error,
    },
    /// What stands there is none.
    #[error("{path}: {error}")]
    Malformed {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        error: NoKeys,
    },
    /// They are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The owner's side of TLS, and the credentials for the other side in their file.
pub(super) fn owner_tls(served: &Served, elsewhere: Option<&Path>) -> Result<OwnerTls, KeysError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| KeysError::Io { path, error }
    };
    let directory = elsewhere.map_or_else(|| served.own_directory(), Path::to_owned);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.map_err(failed(&directory))?;
    private_file::check_directory(&directory)?;
    let keys = owner_keys(&directory)?;
    let credentials = Credentials { owner: tls::public_key(&keys.owner)?, door: keys.door.clone() };
    let beside = match (served, elsewhere) {
        (Served::Database(path), None) => Some(Readers::writers_of(path).map_err(failed(path))?),
        _ => None,
    };
    let readers = beside.unwrap_or_else(Readers::this_user);
    private_file::put(&directory, CREDENTIALS, credentials.to_text().as_bytes(), readers)?;
    if let Some(readers) = beside {
        private_file::let_through(&directory, readers)?;
    }
    Ok(OwnerTls::new(&keys)?)
}

fn owner_keys(directory: &Path) -> Result<OwnerKeys, KeysError> {
    let path = directory.join(OWNER_KEYS);
    if let Some(text) = private_file::read(&path, FILE_BYTES_MAX)? {
        return OwnerKeys::parse(&text).map_err(|error| KeysError::Malformed { path, error });
    }
    let fresh = || {
        let mut random = [0; KEY_BYTES];
        tombolo_os::random::fill(&mut random).map(|()| Secret::new(random))
    };
    let pair = fresh().and_then(|owner| Ok(OwnerKeys { owner, door: fresh()? }));
    let keys = pair.map_err(|error| KeysError::Io { path, error })?;
    private_file::put(directory, OWNER_KEYS, keys.to_text().as_bytes(), Readers::this_user())?;
    tracing::info!(directory = %directory.display(), "keys are made");
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn who_may_write_the_database_may_read_the_credentials_and_nobody_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("app.db");
        fs::write(&database, b"").expect("made");
        let served = Served::of(&database).expect("there");
        let own = served.own_directory();
        let credentials = own.join(CREDENTIALS);
        let mut texts = Vec::new();
        for (of, expected, of_directory) in [
            (0o600, 0o600, 0o700),
            (0o664, 0o640, 0o710),
            (0o666, 0o644, 0o711),
            (0o644, 0o600, 0o711),
        ] {
            fs::set_permissions(&database, Permissions::from_mode(of)).expect("set");
            owner_tls(&served, None).expect("keys");
            assert_eq!(mode(&credentials), expected, "{of:o}");
            assert_eq!(mode(&own), of_directory, "{of:o}");
            assert_eq!(mode(&own.join(OWNER_KEYS)), 0o600, "{of:o}");
            texts.push(fs::read(&credentials).expect("there"));
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "the keys stay");
        fs::remove_file(own.join(OWNER_KEYS)).expect("removed");
        owner_tls(&served, None).expect("keys");
        assert!(fs::read(&credentials).expect("there") != texts[0], "they are new");
    }

    #[test]
    fn those_of_a_directory_or_elsewhere_are_this_users_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("set");
        let served = Served::of(directory.path()).expect("there");
        owner_tls(&served, None).expect("keys");
        assert_eq!(mode(&served.own_directory().join(CREDENTIALS)), 0o600);
        let database = directory.path().join("app.db");
        fs::write(&database, b"").expect("made");
        fs::set_permissions(&database, Permissions::from_mode(0o666)).expect("set");
        let elsewhere = directory.path().join("keys/of/app");
        let served = Served::of(&database).expect("there");
        owner_tls(&served, Some(&elsewhere)).expect("keys");
        assert_eq!((mode(&elsewhere), mode(&elsewhere.join(CREDENTIALS))), (0o700, 0o600));
        assert!(!served.own_directory().exists());
    }

    #[test]
    fn what_others_could_have_put_or_read_is_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        let served = Served::of(&directory.path().join("app.db")).expect("a new one");
        let own = served.own_directory();
        owner_tls(&served, None).expect("keys");
        let key = own.join(OWNER_KEYS);
        fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("set");
        let exposed = |result| matches!(result, Err(KeysError::Private(PrivateError::Exposed(_))));
        assert!(exposed(owner_tls(&served, None)), "the key was readable");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("set");
        fs::set_permissions(&own, Permissions::from_mode(0o770)).expect("set");
        assert!(exposed(owner_tls(&served, None)), "the group puts files there");
        fs::set_permissions(&own, Permissions::from_mode(0o700)).expect("set");
        fs::write(&key, b"something else").expect("written");
        assert!(matches!(owner_tls(&served, None), Err(KeysError::Malformed { .. })));
    }
}
