//! Processes of the lab: none outlives it, whatever happens to it.
//!
//! Each is started through `tombolo-lab child`, which asks the kernel to be killed with its parent.
//! The kernel means the *thread* that called `fork` (`PR_SET_PDEATHSIG(2const)`), so one thread
//! starts them all and lives as long as the lab.

pub(crate) mod child;
mod identity;
mod nursery;

pub(crate) use child::{kill_all, kill_descendants};
pub(crate) use identity::{Identity, descendants, marked};
pub(crate) use nursery::Nursery;

use crate::error::LabError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a process may take to be gone after SIGKILL: one that writes to a slow disk stays until
/// the write is done.
const DEATH: Duration = Duration::from_secs(20);

/// A process in a group of its own. It is killed, and waited for, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Mutex<Child>,
    identity: Identity,
    name: String,
}

impl Process {
    fn new(child: Child, name: &str) -> Result<Self, LabError> {
        let identity = Identity::of(child.id())?;
        Ok(Process { child: Mutex::new(child), identity, name: name.to_owned() })
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn id(&self) -> u32 {
        self.identity.pid
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten()
    }

    /// Waits until it has ended, at most for `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let pid = Pid::from_raw(i32::try_from(self.identity.pid).ok()?)?;
            let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
            let timeout = Timespec::try_from(left).ok()?;
            let _ = poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&timeout));
        }
    }

    /// Kills it with its group, and waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after a while.
    pub(crate) fn kill(&self) -> Result<(), LabError> {
        let pid = Pid::from_raw(i32::try_from(self.identity.pid).unwrap_or(0));
        {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Ok(None), Some(pid)) = (child.try_wait(), pid) {
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        match self.wait(DEATH) {
            Some(_) => Ok(()),
            None => Err(LabError::Late {
                what: format!("the end of {} (process {})", self.name, self.identity.pid),
                after: DEATH,
                detail: String::new(),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Sends a signal to a process that is not our child, if it is still there.
pub(crate) fn signal_stranger(identity: &Identity, signal: Signal) -> Result<(), LabError> {
    reach(identity, signal).map(drop)
}

/// Kills a process that is not our child, and waits until it is gone.
pub(crate) fn kill_stranger(identity: &Identity) -> Result<(), LabError> {
    let Some(descriptor) = reach(identity, Signal::KILL)? else { return Ok(()) };
    let timeout = Timespec::try_from(DEATH).unwrap_or_default();
    match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&timeout)) {
        Ok(0) => Err(LabError::Late {
            what: format!("the end of process {}", identity.pid),
            after: DEATH,
            detail: String::new(),
        }),
        Ok(_) => Ok(()),
        Err(error) => Err(LabError::call("poll", Path::new("process"))(error)),
    }
}

/// Signals this very process; with a descriptor of it, unless it is gone.
fn reach(identity: &Identity, signal: Signal) -> Result<Option<OwnedFd>, LabError> {
    let pid = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
    let descriptor = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(descriptor) = descriptor else { return Ok(None) };
    // Compared after the descriptor is open: from here on it names this process and no other.
    if !identity.is_alive() {
        return Ok(None);
    }
    match pidfd_send_signal(&descriptor, signal) {
        Ok(()) => Ok(Some(descriptor)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(LabError::call("pidfd_send_signal", Path::new("process"))(error)),
    }
}
