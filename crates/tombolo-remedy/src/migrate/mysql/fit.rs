//! Types that depend on more than one column: what stands in a key, and how long a row is.

use super::{CHARACTER_BYTES, KEY_BYTES_MAX, ROW_BYTES_MAX};
use crate::migrate::kind::{Choice, Kind};
use crate::migrate::scan::Contents;
use crate::migrate::schema::{Indexed, Table};
use std::collections::BTreeMap;

/// Bytes of a part of a key that is no text and no blob, at most: DECIMAL(65,30) has 30.
const FIXED_BYTES: u32 = 30;
/// What columns of other types take of a row, each.
const OTHER_BYTES: u32 = 30;

/// Changes types so that keys and rows are not too long, as far as what is held allows it. Says
/// which texts are bounded by that.
pub(super) fn fit(table: &Table, contents: &[Contents], choices: &mut [Choice]) -> Vec<String> {
    let mut notes = Vec::new();
    for (index, bytes) in keyed(table, choices) {
        let (column, held) = (&table.columns[index], &contents[index]);
        let kind = match choices[index].kind {
            Kind::Text if held.longest_characters <= u64::from(bytes / CHARACTER_BYTES) => {
                Kind::Varchar(bytes / CHARACTER_BYTES)
            }
            Kind::Varchar(limit)
                if limit > bytes / CHARACTER_BYTES
                    && held.longest_characters <= u64::from(bytes / CHARACTER_BYTES) =>
            {
                Kind::Varchar(bytes / CHARACTER_BYTES)
            }
            Kind::Bytes if held.longest_bytes <= u64::from(bytes) => Kind::Varbinary(bytes),
            _ => continue,
        };
        if held.texts + held.blobs > 0 && longest_as_text(held) > u64::from(bytes) {
            continue;
        }
        choices[index].kind = kind;
        notes.push(format!(
            "{}.{}: it is in a key, which has {KEY_BYTES_MAX} bytes: longer values than {} are \
             refused there",
            table.name,
            column.name,
            match kind {
                Kind::Varchar(limit) => format!("{limit} characters"),
                _ => format!("{bytes} bytes"),
            }
        ));
    }
    shorten_row(choices);
    notes
}

/// What values of several classes are in one column of texts: a blob may be its digits.
fn longest_as_text(held: &Contents) -> u64 {
    if held.texts > 0 && held.blobs > 0 { held.longest_bytes * 2 + 2 } else { 0 }
}

/// The columns of texts and blobs that a key has whole, each with the bytes that are left for it.
fn keyed(table: &Table, choices: &[Choice]) -> BTreeMap<usize, u32> {
    let position = |name: &String| {
        table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    };
    let names = |names: &[String]| names.iter().filter_map(position).collect::<Vec<usize>>();
    let mut keys = vec![names(&table.primary_key)];
    keys.extend(table.foreign_keys.iter().map(|key| names(&key.columns)));
    for index in table.indexes.iter().filter(|index| index.unique && index.condition.is_none()) {
        let columns = index.parts.iter().filter_map(|part| match &part.what {
            Indexed::Column(name) => position(name),
            Indexed::Expression(_) => None,
        });
        keys.push(columns.collect());
    }
    let mut found: BTreeMap<usize, u32> = BTreeMap::new();
    for key in keys {
        let varying = key.iter().filter(|index| varies(choices[**index].kind)).count();
        let fixed = u32::try_from(key.len() - varying).unwrap_or(u32::MAX);
        let left = KEY_BYTES_MAX.saturating_sub(fixed.saturating_mul(FIXED_BYTES));
        let share = left / u32::try_from(varying.max(1)).unwrap_or(u32::MAX);
        for index in key.into_iter().filter(|index| varies(choices[*index].kind)) {
            let least = found.entry(index).or_insert(share);
            *least = (*least).min(share);
        }
    }
    found
}

fn varies(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Varchar(_) | Kind::Bytes)
}

/// Where the texts of a row are too long together, the longest ones get a place of their own.
fn shorten_row(choices: &mut [Choice]) {
    let bytes = |kind: Kind| match kind {
        Kind::Varchar(limit) => limit * CHARACTER_BYTES + 2,
        Kind::Varbinary(limit) => limit + 2,
        _ => OTHER_BYTES,
    };
    loop {
        let all: u32 = choices.iter().map(|choice| bytes(choice.kind)).sum();
        if all <= ROW_BYTES_MAX {
            return;
        }
        let longest = choices
            .iter_mut()
            .filter(|choice| matches!(choice.kind, Kind::Varchar(_)))
            .max_by_key(|choice| bytes(choice.kind));
        match longest {
            Some(choice) => choice.kind = Kind::Text,
            None => return,
        }
    }
}

/// The part of a key that a column is: of long texts, the start.
pub(super) fn prefix(kind: Kind, parts: usize) -> Option<u32> {
    let share = KEY_BYTES_MAX / u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
    match kind {
        Kind::Text => Some(share / CHARACTER_BYTES),
        Kind::Varchar(limit) if limit > share / CHARACTER_BYTES => Some(share / CHARACTER_BYTES),
        Kind::Bytes => Some(share),
        Kind::Varbinary(limit) if limit > share => Some(share),
        _ => None,
    }
}
