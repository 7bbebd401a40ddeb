//! Is a recorded history strictly serializable?
//!
//! Transactions read lists and append to them, each value once (the list-append workload of Elle:
//! Kingsbury and Alvaro, VLDB 2020). Whoever reads a list learns the whole order of its writers, so
//! that the order of transactions can be told from the outside: who wrote before whom (ww), who
//! read from whom (wr), who read before whom wrote (rw), and who had ended before whom began (real
//! time). A history is strictly serializable if these have no circle, and no read is of something
//! that is not there.
//!
//! It shares nothing with what it judges: it knows lists, values and times.

mod graph;
mod lists;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use graph::Kind;

/// What a transaction does to one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It saw these values, in this order.
    Read {
        /// The list.
        list: u32,
        /// What was in it.
        values: Vec<u64>,
    },
    /// It appended a value that nobody else appends to this list.
    Append {
        /// The list.
        list: u32,
        /// The value.
        value: u64,
    },
}

/// How a transaction ended, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was acknowledged.
    Committed,
    /// It was refused or rolled back.
    Aborted,
    /// Nobody said.
    Unknown,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who did it, for people.
    pub client: String,
    /// When it began, by a clock that all clients share, in nanoseconds.
    pub begin_ns: u64,
    /// When its end was known.
    pub end_ns: u64,
    /// How it ended.
    pub end: End,
    /// What it did, in order.
    pub actions: Vec<Action>,
}

/// What is wrong with a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// Two reads of a list cannot both be: neither is the beginning of the other.
    TwoOrders {
        /// The list.
        list: u32,
    },
    /// A value was read twice in one list.
    Duplicate {
        /// The list.
        list: u32,
        /// The value.
        value: u64,
    },
    /// A value was read that nobody appended, or whose transaction was refused.
    FromNowhere {
        /// The list.
        list: u32,
        /// The value.
        value: u64,
    },
    /// A value that was acknowledged is not in the list at the end.
    Lost {
        /// The list.
        list: u32,
        /// The value.
        value: u64,
        /// Whose.
        transaction: usize,
    },
    /// Transactions that each come before the next, and the last before the first.
    Circle(Vec<(usize, Kind)>),
}

impl fmt::Display for Anomaly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anomaly::TwoOrders { list } => write!(formatter, "list {list} was seen in two orders"),
            Anomaly::Duplicate { list, value } => {
                write!(formatter, "list {list} has {value} twice")
            }
            Anomaly::FromNowhere { list, value } => {
                write!(formatter, "list {list} has {value}, which nobody committed")
            }
            Anomaly::Lost { list, value, transaction } => {
                write!(formatter, "list {list} has lost {value} of transaction {transaction}")
            }
            Anomaly::Circle(edges) => {
                let parts = edges.iter().map(|(from, kind)| format!("{from} -{kind:?}-> "));
                let first = edges.first().map_or(0, |edge| edge.0);
                write!(formatter, "{}{first}", parts.collect::<String>())
            }
        }
    }
}

/// What is wrong with a history, given the lists as they are at its end. Empty: nothing that shows.
#[must_use]
pub fn check(transactions: &[Transaction], last: &BTreeMap<u32, Vec<u64>>) -> Vec<Anomaly> {
    let lists = match lists::order(transactions, last) {
        Ok(lists) => lists,
        Err(anomalies) => return anomalies,
    };
    let edges = graph::edges(transactions, &lists);
    graph::circle(&edges).map(Anomaly::Circle).into_iter().collect()
}
