//! The files of the workspace as text: from the disk, or made up by a test.

use crate::shell::Failure;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Text files by path relative to the root, with `/` between components.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

const SKIPPED: &[&str] = &[".git", "target", "corpus", "artifacts", "proptest-regressions"];
const READ: &[&str] = &["rs", "toml", "md", "sh", "lock"];
const READ_BY_NAME: &[&str] = &["setup", ".ci/run"];

impl Tree {
    /// Reads the sources and documents below `root`.
    pub(crate) fn read(root: &Path) -> Result<Tree, Failure> {
        let mut tree = Tree::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    fn read_directory(&mut self, root: &Path, relative: &str) -> Result<(), Failure> {
        let directory = root.join(relative);
        for entry in fs::read_dir(&directory).map_err(Failure::file(&directory))? {
            let entry = entry.map_err(Failure::file(&directory))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path =
                if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
            let kind = entry.file_type().map_err(Failure::file(&entry.path()))?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.read_directory(root, &path)?;
            } else if kind.is_file() && is_text(&path) {
                let text = fs::read_to_string(entry.path());
                self.files.insert(path, text.map_err(Failure::file(&entry.path()))?);
            }
        }
        Ok(())
    }

    /// Makes a tree up.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
        Tree { files }
    }

    /// The text of one file.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Every file, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose name ends like this.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.ends_with(end))
    }

    /// The manifests of the member crates, each with the crate's directory.
    pub(crate) fn crate_manifests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter_map(|(path, text)| {
            let directory = path.strip_suffix("/Cargo.toml")?;
            (directory == "xtask" || directory.starts_with("crates/")).then_some((directory, text))
        })
    }
}

fn is_text(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    READ_BY_NAME.contains(&path) || extension.is_some_and(|extension| READ.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_products_and_binaries_are_not_read() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["target", "src"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        for file in ["target/a.rs", "src/b.rs", "src/c.db", "setup"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        assert_eq!(tree.files().map(|(path, _)| path).collect::<Vec<_>>(), ["setup", "src/b.rs"]);
    }
}
