//! Another protocol for a share: what it changes for SQLite, and both ends.

use super::page::{Page, Tone, styled};
use super::words;
use crate::fix::Comparison;
use tombolo_core::report::Openers;
use tombolo_doctor::knowledge::compare::{Cell, Claim};
use tombolo_doctor::knowledge::{Basis, Word};
use tombolo_remedy::protocol::{Arrangement, End};

pub(crate) fn protocol(page: &mut Page, comparison: &Comparison) {
    let before = comparison.before.as_deref().unwrap_or("a file system that is not known");
    page.paragraph(0, &format!("From {before} to {}", comparison.after));
    let cells = &comparison.cells;
    let several = |cell: &&Cell| cell.openers == Openers::SeveralKernels && cell.is_danger();
    let worse = |cell: &&Cell| {
        !cell.is_gain()
            && cell.before.is_some_and(|before| cell.after > before)
            && cell.after != Word::Probe
    };
    section(page, "What gets better", cells.iter().filter(|cell| cell.is_gain()));
    section(page, "What gets worse", cells.iter().filter(worse));
    section(
        page,
        "What only the doctor can tell, afterwards",
        cells.iter().filter(|cell| cell.after == Word::Probe),
    );
    section(page, "What stays unsafe with several kernels", cells.iter().filter(several));
    page.heading("What that rests on");
    for claim in &comparison.evidence {
        page.hanging("  - ", "    ", &sentence(claim));
    }
    ends(page, &comparison.arrangement);
    for path in &comparison.written {
        page.paragraph(0, &styled(Tone::Good, &format!("written: {path}")));
    }
}

fn section<'a>(page: &mut Page, heading: &str, cells: impl Iterator<Item = &'a Cell>) {
    let mut cells = cells.peekable();
    if cells.peek().is_some() {
        page.heading(heading);
    }
    for cell in cells {
        let openers = match cell.openers {
            Openers::OneKernel => "one kernel",
            Openers::SeveralKernels => "several kernels",
        };
        let after = of_word(cell.after);
        let other = cell.before.filter(|before| *before != cell.after);
        let before = other.map(|word| format!("{} -> ", of_word(word))).unwrap_or_default();
        let text = format!("{}, {openers}: {before}{after}", words::mode(cell.mode));
        page.hanging("  - ", "    ", &text);
    }
}

fn of_word(word: Word) -> &'static str {
    match word {
        Word::Ok => "works",
        Word::OkIf => "works, on the conditions below",
        Word::Lossy => "works, and a crash can take commits",
        Word::Probe => "not known",
        Word::Risky => "risky",
        Word::FailsSafe => "fails, and harms nothing",
        Word::Unsupported => "not possible",
        Word::Unsafe => "unsafe: can lose data",
    }
}

pub(super) fn sentence(claim: &Claim) -> String {
    let basis = match claim.basis {
        Some(Basis::Source) => "source",
        Some(Basis::Documented) => "documented",
        // Their sources begin with this word themselves.
        Some(Basis::Measured) => "",
        Some(Basis::Reported) => "reported",
        Some(Basis::Unverified) | None => return claim.text.clone(),
    };
    let colon = if basis.is_empty() { "" } else { ": " };
    let about = claim.about.replace('_', " ");
    format!("{about}: {} [{basis}{colon}{}]", claim.text, claim.source)
}

fn ends(page: &mut Page, arrangement: &Arrangement) {
    for (end, heading) in [(End::Server, "On the server"), (End::Client, "On the client")] {
        page.heading(heading);
        for piece in arrangement.pieces.iter().filter(|piece| piece.end == end) {
            page.blank();
            page.paragraph(2, &format!("{} ({})", piece.title, piece.place));
            page.code(4, &piece.text);
            if !piece.commands.is_empty() {
                page.paragraph(2, "then, as root:");
                page.code(4, &piece.commands.join("\n"));
            }
        }
    }
    page.heading("To know");
    for (word, meaning) in &arrangement.fill_in {
        page.hanging("  - ", "    ", &format!("{word}: {meaning}"));
    }
    for note in &arrangement.notes {
        page.hanging("  - ", "    ", note);
    }
}
