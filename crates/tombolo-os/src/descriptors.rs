//! How many descriptors this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// How many it may have; `u64::MAX` without a limit (`RLIMIT_NOFILE`, getrlimit(2)).
#[must_use]
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Takes as many as the user may have, and says how many those are. Programs that are started later
/// have as many, which is bad for those that use `select(2)`.
///
/// # Errors
/// `setrlimit(2)`.
pub fn raise_limit() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(limit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_be_had_is_had() {
        let before = limit();
        let raised = raise_limit().expect("a process may raise it so far");
        assert!(raised >= before && raised == limit());
    }
}
