//! Figures of several rounds, and whether they are what is promised.

use super::arena::{Kind, Sync, SyncTime};
use super::works::{self, Client, Durability, Work};

/// What a contender did of one work, a run for each round.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) kind: Kind,
    pub(super) title: String,
    pub(super) runs: Vec<Vec<Client>>,
}

/// One work, with one kind of acknowledgement, of all contenders.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) durability: Durability,
    pub(super) sync: Sync,
    pub(super) figures: Vec<Figures>,
}

/// All that is written down.
#[derive(Clone, Debug)]
pub(super) struct Results {
    pub(super) machine: String,
    pub(super) versions: String,
    pub(super) date: String,
    pub(super) rounds: u16,
    pub(super) ping_pong_us: f64,
    pub(super) sync: SyncTime,
    pub(super) slowed_sync: Option<SyncTime>,
    pub(super) rows: Vec<Row>,
}

pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Figures {
    fn over_runs(&self, of: impl Fn(&[Client]) -> f64) -> f64 {
        median(self.runs.iter().map(|run| of(run)))
    }

    /// Median time of one of them, in microseconds: of a run, and then of the runs.
    pub(super) fn median_us(&self) -> f64 {
        self.over_runs(|run| median(run.iter().map(|client| client.median_us)))
    }

    /// The shortest and the longest median of a run.
    pub(super) fn spread_us(&self) -> (f64, f64) {
        let medians = self.runs.iter().map(|run| median(run.iter().map(|one| one.median_us)));
        medians.fold((f64::INFINITY, 0.0), |(least, most), one| (one.min(least), one.max(most)))
    }

    /// How many a second all clients that do this do together.
    pub(super) fn rate(&self, work: &Work, name: &str) -> f64 {
        let seconds = f64::from(work.milliseconds) / 1000.0;
        let count = |run: &[Client]| named(run, name).map(|client| client.count).sum::<f64>();
        self.over_runs(|run| count(run) / seconds)
    }

    /// The longest time that one of them took any client, in microseconds.
    pub(super) fn longest_us(&self, name: &str) -> f64 {
        self.over_runs(|run| named(run, name).map(|one| one.longest_us).fold(0.0, f64::max))
    }

    /// How many the slowest client did for each of the fastest.
    pub(super) fn fairness(&self) -> f64 {
        self.over_runs(|run| {
            let counts = || run.iter().map(|client| client.count);
            counts().fold(f64::INFINITY, f64::min) / counts().fold(0.0, f64::max)
        })
    }

    /// How many each client did in the last run, in rising order.
    pub(super) fn counts(&self) -> Vec<f64> {
        let mut counts: Vec<f64> =
            self.runs.last().into_iter().flatten().map(|client| client.count).collect();
        counts.sort_by(f64::total_cmp);
        counts
    }

    pub(super) fn refused(&self) -> f64 {
        self.runs.iter().flatten().map(|client| client.refused).sum()
    }
}

fn named<'a>(run: &'a [Client], name: &'a str) -> impl Iterator<Item = &'a Client> {
    run.iter().filter(move |client| client.work == name)
}

/// What was promised of the door at a Unix socket, and whether it holds.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) work: String,
    pub(super) promise: &'static str,
    pub(super) measured: String,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// It was not measured here.
    Open,
}

impl Results {
    fn row(&self, title: &str, durability: Durability, is_slow: bool) -> Option<&Row> {
        self.rows.iter().find(|row| {
            let sync_us = match row.sync {
                Sync::OfTheDisk => self.sync.least_us,
                Sync::Slowed { .. } => self.slowed_sync.map_or(0.0, |sync| sync.least_us),
            };
            let fits = !is_slow || sync_us >= 1000.0;
            row.work.title == title && row.durability == durability && fits
        })
    }

