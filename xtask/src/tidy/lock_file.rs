//! The number of packages that a build of everything takes in, tests included, is a decision.

use super::{Complaint, Tree};

pub(super) fn check(tree: &Tree, limit: usize) -> Vec<Complaint> {
    let lock = tree.get("Cargo.lock").unwrap_or_default();
    let count = lock.lines().filter(|line| line.starts_with("source = ")).count();
    let message =
        format!("{count} packages, limit {limit} (xtask/tidy.toml): is the new one needed?");
    (count > limit)
        .then(|| Complaint::new("dependencies", "Cargo.lock", 0, message))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_from_outside_are_counted() {
        let lock = "[[package]]\nname = \"own\"\n[[package]]\nname = \"a\"\nsource = \"r\"\n";
        let tree = Tree::of(&[("Cargo.lock", lock)]);
        assert!(check(&tree, 1).is_empty());
        assert_eq!(check(&tree, 0).len(), 1);
    }
}
