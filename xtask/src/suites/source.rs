//! SQLite's source, as Debian packs it, and the test programs that are built of it.

use crate::shell::{self, Failure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What calls the door.
const DOOR: &str = include_str!("door.c");
/// The packages' list of a Debian system (sources.list(5), "deb822-style format").
const LIST: &str = "/etc/apt/sources.list.d/debian.sources";
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
        let work = shell::target_directory().join("suites");
        fs::create_dir_all(&work).map_err(Failure::file(&work))?;
        let source = work.join("source");
        if !source.is_dir() {
            fetch(&work, &source)?;
        }
        use_the_lock_byte_of_the_format(&source.join("test/tester.tcl"))?;
        let build = work.join("build");
        fs::create_dir_all(&build).map_err(Failure::file(&build))?;
        if !build.join("Makefile").is_file() {
            let mut configure = Command::new(source.join("configure"));
            configure.args(["--disable-shared", "--with-tcl=/usr/lib/tcl8.6"]);
            shell::run(configure.current_dir(&build).stdout(Stdio::null()))?;
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
        let door = self.build.join("door.c");
        fs::write(&door, DOOR).map_err(Failure::file(&door))?;
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

/// Debian's source package, by a list of sources of our own: the system's may name none.
fn fetch(work: &Path, source: &Path) -> Result<(), Failure> {
    let list = fs::read_to_string(LIST).map_err(Failure::file(Path::new(LIST)))?;
    let file = work.join("debian.sources");
    let list = list.replace("Types: deb\n", "Types: deb-src\n");
    fs::write(&file, list).map_err(Failure::file(&file))?;
    let lists = work.join("lists/partial");
    fs::create_dir_all(&lists).map_err(Failure::file(&lists))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(work);
        for option in [
            format!("Dir::Etc::sourcelist={}", file.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", work.join("lists").display()),
        ] {
            command.args(["-o", &option]);
        }
        shell::run(command.args(arguments).stdout(Stdio::null()))
    };
    apt(&["update"])?;
    apt(&["source", "--download-only", "sqlite3"])?;
    let description = fs::read_dir(work)
        .map_err(Failure::file(work))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "dsc"))
        .ok_or_else(|| Failure::Check("apt-get left no .dsc file".to_owned()))?;
    let mut unpack = Command::new("dpkg-source");
    unpack.arg("--extract").arg(description).arg(source);
    shell::run(unpack.stdout(Stdio::null()))
}
