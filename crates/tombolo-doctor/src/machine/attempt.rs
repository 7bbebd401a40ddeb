//! Work on many things, some of which may never answer.
//!
//! The work runs in a child process, one thing after the other. When a thing does not answer, the
//! child is given up and another one goes on with the rest.

use serde::{Serialize, de::DeserializeOwned};
use std::time::{Duration, Instant};
use tombolo_os::signal;
use tombolo_os::worker;

/// How long one thing may take. A mount that is alive answers sooner, one that is dead never.
const PATIENCE: Duration = Duration::from_secs(2);

/// What it means for the rest when one thing does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    Own,
    /// The rest would not answer either: they are on the same mount.
    Shared,
}

/// Does `work` on every item; `None` for those that did not answer. `prepare` runs once in each
/// child, before its first item. `work` gets the moment at which it will be given up.
pub(super) fn each<T, S, R: Serialize + DeserializeOwned>(
    items: &[T],
    fate: Fate,
    deadline: Instant,
    prepare: &dyn Fn() -> S,
    work: &dyn Fn(&S, &T, Instant) -> R,
) -> Vec<Option<R>> {
    each_within(PATIENCE, items, fate, deadline, prepare, work)
}

fn each_within<T, S, R: Serialize + DeserializeOwned>(
    patience: Duration,
    items: &[T],
    fate: Fate,
    deadline: Instant,
    prepare: &dyn Fn() -> S,
    work: &dyn Fn(&S, &T, Instant) -> R,
) -> Vec<Option<R>> {
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    let mut next = 0;
    while next < items.len() && Instant::now() < deadline && !signal::stop_wanted() {
        let begun = next;
        let until = deadline.min(Instant::now() + patience);
        // How the child ended does not matter: what it did not answer is tried again or left out.
        let _ = worker::run(
            until,
            |outbox| {
                let state = prepare();
                for (index, item) in items.iter().enumerate().skip(begun) {
                    let answer = (index, work(&state, item, until));
                    if let Ok(text) = serde_json::to_vec(&answer) {
                        outbox.send(&text);
                    }
                }
            },
            &mut |message| {
                let Ok((index, result)) = serde_json::from_slice::<(usize, R)>(message) else {
                    return;
                };
                if let Some(place) = results.get_mut(index) {
                    *place = Some(result);
                    next = index + 1;
                }
            },
        );
        if next == begun {
            if fate == Fate::Shared {
                break;
            }
            next += 1;
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hang_at(wanted: u32) -> impl Fn(&(), &u32, Instant) -> u32 {
        move |(), item, _| {
            if *item == wanted {
                loop {
                    std::thread::yield_now();
                }
            }
            item * 2
        }
    }

    fn attempt(
        fate: Fate,
        items: &[u32],
        work: &dyn Fn(&(), &u32, Instant) -> u32,
    ) -> Vec<Option<u32>> {
        let deadline = Instant::now() + Duration::from_secs(60);
        each_within(Duration::from_secs(1), items, fate, deadline, &|| (), work)
    }

    #[test]
    fn what_hangs_is_left_out_and_the_rest_is_done() {
        let results = attempt(Fate::Own, &[1, 2, 3], &hang_at(2));
        assert_eq!(results, [Some(2), None, Some(6)]);
    }

    #[test]
    fn what_shares_the_fate_of_the_one_that_hangs_is_left_out_too() {
        let results = attempt(Fate::Shared, &[1, 2, 3], &hang_at(2));
        assert_eq!(results, [Some(2), None, None]);
    }

    #[test]
    fn a_child_that_dies_takes_nothing_along_and_no_time_means_no_work() {
        let dies = |(): &(), item: &u32, _| {
            assert_ne!(*item, 1);
            *item
        };
        let patience = Duration::from_secs(20);
        let deadline = Instant::now() + patience;
        let results = each_within(patience, &[0, 1, 2], Fate::Own, deadline, &|| (), &dies);
        assert_eq!(results, [Some(0), None, Some(2)]);
        let results = each(&[1], Fate::Own, Instant::now(), &|| (), &hang_at(9));
        assert_eq!(results, [None]);
    }
}
