//! Who came before whom.

use super::lists::Lists;
use super::{Action, End, Transaction};
use std::collections::VecDeque;

/// Why one transaction came before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its value stands before the other's.
    Ww,
    /// The other has read its value.
    Wr,
    /// It has not read the other's value.
    Rw,
    /// It had ended when the other began.
    RealTime,
}

/// From each transaction to those that come after it.
pub(super) type Edges = Vec<Vec<(usize, Kind)>>;

pub(super) fn edges(transactions: &[Transaction], lists: &Lists<'_>) -> Edges {
    let mut edges: Edges = vec![Vec::new(); transactions.len()];
    let mut add = |from: Option<usize>, to: Option<usize>, kind| {
        if let (Some(from), Some(to)) = (from, to)
            && from != to
            && let Some(out) = edges.get_mut(from)
        {
            out.push((to, kind));
        }
    };
    for (&list, values) in lists.last {
        for place in 1..values.len() {
            add(lists.writer(list, place - 1), lists.writer(list, place), Kind::Ww);
        }
    }
    for (number, transaction) in transactions.iter().enumerate() {
        if transaction.end != End::Committed {
            continue;
        }
        for action in &transaction.actions {
            let Action::Read { list, values } = action else { continue };
            if let Some(place) = values.len().checked_sub(1) {
                add(lists.writer(*list, place), Some(number), Kind::Wr);
            }
            add(Some(number), lists.writer(*list, values.len()), Kind::Rw);
        }
    }
    for (from, to) in real_time(transactions) {
        add(Some(from), Some(to), Kind::RealTime);
    }
    edges
}

/// Pairs of which the first had ended before the second began, but for those that follow from
/// others.
fn real_time(transactions: &[Transaction]) -> Vec<(usize, usize)> {
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (number, transaction) in transactions.iter().enumerate() {
        events.push((transaction.begin_ns, true, number));
        if transaction.end == End::Committed {
            events.push((transaction.end_ns, false, number));
        }
    }
    // What begins and ends at one moment is at the same time.
    events.sort_by_key(|&(time, begins, _)| (time, !begins));
    let mut pairs = Vec::new();
    // Those that have ended, and after which no other has begun and ended.
    let mut frontier: Vec<usize> = Vec::new();
    for (_, begins, number) in events {
        if begins {
            pairs.extend(frontier.iter().map(|ended| (*ended, number)));
            continue;
        }
        let begin_ns = transactions.get(number).map_or(0, |found| found.begin_ns);
        frontier
            .retain(|ended| transactions.get(*ended).is_some_and(|found| found.end_ns >= begin_ns));
        frontier.push(number);
    }
    pairs
}

/// A shortest circle through the first transaction that is on one.
pub(super) fn circle(edges: &Edges) -> Option<Vec<(usize, Kind)>> {
    what_is_left(edges).into_iter().find_map(|start| way(start, edges))
}

/// What no topological order can hold: transactions on circles, and behind them.
fn what_is_left(edges: &Edges) -> Vec<usize> {
    let mut before = vec![0_usize; edges.len()];
    for &(to, _) in edges.iter().flatten() {
        if let Some(count) = before.get_mut(to) {
            *count += 1;
        }
    }
    let mut free: Vec<usize> = (0..edges.len()).filter(|at| before.get(*at) == Some(&0)).collect();
    while let Some(at) = free.pop() {
        for &(to, _) in edges.get(at).into_iter().flatten() {
            if let Some(count) = before.get_mut(to) {
                *count -= 1;
                if *count == 0 {
                    free.push(to);
                }
            }
        }
    }
    (0..edges.len()).filter(|at| before.get(*at).is_some_and(|count| *count > 0)).collect()
}

/// The shortest way from a transaction to itself.
fn way(start: usize, edges: &Edges) -> Option<Vec<(usize, Kind)>> {
    let mut came: Vec<Option<(usize, Kind)>> = vec![None; edges.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &(to, kind) in edges.get(at).into_iter().flatten() {
            if let Some(place) = came.get_mut(to).filter(|place| place.is_none()) {
                *place = Some((at, kind));
                queue.push_back(to);
            }
        }
        if came.get(start).copied().flatten().is_some() {
            break;
        }
    }
    let mut back = Vec::new();
    let mut at = start;
    loop {
        let (from, kind) = came.get(at).copied().flatten()?;
        back.push((from, kind));
        at = from;
        if at == start {
            back.reverse();
            return Some(back);
        }
    }
}
