//! What is measured, and what one run of it said.

use crate::shell::Failure;

/// What an acknowledgement means, in the words of `PRAGMA synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// It survives the end of any process.
    Normal,
    /// It survives loss of power.
    Full,
}

impl Durability {
    /// As the load generator wants it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Durability::Normal => "normal",
            Durability::Full => "full",
        }
    }
}

/// Whether the kernel has the file in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    Warm,
    /// Its page cache is dropped, and nothing has run before.
    Cold,
}

/// One work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// What readers of the page call it.
    pub(super) title: &'static str,
    /// As the load generator wants it.
    pub(super) name: &'static str,
    pub(super) clients: u32,
    pub(super) milliseconds: u32,
    pub(super) cache: Cache,
    pub(super) writes: Writes,
}

/// Whether a work writes, and so whether it matters when a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    Never,
    Yes,
}

const fn alone(title: &'static str, name: &'static str, writes: Writes) -> Work {
    Work { title, name, clients: 1, milliseconds: 300, cache: Cache::Warm, writes }
}

pub(super) const POINT: Work = alone("point SELECT", "point-hot", Writes::Never);
pub(super) const POINT_ANY: Work = alone("point SELECT, any row", "point-any", Writes::Never);
pub(super) const RANGE: Work = alone("range of 10 rows", "range", Writes::Never);
pub(super) const SCAN: Work =
    Work { milliseconds: 1, ..alone("full scan, warm", "scan", Writes::Never) };
pub(super) const COLD_SCAN: Work =
    Work { milliseconds: 0, cache: Cache::Cold, title: "full scan, cold", ..SCAN };
pub(super) const UPDATE: Work = alone("UPDATE of a row", "update", Writes::Yes);
pub(super) const INSERT: Work = alone("INSERT of 100 rows", "insert", Writes::Yes);
pub(super) const WRITERS: Work =
    Work { title: "8 writers", clients: 8, milliseconds: 4000, ..UPDATE };
pub(super) const MIXED: Work = Work {
    title: "8 readers, 1 writer",
    name: "point-hot+update",
    clients: 9,
    milliseconds: 1500,
    ..UPDATE
};

/// What one client of a run did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Client {
    pub(super) work: String,
    pub(super) count: f64,
    pub(super) refused: f64,
    pub(super) least_us: f64,
    pub(super) median_us: f64,
    pub(super) longest_us: f64,
}

/// Reads what the load generator prints: a line for each client.
pub(super) fn clients(printed: &str) -> Result<Vec<Client>, Failure> {
    let not_known = |line: &str| Failure::Check(format!("the load generator said {line:?}"));
    printed
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [work, numbers @ ..] = words.as_slice() else { return Err(not_known(line)) };
            let numbers: Vec<f64> = numbers.iter().filter_map(|word| word.parse().ok()).collect();
            let [count, refused, least, median, longest] = numbers.as_slice() else {
                return Err(not_known(line));
            };
            Ok(Client {
                work: (*work).to_owned(),
                count: *count,
                refused: *refused,
                least_us: least / 1000.0,
                median_us: median / 1000.0,
                longest_us: longest / 1000.0,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_line() {
        let read = clients("update 10 1 500 1500 20000\n").expect("well formed");
        let client = Client {
            work: "update".into(),
            count: 10.0,
            refused: 1.0,
            least_us: 0.5,
            median_us: 1.5,
            longest_us: 20.0,
        };
        assert_eq!(read, [client]);
        assert!(clients("update 10\n").is_err());
        assert!(clients("update 10 1 500 x 20000\n").is_err());
    }
}
