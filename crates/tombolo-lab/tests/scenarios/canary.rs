//! A program in a guest says that it has committed, and has not.
//!
//! If the judge let that pass, no other verdict of the lab would be worth anything.

use crate::share::{Shared, seed, succeed};
use tombolo_lab::Integrity;

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_program_that_lies_is_caught_and_one_that_does_not_is_not() {
    let seed = seed("canary");
    let shared = Shared::new();
    // Two programs with the same work, alone on their databases: here 9p is safe.
    shared.database("honest.db");
    shared.database("liar.db");
    let honest = shared.increments("honest.db", seed, &["--count", "12"]);
    // Each fourth transaction is rolled back, and acknowledged all the same.
    let liar = shared.increments("liar.db", seed, &["--count", "12", "--forget-every", "4"]);
    // To hear them, there is no difference.
    let said = format!("seed\t{seed}\nacknowledged\t12");
    assert_eq!((succeed(&honest), succeed(&liar)), (said.clone(), said));

    let verdict = shared.judge("honest.db");
    assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acknowledged, 12);
    let verdict = shared.judge("liar.db");
    assert!(!verdict.is_clean());
    assert_eq!(verdict.missing, ["guest 0", "guest 4", "guest 8"]);
    // And to look at the file alone, neither.
    assert_eq!(verdict.integrity, Integrity::Sound);
}
