//! From a specification to a guest that answers.

use super::arguments::{CONTROL_NETWORK, Plan};
use super::{Console, Guest, GuestSpec, Inner, Monitor};
use crate::error::{GuestEnd, LabError};
use crate::kernel::Kernel;
use crate::lab::Shared;
use crate::needs::find;
use crate::process::Process;
use crate::run::{MARK, RunDirectory};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{ChildStderr, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How many bytes of QEMU's complaints are read.
const COMPLAINT_BYTES_MAX: u64 = 4096;

const QEMU: &str = "qemu-system-x86_64";

/// Boots a guest and waits until a command has run in it.
pub(crate) fn boot(lab: &Arc<Shared>, spec: &GuestSpec) -> Result<Guest, LabError> {
    let started = Instant::now();
    let kernel = Kernel::find(&spec.kernel)?;
    let number = lab.take_number()?;
    let secret = secret()?;
    let in_run = |suffix: &str| lab.run.path().join(format!("{}.{suffix}", spec.name));
    let (socket, console_path) = (in_run("monitor"), in_run("console"));
    // Also what finds a name that is taken.
    let listener = UnixListener::bind(&socket).map_err(LabError::call("bind", &socket))?;
    let initramfs = in_run("initramfs");
    let content = lab.initramfs(&kernel)?.with_secret(&secret)?;
    std::fs::write(&initramfs, content).map_err(LabError::call("write", &initramfs))?;
    let member = lab.hub.member(number);
    let plan = Plan {
        spec,
        kernel: &kernel,
        number,
        initramfs: &initramfs,
        binary: &lab.binary,
        monitor: &socket,
        network: (&member, lab.hub.path()),
    };
    let (process, console, errors) = start(lab, &plan, &console_path)?;
    let complain = || {
        let mut text = String::new();
        if let Some(errors) = errors {
            let _ = errors.take(COMPLAINT_BYTES_MAX).read_to_string(&mut text);
        }
        LabError::Program { program: QEMU.to_owned(), output: text.trim().to_owned() }
    };
    let Some(monitor) = Monitor::accept(&listener, &spec.name, || console.seen().ended)? else {
        return Err(complain());
    };
    let port = monitor.control_port(CONTROL_NETWORK)?;
    let left = spec.boot_timeout.saturating_sub(started.elapsed());
    let seen = console.wait(left, |seen| seen.ready || seen.ended);
    if seen.ended {
        return Err(ended(&spec.name, end_told_by(&console), &console, &lab.run));
    }
    if !seen.ready {
        let what = format!("guest {} to be ready", spec.name);
        let detail = format!("; its console ends with:\n{}", console.tail());
        return Err(LabError::Late { what, after: spec.boot_timeout, detail });
    }
    let mut inner = Inner {
        process,
        monitor,
        console,
        name: spec.name.clone(),
        number,
        kernel,
        secret,
        control: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        boot: Duration::ZERO,
        killed: AtomicBool::new(false),
        lab: Arc::clone(lab),
    };
    let guest = Guest { inner: Arc::new(inner) };
    guest.run(&["true"])?.require_success()?;
    inner = Arc::try_unwrap(guest.inner)
        .map_err(|_| LabError::Request("a guest in use before it was ready".to_owned()))?;
    inner.boot = started.elapsed();
    Ok(Guest { inner: Arc::new(inner) })
}

fn start(
    lab: &Shared,
    plan: &Plan<'_>,
    console: &Path,
) -> Result<(Process, Console, Option<ChildStderr>), LabError> {
    let program = std::ffi::OsStr::new(QEMU);
    if find(QEMU).is_none() {
        let how = "install qemu-system-x86";
        return Err(LabError::Missing { what: QEMU.to_owned(), how });
    }
    let mut command = lab.nursery.command(program);
    command.args(plan.arguments()?).env(MARK, lab.run.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (process, streams) = lab.nursery.start(command, &plan.spec.name)?;
    lab.run.record(process.identity())?;
    let output = streams.output.ok_or_else(|| LabError::Request("no console".to_owned()))?;
    let console = Console::follow(output, console)?;
    Ok((process, console, streams.errors))
}

/// 128 random bits, in hexadecimal.
fn secret() -> Result<String, LabError> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(LabError::call("getrandom", Path::new("")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How a guest that nobody killed has ended.
pub(super) fn end_told_by(console: &Console) -> GuestEnd {
    if console.seen().panicked { GuestEnd::Panicked } else { GuestEnd::Ended }
}

pub(super) fn ended(name: &str, how: GuestEnd, console: &Console, run: &RunDirectory) -> LabError {
    let file = console.path().file_name().unwrap_or_default();
    LabError::GuestEnded {
        guest: name.to_owned(),
        how,
        console: console.tail(),
        path: run.kept_consoles().join(file),
    }
}
