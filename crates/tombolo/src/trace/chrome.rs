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

pub(super) fn write(out: &mut dyn Write, trace: &Trace, summary: &Summary) -> io::Result<()> {
    let mut list = List { out, first: true };
    list.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
    for process in &summary.processes {
        let name = json!({"name": name_of(&process.program)});
        list.add(&json!({"ph": "M", "name": "process_name", "pid": process.pid, "args": name}))?;
    }
    for event in &trace.events {
        list.add(&slice(&CallView::of(trace, event)))?;
    }
    for step in &summary.locks {
        let Some(rung) = step.rung else { continue };
        let place = RUNGS.iter().position(|known| *known == rung).unwrap_or(0);
        list.add(&json!({
            "ph": "C", "name": format!("lock of {}", name_of(&step.path)), "pid": step.pid,
            "ts": micros(step.at_ns), "args": {"rung": place},
        }))?;
    }
    for message in &summary.messages {
        list.add(&json!({
            "ph": "i", "s": "t", "name": message.text, "cat": "sqlite", "pid": message.pid,
            "tid": message.thread, "ts": micros(message.at_ns), "args": {"code": message.code},
        }))?;
    }
    list.out.write_all(b"\n]}\n")
}

fn slice(call: &CallView) -> Value {
    json!({
        "ph": "X",
        "name": format!("{} {}", call.call, name_of(&call.path)),
        "cat": if call.fault { "fault" } else { "call" },
        "pid": call.pid,
        "tid": call.thread,
        "ts": micros(call.at_ns),
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
