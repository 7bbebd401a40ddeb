//! Where the stories play: a directory of the host that a guest has by 9p.

use crate::common::{GuestSession, PATIENCE, guest_spec, lab};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tombolo_lab::{Charge, Guest, Lab, QemuShare, Running, TABLES, Verdict, judge, sqlite};

/// The program of [`tombolo_lab::Increments`], for a guest.
const INCREMENT: &str = include_str!("../../workloads/increment.py");

/// Where the guest has the directory.
const IN_GUEST: &str = "/srv/share";

/// A directory that the host and one guest use; by 9p with default options.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) guest: Guest,
    directory: PathBuf,
    /// For what is acknowledged: what the guest syncs here outlives it, as a word over a network
    /// would.
    acknowledgements: tempfile::TempDir,
    _directory: Option<tempfile::TempDir>,
    _lab: Lab,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let shared = Self::at(directory.path());
        Shared { _directory: Some(directory), ..shared }
    }

    /// The same with a directory that stands already, and outlives this.
    pub(crate) fn at(directory: &Path) -> Self {
        let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3", "/usr/bin/python3"]);
        let acknowledgements = tempfile::tempdir().expect("a directory");
        let spec = guest_spec()
            .share(QemuShare::virtfs(directory, "share"))
            .share(QemuShare::virtfs(acknowledgements.path(), "acknowledgements"));
        let guest = lab.guest(spec).expect("a guest");
        let mount = format!(
            "mkdir -p {IN_GUEST} /srv/acknowledgements; \
             mount -t 9p -o trans=virtio share {IN_GUEST}; \
             mount -t 9p -o trans=virtio acknowledgements /srv/acknowledgements"
        );
        let mounted = guest.shell(&mount).expect("it ran");
        mounted.require_success().expect("mounted");
        let directory = directory.to_owned();
        Shared { guest, directory, acknowledgements, _directory: None, _lab: lab }
    }

    /// The path of a file on the host.
    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A database with the tables for increments, in rollback mode.
    pub(crate) fn database(&self, name: &str) -> PathBuf {
        let path = self.host(name);
        assert_eq!(sqlite(&path, TABLES), "");
        path
    }

    /// A connection of the guest that is told what to do.
    pub(crate) fn session(&self, name: &str) -> GuestSession {
        GuestSession::new(&self.guest, &[], &format!("{IN_GUEST}/{name}"), None)
    }

    /// A program of the guest that makes increments and acknowledges each to the host.
    pub(crate) fn increments(&self, name: &str, seed: u64, further: &[&str]) -> Running {
        let (database, seed) = (format!("{IN_GUEST}/{name}"), seed.to_string());
        let log = format!("/srv/acknowledgements/{name}");
        let argv = [
            &["/usr/bin/python3", "-I", "-c", INCREMENT, &database, "--acknowledgements", &log],
            &["--client", "guest", "--seed", &seed][..],
            further,
        ];
        self.guest.spawn(&argv.concat()).expect("the guest is there")
    }

    /// The increments of a database that were acknowledged to the host so far.
    pub(crate) fn acknowledged(&self, name: &str) -> usize {
        let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        log.matches('\n').count()
    }

    /// What stock SQLite of the host says of a database, by what the guest has acknowledged.
    pub(crate) fn judge(&self, name: &str) -> Verdict {
        judge(&self.host(name), &Charge::of_increments(vec![self.log(name)])).expect("judged")
    }

    /// Writes down by hand what was acknowledged.
    pub(crate) fn acknowledge(&self, name: &str, lines: &str) {
        std::fs::write(self.log(name), lines).expect("written");
    }

    fn log(&self, name: &str) -> PathBuf {
        self.acknowledgements.path().join(name)
    }
}

/// The seed that is asked for, else a fresh one. It is told in any case, so that a run can be
/// repeated.
pub(crate) fn seed(story: &str) -> u64 {
    let asked = std::env::var("TOMBOLO_LAB_SEED").ok();
    let asked = asked.map(|text| text.parse().expect("TOMBOLO_LAB_SEED is a number"));
    let seed = asked.unwrap_or_else(|| RandomState::new().hash_one(story) % 1_000_000);
    let mut errors = std::io::stderr();
    // Not by a macro, whose words are kept back where the test passes.
    writeln!(errors, "{story}: TOMBOLO_LAB_SEED={seed}").expect("written");
    seed
}

/// The end of a program of the guest that must succeed.
pub(crate) fn succeed(running: &Running) -> String {
    let output = running.wait(PATIENCE).expect("it ended");
    output.require_success().expect("it succeeded").text()
}

/// Whether a file is there and holds something.
pub(crate) fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|status| status.len() > 0)
}
