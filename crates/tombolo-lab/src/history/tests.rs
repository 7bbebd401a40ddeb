use super::*;

/// A transaction that reads a list whole and appends to it, or only reads (`append` 0).
fn step(begin_ns: u64, end_ns: u64, list: u32, values: &[u64], append: u64) -> Transaction {
    let mut actions = vec![Action::Read { list, values: values.to_vec() }];
    if append != 0 {
        actions.push(Action::Append { list, value: append });
    }
    Transaction { client: "c".into(), begin_ns, end_ns, end: End::Committed, actions }
}

fn last(lists: &[(u32, &[u64])]) -> BTreeMap<u32, Vec<u64>> {
    lists.iter().map(|(list, values)| (*list, values.to_vec())).collect()
}

#[test]
fn one_after_the_other_is_fine() {
    let history = [step(0, 1, 1, &[], 1), step(2, 3, 1, &[1], 2), step(4, 5, 1, &[1, 2], 0)];
    assert_eq!(check(&history, &last(&[(1, &[1, 2])])), []);
}

#[test]
fn a_lost_update_is_found() {
    // Both read the empty list; the second wrote over the first.
    let history = [step(0, 5, 1, &[], 1), step(1, 6, 1, &[], 2)];
    let found = check(&history, &last(&[(1, &[2])]));
    assert_eq!(found, [Anomaly::Lost { list: 1, value: 1, transaction: 0 }]);
    // Both are there, but the second had not seen the first.
    let found = check(&history, &last(&[(1, &[1, 2])]));
    assert!(matches!(found.as_slice(), [Anomaly::Circle(_)]), "{found:?}");
}

#[test]
fn a_stale_read_is_found_by_real_time_alone() {
    let history = [step(0, 1, 1, &[], 1), step(2, 3, 1, &[], 0)];
    let found = check(&history, &last(&[(1, &[1])]));
    assert_eq!(found, [Anomaly::Circle(vec![(0, Kind::RealTime), (1, Kind::Rw)])]);
    // At the same time it would have been fine.
    let history = [step(0, 3, 1, &[], 1), step(2, 3, 1, &[], 0)];
    assert_eq!(check(&history, &last(&[(1, &[1])])), []);
}

#[test]
fn write_skew_is_found() {
    let skewed = |begin_ns, read: u32, write: u32, value| Transaction {
        actions: vec![
            Action::Read { list: read, values: Vec::new() },
            Action::Append { list: write, value },
        ],
        ..step(begin_ns, 9, 1, &[], 0)
    };
    let history = [skewed(0, 1, 2, 5), skewed(1, 2, 1, 6)];
    let found = check(&history, &last(&[(1, &[6]), (2, &[5])]));
    assert_eq!(found, [Anomaly::Circle(vec![(0, Kind::Rw), (1, Kind::Rw)])]);
}

#[test]
fn what_was_refused_may_not_be_seen_and_what_nobody_knows_may() {
    for (end, is_fine) in [(End::Aborted, false), (End::Unknown, true)] {
        let history = [Transaction { end, ..step(0, 1, 1, &[], 1) }, step(2, 3, 1, &[1], 0)];
        assert_eq!(check(&history, &last(&[(1, &[1])])).is_empty(), is_fine, "{end:?}");
        let history = [Transaction { end, ..step(0, 1, 1, &[], 1) }, step(2, 3, 1, &[], 0)];
        assert_eq!(check(&history, &last(&[(1, &[])])), [], "not there is fine: {end:?}");
    }
}

#[test]
fn two_orders_and_doubles_are_found() {
    let history = [step(0, 9, 1, &[], 1), step(0, 9, 1, &[1], 2), step(0, 9, 1, &[2, 1], 0)];
    assert_eq!(check(&history, &last(&[(1, &[1, 2])])), [Anomaly::TwoOrders { list: 1 }]);
    let found = check(&history[..2], &last(&[(1, &[1, 2, 1])]));
    assert_eq!(found, [Anomaly::Duplicate { list: 1, value: 1 }]);
}

#[test]
fn thousands_of_transactions_in_order_are_fine_and_one_swap_is_found() {
    let mut values = Vec::new();
    let mut history: Vec<Transaction> = (1..3000)
        .map(|number| {
            let read = values.clone();
            values.push(number);
            // Eight clients at a time.
            step(number * 10, number * 10 + 80, 1, &read, number)
        })
        .collect();
    assert_eq!(check(&history, &last(&[(1, &values)])), []);
    let Action::Read { values: read, .. } = &mut history[2000].actions[0] else { panic!("a read") };
    read.truncate(1500);
    let found = check(&history, &last(&[(1, &values)]));
    assert!(matches!(found.as_slice(), [Anomaly::Circle(_)]), "{}", found.len());
}
