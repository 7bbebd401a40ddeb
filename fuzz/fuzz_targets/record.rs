//! The record of a run of a remedy: whoever may write in its directory chooses it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_remedy::record::Standing;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(standing)) = Standing::read(bytes) {
        assert_eq!(standing.steps.len(), standing.plan.steps.len());
        for place in 0..standing.steps.len() {
            if let Some(kept) = standing.kept(place) {
                assert!(kept.files.iter().all(|file| !file.name.contains('/')));
            }
        }
    }
});
