//! One timeline of several traces, as it is printed and serialised.

use super::{Call, Finding, Interval, Merged, Placed};
use crate::trace::read::Trace;
use crate::trace::summary::CallView;
use serde::Serialize;

/// Name and version of the JSON that `tombolo trace show` prints of several traces.
pub const TIMELINE_SCHEMA: &str = "tombolo.timeline/1";

/// What several traces tell together, without their calls.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// Always [`TIMELINE_SCHEMA`].
    pub schema: &'static str,
    /// The traces, in the order in which they were given.
    pub traces: Vec<TimelineTrace>,
    /// What they prove.
    pub findings: Vec<FindingView>,
}

/// A trace, and how its clock stands to that of the first.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineTrace {
    /// The file.
    pub file: String,
    /// The boot id of its kernel.
    pub boot_id: String,
    /// What was added to its times.
    pub offset_ns: i64,
    /// Where that lies for certain.
    pub certain: Bounds,
    /// Where it lies if no cache is stale and locks cross.
    pub likely: Bounds,
}

/// From and to; `None` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// The least.
    pub least_ns: Option<i64>,
    /// The most.
    pub most_ns: Option<i64>,
}

/// What traces prove, in words.
#[derive(Clone, Debug, Serialize)]
pub struct FindingView {
    /// `lost_update`, `stale_read` or `locks_apart`.
    pub kind: &'static str,
    /// What it means.
    pub text: String,
    /// The two calls that prove it.
    pub calls: Vec<TimelineCall>,
}

/// A call on the common timeline.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineCall {
    /// The number of its trace, from 1.
    pub trace: usize,
    /// The call; its time is from the start of the timeline.
    #[serde(flatten)]
    pub call: CallView,
}

impl Timeline {
    /// Draws up what was merged, of traces from these files.
    #[must_use]
    pub fn of(merged: &Merged, traces: &[Trace], files: &[String]) -> Self {
        let bounds = |interval: Option<&Interval>| Bounds {
            least_ns: interval.and_then(|interval| interval.least_ns),
            most_ns: interval.and_then(|interval| interval.most_ns),
        };
        let trace = |(place, trace): (usize, &Trace)| TimelineTrace {
            file: files.get(place).cloned().unwrap_or_default(),
            boot_id: trace.header.boot_id.clone(),
            offset_ns: merged.offsets_ns.get(place).copied().unwrap_or(0),
            certain: bounds(merged.certain.get(place)),
            likely: bounds(merged.likely.get(place)),
        };
        let findings = merged.findings.iter();
        Timeline {
            schema: TIMELINE_SCHEMA,
            traces: traces.iter().enumerate().map(trace).collect(),
            findings: findings.map(|finding| finding.view(merged, traces)).collect(),
        }
    }
}

impl Merged {
    /// The time of its first call.
    #[must_use]
    pub fn start_ns(&self) -> i64 {
        self.calls.iter().map(|placed| placed.at_ns).min().unwrap_or(0)
    }

    /// A call of it; `None` if it is of none of the traces.
    #[must_use]
    pub fn view(&self, placed: &Placed, traces: &[Trace]) -> Option<TimelineCall> {
        let trace = traces.get(placed.call.trace)?;
        let mut call = CallView::of(trace, trace.events.get(placed.call.event)?);
        let at_ns = placed.at_ns.saturating_sub(self.start_ns());
        call.at_ns = u64::try_from(at_ns).unwrap_or(0);
        Some(TimelineCall { trace: placed.call.trace + 1, call })
    }

    fn place_of(&self, call: Call) -> Option<&Placed> {
        self.calls.iter().find(|placed| placed.call == call)
    }
}

impl Finding {
    fn view(&self, merged: &Merged, traces: &[Trace]) -> FindingView {
        let (kind, calls, text) = match self {
            Finding::LostUpdate { commits, counter: Some(counter) } => (
                "lost_update",
                *commits,
                format!(
                    "both began from change {counter} of the database and wrote another: the \
                     transaction that came first is lost"
                ),
            ),
            Finding::LostUpdate { commits, counter: None } => (
                "lost_update",
                *commits,
                "both ended a transaction with the same frame of the same log: the one that came \
                 first is lost"
                    .to_owned(),
            ),
            Finding::StaleRead { reader, writer, late_ns } => (
                "stale_read",
                [*reader, *writer],
                format!(
                    "the first read, {} us or more after its end, what the second had written \
                     over: a cache is stale",
                    late_ns / 1000
                ),
            ),
            Finding::LocksApart { name, takers } => (
                "locks_apart",
                *takers,
                format!("both had {name} at the same time: locks do not cross"),
            ),
        };
        let view = |call| merged.view(merged.place_of(call)?, traces);
        FindingView { kind, text, calls: calls.into_iter().filter_map(view).collect() }
    }
}
