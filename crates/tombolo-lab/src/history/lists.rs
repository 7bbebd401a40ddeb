//! The order in which values came into lists.

use super::{Action, Anomaly, End, Transaction};
use std::collections::{BTreeMap, HashMap};

/// Lists as they are at the end, and who appended each value.
#[derive(Debug)]
pub(super) struct Lists<'a> {
    pub(super) last: &'a BTreeMap<u32, Vec<u64>>,
    pub(super) writers: HashMap<(u32, u64), usize>,
}

impl Lists<'_> {
    pub(super) fn values(&self, list: u32) -> &[u64] {
        self.last.get(&list).map_or(&[], Vec::as_slice)
    }

    /// Who appended the value at a place of a list.
    pub(super) fn writer(&self, list: u32, place: usize) -> Option<usize> {
        let value = self.values(list).get(place)?;
        self.writers.get(&(list, *value)).copied()
    }
}

pub(super) fn order<'a>(
    transactions: &[Transaction],
    last: &'a BTreeMap<u32, Vec<u64>>,
) -> Result<Lists<'a>, Vec<Anomaly>> {
    let mut writers = HashMap::new();
    for (number, transaction) in transactions.iter().enumerate() {
        for action in &transaction.actions {
            if let Action::Append { list, value } = action {
                writers.insert((*list, *value), number);
            }
        }
    }
    let lists = Lists { last, writers };
    let mut anomalies = what_is_there(transactions, &lists);
    anomalies.extend(what_was_seen(transactions, &lists));
    if anomalies.is_empty() { Ok(lists) } else { Err(anomalies) }
}

fn what_is_there(transactions: &[Transaction], lists: &Lists<'_>) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    for (&list, values) in lists.last {
        let mut seen = std::collections::HashSet::new();
        for &value in values {
            if !seen.insert(value) {
                anomalies.push(Anomaly::Duplicate { list, value });
            }
            let end =
                lists.writers.get(&(list, value)).and_then(|writer| transactions.get(*writer));
            if end.is_none_or(|transaction| transaction.end == End::Aborted) {
                anomalies.push(Anomaly::FromNowhere { list, value });
            }
        }
    }
    for (&(list, value), &transaction) in &lists.writers {
        let committed =
            transactions.get(transaction).is_some_and(|found| found.end == End::Committed);
        if committed && !lists.values(list).contains(&value) {
            anomalies.push(Anomaly::Lost { list, value, transaction });
        }
    }
    anomalies
}

/// Whoever committed has seen beginnings of the lists, and of them what it appended itself.
fn what_was_seen(transactions: &[Transaction], lists: &Lists<'_>) -> Vec<Anomaly> {
    let committed = transactions.iter().filter(|found| found.end == End::Committed);
    let reads = committed.flat_map(|transaction| &transaction.actions);
    let odd = reads.filter_map(|action| match action {
        Action::Read { list, values } if !lists.values(*list).starts_with(values) => Some(*list),
        _ => None,
    });
    odd.map(|list| Anomaly::TwoOrders { list }).collect()
}
