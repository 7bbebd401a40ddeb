//! The text format that Prometheus collects.
//!
//! Source: Prometheus, "Exposition formats", text-based format, version 0.0.4.

use super::{DatabaseStatus, Latency, SessionStatus, Status, TransactionState};
use std::fmt::Write as _;

/// One metric: its name, what it is, its kind, and its value for a database.
type Metric = (&'static str, &'static str, &'static str, fn(&DatabaseStatus) -> u64);

const METRICS: &[Metric] = &[
    ("sessions", "Sessions that are open.", "gauge", |of| of.session_count),
    ("queue_length", "Sessions in the queue for the turn.", "gauge", |of| of.queue_length),
    ("pending_commits", "Commits that wait for a sync.", "gauge", |of| of.pending_count),
    ("log_bytes", "Bytes of the log.", "gauge", |of| of.log_bytes),
    ("size_bytes", "Bytes of the newest version.", "gauge", |of| {
        let pages = u64::from(of.size_pages.unwrap_or(0));
        pages * u64::from(of.page_size_bytes.unwrap_or(0))
    }),
    ("oldest_transaction_milliseconds", "Age of the oldest transaction.", "gauge", |of| {
        let open = |session: &&SessionStatus| session.transaction == TransactionState::Open;
        let ages = of.sessions.iter().filter(open).filter_map(|session| session.transaction_ms);
        ages.max().unwrap_or(0)
    }),
    ("sessions_total", "Sessions that were let in.", "counter", |of| of.counts.sessions),
    ("refused_sessions_total", "Sessions that were turned away.", "counter", |of| {
        of.counts.refused_sessions
    }),
    ("begins_total", "Transactions that began.", "counter", |of| of.counts.begins),
    ("pages_read_total", "Pages that were read.", "counter", |of| of.counts.pages_read),
    ("pages_written_total", "Pages that sessions have sent.", "counter", |of| {
        of.counts.pages_written
    }),
    ("commits_total", "Commits.", "counter", |of| of.counts.commits),
    ("conflicts_total", "Commits that were conflicts.", "counter", |of| of.counts.conflicts),
    ("failed_commits_total", "Commits that failed.", "counter", |of| of.counts.failed_commits),
    ("syncs_total", "Syncs of the log.", "counter", |of| of.counts.syncs),
    ("checkpoints_total", "Checkpoints.", "counter", |of| of.counts.checkpoints),
    ("lost_turns_total", "Turns that were kept too long.", "counter", |of| of.counts.lost_turns),
    ("expired_snapshots_total", "Snapshots that were given up.", "counter", |of| {
        of.counts.expired_snapshots
    }),
];

type Times = (&'static str, &'static str, fn(&DatabaseStatus) -> &Latency);

const TIMES: &[Times] = &[
    ("commit_seconds", "From the request to commit to its answer.", |of| &of.latencies.commit),
    ("sync_seconds", "Syncs of the log.", |of| &of.latencies.sync),
];

/// The document as metrics.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut text = String::new();
    let uptime = status.uptime_ms as f64 / 1000.0;
    let whole = [
        ("uptime_seconds", "How long the owner has been listening.", uptime),
        ("databases", "Databases that are open.", status.database_count as f64),
        ("silent_databases", "Databases that did not answer.", status.silent_count as f64),
    ];
    for (name, help, value) in whole {
        head(&mut text, name, help, "gauge");
        line(&mut text, format_args!("tombolo_{name} {value}"));
    }
    for (name, help, kind, value) in METRICS {
        head(&mut text, name, help, kind);
        for database in &status.databases {
            let path = label(&database.path);
            let value = value(database);
            line(&mut text, format_args!("tombolo_{name}{{database=\"{path}\"}} {value}"));
        }
    }
    for (name, help, of) in TIMES {
        head(&mut text, name, help, "histogram");
        for database in &status.databases {
            histogram(&mut text, name, &label(&database.path), of(database));
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP tombolo_{name} {help}"));
    line(text, format_args!("# TYPE tombolo_{name} {kind}"));
}

fn histogram(text: &mut String, name: &str, path: &str, latency: &Latency) {
    let label = format!("database=\"{path}\"");
    for class in &latency.classes {
        let (bound, count) = (class.at_most_us as f64 / 1e6, class.count);
        line(text, format_args!("tombolo_{name}_bucket{{{label},le=\"{bound}\"}} {count}"));
    }
    let count = latency.count;
    line(text, format_args!("tombolo_{name}_bucket{{{label},le=\"+Inf\"}} {count}"));
    let sum = latency.sum_us as f64 / 1e6;
    line(text, format_args!("tombolo_{name}_sum{{{label}}} {sum}"));
    line(text, format_args!("tombolo_{name}_count{{{label}}} {count}"));
}

/// A value of a label, in which three characters are written otherwise.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::{
        Counts, DatabaseLatencies, EngineName, Latencies, Rates, SCHEMA, SessionAccess,
        SessionKernel, TurnState,
    };
    use super::*;

    fn status() -> Status {
        let mut commit = Latencies::default();
        commit.add(1500);
        commit.add(60_000_000);
        let session = SessionStatus {
            program: "app".into(),
            process: 1,
            boot_id: None,
            address: None,
            kernel: SessionKernel::Same,
            access: SessionAccess::Write,
            transaction: TransactionState::Open,
            transaction_ms: Some(250),
            turn: TurnState::None,
            turn_ms: None,
        };
        Status {
            schema: SCHEMA.into(),
            version: "0".into(),
            process: 1,
            boot_id: None,
            uptime_ms: 1500,
            newcomer_count: Some(0),
            database_count: 1,
            silent_count: 0,
            databases: vec![DatabaseStatus {
                path: "/srv/a\"b\\c".into(),
                engine: EngineName::Shared,
                open_ms: 1000,
                page_size_bytes: Some(4096),
                size_pages: Some(3),
                log_bytes: 32,
                session_count: 1,
                sessions: vec![session],
                queue_length: 0,
                pending_count: 0,
                counts: Counts { commits: 2, ..Counts::default() },
                rates: Rates::default(),
                latencies: DatabaseLatencies {
                    commit: commit.told(),
                    sync: Latencies::default().told(),
                },
            }],
        }
    }

    #[test]
    fn every_metric_has_a_head_and_a_value_for_each_database() {
        let text = text(&status());
        let mut declared = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, _) = rest.split_once(' ').expect("a name and a kind");
                assert!(!declared.contains(&name), "{name} twice");
                declared.push(name);
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                let name = series.split('{').next().unwrap_or_default();
                assert!(declared.iter().any(|known| name.starts_with(known)), "{line}");
            }
        }
        for (name, ..) in METRICS {
            assert_eq!(text.matches(&format!("tombolo_{name}{{")).count(), 1, "{name}");
        }
        for expected in [
            "tombolo_uptime_seconds 1.5",
            "tombolo_size_bytes{database=\"/srv/a\\\"b\\\\c\"} 12288",
            "tombolo_oldest_transaction_milliseconds{database=\"/srv/a\\\"b\\\\c\"} 250",
            "tombolo_commits_total{database=\"/srv/a\\\"b\\\\c\"} 2",
            "tombolo_commit_seconds_bucket{database=\"/srv/a\\\"b\\\\c\",le=\"0.001\"} 0",
            "tombolo_commit_seconds_bucket{database=\"/srv/a\\\"b\\\\c\",le=\"0.002\"} 1",
            "tombolo_commit_seconds_bucket{database=\"/srv/a\\\"b\\\\c\",le=\"+Inf\"} 2",
            "tombolo_commit_seconds_count{database=\"/srv/a\\\"b\\\\c\"} 2",
            "tombolo_commit_seconds_sum{database=\"/srv/a\\\"b\\\\c\"} 60.0015",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing in\n{text}");
        }
    }
}
