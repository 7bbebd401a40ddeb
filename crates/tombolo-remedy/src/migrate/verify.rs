//! What has arrived, read back from the target.

use super::digest::{RowDigest, Sum};
use super::plan::PlannedTable;
use super::target::Target;
use crate::copy::Attend;
use crate::error::Error;

/// Rows between two questions whether to stop.
const STRIDE: u64 = 512;

/// Rows in the target, and the digest of their values.
///
/// # Errors
/// What the server said, and the wish to stop.
pub(super) fn arrived(
    target: &mut dyn Target,
    table: &PlannedTable,
    attend: &mut dyn Attend,
) -> Result<(u64, Sum), Error> {
    let (mut rows, mut sum) = (0_u64, Sum::default());
    target.read_rows("comparing what arrived", table, &mut |cells, size_bytes| {
        let mut digest = RowDigest::default();
        for cell in cells {
            digest.add(cell);
        }
        sum.add(digest);
        rows += 1;
        if rows.is_multiple_of(STRIDE) {
            attend.pass()?;
            attend.worked(size_bytes);
        }
        Ok(())
    })?;
    Ok((rows, sum))
}
