//! A trace: what failed first and why, files, locks, slowest calls, SQLite's log, timeline.

use super::explanation::causes;
use super::page::{Page, Tone, styled};
use tombolo_core::trace::read::{Event, Trace};
use tombolo_core::trace::record::Operation;
use tombolo_core::trace::summary::{CallView, FileSummary, StepView, Summary};
use tombolo_doctor::explain::Explanation;

/// Lines of a long list that are printed of its beginning, and of its end.
const ENDS: usize = 40;

/// How much of long lists is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Everything.
    All,
    /// The beginning and the end.
    Ends,
}

pub(crate) fn trace(
    page: &mut Page,
    trace: &Trace,
    summary: &Summary,
    explanation: Option<&Explanation>,
    pages: Pages,
) {
    page.paragraph(0, &format!("Trace of: {}", summary.command.join(" ")));
    for process in &summary.processes {
        let parent = process.parent.map_or(String::new(), |parent| format!(", child of {parent}"));
        let text = format!("{}: {} calls{parent}", process.program, process.calls);
        page.field(&process.pid.to_string(), &text);
    }
    match summary.lost {
        0 => {}
        lost => page.paragraph(0, &styled(Tone::Caution, &format!("{lost} calls found no room."))),
    }
    if summary.unread > 0 {
        let text = format!("{} records could not be read.", summary.unread);
        page.paragraph(0, &styled(Tone::Caution, &text));
    }
    failure(page, summary, explanation);
    page.heading("Files");
    summary.files.iter().for_each(|file| self::file(page, file));
    let steps: Vec<String> = summary.locks.iter().map(step).collect();
    list(page, "Locks", &steps, pages);
    let slowest: Vec<String> = summary.slowest.iter().map(call).collect();
    list(page, "Slowest calls", &slowest, pages);
    let messages = summary.messages.iter();
    let messages = messages
        .map(|one| format!("{}  {}  ({}) {}", time(one.at_ns), one.pid, one.code, one.text));
    list(page, "SQLite's error log", &messages.collect::<Vec<_>>(), pages);
    list(page, "Timeline", &timeline(trace), pages);
}

fn failure(page: &mut Page, summary: &Summary, explanation: Option<&Explanation>) {
    page.heading("First failing call");
    let Some(first) = &summary.first_failure else {
        page.line(2, &styled(Tone::Good, "none"));
        return;
    };
    page.line(2, &call(first));
    if let Some(explanation) = explanation {
        causes(page, explanation);
    }
}

fn file(page: &mut Page, file: &FileSummary) {
    page.line(2, &styled(Tone::Code, &file.path));
    let mut facts = vec![
        format!("{} calls", file.calls),
        format!("{} bytes read", file.read_bytes),
        format!("{} written", file.written_bytes),
        format!("{} syncs", file.syncs),
        format!("{} in calls", duration(file.duration_ns)),
    ];
    if file.locks_refused > 0 {
        facts.push(format!("{} locks held by somebody else", file.locks_refused));
    }
    if file.faults > 0 {
        facts.push(styled(Tone::Fault, &format!("{} calls failed", file.faults)));
    }
    page.hanging("    ", "    ", &facts.join(", "));
}

fn step(step: &StepView) -> String {
    let now = match step.rung {
        Some(rung) => rung.to_owned(),
        None if step.held.is_empty() => "nothing".to_owned(),
        None => step.held.join(" "),
    };
    let names = step.names.join(" ");
    // The names of rollback locks say it.
    let strength = step.strength.filter(|_| step.rung.is_none());
    let strength = strength.map_or(String::new(), |strength| format!(" ({strength})"));
    format!(
        "{}  {}  {}  {names}{strength} {}; has {now}",
        time(step.at_ns),
        step.pid,
        name(&step.path),
        step.change
    )
}

pub(super) fn call(call: &CallView) -> String {
    let ended = match (call.returned, call.errno) {
        (_, Some(errno)) if call.fault => styled(Tone::Fault, &format!("{errno}")),
        (_, Some(errno)) => format!("{errno}"),
        (Some(value), None) => value.to_string(),
        (None, None) => String::new(),
    };
    let arguments = match call.arguments.as_str() {
        "" => String::new(),
        text => format!(", {text}"),
    };
    format!(
        "{}  {}/{}  {}({}{arguments}) = {ended}  [{}]",
        time(call.at_ns),
        call.pid,
        call.thread,
        call.call,
        name(&call.path),
        duration(call.duration_ns)
    )
}

pub(super) fn list(page: &mut Page, heading: &str, lines: &[String], pages: Pages) {
    if lines.is_empty() {
        return;
    }
    page.heading(heading);
    let left_out = match pages {
        Pages::All => 0,
        Pages::Ends => lines.len().saturating_sub(2 * ENDS),
    };
    for (index, line) in lines.iter().enumerate() {
        if left_out > 0 && index == ENDS {
            let text = format!("... {left_out} lines left out; --verbose prints them");
            page.line(2, &styled(Tone::Dim, &text));
        }
        if left_out == 0 || index < ENDS || index >= ENDS + left_out {
            page.line(2, line);
        }
    }
}

/// One line for each call; reads, writes and look-ups of one thread that follow one another on one
/// file and succeed share a line.
fn timeline(trace: &Trace) -> Vec<String> {
    let alike =
        |one: &Event, other: &Event| mergeable(one) && mergeable(other) && key(one) == key(other);
    let lines = trace.events.chunk_by(alike).filter_map(|run| {
        let first = CallView::of(trace, run.first()?);
        if run.len() == 1 {
            return Some(call(&first));
        }
        let took_ns: u64 = run.iter().map(|event| event.call.duration_ns).sum();
        let bytes = match run.iter().map(bytes).sum::<u64>() {
            0 => String::new(),
            bytes => format!(", {bytes} bytes"),
        };
        Some(format!(
            "{}  {}/{}  {} x {}({}{bytes})  [{}]",
            time(first.at_ns),
            first.pid,
            first.thread,
            run.len(),
            first.call,
            name(&first.path),
            duration(took_ns)
        ))
    });
    lines.collect()
}

fn key(event: &Event) -> (usize, u32, usize, &'static str) {
    (event.process, event.call.thread, event.file, event.call.operation.name())
}

fn mergeable(event: &Event) -> bool {
    use tombolo_core::trace::record::Outcome;
    let kind = matches!(
        event.call.operation,
        Operation::Read { .. } | Operation::Write { .. } | Operation::Status | Operation::Access
    );
    kind && matches!(event.call.outcome, Outcome::Returned(_))
}

fn bytes(event: &Event) -> u64 {
    match event.call.operation {
        Operation::Read { bytes, .. } | Operation::Write { bytes, .. } => bytes,
        _ => 0,
    }
}

fn time(time_ns: u64) -> String {
    format!("{:>5}.{:06}", time_ns / 1_000_000_000, time_ns / 1000 % 1_000_000)
}

fn duration(time_ns: u64) -> String {
    match time_ns {
        0..10_000 => format!("{time_ns} ns"),
        10_000..10_000_000 => format!("{} us", time_ns / 1000),
        _ => format!("{} ms", time_ns / 1_000_000),
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
