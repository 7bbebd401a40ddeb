//! Bytes from outside, made fit for a report.

/// The bytes as text for people and JSON: what is not UTF-8 is replaced, and control characters
/// (which could steer a terminal or forge a line of a log) become `?`.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_broken_utf8_do_not_pass() {
        assert_eq!(printable(b"a b\x1b[31m\n\xff"), "a b?[31m?\u{fffd}");
        assert_eq!(printable("\u{9b}x".as_bytes()), "?x");
    }
}
