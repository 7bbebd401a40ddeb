//! `tombolo run`: the databases of a program are opened at their owners.

use super::copies::{self, Copy, Told, Way};
use super::watch;
use crate::args::RunArguments;
use crate::exit::{self, Exit, Failure};
use crate::preload::{self, OWN_FAILURE, Program, Reach, say};
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What the library reads; `crates/tombolo-vfs` says what is in them.
const PATTERNS_VARIABLE: &str = "TOMBOLO_RUN";
const REPORT_VARIABLE: &str = "TOMBOLO_RUN_REPORT";

/// For programs that a preload does not reach.
const OTHER_WAY: &str = "use a build of it that is linked dynamically with SQLite";

pub(super) fn run(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    let patterns = arguments.databases.iter().map(|pattern| absolute(pattern));
    let patterns: Vec<PathBuf> = patterns.collect::<Result<_, _>>()?;
    let program = match Program::find(&arguments.command, Reach::Preload(OTHER_WAY)) {
        Ok(program) => program,
        Err(failure) => {
            if arguments.check {
                list(&Told { copies: unstarted(&arguments.command), ..Told::default() })?;
            }
            exit::failed(failure);
            return Ok(ExitCode::from(OWN_FAILURE));
        }
    };
    let report = watch::Report::new()?;
    let mut command = Command::new(program.path());
    command
        .args(program.arguments())
        .env("LD_PRELOAD", preload::libraries(preload::DOOR)?)
        .env(PATTERNS_VARIABLE, preload::joined(&patterns))
        .env(REPORT_VARIABLE, report.path());
    let status = preload::attend(command, &mut || {})?;
    let told = copies::told(&report.lines());
    if arguments.check {
        list(&told)?;
    }
    let shortfalls = shortfalls(&told, &patterns);
    for text in &shortfalls {
        say(text);
    }
    Ok(match status {
        Some(code) if shortfalls.is_empty() => ExitCode::from(code),
        _ => ExitCode::from(OWN_FAILURE),
    })
}

fn list(told: &Told) -> Result<(), Failure> {
    let mut output = anstream::stdout().lock();
    let mut lines = told.copies.iter().map(Copy::describe);
    exit::printed(lines.try_for_each(|line| writeln!(output, "{line}")))
}

/// The copy in a program that cannot be reached.
fn unstarted(command: &[std::ffi::OsString]) -> Vec<Copy> {
    let path = command.first().and_then(|name| preload::in_path(name));
    let found = path.and_then(|path| Some((copies::contents(&path)?, path)));
    let copy = found.filter(|(contents, _)| contents.is_copy());
    let copy =
        copy.map(|(contents, path)| Copy { path, sqlite: contents.sqlite, way: Way::Hidden });
    copy.into_iter().collect()
}

/// What went past the door, or may have.
fn shortfalls(told: &Told, patterns: &[PathBuf]) -> Vec<String> {
    let past = |copy: &&Copy| copy.way != Way::Reached;
    let mut texts: Vec<String> = told.copies.iter().filter(past).map(Copy::describe).collect();
    for path in &told.unread {
        texts.push(format!("{}: not examined; a SQLite in it is not reached", path.display()));
    }
    if told.copies.is_empty() {
        let text = "no SQLite was seen in the program: it used none, or one that a preloaded \
                    library does not see";
        texts.push(text.to_owned());
    }
    for (number, pattern) in patterns.iter().enumerate() {
        if !told.named.contains(&number) {
            texts.push(format!(
                "no database that matches {} was opened at its owner: the program did not use \
                 one, or went past this door",
                pattern.display()
            ));
        }
    }
    texts
}

/// A pattern as it is held against the paths of files: SQLite opens these without links in them.
fn absolute(pattern: &Path) -> Result<PathBuf, Failure> {
    if pattern.as_os_str().as_bytes().contains(&b'\n') {
        return Err(Failure::new(Exit::Usage, "a pattern has no line breaks"));
    }
    if !pattern.as_os_str().as_bytes().contains(&b'/') {
        return Ok(pattern.to_owned());
    }
    let whole = std::path::absolute(pattern).map_err(|e| Failure::new(Exit::Usage, e))?;
    let is_plain = |path: &Path| !has_wildcard(path.as_os_str());
    let plain = whole.ancestors().find(|path| is_plain(path) && path.exists());
    let Some((plain, real)) = plain.and_then(|path| Some((path, path.canonicalize().ok()?))) else {
        return Ok(whole);
    };
    Ok(match whole.strip_prefix(plain) {
        Ok(rest) if rest.as_os_str().is_empty() => real,
        Ok(rest) => real.join(rest),
        Err(_) => whole,
    })
}

fn has_wildcard(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_held_against_real_paths() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().canonicalize().expect("real");
        std::fs::create_dir(root.join("real")).expect("made");
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).expect("made");
        for (given, expected) in [
            ("link/*.db", "real/*.db"),
            ("link/new.db", "real/new.db"),
            ("link", "real"),
            ("none/app.db", "none/app.db"),
        ] {
            assert_eq!(absolute(&root.join(given)).ok(), Some(root.join(expected)), "{given}");
        }
        assert_eq!(absolute(Path::new("app.db")).ok(), Some(PathBuf::from("app.db")));
        assert!(absolute(Path::new("a\nb")).is_err());
    }

    #[test]
    fn nothing_goes_past_in_silence() {
        let reached = Told {
            copies: vec![Copy { path: "/lib/a.so".into(), sqlite: Vec::new(), way: Way::Reached }],
            named: std::collections::BTreeSet::from([0]),
            unread: Vec::new(),
        };
        let patterns = ["/a/app.db".into()];
        assert_eq!(shortfalls(&reached, &patterns), Vec::<String>::new());
        let unnamed = Told { named: Default::default(), ..reached.clone() };
        assert!(shortfalls(&unnamed, &patterns)[0].contains("/a/app.db"));
        let mut hidden = reached.clone();
        hidden.copies[0].way = Way::Hidden;
        assert!(shortfalls(&hidden, &[])[0].contains("not reached"));
        let unread = Told { unread: vec!["/x".into()], ..reached };
        assert!(shortfalls(&unread, &[])[0].contains("/x: not examined"));
        assert!(shortfalls(&Told::default(), &[])[0].contains("no SQLite was seen"));
    }
}
