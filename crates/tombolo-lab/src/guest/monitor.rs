//! QEMU's monitor (QMP, `docs/interop/qmp-spec.rst` in QEMU's source).

use crate::error::LabError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long QEMU may take to answer, also on a machine that is busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// More than any answer that the lab asks for.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A connection to the monitor of one guest.
#[derive(Debug)]
pub(super) struct Monitor {
    guest: String,
    stream: Mutex<BufReader<UnixStream>>,
}

impl Monitor {
    /// Takes the connection that QEMU makes when it starts.
    pub(super) fn accept(
        listener: &UnixListener,
        guest: &str,
        gone: impl Fn() -> bool,
    ) -> Result<Option<Self>, LabError> {
        let path = Path::new("monitor");
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        // Short turns, so that a QEMU which ends at once is noticed at once.
        let turn = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        loop {
            let mut waiting = [PollFd::new(listener, PollFlags::IN)];
            if poll(&mut waiting, Some(&turn)).map_err(LabError::call("poll", path))? > 0 {
                break;
            }
            if gone() {
                return Ok(None);
            }
            if Instant::now() > deadline {
                return Err(late(guest));
            }
        }
        let (stream, _) = listener.accept().map_err(LabError::call("accept", path))?;
        let timeout = stream.set_read_timeout(Some(ANSWER_TIMEOUT));
        timeout.map_err(LabError::call("setsockopt", path))?;
        let stream = Mutex::new(BufReader::new(stream));
        let monitor = Monitor { guest: guest.to_owned(), stream };
        monitor.command("qmp_capabilities", &json!({}))?;
        Ok(Some(monitor))
    }

    /// Gives a command; with what it returns.
    pub(super) fn command(&self, command: &str, arguments: &Value) -> Result<Value, LabError> {
        let failed = |message: String| LabError::Monitor {
            guest: self.guest.clone(),
            command: command.to_owned(),
            message,
        };
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        stream.get_mut().write_all(line.as_bytes()).map_err(|error| failed(error.to_string()))?;
        loop {
            let mut line = String::new();
            let read = (&mut *stream).take(LINE_BYTES_MAX).read_line(&mut line);
            if read.map_err(|error| failed(error.to_string()))? == 0 {
                return Err(failed("the connection has ended".to_owned()));
            }
            let mut answer: Value =
                serde_json::from_str(&line).map_err(|error| failed(error.to_string()))?;
            // Events and the greeting come in between.
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let description = error.get("desc").and_then(Value::as_str);
                return Err(failed(description.unwrap_or("an error").to_owned()));
            }
        }
    }

    /// The host's port that leads to the agent.
    pub(super) fn control_port(&self, network: &str) -> Result<u16, LabError> {
        let arguments = json!({"command-line": "info usernet"});
        let text = self.command("human-monitor-command", &arguments)?;
        forwarded_port(text.as_str().unwrap_or_default(), network).ok_or_else(|| {
            LabError::Monitor {
                guest: self.guest.clone(),
                command: "info usernet".to_owned(),
                message: format!("no forwarded port of {network}: {text}"),
            }
        })
    }
}

fn late(guest: &str) -> LabError {
    let what = format!("the monitor of guest {guest}");
    LabError::Late { what, after: ANSWER_TIMEOUT, detail: String::new() }
}

/// The port in a table such as
///
/// ```text
/// Hub -1 (control):
///   Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
///   TCP[HOST_FORWARD]  17       127.0.0.1 38483       10.0.3.15  7000     0     0
/// ```
fn forwarded_port(text: &str, network: &str) -> Option<u16> {
    let mut lines = text.lines().skip_while(|line| !line.contains(&format!("({network})")));
    lines.next()?;
    let of_this = lines.take_while(|line| line.starts_with(' '));
    let mut forwards = of_this.filter(|line| line.contains("TCP[HOST_FORWARD]"));
    forwards.next()?.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_right_network_is_read() {
        let table = "Hub -1 (host):\n  Protocol[State] FD\n  TCP[HOST_FORWARD] 9 127.0.0.1 1 a 2\n\
                     Hub -1 (control):\n  Protocol[State]    FD  Source Address  Port\n  \
                     TCP[HOST_FORWARD]  17       127.0.0.1 38483       10.0.3.15  7000     0  0\n";
        assert_eq!(forwarded_port(table, "control"), Some(38483));
        assert_eq!(forwarded_port(table, "host"), Some(1));
        assert_eq!(forwarded_port(table, "other"), None);
    }
}
