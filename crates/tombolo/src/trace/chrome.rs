//! The trace format of Chrome, which Perfetto opens ("Trace Event Format": complete events, instant
//! events, counters and metadata; times in microseconds).

use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use tombolo_core::trace::read::Trace;
use tombolo_core::trace::summary::{CallView, Summary};

/// The rungs of SQLite's ladder, from the lowest: the value of a counter is the place.
const RUNGS: [&str; 5] = ["NONE", "SHARED", "RESERVED", "PENDING", "EXCLUSIVE"];

/// Bits of the number of a process (proc_sys_kernel(5), `pid_max`).
const PROCESS_BITS: u32 = 22;

/// One trace of those that are printed together.
pub(super) struct Part<'a> {
    pub(super) trace: &'a Trace,
    pub(super) summary: &'a Summary,
    /// Which one it is, where there are several: processes of two kernels can have one number.
    pub(super) number: Option<u32>,
    /// What is added to its times.
    pub(super) shift_ns: u64,
}

impl Part<'_> {
    fn process(&self, pid: u32) -> u64 {
        u64::from(self.number.unwrap_or(0)) << PROCESS_BITS | u64::from(pid)
    }

    fn micros(&self, time_ns: u64) -> f64 {
        micros(time_ns.saturating_add(self.shift_ns))
    }
}

pub(super) fn write(out: &mut dyn Write, parts: &[Part<'_>]) -> io::Result<()> {
    let mut list = List { out, first: true };
    list.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
    parts.iter().try_for_each(|part| add(&mut list, part))?;
    list.out.write_all(b"\n]}\n")
}

fn add(list: &mut List<'_>, part: &Part<'_>) -> io::Result<()> {
    for process in &part.summary.processes {
        let program = name_of(&process.program);
        let name = match part.number {
            Some(number) => format!("{program} of trace {number}"),
            None => program,
        };
        list.add(&json!({
            "ph": "M", "name": "process_name", "pid": part.process(process.pid), "tid": 0,
            "args": {"name": name},
        }))?;
    }
    for event in &part.trace.events {
        list.add(&slice(part, &CallView::of(part.trace, event)))?;
    }
    for step in &part.summary.locks {
        let Some(rung) = step.rung else { continue };
        let place = RUNGS.iter().position(|known| *known == rung).unwrap_or(0);
        list.add(&json!({
            "ph": "C", "name": format!("lock of {}", name_of(&step.path)),
            "pid": part.process(step.pid), "ts": part.micros(step.at_ns), "args": {"rung": place},
        }))?;
    }
    for message in &part.summary.messages {
        list.add(&json!({
            "ph": "i", "s": "t", "name": message.text, "cat": "sqlite",
            "pid": part.process(message.pid), "tid": message.thread,
            "ts": part.micros(message.at_ns), "args": {"code": message.code},
        }))?;
    }
    Ok(())
}

fn slice(part: &Part<'_>, call: &CallView) -> Value {
    json!({
        "ph": "X",
        "name": format!("{} {}", call.call, name_of(&call.path)),
        "cat": if call.fault { "fault" } else { "call" },
        "pid": part.process(call.pid),
        "tid": call.thread,
        "ts": part.micros(call.at_ns),
        "dur": micros(call.duration_ns),
        "args": call,
    })
}

fn micros(time_ns: u64) -> f64 {
    time_ns as f64 / 1000.0
}

fn name_of(path: &str) -> String {
    Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy().into_owned())
}

/// Elements of a list, with commas between them: there may be too many to be held at once.
struct List<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl List<'_> {
    fn add(&mut self, element: &impl Serialize) -> io::Result<()> {
        if !std::mem::replace(&mut self.first, false) {
            self.out.write_all(b",\n")?;
        }
        Ok(serde_json::to_writer(&mut *self.out, element)?)
    }
}
