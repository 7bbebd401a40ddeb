//! The matrix as Markdown.

use super::facts::NAMES_OF_FACTS;
use super::known::Known;
use super::outcome::{
    Agreement, Client, Compared, Matrix, OPENS, PairReport, RigReport, State, Updates, Way,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# What stock SQLite does between real kernels

Measured by `tombolo-lab matrix`, which wrote this page and `matrix.json` beside it. \"server\"
is the kernel in which the directory itself is: the host, or for NFS a guest with a disk of its
own. A and B are guests that have it mounted; where a title says so, they are two mounts in the
kernel of the server. A+A is two programs in one kernel. All programs are the distribution's:
Python's `sqlite3` works, the shell `sqlite3` judges.

Each cell is one run. What was lost there can be lost; what was not lost there is not thereby
safe.
";

const ABOUT_FACTS: &str = "\
## Files

One side acts, the other looks: server to A, A to server, A to B. \"at once\" is what the first
look showed, \"never\" is not within 2 s. A lock is seen when the other side is refused it.
\"rename fences old descriptor\": what the other side writes into a file that was renamed over
does not reach the new one.
";

const ABOUT_OPENS: &str = "\
## Opening a database that is in WAL mode, one kernel

What A gets, with the statement that got it.
";

const ABOUT_PAIRS: &str = "\
## Two programs at once

\"exclusive\" is what each got for `BEGIN EXCLUSIVE`, the second while the first held it. Then
the transactions that both were told are committed, one number for each program, and how many of
them are not in the database. In brackets: errors that the programs got. `integrity_check` said
ok unless a cell says otherwise; \"inconsistent\" is a database that is sound to SQLite, with a
counter that is not the number of rows, or a row that is there twice. A program that was killed,
or stopped when its time was over, is named with its end.
";

const ABOUT_DOCTOR: &str = "\
## What the doctor says, and what happened

For one kernel beside A+A, for several beside the pairs with two. \"not confirmed\" is a warning
with nothing lost in this run; **contradicted** is a promise that was not kept.
";

const ABOUT_KNOWN: &str = "\
## Where the knowledge base says otherwise

The doctor has sentences and verdicts about file systems beside what it measures. Here are those
that a rig did not bear out. A mode that is called unsafe and lost nothing in one run is not among
them.
";

/// The whole page.
pub(super) fn render(matrix: &Matrix) -> String {
    let ran: Vec<&RigReport> =
        matrix.rigs.iter().filter(|rig| !matches!(rig.state, State::NotRun { .. })).collect();
    let mut page = INTRODUCTION.to_owned();
    versions(&mut page, &ran);
    states(&mut page, matrix);
    facts(&mut page, &ran);
    opens(&mut page, &ran);
    pairs(&mut page, &ran);
    doctor(&mut page, &ran);
    known(&mut page, &ran);
    mounts(&mut page, &ran);
    page
}

/// As the tables call it: with the kernel, where a rig has run under several.
fn title(rig: &RigReport) -> String {
    let kernel = rig.wanted_kernel.trim_end_matches('.');
    if kernel.is_empty() { rig.title.clone() } else { format!("{} (Linux {kernel})", rig.title) }
}

fn line(page: &mut String, cells: impl IntoIterator<Item = impl AsRef<str>>) {
    for cell in cells {
        page.push_str("| ");
        page.push_str(cell.as_ref());
        page.push(' ');
    }
    page.push_str("|\n");
}

fn head(page: &mut String, about: &str, cells: &[&str]) {
    page.push('\n');
    page.push_str(about);
    page.push('\n');
    line(page, cells);
    line(page, cells.iter().map(|_| "---"));
}

fn versions(page: &mut String, ran: &[&RigReport]) {
    let mut versions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for rig in ran {
        versions.entry("date".to_owned()).or_default().insert(&rig.date);
        for (what, version) in &rig.versions {
            let is_guest = ["A", "B"].iter().any(|name| what.ends_with(&format!(" of {name}")));
            let what = if is_guest { "kernels of A and B" } else { what };
            versions.entry(what.to_owned()).or_default().insert(version);
        }
    }
    head(page, "## Versions\n", &["what", "which"]);
    for (what, which) in versions {
        line(page, [what, which.into_iter().collect::<Vec<_>>().join(", ")]);
    }
}

/// The rows that are not whole.
fn states(page: &mut String, matrix: &Matrix) {
    let mut said = String::new();
    for rig in &matrix.rigs {
        let (state, why) = match &rig.state {
            State::Complete => continue,
            State::NotRun { why } => ("NOT RUN".to_owned(), why),
            State::Failed { during, why } => (format!("ended early: {during}"), why),
            State::Hung { during, why } => (format!("HUNG: {during}"), why),
        };
        line(&mut said, [title(rig), state, why.replace('|', "/")]);
    }
    if !said.is_empty() {
        head(page, "## Rigs that are not whole\n", &["rig", "state", "why"]);
        page.push_str(&said);
    }
}

fn facts(page: &mut String, ran: &[&RigReport]) {
    let mut cells = vec!["rig"];
    cells.extend(NAMES_OF_FACTS);
    head(page, ABOUT_FACTS, &cells);
    for rig in ran.iter().filter(|rig| !rig.facts.is_empty()) {
        let mut cells = vec![title(rig)];
        for name in NAMES_OF_FACTS {
            let of = |from: &str, to: &str| {
                let is =
                    |fact: &&super::Fact| fact.name == name && fact.from == from && fact.to == to;
                rig.facts.iter().find(is).map_or("-", |fact| fact.seen.as_str())
            };
            cells.push(together(&[of("server", "A"), of("A", "server"), of("A", "B")]));
        }
        line(page, cells);
    }
}

/// One word where all are the same.
fn together(seen: &[&str]) -> String {
    match seen {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => (*first).to_owned(),
        _ => seen.join(" / "),
    }
}

fn opens(page: &mut String, ran: &[&RigReport]) {
    let mut cells = vec!["rig"];
    cells.extend(OPENS);
    head(page, ABOUT_OPENS, &cells);
    for rig in ran.iter().filter(|rig| !rig.opens.is_empty()) {
        let outcomes = rig.opens.iter().map(|opened| without_prefix(&opened.outcome));
        line(page, std::iter::once(title(rig)).chain(outcomes));
    }
}

fn without_prefix(error: &str) -> String {
    error.strip_prefix("SQLITE_").unwrap_or(error).to_owned()
}

fn pairs(page: &mut String, ran: &[&RigReport]) {
    let ways = [Way::Delete, Way::Wal, Way::UnixDotfile];
    let mut cells = vec!["rig", "pair", "exclusive"];
    cells.extend(ways.map(Way::name));
    head(page, ABOUT_PAIRS, &cells);
    for rig in ran {
        for pair in &rig.pairs {
            let names = format!("{}+{}", pair.first, pair.second);
            let mut cells = vec![title(rig), names, exclusive(pair)];
            for way in ways {
                let found = pair.updates.iter().find(|updates| updates.way == way);
                cells.push(found.map_or_else(|| "-".to_owned(), updates));
            }
            line(page, cells);
        }
    }
}

fn exclusive(pair: &PairReport) -> String {
    match pair.exclusive.each_ref().map(String::as_str) {
        ["ok", "ok"] => "**both granted**".to_owned(),
        ["ok", "SQLITE_BUSY"] => "second BUSY".to_owned(),
        ["", _] => "-".to_owned(),
        [first, second] => format!("{}, {}", without_prefix(first), without_prefix(second)),
    }
}

fn updates(updates: &Updates) -> String {
    let [first, second] = updates.clients.each_ref().map(|client| client.acknowledged);
    let mut cell = format!("{first}+{second}");
    if updates.lost > 0 {
        let _ = write!(cell, ", **lost {}**", updates.lost);
    }
    if updates.integrity != "ok" {
        let malformed = updates.integrity.contains("malformed");
        let _ = write!(cell, ", **{}**", if malformed { "malformed" } else { &updates.integrity });
    }
    if !updates.broken.is_empty() && updates.integrity == "ok" {
        cell.push_str(", **inconsistent**");
    }
    let names = |client: &Client| -> Vec<String> {
        client.errors.keys().map(|name| without_prefix(name)).collect()
    };
    let errors: BTreeSet<String> = updates.clients.iter().flat_map(names).collect();
    if !errors.is_empty() {
        let errors: Vec<_> = errors.into_iter().collect();
        let _ = write!(cell, " [{}]", errors.join(", "));
    }
    for (name, client) in ["first", "second"].iter().zip(&updates.clients) {
        if client.end != "done" {
            let _ = write!(cell, ", {name}: {}", client.end);
        }
    }
    cell
}

fn doctor(page: &mut String, ran: &[&RigReport]) {
    head(page, ABOUT_DOCTOR, &["rig", "doctor on", "mode", "kernels", "said", "happened", ""]);
    for rig in ran {
        for compared in &rig.compared {
            let Compared { mode, openers, sides, said, happened, agreement, .. } = compared;
            let openers = openers.trim_end_matches("_kernel").trim_end_matches("_kernels");
            let agreement = match agreement {
                Agreement::Agrees => "agrees",
                Agreement::NotConfirmed => "not confirmed",
                Agreement::Undecided => "undecided",
                Agreement::Contradicted => "**contradicted**",
            };
            let cells = [&title(rig), sides.as_str(), mode, openers, said, happened, agreement];
            line(page, cells);
        }
    }
}

fn known(page: &mut String, ran: &[&RigReport]) {
    let known = match Known::load() {
        Ok(known) => known,
        Err(error) => {
            let _ = write!(page, "\n{ABOUT_KNOWN}\nNot compared: {}\n", error.message());
            return;
        }
    };
    let (mut lines, mut all) = (String::new(), 0);
    for rig in ran {
        let (otherwise, count) = known.compare(rig);
        all += count;
        for one in otherwise {
            line(&mut lines, [title(rig), one.what, one.known, one.measured]);
        }
    }
    if lines.is_empty() {
        let _ = write!(page, "\n{ABOUT_KNOWN}\nNone of {all} statements.\n");
        return;
    }
    let about = format!("{ABOUT_KNOWN}\n{} of {all} statements:\n", lines.lines().count());
    head(page, &about, &["rig", "of what", "the knowledge base", "measured"]);
    page.push_str(&lines);
}

fn mounts(page: &mut String, ran: &[&RigReport]) {
    let about = "## Mounts\n\nType and options, as A has them, and how long the rig took.\n";
    head(page, about, &["rig", "mount", "seconds"]);
    for rig in ran {
        line(page, [title(rig), format!("`{}`", rig.mounted), format!("{:.0}", rig.elapsed_s)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(acknowledged: usize, errors: &[&str], end: &str) -> Client {
        let errors = errors.iter().map(|name| ((*name).to_owned(), 1)).collect();
        Client { acknowledged, errors, end: end.to_owned() }
    }

    #[test]
    fn a_cell_tells_what_was_lost_and_why_a_program_ended() {
        let told = Updates {
            way: Way::Wal,
            seed: 1,
            wanted: 60,
            clients: [client(60, &[], "done"), client(9, &["SQLITE_IOERR_READ"], "SIGBUS")],
            lost: 7,
            integrity: "ok".to_owned(),
            broken: Vec::new(),
        };
        assert_eq!(updates(&told), "60+9, **lost 7** [IOERR_READ], second: SIGBUS");
        let clients = [client(60, &[], "done"), client(60, &[], "done")];
        assert_eq!(updates(&Updates { lost: 0, clients, ..told }), "60+60");
    }

    #[test]
    fn a_rig_that_did_not_run_stands_in_the_page_with_its_reason() {
        let why = "this machine has no diod: install diod".to_owned();
        let state = State::NotRun { why: why.clone() };
        let title = "9p over TCP".to_owned();
        let rig = RigReport { title, state, ..RigReport::default() };
        let page = render(&Matrix { rigs: vec![rig], ..Matrix::default() });
        assert!(page.contains(&format!("| 9p over TCP | NOT RUN | {why} |")), "{page}");
        assert_eq!(page.matches("9p over TCP").count(), 1);
    }

    #[test]
    fn what_the_knowledge_base_says_otherwise_stands_in_the_page() {
        let rig = |seen: &str| {
            let fact = super::super::Fact {
                name: "flock seen".to_owned(),
                from: "A".to_owned(),
                to: "B".to_owned(),
                seen: seen.to_owned(),
            };
            let (name, title) = ("sshfs".to_owned(), "sshfs".to_owned());
            let rig = RigReport { name, title, facts: vec![fact], ..RigReport::default() };
            render(&Matrix { rigs: vec![rig], ..Matrix::default() })
        };
        assert!(rig("no").contains("None of 1 statements."), "{}", rig("no"));
        let told = "| sshfs | flock seen, A to B | flock: this kernel alone | yes |";
        assert!(rig("yes").contains(told), "{}", rig("yes"));
    }

    #[test]
    fn the_same_word_is_said_once() {
        assert_eq!(together(&["no", "no", "no"]), "no");
        assert_eq!(together(&["no", "yes", "no"]), "no / yes / no");
    }
}
