//! A plan: what each step reads, writes and could break.

use super::page::{Page, Tone, styled};
use std::path::PathBuf;
use tombolo_remedy::plan::Plan;

pub(crate) fn plan(page: &mut Page, plan: &Plan, difference: Option<&str>) {
    let target = plan.target.display();
    page.paragraph(0, &format!("What {} would do with {target}:", plan.remedy.as_str()));
    for (index, step) in plan.steps.iter().enumerate() {
        page.blank();
        let first = format!("{:>3}. ", index + 1);
        page.hanging(&first, "     ", &styled(Tone::Heading, &step.title));
        for (name, files) in [("reads", &step.reads), ("writes", &step.writes)] {
            if !files.is_empty() {
                let first = format!("     {} ", styled(Tone::Dim, &format!("{name}:")));
                page.hanging(&first, "             ", &listed(files));
            }
        }
        let first = format!("     {} ", styled(Tone::Dim, "could break:"));
        page.hanging(&first, "             ", &step.could_break);
    }
    if let Some(difference) = difference {
        page.heading("What would change");
        page.code(0, &shown(difference));
    }
    if !plan.cautions.is_empty() {
        page.heading("Before it is done");
        for caution in &plan.cautions {
            page.hanging("  - ", "    ", caution);
        }
    }
    page.blank();
    page.paragraph(0, "Nothing was changed. --apply carries it out, and --undo takes it back.");
}

pub(crate) fn applied(page: &mut Page, sentence: &str, notes: &[String], undo: Option<&str>) {
    page.paragraph(0, &styled(Tone::Good, sentence));
    for note in notes {
        page.hanging("  - ", "    ", note);
    }
    if let Some(undo) = undo {
        page.paragraph(0, "To take it back:");
        page.code(2, undo);
        page.paragraph(
            0,
            "The originals are kept for that; when all is well, --forget removes them.",
        );
    }
}

/// Without what a terminal would obey.
pub(super) fn shown(difference: &str) -> String {
    let obeyed =
        |character: char| character.is_control() && !['\n', '\r', '\t'].contains(&character);
    difference.replace(obeyed, "\u{fffd}")
}

fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}
