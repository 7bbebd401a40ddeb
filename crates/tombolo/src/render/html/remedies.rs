//! Ways out, and advice that loses data.

use super::code;
use super::tables::names_and_values;
use super::writer::Html;
use tombolo_core::report::{Reach, Remedy, Warning};

/// The best one lies open, the others can be unfolded.
pub(super) fn list(parent: &mut Html, remedies: &[Remedy]) {
    parent.with("ol", &[("class", "remedies")], |list| {
        for (index, remedy) in remedies.iter().enumerate() {
            let open: &[(&'static str, &str)] = if index == 0 { &[("open", "")] } else { &[] };
            list.element("li", |item| {
                item.with("details", open, |details| {
                    details.element("summary", |summary| {
                        summary.leaf("strong", &remedy.title);
                        summary.text(" ");
                        summary.leaf_of("span", "small", reach(remedy.reach));
                    });
                    one(details, remedy);
                });
            });
        }
    });
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::OneKernel => "safe while one kernel opens the file",
        Reach::SeveralKernels => "safe for several kernels",
    }
}

fn one(parent: &mut Html, remedy: &Remedy) {
    parent.leaf("p", &remedy.why);
    parent.element("ol", |steps| {
        for step in &remedy.steps {
            steps.element("li", |item| {
                item.leaf("p", &step.text);
                if let Some(lines) = &step.code {
                    code(item, lines);
                }
            });
        }
    });
    let about = [("Cost", &remedy.cost), ("Risk", &remedy.risk), ("Undo", &remedy.undo)];
    names_and_values(parent, about.into_iter().map(|(name, text)| (name, text.as_str())));
    parent.leaf_of("p", "small", remedy.id.as_str());
}

pub(super) fn warnings(parent: &mut Html, warnings: &[Warning]) {
    parent.element("ul", |list| {
        for warning in warnings {
            list.element("li", |item| {
                item.leaf("strong", &warning.advice);
                item.text(&format!(": {}", warning.why));
            });
        }
    });
}
