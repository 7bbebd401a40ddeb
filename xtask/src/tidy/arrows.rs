//! Arrows between crates: who may import whom.

use super::{Complaint, Tree};
use toml::Table;

const RULE: &str = "arrows";
const LAB: &str = "tombolo-lab";

/// The product crates that each crate may import. `tombolo-doctor`, `tombolo-owner` and
/// `tombolo-door` meet only in `tombolo-core`.
const ARROWS: &[(&str, &[&str])] = &[
    ("tombolo-core", &[]),
    ("tombolo-os", &["tombolo-core"]),
    ("tombolo-doctor", &["tombolo-core", "tombolo-os"]),
    ("tombolo-remedy", &["tombolo-core", "tombolo-os"]),
    ("tombolo-owner", &["tombolo-core", "tombolo-os"]),
    ("tombolo-door", &["tombolo-core", "tombolo-os"]),
    ("tombolo-vfs", &["tombolo-core", "tombolo-os", "tombolo-door"]),
    (
        "tombolo",
        &[
            "tombolo-core",
            "tombolo-os",
            "tombolo-door",
            "tombolo-doctor",
            "tombolo-remedy",
            "tombolo-owner",
            "tombolo-preload",
            "tombolo-vfs",
        ],
    ),
    (LAB, &["tombolo-lab-preload"]),
    ("tombolo-lab-preload", &[]),
    ("tombolo-preload", &["tombolo-core"]),
    ("xtask", &[]),
];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.crate_manifests().flat_map(|(directory, text)| check_crate(directory, text)).collect()
}

fn check_crate(directory: &str, text: &str) -> Vec<Complaint> {
    let path = format!("{directory}/Cargo.toml");
    let complain = |message: String| Complaint::new(RULE, &path, 0, message);
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![complain("this is not TOML".into())];
    };
    let name = directory.rsplit('/').next().unwrap_or(directory);
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        let message = format!("`{name}` has no place in the diagram: give it one in arrows.rs");
        return vec![complain(message)];
    };
    let mut complaints = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        for to in names(&manifest, section).filter(|to| to.starts_with("tombolo")) {
            let lab_in_test = to == LAB && section == "dev-dependencies" && name != "xtask";
            if !allowed.contains(&to) && !lab_in_test {
                let message = format!("`{name}` may not import `{to}` ([{section}])");
                complaints.push(complain(message));
            }
        }
    }
    complaints
}

/// The names in one section of a manifest.
pub(super) fn names<'a>(manifest: &'a Table, section: &str) -> impl Iterator<Item = &'a str> {
    let table = manifest.get(section).and_then(|value| value.as_table());
    table.into_iter().flat_map(|table| table.keys().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(directory: &str, manifest: &str) -> usize {
        check(&Tree::of(&[(&format!("{directory}/Cargo.toml"), manifest)])).len()
    }

    #[test]
    fn arrows_point_down() {
        let down = "[dependencies]\ntombolo-os.workspace = true\nserde = \"1\"\n";
        assert_eq!(complaints("crates/tombolo-doctor", down), 0);
        let up = "[dependencies]\ntombolo-doctor.workspace = true\n";
        assert_eq!(complaints("crates/tombolo-os", up), 1);
        assert_eq!(complaints("crates/tombolo-owner", up), 1);
    }

    #[test]
    fn the_lab_is_for_tests_only() {
        let test = "[dev-dependencies]\ntombolo-lab.workspace = true\n";
        assert_eq!(complaints("crates/tombolo", test), 0);
        assert_eq!(complaints("crates/tombolo", &test.replace("dev-", "")), 1);
        let lab = "[dependencies]\ntombolo-core.workspace = true\n";
        assert_eq!(complaints("crates/tombolo-lab", lab), 1);
        let preload = "[dependencies]\ntombolo-lab-preload.workspace = true\n";
        assert_eq!(complaints("crates/tombolo-lab", preload), 0);
        assert_eq!(complaints("crates/tombolo-doctor", preload), 1);
        assert_eq!(complaints("crates/tombolo-lab-preload", lab), 1);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(complaints("crates/tombolo-new", ""), 1);
    }
}
