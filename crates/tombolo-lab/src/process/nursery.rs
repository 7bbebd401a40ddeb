//! The one thread that starts the lab's processes.

use super::Process;
use crate::error::LabError;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

struct Order {
    command: Command,
    started: Sender<std::io::Result<Child>>,
}

/// Starts processes that die with it.
#[derive(Debug)]
pub(crate) struct Nursery {
    binary: PathBuf,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Nursery {
    /// `binary` is the program `tombolo-lab`.
    pub(crate) fn new(binary: &Path) -> Result<Self, LabError> {
        let (orders, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("nursery".to_owned())
            .spawn(move || serve(&inbox))
            .map_err(LabError::call("clone", Path::new("nursery")))?;
        Ok(Nursery { binary: binary.to_owned(), orders: Some(orders), thread: Some(thread) })
    }

    /// A call of `program` that dies with the lab. Streams are closed unless set otherwise.
    pub(crate) fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("child").arg(std::process::id().to_string()).arg("--").arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A call of `program`, which may start others and leave them behind: they are all killed when
    /// its standard input, a pipe from the lab, ends.
    pub(crate) fn guarded(&self, program: &OsStr) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("child").arg("--guard").arg(std::process::id().to_string());
        command.arg("--").arg(program);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts what [`Nursery::command`] or [`Nursery::guarded`] made; with its output streams.
    pub(crate) fn start(
        &self,
        mut command: Command,
        name: &str,
    ) -> Result<(Process, Streams), LabError> {
        command.process_group(0);
        let (started, answer) = channel();
        let gone = || LabError::Request("the lab is ending".to_owned());
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(Order { command, started }).map_err(|_| gone())?;
        let child = answer.recv().map_err(|_| gone())?;
        let mut child = child.map_err(LabError::call("execve", &self.binary))?;
        let streams = Streams {
            input: child.stdin.take(),
            output: child.stdout.take(),
            errors: child.stderr.take(),
        };
        Ok((Process::new(child, name)?, streams))
    }
}

/// The lab's ends of a process's pipes.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) input: Option<std::process::ChildStdin>,
    pub(crate) output: Option<std::process::ChildStdout>,
    pub(crate) errors: Option<std::process::ChildStderr>,
}

fn serve(inbox: &Receiver<Order>) {
    while let Ok(mut order) = inbox.recv() {
        let child = order.command.spawn();
        if let Err(lost) = order.started.send(child)
            && let Ok(mut child) = lost.0
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
