//! The figures as Markdown, which people read on a terminal as well.

use super::arena::{Sync, SyncTime};
use super::results::{Figures, Results, Row, Verdict};
use super::works::{self, Durability, Writes};
use std::fmt::Write as _;

/// What is written into `docs/benchmarks.md`.
pub(super) fn section(results: &Results) -> String {
    let mut page = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(page, "## An owner and its doors\n");
    about(&mut page, results);
    let alone: Vec<&Row> = results.rows.iter().filter(|row| row.work.clients == 1).collect();
    let _ =
        writeln!(page, "One client; median time of one operation, least and most of the rounds.");
    let _ = writeln!(page, "The ratio is that to SQLite in WAL mode.\n");
    table(&mut page, &alone);
    for row in results.rows.iter().filter(|row| row.work.clients > 1) {
        together(&mut page, row);
    }
    targets(&mut page, results);
    page
}

fn about(page: &mut String, results: &Results) {
    let Results { machine, versions, date, rounds, ping_pong_us, sync, .. } = results;
    let (sync_us, least_us) = (sync.median_us, sync.least_us);
    let _ = writeln!(page, "{date}, {machine}; release builds;\n{versions}.\n");
    let _ = writeln!(
        page,
        "A round trip between two processes over a Unix socket took {ping_pong_us:.1} us, an
`fdatasync` of 4096 bytes that were appended {sync_us:.0} us, at least {least_us:.0} us. Where the
least is less than 1 ms, works that wait for it were also measured with slow syncs: a preloaded
library lets `fsync` and `fdatasync` of all contenders alike, servers and clients, take 1 ms more."
    );
    if let Some(SyncTime { median_us, .. }) = results.slowed_sync {
        let _ = writeln!(page, "It then took {median_us:.0} us.");
    }
    let _ = writeln!(
        page,
        "
The same load generator (`xtask/src/bench/owner/load.c`) ran them all in turn, {rounds} rounds, {}
of those with many clients or a cold cache: the distribution's SQLite, with the VFS `tombolo` loaded
or on the local file, and its client of PostgreSQL with a prepared statement over a Unix socket. The
table has 800,000 rows, about 100 MB. Statements look for a row of 1,000 that are spread over all of
it, which are warm, or for any, of which the kernel has the pages. Before a scan that is cold, the
kernel's page cache was dropped, and PostgreSQL started anew. NORMAL and FULL are
`PRAGMA synchronous`; for PostgreSQL, `synchronous_commit` off and on.
",
        super::ROUNDS_OF_MANY
    );
}

/// A title with what makes it another than rows of the same work.
fn title(row: &Row) -> String {
    let durability = match (row.work.writes, row.durability) {
        (Writes::Never, _) => "",
        (Writes::Yes, Durability::Normal) => ", NORMAL",
        (Writes::Yes, Durability::Full) => ", FULL",
    };
    let sync = match row.sync {
        Sync::OfTheDisk => "",
        Sync::Slowed { .. } => ", slow sync",
    };
    format!("{}{durability}{sync}", row.work.title)
}

fn time(microseconds: f64) -> String {
    match microseconds {
        us if us < 100.0 => format!("{us:.1} us"),
        us if us < 10_000.0 => format!("{us:.0} us"),
        us => format!("{:.0} ms", us / 1000.0),
    }
}

fn titles(page: &mut String, first: &str, rows: &[&Row]) {
    let Some(row) = rows.first() else { return };
    let names: Vec<&str> = row.figures.iter().map(|figures| figures.title.as_str()).collect();
    let _ = writeln!(page, "| {first} | {} |", names.join(" | "));
    let _ = writeln!(page, "|{}", "---|".repeat(names.len() + 1));
}

fn table(page: &mut String, rows: &[&Row]) {
    titles(page, "work", rows);
    for row in rows {
        let [_, wal, ..] = row.each(Figures::median_us);
        let _ = write!(page, "| {} |", title(row));
        for figures in &row.figures {
            let (median_us, (least, most)) = (figures.median_us(), figures.spread_us());
            let ratio = median_us / wal;
            let (least, most) = (time(least), time(most));
            let _ = write!(page, " {} ({least} to {most}), {ratio:.2} |", time(median_us));
        }
        page.push('\n');
    }
}

/// A work of several clients.
fn together(page: &mut String, row: &Row) {
    let _ = writeln!(page, "\n{}, {} s:\n", title(row), f64::from(row.work.milliseconds) / 1000.0);
    titles(page, "", &[row]);
    let mut line = |what: &str, of: &dyn Fn(&Figures) -> String| {
        let values: Vec<String> = row.figures.iter().map(of).collect();
        let _ = writeln!(page, "| {what} | {} |", values.join(" | "));
    };
    if row.work.title == works::MIXED.title {
        let rate =
            |name: &'static str| move |of: &Figures| format!("{:.0}", of.rate(&row.work, name));
        line("reads a second", &rate(works::POINT.name));
        line("updates a second", &rate(works::UPDATE.name));
        line("longest read", &|of| time(of.longest_us(works::POINT.name)));
        line("longest update", &|of| time(of.longest_us(works::UPDATE.name)));
    } else {
        line("a second", &|of| format!("{:.0}", of.rate(&row.work, row.work.name)));
        line("longest wait", &|of| time(of.longest_us(row.work.name)));
        line("slowest to fastest", &|of| format!("{:.3}", of.fairness()));
        line("of each client, last round", &|of| {
            let counts: Vec<String> = of.counts().iter().map(|count| count.to_string()).collect();
            counts.join(" ")
        });
    }
    line("refused as busy", &|of| of.refused().to_string());
}

fn targets(page: &mut String, results: &Results) {
    let _ = writeln!(
        page,
        "
What is to be reached over a Unix socket; (a) is SQLite in WAL mode, (b) in DELETE mode, (c)
PostgreSQL. That waiting for the turn takes two messages, however long, is a test:
`waiting_for_the_turn_takes_two_messages`.
"
    );
    let _ = writeln!(page, "| work | at most / at least | measured | |\n|---|---|---|---|");
    for target in results.targets() {
        let verdict = match target.verdict {
            Verdict::Met => "met",
            Verdict::Missed => "**missed**",
            Verdict::Open => "not measured",
        };
        let (work, promise, measured) = (target.work, target.promise, target.measured);
        let _ = writeln!(page, "| {work} | {promise} | {measured} | {verdict} |");
    }
}

/// A row in one line, as a sign of life.
pub(super) fn line(row: &Row) -> String {
    let mut line = format!("{}:", title(row));
    for figures in &row.figures {
        let name = &figures.title;
        let _ = match row.work.clients {
            1 => write!(line, " {name} {};", time(figures.median_us())),
            _ => {
                let rate = figures.rate(&row.work, works::UPDATE.name);
                let longest = time(figures.longest_us(works::UPDATE.name));
                write!(line, " {name} {rate:.0}/s longest {longest} {:.2};", figures.fairness())
            }
        };
    }
    line
}
