//! One page for people that needs nothing else: no network, no script, no file beside it.

#[cfg(test)]
mod browser;
mod map;
mod remedies;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use super::{Detail, Page, words};
use tombolo_core::report::{Completeness, Report, Severity};
use tombolo_doctor::bundle::{Bundle, Layout, pasteable};
use tombolo_doctor::diagnosis::BEGIN_WITH;
use writer::Html;

const STYLE: &str = include_str!("style.css");

/// What a browser may load for the page: nothing. Its own style sheet is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// Findings printed of one report; the data have them all.
const FINDINGS_MAX: usize = 100;

/// The whole page.
///
/// # Errors
///
/// Where the data have no form in JSON.
pub(crate) fn html(bundle: &Bundle) -> Result<String, serde_json::Error> {
    let data = pasteable(bundle, Layout::Indented)?;
    let mut page = Html::document();
    page.with("html", &[("lang", "en")], |html| {
        html.element("head", |head| {
            head.single("meta", &[("charset", "utf-8")]);
            head.single("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            let viewport = "width=device-width, initial-scale=1";
            head.single("meta", &[("name", "viewport"), ("content", viewport)]);
            head.single("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            head.single("meta", &[("name", "robots"), ("content", "noindex")]);
            head.leaf("title", &format!("Tombolo report: {}", bundle.report().target.path));
            head.style(STYLE);
        });
        html.element("body", |body| {
            body.with("header", &[], |header| {
                header.leaf_of("p", "brand", "Tombolo report");
                header.leaf("h1", &format!("Is SQLite safe at {}?", bundle.report().target.path));
            });
            body.element("main", |main| {
                report(main, bundle.report(), "");
                surroundings(main, bundle);
                replaced(main, bundle);
                source(main, bundle, &data);
            });
            body.element("footer", |footer| {
                let made = format!(
                    "Made by tombolo {}. Nothing was changed; the database was not opened.",
                    bundle.tombolo()
                );
                footer.leaf("p", &made);
            });
        });
    });
    Ok(page.into_text())
}

/// One report; `of` names it in headings where there are several.
fn report(main: &mut Html, report: &Report, of: &str) {
    answer(main, report);
    section(main, &format!("Which kernels reach it{of}"), |inside| {
        map::draw(inside, &report.topology, report.database.is_some());
        tables::facts(inside, report);
    });
    if !report.verdicts.is_empty() {
        section(main, &format!("Is SQLite safe here{of}?"), |inside| {
            tables::verdicts(inside, &report.verdicts);
        });
    }
    if !report.findings.is_empty() {
        section(main, &format!("What was found{of}"), |inside| findings(inside, report));
    }
    if !report.databases.is_empty() {
        section(main, &format!("Databases below it{of}"), |inside| {
            tables::databases(inside, &report.databases);
        });
    }
    if !report.remedies.is_empty() {
        section(main, &format!("Ways out, best first{of}"), |inside| {
            remedies::list(inside, &report.remedies);
        });
    }
    if !report.warnings.is_empty() {
        section(main, &format!("Advice you will meet, and should not follow{of}"), |inside| {
            remedies::warnings(inside, &report.warnings);
        });
    }
    if let Completeness::Partial { missing } = &report.completeness {
        section(main, &format!("Not examined{of}"), |inside| {
            inside.element("ul", |list| missing.iter().for_each(|item| list.leaf("li", item)));
        });
    }
    if !report.evidence.is_empty() {
        section(main, &format!("Evidence{of}"), |inside| tables::evidence(inside, report));
    }
    for other in &report.nested {
        self::report(main, other, &format!(", on {}", other.target.path));
    }
}

fn section(parent: &mut Html, heading: &str, inside: impl FnOnce(&mut Html)) {
    parent.element("section", |section| {
        section.leaf("h2", heading);
        inside(section);
    });
}

/// The sentence, in the colour of the gravest finding, and the command to begin with.
fn answer(main: &mut Html, report: &Report) {
    let gravest = report.findings.iter().map(|finding| finding.severity).max();
    let (class, word) = match gravest {
        Some(Severity::Danger) => ("danger", "Danger"),
        Some(Severity::Fault) => ("fault", "Fault"),
        Some(Severity::Warning) => ("caution", "Warning"),
        _ if report.completeness != Completeness::Complete => ("caution", "Not complete"),
        _ => ("good", "Nothing wrong"),
    };
    let (sentence, command) = match report.summary.rsplit_once(BEGIN_WITH) {
        Some((sentence, command)) => (sentence, Some(command)),
        None => (report.summary.as_str(), None),
    };
    main.with("section", &[("class", &format!("answer {class}"))], |inside| {
        inside.leaf_of("h2", "badge", word);
        inside.leaf("p", sentence);
        if let Some(command) = command {
            inside.leaf_of("p", "label", "Begin with");
            code(inside, command);
        }
    });
}

/// Lines to be pasted. They scroll in their own box, which the keyboard reaches.
fn code(parent: &mut Html, lines: &str) {
    parent.with("pre", &[("tabindex", "0")], |pre| pre.leaf("code", lines));
}

fn findings(parent: &mut Html, report: &Report) {
    parent.with("ol", &[("class", "findings")], |list| {
        for finding in report.findings.iter().take(FINDINGS_MAX) {
            let word = words::severity(finding.severity).1;
            list.with("li", &[("class", &word.to_lowercase())], |item| {
                item.element("h3", |heading| {
                    heading.leaf_of("span", "badge", &word.to_lowercase());
                    heading.text(" ");
                    heading.leaf("code", finding.code.as_str());
                    heading.text(" ");
                    heading.text(finding.code.title());
                });
                item.leaf("p", &finding.what);
                item.element("p", |line| {
                    line.leaf("strong", "What to do: ");
                    line.text(&finding.action);
                });
                item.with("p", &[("class", "small")], |line| {
                    line.text(&format!("{}; shown by ", finding.subject));
                    for (index, id) in finding.evidence.iter().enumerate() {
                        if index > 0 {
                            line.text(", ");
                        }
                        line.text(&id.to_string());
                    }
                });
            });
        }
    });
    let more = report.findings.len().saturating_sub(FINDINGS_MAX);
    if more > 0 {
        parent.leaf("p", &format!("and {more} more, which the data below have"));
    }
}

/// Versions, mounts, and a trace where there is one.
fn surroundings(main: &mut Html, bundle: &Bundle) {
    section(main, "Versions and mounts", |inside| {
        tables::versions(inside, bundle);
        if !bundle.mounts().is_empty() {
            inside.leaf("h3", "Mount table");
            code(inside, &bundle.mounts().join("\n"));
        }
        if !bundle.trace().is_empty() {
            inside.leaf("h3", "Trace");
            code(inside, &bundle.trace().join("\n"));
        }
    });
}

fn replaced(main: &mut Html, bundle: &Bundle) {
    section(main, "What was replaced", |inside| {
        let counted = bundle.replaced();
        let said = if counted.is_empty() {
            "No names or secrets were found.".to_owned()
        } else {
            format!(
                "Equal names have equal stand-ins, such as host-1, user-1 and 192.0.2.1. Replaced: \
                 {counted}."
            )
        };
        inside.leaf("p", &said);
    });
}

/// What a program, or the person who helps, wants to have.
fn source(main: &mut Html, bundle: &Bundle, data: &str) {
    section(main, "For programs and for those who help", |inside| {
        inside.leaf("p", "tombolo explain FILE reads this page back.");
        let mut text = Page::with_width(100);
        super::report(&mut text, bundle.report(), Detail::Full);
        let text = anstream::adapter::strip_str(&text.into_text()).to_string();
        for (name, lines) in [("The doctor's text", text.as_str()), ("The doctor's JSON", data)] {
            inside.element("details", |details| {
                details.leaf("summary", name);
                code(details, lines);
            });
        }
    });
}