    /// Each promise, in the order in which they were made.
    pub(super) fn targets(&self) -> Vec<Target> {
        let ping_us = self.ping_pong_us;
        let (full, normal) = (Durability::Full, Durability::Normal);
        let mut targets = vec![
            self.target(
                &works::POINT,
                normal,
                false,
                "(a) + 1.5 round trips, less than (c)",
                |of| {
                    let [door, wal, _, postgres] = of.medians();
                    let most = wal + 1.5 * ping_us;
                    let text = format!("{door:.1} us, at most {most:.1} us and {postgres:.1} us");
                    (text, door <= most && door < postgres)
                },
            ),
            self.target(&works::UPDATE, full, true, "1.15 x (a), less than (b) and (c)", |of| {
                let [door, wal, delete, postgres] = of.medians();
                let ratio = door / wal;
                let text = format!("{ratio:.2} x; {door:.0} us, {delete:.0} us, {postgres:.0} us");
                (text, ratio <= 1.15 && door < delete && door < postgres)
            }),
            self.target(&works::UPDATE, normal, false, "(a) + 3 round trips + 100 us", |of| {
                let [door, wal, ..] = of.medians();
                let most = wal + 3.0 * ping_us + 100.0;
                (format!("{door:.1} us, at most {most:.1} us"), door <= most)
            }),
        ];
        for (work, promise, most) in
            [(&works::SCAN, "1.2 x (a)", 1.2), (&works::COLD_SCAN, "2 x (a)", 2.0)]
        {
            targets.push(self.target(work, normal, false, promise, |of| {
                let [door, wal, ..] = of.medians();
                (format!("{:.2} x", door / wal), door / wal <= most)
            }));
        }
        for (durability, is_slow, promise, least) in [
            (full, true, "4 x the rate of (a)", 4.0),
            (normal, false, "0.25 x the rate of (a), better 0.4 x", 0.25),
        ] {
            let writers = &works::WRITERS;
            targets.push(self.target(writers, durability, is_slow, promise, |of| {
                let [door, wal, ..] = of.each(|one| one.rate(writers, writers.name));
                (format!("{:.2} x", door / wal), door / wal >= least)
            }));
            let promise = "longest wait 1/50 of (a)'s";
            targets.push(self.target(writers, durability, is_slow, promise, |of| {
                let [door, wal, ..] = of.each(|one| one.longest_us(writers.name) / 1000.0);
                let text = format!("{door:.1} ms of {wal:.0} ms: 1/{:.0}", wal / door);
                (text, door * 50.0 <= wal)
            }));
            let promise = "the slowest does 0.8 of the fastest";
            targets.push(self.target(writers, durability, is_slow, promise, |of| {
                let [door, ..] = of.each(Figures::fairness);
                (format!("{door:.2}"), door >= 0.8)
            }));
        }
        targets
    }

    fn target(
        &self,
        work: &Work,
        durability: Durability,
        is_slow: bool,
        promise: &'static str,
        judge: impl Fn(&Row) -> (String, bool),
    ) -> Target {
        let full = if durability == Durability::Full { ", FULL, sync of 1 ms or more" } else { "" };
        let normal = work.writes == works::Writes::Yes && durability == Durability::Normal;
        let work_named = format!("{}{full}{}", work.title, if normal { ", NORMAL" } else { "" });
        let (measured, verdict) = match self.row(work.title, durability, is_slow) {
            None => ("not measured".to_owned(), Verdict::Open),
            Some(row) => match judge(row) {
                (text, true) => (text, Verdict::Met),
                (text, false) => (text, Verdict::Missed),
            },
        };
        Target { work: work_named, promise, measured, verdict }
    }
}

impl Row {
    /// A figure of the first door, of WAL, of DELETE and of PostgreSQL.
    pub(super) fn each(&self, of: impl Fn(&Figures) -> f64) -> [f64; 4] {
        [Kind::Door, Kind::Wal, Kind::Delete, Kind::Postgres].map(|kind| {
            let found = self.figures.iter().find(|figures| figures.kind == kind);
            found.map_or(f64::NAN, &of)
        })
    }

    fn medians(&self) -> [f64; 4] {
        self.each(Figures::median_us)
    }
}
