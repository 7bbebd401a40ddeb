//! SQLite's source, as Debian packs it, and the test programs that are built of it.

use crate::shell::{self, Failure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What calls the door.
const DOOR: &str = include_str!("door.c");
/// Where the machine's lists of packages are (sources.list(5)).
const LISTS: &str = "/etc/apt";
/// Those of the distribution, in either format; others need not have sources.
const LIST_NAMES: [&str; 4] = [
    "sources.list.d/debian.sources",
    "sources.list.d/ubuntu.sources",
    "sources.list",
    "sources.list.d/debian.list",
];
/// What a machine needs, and the package that has it.
const NEEDED: [(&str, &str); 4] = [
    ("/usr/bin/dpkg-source", "dpkg-dev"),
    ("/usr/bin/make", "make"),
    ("/usr/lib/tcl8.6/tclConfig.sh", "tcl8.6-dev"),
    ("/usr/include/zlib.h", "zlib1g-dev"),
];
/// What the test programs are compiled with beside what their Makefile says.
const FLAGS: &str = "CFLAGS=-O1 -DSQLITE_EXTRA_INIT=tombolo_extra_init";

/// Programs of SQLite's own.
#[derive(Debug)]
pub(super) struct Programs {
    /// The directory of the source.
    pub(super) source: PathBuf,
    build: PathBuf,
}

impl Programs {
    /// Fetches and unpacks the source, unless that was done.
    pub(super) fn fetched() -> Result<Self, Failure> {
        check_for(&NEEDED)?;
        let work = shell::target_directory().join("suites");
        fs::create_dir_all(&work).map_err(Failure::file(&work))?;
        let source = work.join("source");
        if !source.is_dir() {
            fetch(&work, &source, "sqlite3")?;
        }
        use_the_lock_byte_of_the_format(&source.join("test/tester.tcl"))?;
        let build = work.join("build");
        fs::create_dir_all(&build).map_err(Failure::file(&build))?;
        if !build.join("Makefile").is_file() {
            let mut configure = Command::new(source.join("configure"));
            configure.args(["--disable-shared", "--with-tcl=/usr/lib/tcl8.6"]);
            shell::run(configure.current_dir(&build).stdout(Stdio::null()))?;
        }
        // Programs are made anew when what they load the VFS by has changed.
        let door = build.join("door.c");
        if fs::read_to_string(&door).ok().as_deref() != Some(DOOR) {
            fs::write(&door, DOOR).map_err(Failure::file(&door))?;
            for program in ["testfixture", "mptest"].map(|name| build.join(name)) {
                if program.exists() {
                    fs::remove_file(&program).map_err(Failure::file(&program))?;
                }
            }
        }
        Ok(Programs { source, build })
    }

    /// Builds the interpreter that runs the TCL tests.
    pub(super) fn testfixture(&self) -> Result<PathBuf, Failure> {
        self.make("testfixture", &["TLIBS=door.c -lm -ldl -lpthread -lz"])
    }

    /// Builds the test of several processes. Its rule names its sources by `$^`, and has no place
    /// for one more; so the library is made first, and the program by hand.
    pub(super) fn mptest(&self) -> Result<PathBuf, Failure> {
        let program = self.build.join("mptest");
        if !program.is_file() {
            self.make("sqlite3.c", &[])?;
            let mut compiler = Command::new("cc");
            compiler.current_dir(&self.build).args(["-O1", "-I.", "-DSQLITE_THREADSAFE=1"]);
            compiler.arg("-DSQLITE_EXTRA_INIT=tombolo_extra_init");
            compiler.args(["-o", "mptest"]).arg(self.source.join("mptest/mptest.c"));
            shell::run(compiler.args(["sqlite3.c", "door.c", "-lm", "-ldl", "-lpthread"]))?;
        }
        Ok(program)
    }

    fn make(&self, target: &str, more: &[&str]) -> Result<PathBuf, Failure> {
        let program = self.build.join(target);
        if !program.is_file() {
            let mut make = Command::new("make");
            make.current_dir(&self.build).arg(target).arg(FLAGS).args(more);
            shell::run(make.stdout(Stdio::null()))?;
        }
        Ok(program)
    }
}

/// The tests move the byte that SQLite locks from 1 GiB to 64 KiB, so that small files have its
/// page. Such a file is one of another format: whoever has not moved it as well, as an owner's
/// SQLite has not, takes it for corrupt.
fn use_the_lock_byte_of_the_format(tester: &Path) -> Result<(), Failure> {
    let (moved, kept) = ("pending_byte 0x0010000", "pending_byte 0x40000000");
    let text = fs::read_to_string(tester).map_err(Failure::file(tester))?;
    match (text.contains(moved), text.contains(kept)) {
        (true, _) => fs::write(tester, text.replace(moved, kept)).map_err(Failure::file(tester)),
        (false, true) => Ok(()),
        (false, false) => Err(Failure::Check("tester.tcl moves no lock byte".to_owned())),
    }
}

/// The machine's lists of packages, as lists of sources. One file is given to apt-get.
fn list_of_sources(work: &Path) -> Result<PathBuf, Failure> {
    for name in LIST_NAMES {
        let path = Path::new(LISTS).join(name);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let end = if name.ends_with(".sources") { "sources" } else { "list" };
        let Some(sources) = as_sources(&text, end) else { continue };
        let file = work.join(format!("sources.{end}"));
        fs::write(&file, sources).map_err(Failure::file(&file))?;
        return Ok(file);
    }
    let message = format!("{LISTS} has no list of a distribution's packages");
    Err(Failure::Check(message))
}

/// A list of packages as one of sources; `None` of a list without any.
fn as_sources(text: &str, format: &str) -> Option<String> {
    let mut found = false;
    let lines = text.lines().filter_map(|line| {
        let (is_types, rest) = match (format, line.split_once(char::is_whitespace)) {
            ("sources", Some(("Types:", _))) => (true, String::new()),
            ("list", Some(("deb", rest))) => (true, format!(" {rest}")),
            ("list", _) => return None,
            _ => (false, line.to_owned()),
        };
        found |= is_types;
        let start = match (is_types, format) {
            (true, "sources") => "Types: deb-src",
            (true, _) => "deb-src",
            (false, _) => "",
        };
        Some(format!("{start}{rest}\n"))
    });
    let sources = lines.collect();
    found.then_some(sources)
}

/// Whether packages are installed, by a file of each.
pub(super) fn check_for(needed: &[(&str, &str)]) -> Result<(), Failure> {
    let missing = needed.iter().filter(|(file, _)| !Path::new(file).exists());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Check(format!("`./setup suites` installs {}", missing.join(", "))))
}

