//! `tombolo trace show` with several traces: one timeline.

use super::{chrome, printed};
use crate::args::{ShowArguments, TraceFormat};
use crate::exit::{Exit, Failure};
use crate::render::{self, Page, Pages};
use serde::{Serialize, Serializer};
use tombolo_core::trace::merge::view::Timeline;
use tombolo_core::trace::merge::{Merged, merge};
use tombolo_core::trace::read::Trace;
use tombolo_core::trace::summary::Summary;

/// The document of `--format json`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    timeline: &'a Timeline,
    /// Every call, in their common order.
    #[serde(serialize_with = "calls")]
    calls: (&'a Merged, &'a [Trace]),
}

fn calls<S: Serializer>(
    (merged, traces): &(&Merged, &[Trace]),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(merged.calls.iter().filter_map(|placed| merged.view(placed, traces)))
}

pub(super) fn show(arguments: &ShowArguments, traces: &[Trace]) -> Result<Exit, Failure> {
    let merged = merge(traces).map_err(|apart| {
        let hint = "give traces of programs that read what the other wrote, of the same time";
        Failure::new(Exit::NotExamined, apart).hint(hint)
    })?;
    let files: Vec<String> =
        arguments.files.iter().map(|file| file.display().to_string()).collect();
    let timeline = Timeline::of(&merged, traces, &files);
    printed(|out| match arguments.format {
        TraceFormat::Text => {
            let mut page = Page::new();
            let pages = if arguments.verbose { Pages::All } else { Pages::Ends };
            render::timeline(&mut page, &timeline, &merged, traces, pages);
            out.write_all(page.into_text().as_bytes())
        }
        TraceFormat::Json => {
            let document = Document { timeline: &timeline, calls: (&merged, traces) };
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        }
        TraceFormat::Chrome => {
            let summaries: Vec<Summary> = traces.iter().map(Summary::of).collect();
            let start_ns = merged.start_ns();
            let parts: Vec<chrome::Part<'_>> = (1..)
                .zip(traces.iter().zip(&summaries).zip(&merged.offsets_ns))
                .map(|(number, ((trace, summary), offset_ns))| {
                    let shift_ns = u64::try_from(offset_ns.saturating_sub(start_ns)).unwrap_or(0);
                    chrome::Part { trace, summary, number: Some(number), shift_ns }
                })
                .collect();
            chrome::write(out, &parts)
        }
    })?;
    Ok(if timeline.findings.is_empty() { Exit::Healthy } else { Exit::Findings })
}
