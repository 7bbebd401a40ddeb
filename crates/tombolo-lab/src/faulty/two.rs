//! Two kernels on one machine: two mounts of one directory, by one server.

use super::{FaultyMount, Server};
use crate::error::LabError;
use crate::faults::Faults;
use crate::imitations::Share;
use crate::namespace::Namespace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One directory, mounted twice by one server. Each mount caches for itself, as a kernel does;
/// locks cross where the server decides on them ([`Locks`](crate::Locks)). A third opener, one of
/// the server's own kernel, works in the directory behind.
///
/// Boot id and processes are those of one kernel: what looks at these is not deceived.
#[derive(Debug)]
pub struct TwoMounts {
    first: FaultyMount,
    second: FaultyMount,
}

impl TwoMounts {
    /// Two mounts of a fresh directory, with the same faults.
    ///
    /// # Errors
    /// As [`FaultyMount::new`].
    pub fn new(namespace: &Namespace, faults: Faults) -> Result<Self, LabError> {
        Self::mount(namespace, "fuse", faults)
    }

    /// Two mounts that behave as those of a real share do.
    ///
    /// # Errors
    /// As [`FaultyMount::new`].
    pub fn like(namespace: &Namespace, share: Share) -> Result<Self, LabError> {
        Self::mount(namespace, share.filesystem(), share.faults())
    }

    /// The same over a directory that is there already, at two empty ones.
    ///
    /// # Errors
    /// As [`FaultyMount::new`].
    pub(crate) fn like_at(
        share: Share,
        behind: &Path,
        places: [PathBuf; 2],
    ) -> Result<Self, LabError> {
        Self::at(share.filesystem(), share.faults(), behind, places)
    }

    fn mount(namespace: &Namespace, filesystem: &str, faults: Faults) -> Result<Self, LabError> {
        let behind = namespace.directory("behind")?;
        let places = [namespace.directory("faulty")?, namespace.directory("faulty")?];
        Self::at(filesystem, faults, &behind, places)
    }

    fn at(
        filesystem: &str,
        faults: Faults,
        behind: &Path,
        places: [PathBuf; 2],
    ) -> Result<Self, LabError> {
        let server = Arc::<Server>::default();
        let mount =
            |at| FaultyMount::mount(at, behind.to_owned(), filesystem, faults, server.clone());
        let [first, second] = places;
        Ok(TwoMounts { first: mount(first)?, second: mount(second)? })
    }

    /// One of them.
    #[must_use]
    pub fn first(&self) -> &FaultyMount {
        &self.first
    }

    /// The other.
    #[must_use]
    pub fn second(&self) -> &FaultyMount {
        &self.second
    }

    /// The directory behind both, as a process of the server sees it.
    #[must_use]
    pub fn behind(&self) -> &Path {
        self.first.behind()
    }

    /// As [`FaultyMount::crash`], of both.
    ///
    /// # Errors
    /// As [`FaultyMount::crash`].
    pub fn crash(self) -> Result<PathBuf, LabError> {
        let TwoMounts { first, second } = self;
        drop(second);
        first.crash()
    }
}
