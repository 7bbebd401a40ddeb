//! One run of the lab: its guests, their network, and whatever else must not outlive it.

use crate::error::LabError;
use crate::guest::{self, Guest, GuestSpec};
use crate::hub::{Hub, MEMBERS_MAX};
use crate::initramfs::Initramfs;
use crate::kernel::Kernel;
use crate::process::Nursery;
use crate::run::RunDirectory;
use crate::server::{self, Server, ServerSpec};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The program that the lab starts its children with, and that is the agent in guests.
const BINARY: &str = "tombolo-lab";

/// A run of the lab. What it made is gone when it and its guests are dropped: processes are killed
/// and waited for, its directory is removed. The consoles of guests stay where the thread that
/// drops it panics, as a failed test does.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
    swept: Vec<String>,
}

/// What guests and servers need of the lab, as long as any of them lives. The directory goes last.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) nursery: Nursery,
    pub(crate) binary: PathBuf,
    initramfs: Mutex<HashMap<String, Arc<Initramfs>>>,
    numbers: AtomicU8,
    pub(crate) run: RunDirectory,
}

impl Lab {
    /// A fresh lab. What earlier runs have left, which were killed, is cleared away first.
    ///
    /// # Errors
    /// When the program `tombolo-lab` is not beside this one, or the directory cannot be made.
    pub fn new() -> Result<Self, LabError> {
        Self::with_binary(&find_binary()?)
    }

    /// The same with the program `tombolo-lab` at this path: what a test of this crate has in
    /// `CARGO_BIN_EXE_tombolo-lab`.
    ///
    /// # Errors
    /// As [`Lab::new`].
    pub fn with_binary(binary: &Path) -> Result<Self, LabError> {
        // Guests see it at the same path.
        let binary = binary.canonicalize().map_err(LabError::call("realpath", binary))?;
        let (run, swept) = RunDirectory::new()?;
        let shared = Shared {
            hub: Hub::new(run.path())?,
            nursery: Nursery::new(&binary)?,
            binary,
            initramfs: Mutex::default(),
            numbers: AtomicU8::new(1),
            run,
        };
        Ok(Lab { shared: Arc::new(shared), swept })
    }

    /// What was cleared away of earlier runs, in words.
    #[must_use]
    pub fn swept(&self) -> &[String] {
        &self.swept
    }

    /// The directory of this run: for whatever may go with it, such as sockets of servers.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.shared.run.path()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Boots a guest; back when a command has run in it. Several threads may do this at once.
    ///
    /// # Errors
    /// When something is missing, QEMU refuses, or the guest does not come up, then with the end of
    /// its console.
    pub fn guest(&self, spec: GuestSpec) -> Result<Guest, LabError> {
        guest::boot(&self.shared, &spec)
    }

    /// Boots several guests at the same time, in the order of their specifications.
    ///
    /// # Errors
    /// The first that [`Lab::guest`] gives; the other guests are killed then.
    pub fn guests(&self, specs: Vec<GuestSpec>) -> Result<Vec<Guest>, LabError> {
        std::thread::scope(|scope| {
            let booting: Vec<_> =
                specs.into_iter().map(|spec| scope.spawn(move || self.guest(spec))).collect();
            let ended = booting.into_iter().map(|thread| {
                let panicked = |panic| std::panic::resume_unwind(panic);
                thread.join().unwrap_or_else(panicked)
            });
            // All are waited for before the first error is looked at.
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// Starts a server on the host.
    ///
    /// # Errors
    /// When it cannot be started; that it does not listen is told by the methods that wait for it.
    pub fn server(&self, spec: &ServerSpec) -> Result<Server, LabError> {
        server::start(&self.shared, spec)
    }

    /// Keeps the consoles of guests, as after a panic: for a run that fails by an error. Says where
    /// they will be.
    pub fn keep_consoles(&self) -> PathBuf {
        self.shared.run.keep_consoles()
    }
}

impl Shared {
    /// The initramfs for a kernel, made once in each run.
    pub(crate) fn initramfs(&self, kernel: &Kernel) -> Result<Arc<Initramfs>, LabError> {
        let mut made = self.initramfs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(initramfs) = made.get(kernel.release()) {
            return Ok(Arc::clone(initramfs));
        }
        let initramfs = Arc::new(Initramfs::new(kernel)?);
        made.insert(kernel.release().to_owned(), Arc::clone(&initramfs));
        Ok(initramfs)
    }

    /// A number for a guest that no other one has had.
    pub(crate) fn take_number(&self) -> Result<u8, LabError> {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        if number <= MEMBERS_MAX {
            return Ok(number);
        }
        self.numbers.store(MEMBERS_MAX + 1, Ordering::SeqCst);
        Err(LabError::Request(format!("one lab boots at most {MEMBERS_MAX} guests")))
    }
}

/// The program itself, or what Cargo has built beside the test that runs.
fn find_binary() -> Result<PathBuf, LabError> {
    let own = std::env::current_exe();
    let own = own.map_err(LabError::call("readlink", Path::new("/proc/self/exe")))?;
    if own.file_name().is_some_and(|name| name == BINARY) {
        return Ok(own);
    }
    let mut places = own.ancestors().skip(1).take(2).map(|directory| directory.join(BINARY));
    places.find(|path| path.is_file()).ok_or_else(|| LabError::Missing {
        what: format!("{BINARY} beside {}", own.display()),
        how: "run `cargo build -p tombolo-lab`",
    })
}
