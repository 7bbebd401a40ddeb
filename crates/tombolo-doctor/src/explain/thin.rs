//! Makes a long log short: lines that say the same again are left out.
//!
//! Everything behind it looks at each line many times, and a log of a week is a few lines said very
//! often. What differs between two such lines is a time, a number or an address.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes from which a text is thinned. No report by a person is as long.
const LONG_BYTES: usize = 128 << 10;
/// Lines of one shape that are kept from the beginning, and as many from the end: the numbers in
/// them are seldom telling, but may be.
const KEPT: u32 = 4;

/// How often a shape occurs in all, and how often it has been met.
#[derive(Default)]
struct Shape {
    all: u32,
    met: u32,
}

/// The text without what it repeats. Linear in its length; a short text is not changed.
pub(super) fn thinned(plain: String) -> String {
    if plain.len() < LONG_BYTES {
        return plain;
    }
    let mut shapes: HashMap<u64, Shape> = HashMap::new();
    for line in plain.lines() {
        let all = &mut shapes.entry(shape(line)).or_default().all;
        *all = all.saturating_add(1);
    }
    let mut kept = String::new();
    for line in plain.lines() {
        let Some(shape) = shapes.get_mut(&shape(line)) else { continue };
        if shape.met < KEPT || shape.met >= shape.all.saturating_sub(KEPT) {
            kept.push_str(line);
            kept.push('\n');
        }
        shape.met = shape.met.saturating_add(1);
    }
    kept
}

/// A line without its words that hold digits.
fn shape(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let numbered = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    for word in line.split(|letter: char| !letter.is_alphanumeric()) {
        if numbered(word) { "0".hash(&mut hasher) } else { word.hash(&mut hasher) }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn log(line: impl Fn(usize) -> String, lines: usize) -> String {
        (0..lines).fold(String::new(), |mut log, number| {
            let _ = writeln!(log, "{}", line(number));
            log
        })
    }

    #[test]
    fn what_is_repeated_goes() {
        let served = |number| format!("12:00:{:02} request a{number}f served", number % 60);
        let text = log(served, 10_000) + "disk i/o error (5386)\n" + &log(served, 10_000);
        let thin = thinned(text);
        assert_eq!(thin.lines().count(), 2 * KEPT as usize + 1);
        assert!(thin.contains("disk i/o error (5386)"));
        assert!(thin.starts_with("12:00:00 request a0f served\n"));
        assert!(thin.ends_with("request a9999f served\n"));
    }

    #[test]
    fn what_is_said_once_or_is_short_stays() {
        let words = |number: usize| format!("{} {}", "b".repeat(number % 97), "c".repeat(number));
        let text = log(words, 700);
        assert!(text.len() > LONG_BYTES);
        assert!(thinned(text.clone()) == text);
        let short = "same\n".repeat(100);
        assert_eq!(thinned(short.clone()), short);
    }
}
