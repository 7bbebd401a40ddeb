//! Error numbers of Linux (asm-generic/errno-base.h, asm-generic/errno.h).
//!
//! SQLite folds many of them into one message: `ENOLCK` becomes "database is locked". What the
//! kernel said is the evidence, so it is kept as a number from the call to the report.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

/// An error number as a system call returned it (positive, below 4096).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl Errno {
            $(#[doc = $text] pub const $name: Errno = Errno($number);)*

            const TABLE: &'static [(i32, &'static str, &'static str)] =
                &[$(($number, stringify!($name), $text),)*];
        }
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such file or directory";
    ESRCH = 3, "no such process";
    EINTR = 4, "interrupted system call";
    EIO = 5, "input/output error";
    ENXIO = 6, "no such device or address";
    EBADF = 9, "bad file descriptor";
    ECHILD = 10, "no child processes";
    EAGAIN = 11, "resource temporarily unavailable";
    ENOMEM = 12, "cannot allocate memory";
    EACCES = 13, "permission denied";
    EFAULT = 14, "bad address";
    EBUSY = 16, "device or resource busy";
    EEXIST = 17, "file exists";
    EXDEV = 18, "invalid cross-device link";
    ENODEV = 19, "no such device";
    ENOTDIR = 20, "not a directory";
    EISDIR = 21, "is a directory";
    EINVAL = 22, "invalid argument";
    ENFILE = 23, "too many open files in system";
    EMFILE = 24, "too many open files";
    ENOTTY = 25, "inappropriate ioctl for device";
    ETXTBSY = 26, "text file busy";
    EFBIG = 27, "file too large";
    ENOSPC = 28, "no space left on device";
    ESPIPE = 29, "illegal seek";
    EROFS = 30, "read-only file system";
    EMLINK = 31, "too many links";
    EPIPE = 32, "broken pipe";
    ERANGE = 34, "numerical result out of range";
    EDEADLK = 35, "resource deadlock avoided";
    ENAMETOOLONG = 36, "file name too long";
    ENOLCK = 37, "no locks available";
    ENOSYS = 38, "function not implemented";
    ENOTEMPTY = 39, "directory not empty";
    ELOOP = 40, "too many levels of symbolic links";
    ENODATA = 61, "no data available";
    EREMOTE = 66, "object is remote";
    EPROTO = 71, "protocol error";
    EOVERFLOW = 75, "value too large for defined data type";
    EOPNOTSUPP = 95, "operation not supported";
    EADDRINUSE = 98, "address already in use";
    EADDRNOTAVAIL = 99, "cannot assign requested address";
    ENETUNREACH = 101, "network is unreachable";
    ECONNABORTED = 103, "software caused connection abort";
    ECONNRESET = 104, "connection reset by peer";
    ENOTCONN = 107, "transport endpoint is not connected";
    ETIMEDOUT = 110, "connection timed out";
    ECONNREFUSED = 111, "connection refused";
    EHOSTDOWN = 112, "host is down";
    EHOSTUNREACH = 113, "no route to host";
    ESTALE = 116, "stale file handle";
    EREMOTEIO = 121, "remote I/O error";
    EDQUOT = 122, "disk quota exceeded";
    ECANCELED = 125, "operation canceled";
}

impl Errno {
    /// The number as it stands in `errno`.
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Errno(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The symbolic name, such as `EINVAL`; `None` for a number outside the table.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.1)
    }

    /// The number that a symbolic name stands for. `ENOTSUP` is `EOPNOTSUPP`, `EWOULDBLOCK` is
    /// `EAGAIN` (the same numbers on Linux).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "ENOTSUP" => "EOPNOTSUPP",
            "EWOULDBLOCK" => "EAGAIN",
            "EDEADLOCK" => "EDEADLK",
            other => other,
        };
        Self::TABLE.iter().find(|entry| entry.1 == name).map(|entry| Errno(entry.0))
    }

    /// What the C library would print for it, in lower case; `None` outside the table.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.2)
    }

    fn entry(self) -> Option<&'static (i32, &'static str, &'static str)> {
        Self::TABLE.iter().find(|entry| entry.0 == self.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((number, name, text)) => write!(formatter, "{name} ({number}, {text})"),
            None => write!(formatter, "errno {}", self.0),
        }
    }
}

impl Serialize for Errno {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Errno", 2)?;
        object.serialize_field("number", &self.0)?;
        object.serialize_field("name", &self.name())?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Errno {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            number: i32,
        }
        Object::deserialize(deserializer).map(|object| Errno(object.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_number_agree_both_ways() {
        for (number, name, text) in Errno::TABLE {
            assert_eq!(Errno::from_name(name), Some(Errno(*number)));
            assert_eq!(Errno(*number).name(), Some(*name));
            assert_eq!(Errno(*number).text(), Some(*text));
        }
        assert_eq!(Errno::from_name("ENOTSUP"), Some(Errno::EOPNOTSUPP));
        assert_eq!(Errno::from_name("EWHAT"), None);
    }

    #[test]
    fn a_number_outside_the_table_still_shows() {
        assert_eq!(Errno::from_raw(4000).to_string(), "errno 4000");
        assert_eq!(Errno::EINVAL.to_string(), "EINVAL (22, invalid argument)");
    }
}
