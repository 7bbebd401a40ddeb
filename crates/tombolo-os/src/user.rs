//! Names of users, from the file alone: the C library would load modules for it.

use crate::bounded::read_file;
use std::path::Path;

const FILE_BYTES_MAX: u64 = 1 << 20;

/// As `nobody (65534)`, or the bare number where `root`'s `etc/passwd` (passwd(5)) has no name for
/// it.
#[must_use]
pub fn in_words(root: &Path, user: u32) -> String {
    match name_in(&table(root), user) {
        Some(name) => format!("{name} ({user})"),
        None => user.to_string(),
    }
}

/// As `nobody`, or the number where `root`'s `etc/passwd` has no name for it.
#[must_use]
pub fn name_or_number(root: &Path, user: u32) -> String {
    name_in(&table(root), user).map_or_else(|| user.to_string(), str::to_owned)
}

/// Whose rights this process has.
#[must_use]
pub fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The text of `root`'s `etc/passwd`, empty where it cannot be read.
#[must_use]
pub fn table(root: &Path) -> String {
    let bytes = read_file(&root.join("etc/passwd"), FILE_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn name_in(table: &str, user: u32) -> Option<&str> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        (number == user && !name.is_empty() && name.bytes().all(plain)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_the_first_line_with_its_number() {
        let table = "root:x:0:0:root:/root:/bin/sh\n\nbroken\n\x1b[2J:x:7:7:::\n\
                     nobody:*:65534:65534::/:\nlater:*:65534:1::/:\n";
        assert_eq!(name_in(table, 0), Some("root"));
        assert_eq!(name_in(table, 65534), Some("nobody"));
        assert_eq!(name_in(table, 7), None, "no name for a terminal");
        assert_eq!(in_words(Path::new("/does-not-exist"), 12), "12");
        assert_eq!(name_or_number(Path::new("/does-not-exist"), 12), "12");
    }
}
