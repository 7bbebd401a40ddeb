//! A guest: a kernel of its own in QEMU, with the host's root directory and an agent in it.

mod arguments;
mod boot;
mod console;
mod link;
mod monitor;
mod request;
mod running;
mod spec;

pub use link::Link;
pub use request::GuestCommand;
pub use running::{Output, Running, Status};
pub use spec::{GuestSpec, QemuShare, SecurityModel};

pub(crate) use boot::boot;

use crate::error::{GuestEnd, LabError};
use crate::kernel::Kernel;
use crate::lab::Shared;
use crate::process::Process;
use console::Console;
use monitor::Monitor;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the end of QEMU may lag behind the end of a connection into it.
const END_LAG: Duration = Duration::from_secs(10);

/// A running guest. Clones mean the same one; it is killed when the last is dropped.
#[derive(Clone, Debug)]
pub struct Guest {
    inner: Arc<Inner>,
}

/// The order of the fields is the order in which they go: QEMU before the lab's directory.
#[derive(Debug)]
struct Inner {
    process: Process,
    monitor: Monitor,
    console: Console,
    name: String,
    number: u8,
    kernel: Kernel,
    secret: String,
    control: SocketAddr,
    boot: Duration,
    killed: AtomicBool,
    lab: Arc<Shared>,
}

impl Guest {
    /// Its host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its kernel.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.inner.kernel
    }

    /// Its address on the network between guests; also a name, `guest-NUMBER`, in `/etc/hosts`.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.inner.number)
    }

    /// How long it took from the start of QEMU until its agent had run a first command.
    #[must_use]
    pub fn boot_time(&self) -> Duration {
        self.inner.boot
    }

    /// The memory that QEMU takes of the host now, in KiB (`VmRSS`, `proc_pid_status(5)`).
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn resident_kib(&self) -> Result<u64, LabError> {
        let path = format!("/proc/{}/status", self.inner.process.id());
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(LabError::call("read", Path::new(&path)))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        // A zombie has no memory.
        number.ok_or_else(|| self.ended_error())
    }

    /// Stops it between two instructions. It notices nothing but that other clocks went on.
    ///
    /// # Errors
    /// What QEMU said.
    pub fn pause(&self) -> Result<(), LabError> {
        self.monitor("stop", &json!({}))
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// What QEMU said.
    pub fn resume(&self) -> Result<(), LabError> {
        self.monitor("cont", &json!({}))
    }

    fn monitor(&self, command: &str, arguments: &Value) -> Result<(), LabError> {
        self.inner
            .monitor
            .command(command, arguments)
            .map(drop)
            .map_err(|error| if self.is_alive() { error } else { self.ended_error() })
    }

    /// Ends it as a power cut does: by SIGKILL to QEMU. What QEMU had passed on to the host stays.
    ///
    /// # Errors
    /// When QEMU is still there after a while.
    pub fn kill(&self) -> Result<(), LabError> {
        self.inner.killed.store(true, Ordering::SeqCst);
        self.inner.process.kill()
    }

    /// Whether it is still there, paused or not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.inner.console.seen().ended && self.inner.process.ended().is_none()
    }

    /// Its connection to the other guests of the lab.
    #[must_use]
    pub fn network(&self) -> Link<'_> {
        Link::new(self, arguments::GUESTS_CARD, "eth2")
    }

    /// Its connection to the host's services, which it reaches at 10.0.2.2.
    #[must_use]
    pub fn host_network(&self) -> Link<'_> {
        Link::new(self, arguments::HOST_CARD, "eth1")
    }

    /// The last lines of its console.
    #[must_use]
    pub fn console_tail(&self) -> String {
        self.inner.console.tail()
    }

    /// Waits for its end, which an experiment may have brought about; tells how it ended.
    ///
    /// # Errors
    /// When it is still there then.
    pub fn wait_for_end(&self, limit: Duration) -> Result<GuestEnd, LabError> {
        if self.inner.console.wait(limit, |seen| seen.ended).ended {
            return Ok(self.how_it_ended());
        }
        let what = format!("the end of guest {}", self.name());
        let detail = format!("; its console ends with:\n{}", self.console_tail());
        Err(LabError::Late { what, after: limit, detail })
    }

    fn how_it_ended(&self) -> GuestEnd {
        if self.inner.killed.load(Ordering::SeqCst) {
            GuestEnd::Killed
        } else {
            boot::end_told_by(&self.inner.console)
        }
    }

    fn ended_error(&self) -> LabError {
        boot::ended(&self.inner.name, self.how_it_ended(), &self.inner.console, &self.inner.lab.run)
    }

    /// Why a connection to the agent broke.
    fn lost(&self, doing: &str, error: &std::io::Error) -> LabError {
        if self.inner.console.wait(END_LAG, |seen| seen.ended).ended {
            return self.ended_error();
        }
        let message = format!("`{doing}`: the connection to its agent broke: {error}");
        LabError::Refused { guest: self.name().to_owned(), message, errno: error.raw_os_error() }
    }
}
