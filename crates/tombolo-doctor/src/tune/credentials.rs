//! The file with the name and password for a server of SMB, which no mount table shows.

use std::fmt;
use tombolo_core::text::printable;

/// Longest name, password or domain (`CIFS_MAX_PASSWORD_LEN` in fs/smb/client/cifsglob.h).
const VALUE_BYTES_MAX: usize = 512;

/// As whom a server lets a mount in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: Option<String>,
    domain: Option<String>,
}

/// What is wrong with such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A line is none of mount.cifs(8).
    #[error("line {line} is none of username=, password= and domain=")]
    Unknown {
        /// Its number, from 1.
        line: usize,
    },
    /// A value that no option of a mount can have.
    #[error("line {line} has a value that is too long, or with a comma in a name")]
    Value {
        /// Its number, from 1.
        line: usize,
    },
    /// There is no password.
    #[error("there is no password in it")]
    NoPassword,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().map(|user| printable(user.as_bytes()));
        formatter.debug_struct("Credentials").field("user", &user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the text of such a file (mount.cifs(8), `credentials=`).
    ///
    /// # Errors
    /// [`CredentialsError`], which holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let mut all = Credentials { user: None, password: None, domain: None };
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (key, value) = text.split_once('=').ok_or(CredentialsError::Unknown { line })?;
            let place = match key.trim_end() {
                "username" | "user" => &mut all.user,
                "password" | "pass" => &mut all.password,
                "domain" | "dom" | "workgroup" => &mut all.domain,
                _ => return Err(CredentialsError::Unknown { line }),
            };
            if value.len() > VALUE_BYTES_MAX || !key.starts_with("pass") && value.contains(',') {
                return Err(CredentialsError::Value { line });
            }
            *place = Some(value.to_owned());
        }
        all.password.is_some().then_some(all).ok_or(CredentialsError::NoPassword)
    }

    /// The options of mount(2), in which a comma of a password is doubled
    /// (`smb3_fs_context_parse_monolithic` in fs/smb/client/fs_context.c).
    pub(super) fn data(&self) -> String {
        let password = self.password.as_ref().map(|password| password.replace(',', ",,"));
        let all = [("username", &self.user), ("domain", &self.domain), ("password", &password)];
        let options = all.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        options.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_mount_cifs_is_read_and_never_shown() {
        let text = "# media\nusername=app\n  password=a, b=c\ndomain=HOME\n\n";
        let read = Credentials::parse(text).unwrap();
        assert_eq!(read.data(), "username=app,domain=HOME,password=a,, b=c");
        assert!(!format!("{read:?}").contains("b=c"));
        assert_eq!(Credentials::parse("pass=").unwrap().data(), "password=");
    }

    #[test]
    fn what_is_no_such_file_is_refused_without_its_text() {
        for (text, error) in [
            ("", CredentialsError::NoPassword),
            ("username=a", CredentialsError::NoPassword),
            ("password=a\nsecret", CredentialsError::Unknown { line: 2 }),
            ("password=a\noptions=exec", CredentialsError::Unknown { line: 2 }),
            ("password=a\nuser=a,exec", CredentialsError::Value { line: 2 }),
        ] {
            assert_eq!(Credentials::parse(text), Err(error), "{text}");
        }
        let long = format!("password={}", "x".repeat(VALUE_BYTES_MAX + 1));
        assert_eq!(Credentials::parse(&long), Err(CredentialsError::Value { line: 1 }));
    }
}
