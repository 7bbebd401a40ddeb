//! Recorded texts without the machine that they were recorded on.

use std::path::{Path, PathBuf};

/// What a reader may see in place of the working directory and of places for modules.
const APPLICATION: &str = "/srv/app";
const MODULES: &str = "/srv/app/modules";
/// How Node.js begins its warnings: with its process id.
const NODE: &str = "(node:";

/// The text with neutral paths and without process ids: plain ASCII, no blanks at the ends of
/// lines.
pub(super) fn neutral(text: &str, directory: &Path, modules: &[PathBuf]) -> String {
    let mut text = text.replace(&*directory.to_string_lossy(), APPLICATION);
    for place in modules.iter().filter(|place| place.is_absolute()) {
        text = text.replace(&*place.to_string_lossy(), MODULES);
    }
    let plain = |character: char| if character.is_ascii() { character } else { '?' };
    let lines = text.lines().map(|line| {
        let line: String = without_process_id(line).chars().map(plain).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect::<String>().trim_matches('\n').to_owned()
}

fn without_process_id(line: &str) -> String {
    let Some((before, after)) = line.split_once(NODE) else { return line.to_owned() };
    let rest = after.trim_start_matches(|character: char| character.is_ascii_digit());
    // The names of its own modules begin in the same way.
    if rest.len() == after.len() {
        return line.to_owned();
    }
    format!("{before}{NODE}1{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_not_seen() {
        let text = "\n(node:4711) at /x/y/app.js \u{e9}  \n at (node:a/b) /m/z/lib.js\n";
        let modules = [PathBuf::from("/m/z"), PathBuf::new()];
        let want = "(node:1) at /srv/app/app.js ?\n at (node:a/b) /srv/app/modules/lib.js";
        assert_eq!(neutral(text, Path::new("/x/y"), &modules), want);
    }
}
