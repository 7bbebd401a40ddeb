//! What edits change, line by line, in the unified format of diff(1).

use super::field::{Edit, edited};
use super::lines;

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

/// Lines of the old text that edits touch, and what stands in their place.
struct Hunk {
    /// The first line, from 0, and the one after the last.
    old: std::ops::Range<usize>,
    new: Vec<String>,
}

/// The difference that edits make to a file of a name; empty if there is none.
#[must_use]
pub fn unified(name: &str, text: &str, edits: &[Edit]) -> String {
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let hunks = hunks(text, edits);
    let mut output = String::new();
    if hunks.is_empty() {
        return output;
    }
    output += &format!("--- {name}\n+++ {name}\n");
    let mut shift = 0_isize;
    let mut rest = hunks.as_slice();
    while let Some(first) = rest.first() {
        let close = |pair: &[Hunk]| pair[0].old.end + 2 * CONTEXT_LINES >= pair[1].old.start;
        let count = 1 + rest.windows(2).take_while(|pair| close(pair)).count();
        let (group, later) = rest.split_at(count);
        rest = later;
        let start = first.old.start.saturating_sub(CONTEXT_LINES);
        let last_end = group.last().map_or(start, |hunk| hunk.old.end);
        let end = (last_end + CONTEXT_LINES).min(old.len());
        let (mut body, mut at, mut new_count) = (String::new(), start, 0);
        let mut put = |sign: char, line: &str, body: &mut String| {
            body.push(sign);
            *body += line;
            if !line.ends_with('\n') {
                *body += "\n\\ No newline at end of file\n";
            }
            new_count += usize::from(sign != '-');
        };
        for hunk in group {
            for line in old.get(at..hunk.old.start).unwrap_or_default() {
                put(' ', line, &mut body);
            }
            for line in old.get(hunk.old.clone()).unwrap_or_default() {
                put('-', line, &mut body);
            }
            for line in &hunk.new {
                put('+', line, &mut body);
            }
            at = hunk.old.end;
        }
        for line in old.get(at..end).unwrap_or_default() {
            put(' ', line, &mut body);
        }
        let old_count = end - start;
        let new_start = start.saturating_add_signed(shift);
        output += &format!(
            "@@ -{},{old_count} +{},{new_count} @@\n{body}",
            start + usize::from(old_count > 0),
            new_start + usize::from(new_count > 0)
        );
        shift += new_count as isize - old_count as isize;
    }
    output
}

fn hunks(text: &str, edits: &[Edit]) -> Vec<Hunk> {
    let mut hunks: Vec<(std::ops::Range<usize>, Vec<Edit>)> = Vec::new();
    for edit in edits {
        let start = lines::whole(text, edit.start).start;
        // Whole lines that are put before a line leave that one as it is.
        let before_a_line = edit.start == start && edit.end == start && edit.text.ends_with('\n');
        let end = if before_a_line {
            start
        } else {
            lines::whole(text, edit.end.max(edit.start + 1) - 1).end
        };
        match hunks.last_mut() {
            Some((range, own)) if start < range.end => {
                range.end = range.end.max(end);
                own.push(edit.clone());
            }
            _ => hunks.push((start..end, vec![edit.clone()])),
        }
    }
    let written = hunks.into_iter().map(|(range, own)| {
        let moved: Vec<Edit> = own
            .into_iter()
            .map(|edit| Edit {
                start: edit.start - range.start,
                end: edit.end - range.start,
                ..edit
            })
            .collect();
        let before = text.get(range.clone()).unwrap_or_default();
        let after = edited(before, &moved).unwrap_or_default();
        let first = lines::line_of(text, range.start) - 1;
        let count = before.split_inclusive('\n').count();
        Hunk {
            old: first..first + count,
            new: after.split_inclusive('\n').map(str::to_owned).collect(),
        }
    });
    written.collect()
}
