//! One explanation: the sentence, causes, what was recognised, ways out, questions.

use super::page::{Page, Tone, styled};
use super::report::{remedies, warnings};
use tombolo_core::text::printable;
use tombolo_doctor::explain::{Cause, CauseCode, Explanation, Kernels, Recognised};

/// Causes less likely than this are left to the JSON.
const CONFIDENCE_SHOWN: f64 = 0.04;

/// Ways out of which every step is printed. The cause is not measured, so one would be too few.
const REMEDIES_SHOWN: usize = 3;

pub(crate) fn explanation(page: &mut Page, explanation: &Explanation) {
    let mut all = explanation.causes.iter();
    let Some(best) = all.next() else { return };
    let tone = match best.code {
        CauseCode::Healthy => Tone::Good,
        CauseCode::NeedsFacts | CauseCode::NotFilesystem => Tone::Caution,
        _ => Tone::Fault,
    };
    let reason = best.because.first().map_or("", String::as_str);
    page.paragraph(0, &styled(tone, &format!("{}: {reason}.", best.code.sentence())));
    causes(page, explanation);
    recognised(page, explanation);
    remedies(page, &explanation.remedies, REMEDIES_SHOWN);
    warnings(page, &explanation.warnings, explanation.warnings.len());
    questions(page, &explanation.questions);
}

/// The causes that are worth reading.
pub(super) fn causes(page: &mut Page, explanation: &Explanation) {
    page.heading("Likely causes");
    for one in &explanation.causes {
        let best = explanation.causes.first().is_some_and(|best| best.code == one.code);
        if best || one.confidence >= CONFIDENCE_SHOWN {
            cause(page, one);
        }
    }
}

fn cause(page: &mut Page, cause: &Cause) {
    let share = (cause.confidence * 100.0).round();
    let name = styled(Tone::Caution, cause.code.as_str());
    page.line(2, &format!("{name}  {}", styled(Tone::Dim, &format!("{share} %"))));
    for reason in &cause.because {
        page.hanging("    - ", "      ", reason);
    }
}

fn recognised(page: &mut Page, explanation: &Explanation) {
    let facts = &explanation.facts;
    let mut fields: Vec<(&str, String)> = Vec::new();
    fields.extend(explanation.sqlite.iter().map(|code| ("sqlite", code.to_string())));
    for call in &facts.calls {
        fields.push(("call", format!("{} failed with {}", call.call.name(), call.errno)));
    }
    fields.extend(facts.filesystem.map(|kind| ("on", kind.name().to_owned())));
    if !facts.options.is_empty() {
        fields.push(("options", printable(facts.options.join(",").as_bytes())));
    }
    fields.extend(journal(facts).map(|text| ("journal", text.to_owned())));
    fields.extend(openers(facts).map(|text| ("opened by", text.to_owned())));
    if fields.is_empty() {
        return;
    }
    page.heading("Recognised");
    fields.iter().for_each(|(name, value)| page.field(name, value));
}

fn journal(facts: &Recognised) -> Option<&'static str> {
    facts.wal.map(|wal| if wal { "WAL" } else { "rollback journal" })
}

fn openers(facts: &Recognised) -> Option<&'static str> {
    match facts.kernels {
        Kernels::NotTold => None,
        Kernels::One => Some("one kernel"),
        Kernels::Maybe => Some("perhaps several kernels"),
        Kernels::Several => Some("several kernels"),
    }
}

fn questions(page: &mut Page, questions: &[String]) {
    if questions.is_empty() {
        return;
    }
    page.heading("Still to be asked");
    for question in questions {
        page.hanging("  ? ", "    ", question);
    }
}
