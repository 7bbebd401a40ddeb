//! What a migration did, and all that is not in the target as it was.

use super::page::{Page, Tone, styled};
use tombolo_core::text::printable;
use tombolo_remedy::migrate::report::{
    Ended, Migration, ObjectReport, ObjectState, TableReport, TableState,
};

/// Values that the page names; the JSON names more of them.
const VALUES_SHOWN: usize = 50;

pub(crate) fn migration(page: &mut Page, migration: &Migration) {
    head(page, migration);
    page.heading("Tables");
    for table in &migration.tables {
        page.hanging("  ", "      ", &table_line(table));
    }
    columns(page, migration);
    values(page, migration);
    if !migration.renamed.is_empty() {
        page.heading("Names that the target does not take");
        for rename in &migration.renamed {
            let table = rename.table.as_ref().map(|table| format!("{}.", plain(table)));
            let (from, to) = (plain(&rename.name), plain(&rename.target_name));
            let text = format!("{}{from} is {to}", table.unwrap_or_default());
            page.hanging("  - ", "    ", &text);
        }
    }
    objects(page, migration);
    if !migration.notes.is_empty() {
        page.heading("To know");
        for note in &migration.notes {
            page.hanging("  - ", "    ", &plain(note));
        }
    }
}

fn head(page: &mut Page, migration: &Migration) {
    let (database, target) = (plain(&migration.database), plain(&migration.target));
    let rows: u64 = migration.tables.iter().map(|table| table.rows).sum();
    let tables = migration.tables.len();
    let what = format!("{tables} tables with {rows} rows");
    let (tone, text) = match (migration.ended, migration.is_whole()) {
        (Ended::Planned, _) => {
            (Tone::Heading, format!("{what} of {database} would go to {target}; nothing was done."))
        }
        (_, true) => (Tone::Good, format!("{what} of {database} are in {target}, all equal.")),
        (_, false) => (
            Tone::Caution,
            format!("{what} of {database} went to {target}; what differs is named below."),
        ),
    };
    page.paragraph(0, &styled(tone, &text));
}

fn table_line(table: &TableReport) -> String {
    let (tone, words) = match table.state {
        TableState::Planned => (Tone::Dim, "planned".to_owned()),
        TableState::Same => (Tone::Good, "counts and digests are equal".to_owned()),
        TableState::Differs => {
            let rows = table.target_rows.unwrap_or_default();
            (Tone::Fault, format!("DIFFERS: the target has {rows} rows, or other values"))
        }
        TableState::Refused => {
            let reason = table.reason.as_deref().unwrap_or_default();
            (Tone::Fault, format!("REFUSED by the target: {}", plain(reason)))
        }
    };
    format!("{}: {} rows, {}", plain(&table.name), table.rows, styled(tone, &words))
}

fn columns(page: &mut Page, migration: &Migration) {
    if migration.columns.is_empty() {
        return;
    }
    page.heading("Columns that are not what they were declared to be");
    for decision in &migration.columns {
        let classes: Vec<String> = decision
            .classes
            .iter()
            .map(|(class, count)| format!("{count} {}", class.as_str()))
            .collect();
        let declared = if decision.declared.is_empty() { "nothing" } else { &decision.declared };
        let text = format!(
            "{}.{}, declared {}, is {}: {} ({})",
            plain(&decision.table),
            plain(&decision.column),
            plain(declared),
            decision.decided,
            plain(&decision.reason),
            classes.join(", ")
        );
        page.hanging("  - ", "    ", &text);
    }
}

fn values(page: &mut Page, migration: &Migration) {
    if migration.altered_count == 0 {
        return;
    }
    page.heading("Values that are not as they were");
    for value in migration.values.iter().take(VALUES_SHOWN) {
        let (table, column) = (plain(&value.table), plain(&value.column));
        let (row, decided) = (plain(&value.rowid), plain(&value.decided));
        page.hanging("  - ", "    ", &format!("{table}.{column}, row {row}: {decided}"));
    }
    let text = format!(
        "{} in all. The table tombolo_migration_value of the target names each, with its bytes.",
        migration.altered_count
    );
    page.paragraph(2, &text);
}

fn objects(page: &mut Page, migration: &Migration) {
    let with = |state| migration.objects.iter().filter(move |object| object.state == state);
    let not_made: Vec<&ObjectReport> = with(ObjectState::NotMade).collect();
    if !not_made.is_empty() {
        page.heading("Not carried over, or not as it was");
        for object in not_made {
            let reason = object.reason.as_deref().unwrap_or_default();
            let text = format!("{} {}: {}", object.kind, plain(&object.name), plain(reason));
            page.hanging("  - ", "    ", &text);
        }
    }
    let (made, planned) = (with(ObjectState::Made).count(), with(ObjectState::Planned).count());
    if made + planned > 0 {
        page.blank();
        let verb = if planned > 0 { "would be made" } else { "were made" };
        let text = format!("{} indexes, constraints and defaults {verb}.", made + planned);
        page.paragraph(0, &text);
    }
}

/// Names and texts of the databases steer no terminal.
fn plain(text: &str) -> String {
    printable(text.as_bytes())
}
