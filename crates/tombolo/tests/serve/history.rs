//! Histories of clients at the door and of stock clients, checked for strict serializability.

use crate::harness::{Owner, printed, program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use tombolo_lab::history::{Action, Anomaly, End, Transaction, check};
use tombolo_lab::{Faults, Namespace, TwoMounts, sqlite};

const TABLE: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, list INTEGER, value INTEGER);
    CREATE INDEX by_list ON item(list);";
const LISTS: &str = "SELECT list, value FROM item ORDER BY list, id;";

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn action(value: &Value) -> Action {
    let list = u32::try_from(number(&value["list"])).expect("a list");
    match value["values"].as_array() {
        Some(values) => Action::Read { list, values: values.iter().map(number).collect() },
        None => Action::Append { list, value: number(&value["value"]) },
    }
}

fn transactions(child: Child, client: &str) -> Vec<Transaction> {
    let output = child.wait_with_output().expect("waited for");
    let text = String::from_utf8(output.stdout).expect("JSON");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|line| Transaction {
            client: client.to_owned(),
            begin_ns: number(&line["began"]),
            end_ns: number(&line["ended"]),
            end: match line["outcome"].as_str() {
                Some("committed") => End::Committed,
                Some("aborted") => End::Aborted,
                _ => End::Unknown,
            },
            actions: line["actions"].as_array().expect("a list").iter().map(action).collect(),
        })
        .collect()
}

fn lists(rows: &str) -> BTreeMap<u32, Vec<u64>> {
    let mut lists: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for row in rows.lines() {
        let (list, value) = row.split_once('|').expect("two columns");
        let list = list.parse().expect("a list");
        lists.entry(list).or_default().push(value.parse().expect("a value"));
    }
    lists
}

/// The transactions of a circle, for people.
fn story(anomaly: &Anomaly, history: &[Transaction]) -> String {
    let Anomaly::Circle(circle) = anomaly else { return String::new() };
    let first = history.iter().map(|transaction| transaction.begin_ns).min().unwrap_or(0);
    let mut story = String::new();
    for (number, _) in circle {
        let Transaction { client, begin_ns, end_ns, end, actions } = &history[*number];
        let (begin_us, end_us) = ((begin_ns - first) / 1000, (end_ns - first) / 1000);
        story += &format!("{number}: client {client}, {begin_us} to {end_us} us, {end:?}\n");
        for action in actions {
            story += &format!("    {action:?}\n");
        }
    }
    story
}

/// Runs eight clients, of which two use the file itself.
fn through_an_owner(seconds: &str, seed: &str) {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    let clients: Vec<(String, Child)> = (1..=8)
        .map(|client| {
            let way = if client <= 6 { "door" } else { "stock" };
            let name = client.to_string();
            let child = owner.program("lists.py", &[way, &name, seconds, seed]);
            (name, child)
        })
        .collect();
    let history: Vec<Transaction> =
        clients.into_iter().flat_map(|(name, child)| transactions(child, &name)).collect();
    let committed = history.iter().filter(|found| found.end == End::Committed).count();
    assert!(committed > 100, "{committed} of {} were committed", history.len());
    let last = lists(&printed(&owner.stock(LISTS)));
    let anomalies = check(&history, &last);
    if let Some(anomaly) = anomalies.first() {
        panic!("seed {seed}: {anomaly}\n{}", story(anomaly, &history));
    }
    assert_eq!(printed(&owner.stock("PRAGMA integrity_check;")), "ok");
}

#[test]
fn a_history_through_the_owner_is_strictly_serializable() {
    through_an_owner("4", "1");
}

/// Minutes: `cargo test -p tombolo --test serve -- --ignored histories`.
#[test]
#[ignore = "takes minutes"]
fn histories_of_many_seeds_are_strictly_serializable() {
    for seed in 2..12 {
        through_an_owner("20", &seed.to_string());
    }
}

/// What a door would do that is wrong on purpose: two kernels on one share, which nothing ties
/// together.
#[test]
fn a_history_without_an_owner_is_found_out() {
    Namespace::run(|namespace| {
        let mounts = TwoMounts::new(namespace, Faults::default()).expect("two mounts");
        let paths = [&mounts.first(), &mounts.second()].map(|mount| mount.path().join("app.db"));
        assert_eq!(sqlite(&paths[0], TABLE), "");
        let start = |path: &Path, name: String| {
            (program(path, "lists.py", &["stock", &name, "2", "1"]), name)
        };
        // What they do at the same time is left to chance.
        let mut history: Vec<Transaction> = Vec::new();
        let is_found_out = (0..10).any(|round| {
            let [first, second] = [1, 2].map(|client: u32| (2 * round + client).to_string());
            let clients = [start(&paths[0], first), start(&paths[1], second)];
            let more = clients.into_iter().flat_map(|(child, name)| transactions(child, &name));
            history.extend(more);
            let rows = sqlite(&paths[0], LISTS);
            let rows = rows.lines().filter(|row| row.contains('|'));
            let rows: String = rows.map(|row| format!("{row}\n")).collect();
            !check(&history, &lists(&rows)).is_empty()
        });
        assert!(is_found_out, "{} transactions, and nothing was noticed", history.len());
    });
}
