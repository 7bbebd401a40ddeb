//! What is replaced, shown before anything is written.

use std::io::{IsTerminal as _, Write as _};
use tombolo_core::redact::{Kind, Replaced};
use tombolo_core::text::printable;
use tombolo_doctor::bundle::Prepared;

/// Names shown of each kind.
const SHOWN_MAX: usize = 20;

/// What the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// There is no terminal, and no `--yes`.
    NobodyAsked,
}

/// Shows what is replaced. On a terminal with the names themselves, and then asks; else in numbers,
/// since standard error may be a log that others read.
pub(super) fn wanted(prepared: &Prepared, yes: bool) -> Answer {
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let text = match person {
        true => with_names(&prepared.replaced()),
        false => in_numbers(prepared),
    };
    let mut out = anstream::stderr().lock();
    let _ = out.write_all(text.as_bytes());
    if yes {
        return Answer::Yes;
    }
    if !person {
        return Answer::NobodyAsked;
    }
    let target = &prepared.bundle.report().target.resolved;
    let _ = write!(
        out,
        "\nDirectories and files keep their names, as in {target}; --hide WORD replaces more.\n\
         Write the report? [y/N] "
    );
    let _ = out.flush();
    drop(out);
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(_) if matches!(line.trim(), "y" | "Y" | "yes") => Answer::Yes,
        _ => Answer::No,
    }
}

fn in_numbers(prepared: &Prepared) -> String {
    match prepared.bundle.replaced() {
        counted if counted.is_empty() => "tombolo: nothing had to be replaced\n".to_owned(),
        counted => format!("tombolo: replaced: {counted}\n"),
    }
}

fn with_names(replaced: &[Replaced]) -> String {
    if replaced.is_empty() {
        return "No names or secrets were found.\n".to_owned();
    }
    let mut text = String::from("These are replaced:\n");
    for kind in Kind::ALL {
        let of_kind = || replaced.iter().filter(|one| one.kind == *kind);
        for one in of_kind().take(SHOWN_MAX) {
            let name = shown(one);
            text.push_str(&format!("  {name}  ->  {}  ({} times)\n", one.stand_in, one.times));
        }
        let more = of_kind().count().saturating_sub(SHOWN_MAX);
        if more > 0 {
            text.push_str(&format!("  and {more} more {}\n", kind.in_words()));
        }
    }
    text
}

/// A secret is not printed even here: a terminal has a memory, and people look over shoulders.
fn shown(one: &Replaced) -> String {
    match one.kind {
        Kind::Secret => format!("a secret of {} letters", one.original.chars().count()),
        _ => printable(one.original.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_secrets_are_not() {
        let one = |kind, original: &str, stand_in: &str| Replaced {
            kind,
            original: original.to_owned(),
            stand_in: stand_in.to_owned(),
            times: 3,
        };
        let text = with_names(&[
            one(Kind::Secret, "hunter2", "secret-1"),
            one(Kind::User, "al\x1b[2Jice", "user-1"),
        ]);
        assert!(text.contains("a secret of 7 letters  ->  secret-1  (3 times)"), "{text}");
        assert!(text.contains("al?[2Jice  ->  user-1") && !text.contains("hunter2"), "{text}");
    }
}
