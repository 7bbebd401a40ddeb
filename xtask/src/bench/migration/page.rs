//! The figures' section of the page.

use super::judge::Counts;
use super::{Figures, Kept, LARGE_LIMIT_BYTES, Odd, Program, ROWS, Results, median};
use std::fmt::Write as _;

/// The figures as Markdown, which people read on a terminal as well.
pub(super) fn section(results: &Results) -> String {
    let mut page = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(page, "## From SQLite to PostgreSQL\n");
    let _ = writeln!(page, "{};\n{}.\n", results.machine, results.versions);
    speed(&mut page, results);
    odd(&mut page, results);
    large(&mut page, results);
    page
}

fn megabytes(bytes: f64) -> String {
    format!("{:.0} MB", bytes / 1e6)
}

fn spread(values: &[f64], shown: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", shown(median(values)), shown(least), shown(most))
}

fn speed(page: &mut String, results: &Results) {
    let (rounds, size) = (results.rounds, megabytes(results.bytes as f64));
    let _ = writeln!(page, "{ROWS} rows in two tables with an index and a foreign key, {size};");
    let _ =
        writeln!(page, "median of {rounds} runs of each, in turn, with the least and the most.");
    let _ = writeln!(page, "`{}` also reads all rows back, to compare.\n", Program::ALL[0].name());
    let [ours, theirs] = &results.figures;
    let [name, other] = Program::ALL.map(Program::name);
    let _ = writeln!(page, "| | {name} | {other} | ratio |\n|---|---|---|---|");
    let seconds = |value: f64| format!("{value:.1} s");
    let mut row = |what: &str, of: fn(&Figures) -> &[f64], shown: &dyn Fn(f64) -> String| {
        let ratio = median(of(ours)) / median(of(theirs));
        let (ours, theirs) = (spread(of(ours), shown), spread(of(theirs), shown));
        let _ = writeln!(page, "| {what} | {ours} | {theirs} | {ratio:.2} |");
    };
    row("time", |figures| &figures.seconds, &seconds);
    row("peak memory", |figures| &figures.peak_bytes, &megabytes);
}

fn odd(page: &mut String, results: &Results) {
    let [name, other] = Program::ALL.map(Program::name);
    let _ = writeln!(
        page,
        "\nValues that SQLite allows and that are seldom thought of, one table in each database,\n\
         read back by `psql`. A row is equal; or it is not, and the report names it by table and\n\
         row; or it is changed or missing, and is not named.\n"
    );
    let heads = "equal | named | changed | missing | exit code";
    let _ = writeln!(page, "| table | rows | {name}: {heads} | {other}: {heads} |");
    let _ = writeln!(page, "|{}", "---|".repeat(12));
    let mut sums = [Counts::default(); 2];
    for Odd { table, kept } in &results.odd {
        let code = |kept: Kept| kept.code.map_or("signal".to_owned(), |code| code.to_string());
        let codes = kept.map(code);
        row(page, &table.replace('|', "\\|"), kept.map(|kept| kept.counts), &codes);
        for (sum, kept) in sums.iter_mut().zip(kept) {
            sum.add(kept.counts);
        }
    }
    row(page, "all", sums, &["".to_owned(), "".to_owned()]);
}

fn row(page: &mut String, table: &str, counts: [Counts; 2], codes: &[String; 2]) {
    let _ = write!(page, "| {table} | {} |", counts[0].rows);
    for (counts, code) in counts.iter().zip(codes) {
        let (equal, named) = (counts.equal, counts.named);
        let _ = write!(page, " {equal} | {named} | {} | {} |", counts.changed, counts.missing);
        let _ = write!(page, " {code} |");
    }
    page.push('\n');
}

fn large(page: &mut String, results: &Results) {
    let (bytes, run) = &results.large;
    let _ = writeln!(
        page,
        "\nA database of {}: `tombolo migrate` took {:.1} s and {} of memory at its peak;\n\
         the limit is {}.",
        megabytes(*bytes as f64),
        run.seconds,
        megabytes(run.peak_bytes as f64),
        megabytes(LARGE_LIMIT_BYTES as f64)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_ratios_and_every_count() {
        let page = section(&super::super::tests::results(0));
        assert!(page.contains("| time | 1.0 s (1.0 s to 1.0 s) | 4.0 s"), "{page}");
        assert!(page.contains("| 0.25 |") && page.contains("| 0.03 |"), "{page}");
        assert!(
            page.contains("| we\\|ird | 9 | 8 | 1 | 0 | 0 | 1 | 0 | 0 | 2 | 7 | 0 |"),
            "{page}"
        );
        assert!(page.contains("| all | 9 | 8 | 1 | 0 | 0 |  | 0 | 0 | 2 | 7 |  |"), "{page}");
    }
}
