//! Every crate takes version, edition, compiler and lints from the workspace.

use super::{Complaint, Tree};
use toml::Table;

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (directory, text) in tree.crate_manifests() {
        let manifest: Table = text.parse().unwrap_or_default();
        let package = manifest.get("package").and_then(|value| value.as_table());
        let missing = INHERITED
            .iter()
            .filter(|name| !package.is_some_and(|package| is_inherited(package.get(**name))))
            .copied()
            .chain((!is_inherited(manifest.get("lints"))).then_some("lints"));
        for name in missing {
            let message = format!("`{name}` does not come from the workspace");
            let path = format!("{directory}/Cargo.toml");
            complaints.push(Complaint::new("inherit", &path, 0, message));
        }
    }
    complaints
}

fn is_inherited(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_inherited_is_named() {
        let whole: String =
            INHERITED.iter().map(|name| format!("{name}.workspace = true\n")).collect();
        let whole = format!("[package]\n{whole}[lints]\nworkspace = true\n");
        assert!(check(&Tree::of(&[("crates/a/Cargo.toml", &whole)])).is_empty());
        let own = whole.replace("edition.workspace = true", "edition = \"2021\"");
        assert_eq!(check(&Tree::of(&[("crates/a/Cargo.toml", &own)])).len(), 1);
    }
}
