//! `tombolo trace show`.

use super::{chrome, printed, read, together};
use crate::args::{ShowArguments, TraceFormat};
use crate::exit::{Exit, Failure};
use crate::render::{self, Page, Pages};
use serde::{Serialize, Serializer};
use tombolo_core::trace::failure;
use tombolo_core::trace::read::Trace;
use tombolo_core::trace::summary::{CallView, Summary};
use tombolo_doctor::explain::{Explanation, explain};

/// The document of `--format json`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// What the faults speak for; `null` where there are none.
    explanation: Option<&'a Explanation>,
    /// Every call, by the time of its start.
    #[serde(serialize_with = "calls")]
    calls: &'a Trace,
}

fn calls<S: Serializer>(trace: &&Trace, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(trace.events.iter().map(|event| CallView::of(trace, event)))
}

pub(super) fn run(arguments: &ShowArguments) -> Result<Exit, Failure> {
    let traces =
        arguments.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, Failure>>()?;
    match traces.as_slice() {
        [trace] => show(arguments, trace),
        traces => together::show(arguments, traces),
    }
}

fn show(arguments: &ShowArguments, trace: &Trace) -> Result<Exit, Failure> {
    let summary = Summary::of(trace);
    // Without the mount: what its kind of file system often lacks would outweigh what was seen.
    let explanation = summary.first_failure.as_ref().map(|_| explain(&failure::report(trace)));
    printed(|out| match arguments.format {
        TraceFormat::Text => {
            let mut page = Page::new();
            let pages = if arguments.verbose { Pages::All } else { Pages::Ends };
            render::trace(&mut page, trace, &summary, explanation.as_ref(), pages);
            out.write_all(page.into_text().as_bytes())
        }
        TraceFormat::Json => {
            let explanation = explanation.as_ref();
            let document = Document { summary: &summary, explanation, calls: trace };
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        }
        TraceFormat::Chrome => {
            let part = chrome::Part { trace, summary: &summary, number: None, shift_ns: 0 };
            chrome::write(out, &[part])
        }
    })?;
    Ok(match (&summary.first_failure, trace.events.is_empty()) {
        (Some(_), _) => Exit::Findings,
        (None, true) => Exit::NotExamined,
        (None, false) => Exit::Healthy,
    })
}