/// A source package of the distribution, into a directory.
fn fetch(work: &Path, source: &Path, package: &str) -> Result<(), Failure> {
    download(work, &[package])?;
    let description = found(work, |name| name.ends_with(".dsc"))?;
    // What an interrupted run leaves is not taken for the source.
    let unfinished = source.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Failure::file(&unfinished))?;
    }
    let mut unpack = Command::new("dpkg-source");
    unpack.arg("--extract").arg(description).arg(&unfinished);
    shell::run(unpack.stdout(Stdio::null()))?;
    fs::rename(&unfinished, source).map_err(Failure::file(source))
}

/// What `apt-get source` downloads, by a list of sources of our own: the system's may name none.
pub(super) fn download(work: &Path, wanted: &[&str]) -> Result<(), Failure> {
    let file = list_of_sources(work)?;
    let lists = work.join("lists");
    let partial = lists.join("partial");
    fs::create_dir_all(&partial).map_err(Failure::file(&partial))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(work);
        for option in [
            format!("Dir::Etc::sourcelist={}", file.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", lists.display()),
            // Nothing outside this directory is written, whoever runs it.
            format!("Dir::Cache={}", work.join("cache").display()),
        ] {
            command.args(["-o", &option]);
        }
        shell::run(command.args(arguments).stdout(Stdio::null()))
    };
    apt(&["update"])?;
    apt(&[&["source", "--download-only"], wanted].concat())
}

/// The file of such a name that was downloaded.
pub(super) fn found(work: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf, Failure> {
    let mut entries = fs::read_dir(work).map_err(Failure::file(work))?.filter_map(Result::ok);
    let entry = entries.find(|entry| entry.file_name().to_str().is_some_and(&is_it));
    let path = entry.map(|entry| entry.path());
    path.ok_or_else(|| Failure::Check("apt-get did not leave what it downloads".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_packages_becomes_one_of_sources_in_either_format() {
        let new = "Types: deb\nURIs: http://example.org/debian\n\nTypes: deb deb-src\nURIs: x\n";
        let sources =
            "Types: deb-src\nURIs: http://example.org/debian\n\nTypes: deb-src\nURIs: x\n";
        assert_eq!(as_sources(new, "sources").as_deref(), Some(sources));
        let old = "# packages\ndeb [arch=amd64] http://example.org/debian stable main\ndeb-src x\n";
        let sources = "deb-src [arch=amd64] http://example.org/debian stable main\n";
        assert_eq!(as_sources(old, "list").as_deref(), Some(sources));
        assert_eq!(as_sources("# moved to debian.sources\n", "list"), None);
    }
}
