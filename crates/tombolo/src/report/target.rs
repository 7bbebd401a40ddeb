//! A file that is made for a report, and goes away again if none is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why there is no report in the file.
#[derive(Debug)]
pub(crate) struct Error {
    path: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} cannot be written", self.path.display())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A new file. It is removed when it is dropped before [`Self::keep`].
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    /// `None` once the text is in it.
    file: Option<File>,
}

impl Target {
    /// Makes the file. One that exists, a link too, is left alone.
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        let file = made.map_err(|source| Error { path: path.to_owned(), source })?;
        Ok(Target { path: path.to_owned(), file: Some(file) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the text, and keeps the file.
    pub(crate) fn keep(mut self, text: &str) -> Result<(), Error> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| {
            let _ = std::fs::remove_file(&self.path);
            Error { path: self.path.clone(), source }
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_exists_is_left_alone_and_one_without_a_report_goes_away() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("report.md");
        drop(Target::new(&path).expect("made"));
        assert!(!path.exists());
        Target::new(&path).expect("made").keep("text").expect("written");
        let error = Target::new(&path).expect_err("it exists");
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "text");
    }
}
