//! What has arrived, read back from the target.

use super::copy_text;
use super::digest::{RowDigest, Sum};
use super::kind::Kind;
use super::plan::PlannedTable;
use super::postgres::{Client, quoted};
use crate::copy::Attend;
use crate::error::Error;

const DURING: &str = "comparing what arrived";

/// Rows between two questions whether to stop.
const STRIDE: u64 = 512;

/// Rows in the target, and the digest of their values.
///
/// # Errors
/// What the server said, and the wish to stop.
pub(super) fn arrived(
    client: &mut Client,
    table: &PlannedTable,
    attend: &mut dyn Attend,
) -> Result<(u64, Sum), Error> {
    let kinds: Vec<Kind> = table.columns.iter().map(|column| column.kind).collect();
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let sql = format!("COPY {} TO STDOUT", quoted(&table.name));
    let sql = match names.is_empty() {
        true => sql,
        // Of a table itself COPY leaves generated columns out.
        false => {
            format!("COPY (SELECT {} FROM {}) TO STDOUT", names.join(", "), quoted(&table.name))
        }
    };
    let (mut rows, mut sum) = (0_u64, Sum::default());
    client.copy_out(DURING, &sql, &mut |line| {
        let cells = copy_text::read(line, &kinds).ok_or_else(|| {
            Error::MigrationRecord(format!("a row of {} is not as it was sent", table.name))
        })?;
        let mut digest = RowDigest::default();
        for cell in &cells {
            digest.add(cell);
        }
        sum.add(digest);
        rows += 1;
        if rows.is_multiple_of(STRIDE) {
            attend.pass()?;
            attend.worked(line.len() as u64);
        }
        Ok(())
    })?;
    Ok((rows, sum))
}
