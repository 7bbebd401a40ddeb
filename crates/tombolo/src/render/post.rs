//! One text that can be pasted into an issue or a forum, in Markdown.
//!
//! Everything that was found stands in fenced blocks, so that no word of it is taken for markup.

use super::{Detail, Page};
use std::fmt::Write as _;
use tombolo_core::report::Report;
use tombolo_doctor::bundle::{Bundle, Layout, pasteable};

const WIDTH: usize = 96;

/// The whole text.
///
/// # Errors
///
/// Where the data have no form in JSON.
pub(crate) fn post(bundle: &Bundle) -> Result<String, serde_json::Error> {
    let mut out = String::from("# Tombolo report\n\n");
    let _ = writeln!(
        out,
        "Made by tombolo {}. `tombolo explain FILE` reads this text back.\n",
        bundle.tombolo()
    );
    let mut page = Page::with_width(WIDTH);
    super::report(&mut page, bundle.report(), Detail::Short);
    let text = anstream::adapter::strip_str(&page.into_text()).to_string();
    fenced(&mut out, "text", &text);
    section(&mut out, "Versions", &versions(bundle));
    section(&mut out, "Kernel map", &maps(bundle.report()));
    section(&mut out, "Mounts", &bundle.mounts().join("\n"));
    if bundle.trace().is_empty() {
        out.push_str("## Trace\n\nNone was recorded.\n\n");
    } else {
        section(&mut out, "Trace", &bundle.trace().join("\n"));
    }
    out.push_str("## Replaced\n\n");
    let counted = bundle.replaced();
    let counted = if counted.is_empty() { "nothing".to_owned() } else { counted };
    let _ = writeln!(out, "{counted}. Equal names have equal stand-ins.\n");
    out.push_str("<details><summary>The doctor's JSON</summary>\n\n");
    fenced(&mut out, "json", &pasteable(bundle, Layout::Short)?);
    out.push_str("</details>\n");
    Ok(out)
}

fn versions(bundle: &Bundle) -> String {
    let kernel = &bundle.report().topology.kernel;
    let mut text = format!(
        "tombolo  {}\nkernel   {} {} {}\n",
        bundle.tombolo(),
        kernel.release,
        kernel.machine,
        kernel.version
    );
    for version in bundle.sqlite() {
        let _ = writeln!(text, "SQLite   {version}");
    }
    text
}

fn maps(report: &Report) -> String {
    let one =
        |report: &Report| format!("{}\n  {}", report.topology.map, report.topology.reach.because);
    let all: Vec<String> = std::iter::once(report).chain(&report.nested).map(one).collect();
    all.join("\n")
}

fn section(out: &mut String, heading: &str, text: &str) {
    let _ = writeln!(out, "## {heading}\n");
    fenced(out, "text", text);
}

/// A block whose fence is longer than any in the text (CommonMark, section 4.5).
fn fenced(out: &mut String, language: &str, text: &str) {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "{fence}{language}\n{}\n{fence}\n", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NAMES, healthy, prepared, refused_maps, unsafe_locks};
    use super::*;

    #[test]
    fn posts_of_several_faults() {
        for (name, report) in
            [("refused", refused_maps()), ("unsafe", unsafe_locks()), ("healthy", healthy())]
        {
            let prepared = prepared(report);
            let text = post(&prepared.bundle).expect("a text");
            for secret in NAMES {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            assert!(prepared.survivors(&text).is_empty(), "{:?}", prepared.survivors(&text));
            let told = tombolo_doctor::bundle::Told::read(&text).expect("read back");
            assert_eq!(told.complete, name != "unsafe");
            insta::assert_snapshot!(name, text);
        }
    }

    #[test]
    fn no_text_ends_its_own_fence() {
        let mut out = String::new();
        fenced(&mut out, "text", "a\n```\n# b");
        assert_eq!(out, "````text\na\n```\n# b\n````\n\n");
    }
}
