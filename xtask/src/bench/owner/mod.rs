//! An owner and its doors against stock SQLite on the local file, and PostgreSQL.
//!
//! * `arena`: who is compared, and one run.
//! * `works`: what is measured.
//! * `results`: the figures, and what was promised.
//! * `page`: how they are written down.
//! * `load.c`, `slow_sync.c`: the load generator, and a slow disk for all alike.

mod arena;
mod page;
mod results;
mod works;

use crate::shell::{self, Failure};
pub(super) use arena::Programs;
use arena::{Arena, Sync};
use results::{Figures, Results, Row, Verdict};
use std::path::Path;
use std::process::Command;
use works::{Cache, Work};

/// A sync that takes less than this is that of a disk with a memory of its own.
const SLOW_SYNC_US: f64 = 1000.0;
/// How much is added to it then.
const DELAY_US: u32 = 1000;
/// Rounds of works that many clients do, which take long.
const ROUNDS_OF_MANY: u16 = 3;

/// Measures, prints, and writes the page; what does not hold is added to `slow`.
pub(super) fn run(
    programs: &Programs,
    listen: &[String],
    rounds: u16,
    slow: &mut Vec<String>,
) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let arena = Arena::new(programs, listen, Sync::OfTheDisk)?;
    let files = tempfile::tempdir().map_err(Failure::file(Path::new("TMPDIR")))?;
    let ping_pong_us = programs.ping_pong_us()?;
    let sync = programs.sync_us(files.path(), Sync::OfTheDisk)?;
    let all = [
        works::POINT,
        works::POINT_ANY,
        works::RANGE,
        works::UPDATE,
        works::INSERT,
        works::SCAN,
        works::COLD_SCAN,
        works::WRITERS,
        works::MIXED,
    ];
    measure(&arena, &all, rounds, &mut rows)?;
    let versions = arena.versions()?;
    arena.check()?;
    drop(arena);
    let mut slowed_sync = None;
    if sync.least_us < SLOW_SYNC_US {
        let slowed = Sync::Slowed { delay_us: DELAY_US };
        let arena = Arena::new(programs, listen, slowed)?;
        slowed_sync = Some(programs.sync_us(files.path(), slowed)?);
        measure(&arena, &[works::UPDATE, works::INSERT, works::WRITERS], rounds, &mut rows)?;
        arena.check()?;
    }
    let (_, date) = shell::output(Command::new("date").arg("+%Y-%m-%d"))?;
    let results = Results {
        machine: super::machine()?,
        versions,
        date: date.trim().to_owned(),
        rounds,
        ping_pong_us,
        sync,
        slowed_sync,
        rows,
    };
    println!("\n{}", page::section(&results));
    super::page::put(&page::section(&results))?;
    slow.extend(results.targets().into_iter().filter_map(|target| match target.verdict {
        Verdict::Met => None,
        Verdict::Missed | Verdict::Open => {
            Some(format!("{}, {}: {}", target.work, target.promise, target.measured))
        }
    }));
    Ok(())
}

/// All contenders in turn; another one begins each round.
fn measure(
    arena: &Arena<'_>,
    works: &[Work],
    rounds: u16,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    for work in works {
        for durability in arena::durabilities(work, arena.sync) {
            let is_long = work.clients > 1 || work.cache == Cache::Cold;
            let rounds = if is_long { rounds.min(ROUNDS_OF_MANY) } else { rounds };
            let mut figures: Vec<Figures> = arena
                .contenders
                .iter()
                .map(|one| Figures { kind: one.kind, title: one.title.clone(), runs: Vec::new() })
                .collect();
            for round in 0..usize::from(rounds) {
                for turn in 0..figures.len() {
                    let place = (round + turn) % figures.len();
                    let run = arena.run(&arena.contenders[place], work, *durability)?;
                    figures[place].runs.push(run);
                }
            }
            let row = Row { work: *work, durability: *durability, sync: arena.sync, figures };
            eprintln!("  {}", page::line(&row));
            rows.push(row);
        }
    }
    Ok(())
}
