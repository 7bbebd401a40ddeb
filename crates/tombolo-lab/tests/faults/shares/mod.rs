//! Two mounts that stand for a share, and whether stock SQLite fares on them as it did on the real
//! one, between two kernels.
//!
//! What each share must show was measured on real kernels (9p and virtiofs by QEMU, SMB by Samba,
//! NFS by a guest; SQLite 3.40.1 in Linux 6.1). There, losing an update is a race that some of the
//! transactions lose. Here two connections are led through it step by step.

mod calls;
mod opens;
mod updates;

use std::path::{Path, PathBuf};
use tombolo_lab::{
    Charge, LabError, Namespace, Session, Share, TABLES, TwoMounts, Verdict, judge, sqlite,
};

/// One share, with a database for increments on it and a local disk beside it.
struct Rig {
    mounts: TwoMounts,
    local: tempfile::TempDir,
}

impl Rig {
    /// Runs `test` on a fresh share. The database is made by a process of the server, so that it
    /// is there whatever the share can do.
    fn with<T: Send>(share: Share, journal_mode: &str, test: impl FnOnce(&Rig) -> T + Send) -> T {
        Self::on(|namespace| TwoMounts::like(namespace, share), journal_mode, test)
    }

    /// The same, on other mounts than those of a known share.
    fn on<T: Send>(
        mount: impl FnOnce(&Namespace) -> Result<TwoMounts, LabError> + Send,
        journal_mode: &str,
        test: impl FnOnce(&Rig) -> T + Send,
    ) -> T {
        Namespace::run(|namespace| {
            let mounts = mount(namespace).expect("the test's mounts");
            let local = tempfile::tempdir().expect("a directory");
            let rig = Rig { mounts, local };
            let make = format!("PRAGMA journal_mode={journal_mode};{TABLES}");
            assert_eq!(sqlite(&rig.behind(), &make), format!("{journal_mode}\n"));
            test(&rig)
        })
    }

    fn first(&self) -> PathBuf {
        self.mounts.first().path().join("app.db")
    }

    fn second(&self) -> PathBuf {
        self.mounts.second().path().join("app.db")
    }

    fn behind(&self) -> PathBuf {
        self.mounts.behind().join("app.db")
    }

    /// A file as each of the two mounts sees it.
    fn both(&self, name: &str) -> [PathBuf; 2] {
        [self.mounts.first(), self.mounts.second()].map(|mount| mount.path().join(name))
    }

    fn log(&self, client: &str) -> PathBuf {
        self.local.path().join(client)
    }

    /// What the disk of the server says of these clients.
    fn judge(&self, clients: &[&str]) -> Verdict {
        let logs = clients.iter().map(|client| self.log(client)).collect();
        judge(&self.behind(), &Charge::of_increments(logs)).expect("judged")
    }
}

fn session(database: &Path) -> Session {
    Session::new(database).expect("started")
}
