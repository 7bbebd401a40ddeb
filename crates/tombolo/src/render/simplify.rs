//! Arrangements with fewer kernels.

use super::page::{Page, Tone, styled};
use super::plan::shown;
use crate::fix::{ConfigurationFile, Simpler};

pub(crate) fn simplify(page: &mut Page, simpler: &Simpler) {
    page.paragraph(0, &format!("Now: {}", simpler.map));
    page.paragraph(0, &simpler.because);
    if simpler.proposals.is_empty() {
        page.paragraph(0, &styled(Tone::Good, "One kernel reaches it: nothing is simpler."));
        return;
    }
    for (index, with_files) in simpler.proposals.iter().enumerate() {
        let proposal = &with_files.proposal;
        page.heading(&format!("{}. {}", index + 1, proposal.title));
        for (name, text) in [
            ("opened by", &proposal.opened_by),
            ("because", &proposal.because),
            ("cost", &proposal.cost),
            ("risk", &proposal.risk),
        ] {
            page.field(name, text);
        }
        for step in &proposal.steps {
            page.hanging("  - ", "    ", &step.text);
            page.code(6, step.code.as_deref().unwrap_or_default());
        }
        for file in &with_files.files {
            configuration(page, file);
        }
    }
    page.blank();
    page.paragraph(0, "Nothing was changed.");
}

fn configuration(page: &mut Page, file: &ConfigurationFile) {
    page.paragraph(2, &format!("{} ({}):", file.file, file.kind));
    if let Some(difference) = &file.difference {
        page.code(4, &shown(difference));
    }
    for note in &file.notes {
        page.hanging("    - ", "      ", note);
    }
}
