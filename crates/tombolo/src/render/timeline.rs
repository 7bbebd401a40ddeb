//! Several traces on one timeline: how their clocks stand, what they prove, and their calls.

use super::page::{Page, Tone, styled};
use super::trace::{Pages, call, list};
use tombolo_core::trace::merge::Merged;
use tombolo_core::trace::merge::view::{Timeline, TimelineCall, TimelineTrace};
use tombolo_core::trace::read::Trace;

/// Findings of one kind that are printed; more say the same again.
const FINDINGS_MAX: usize = 5;

pub(crate) fn timeline(
    page: &mut Page,
    timeline: &Timeline,
    merged: &Merged,
    traces: &[Trace],
    pages: Pages,
) {
    page.heading("Traces");
    for (trace, number) in timeline.traces.iter().zip(1..) {
        page.field(&number.to_string(), &format!("{}: {}", trace.file, clock(trace)));
    }
    page.heading("Findings");
    if timeline.findings.is_empty() {
        page.line(2, &styled(Tone::Good, "none"));
    }
    for kind in ["lost_update", "stale_read", "locks_apart"] {
        let all: Vec<_> = timeline.findings.iter().filter(|finding| finding.kind == kind).collect();
        for finding in all.iter().take(FINDINGS_MAX) {
            page.hanging("  ", "    ", &styled(Tone::Fault, &format!("{kind}: {}", finding.text)));
            finding.calls.iter().for_each(|call| page.line(4, &line(call)));
        }
        if all.len() > FINDINGS_MAX {
            page.line(4, &format!("... and {} more of this kind", all.len() - FINDINGS_MAX));
        }
    }
    let calls = merged.calls.iter().filter_map(|placed| merged.view(placed, traces));
    let lines: Vec<String> = calls.map(|call| line(&call)).collect();
    list(page, "Timeline", &lines, pages);
}

fn line(placed: &TimelineCall) -> String {
    format!("[{}] {}", placed.trace, call(&placed.call))
}

fn clock(trace: &TimelineTrace) -> String {
    let micros = |time_ns: i64| format!("{:.3} ms", time_ns as f64 / 1e6);
    match (trace.certain.least_ns, trace.certain.most_ns) {
        (Some(least), Some(most)) if least == most => {
            format!("{} after the first, by the same clock", micros(least))
        }
        (least, most) => {
            let bound = |bound: Option<i64>| bound.map_or("anything".to_owned(), micros);
            format!(
                "{} after the first; certain is {} to {}",
                micros(trace.offset_ns),
                bound(least),
                bound(most)
            )
        }
    }
}
