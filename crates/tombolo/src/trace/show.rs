//! `tombolo trace show`.

use super::{chrome, printed, read};
use crate::args::{ShowArguments, TraceFormat};
use crate::exit::{Exit, Failure};
use crate::render::{self, Page, Pages};
use serde::{Serialize, Serializer};
use std::path::Path;
use tombolo_core::text::printable;
use tombolo_core::trace::failure;
use tombolo_core::trace::read::Trace;
use tombolo_core::trace::summary::{CallView, Summary};
use tombolo_doctor::explain::{Explanation, explain};
use tombolo_os::kernel;
use tombolo_os::mount_table::{self, Viewer};

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

/// The file system of a path as mount(8) lists it, where the trace is of this kernel. The mount
/// point's name is left out: it says nothing for certain.
fn mount_line(trace: &Trace, path: &str) -> Option<String> {
    let here = kernel::identify(Path::new("/")).boot_id?;
    if trace.header.boot_id != here {
        return None;
    }
    let table = mount_table::read(Path::new("/proc"), Viewer::Own).ok()?;
    let mount = table.find(path.as_bytes())?;
    let source = printable(&mount.source);
    let all = mount.super_options.iter().map(|option| printable(option));
    let options: Vec<String> = mount.options.iter().cloned().chain(all).collect();
    Some(format!("{source} on /database type {} ({})", mount.filesystem, options.join(",")))
}

pub(super) fn run(arguments: &ShowArguments) -> Result<Exit, Failure> {
    let trace = read(&arguments.file)?;
    let summary = Summary::of(&trace);
    let explanation = summary.first_failure.as_ref().map(|first| {
        let mount = mount_line(&trace, &first.path).unwrap_or_default();
        explain(&format!("{mount}\n{}", failure::report(&trace)))
    });
    printed(|out| match arguments.format {
        TraceFormat::Text => {
            let mut page = Page::new();
            let pages = if arguments.verbose { Pages::All } else { Pages::Ends };
            render::trace(&mut page, &trace, &summary, explanation.as_ref(), pages);
            out.write_all(page.into_text().as_bytes())
        }
        TraceFormat::Json => {
            let explanation = explanation.as_ref();
            let document = Document { summary: &summary, explanation, calls: &trace };
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        }
        TraceFormat::Chrome => chrome::write(out, &trace, &summary),
    })?;
    Ok(match (&summary.first_failure, trace.events.is_empty()) {
        (Some(_), _) => Exit::Findings,
        (None, true) => Exit::NotExamined,
        (None, false) => Exit::Healthy,
    })
}
