//! The runtimes, as data: a program for each, how it is built and started, and what it needs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps the sources of Go packages.
const GO_PATH: &str = "/usr/share/gocode";

/// A language's way to SQLite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runtime {
    /// The name of the file that keeps its texts.
    pub(super) name: &'static str,
    /// What has to be installed.
    pub(super) needs: &'static str,
    /// The file that the program stands in, and its text; `@MODE@` and `@DATABASE@` are filled in.
    pub(super) program: (&'static str, &'static str),
    /// How it is built, in the working directory.
    build: &'static [&'static str],
    /// How it is started, in the working directory. Filled in are `@FILE@`, `@DATABASE@`, `@MODE@`,
    /// and programs that are looked for: `@NODE@` and `@EXAMPLE@`.
    start: &'static [&'static str],
    /// A library that the runtime would load past the preload.
    pub(super) deep_bound: Option<&'static str>,
}

impl Runtime {
    /// One that is started by these words.
    pub(super) const fn new(
        name: &'static str,
        needs: &'static str,
        start: &'static [&'static str],
    ) -> Self {
        Runtime { name, needs, program: ("", ""), build: &[], start, deep_bound: None }
    }

    const fn program(mut self, file: &'static str, text: &'static str) -> Self {
        self.program = (file, text);
        self
    }

    const fn built(mut self, words: &'static [&'static str]) -> Self {
        self.build = words;
        self
    }

    const fn deep_bound(mut self, library: &'static str) -> Self {
        self.deep_bound = Some(library);
        self
    }

    /// The program's text, for this database and journal mode.
    pub(super) fn text(&self, database: &Path, mode: &str) -> String {
        let database = database.display().to_string();
        self.program.1.replace("@MODE@", mode).replace("@DATABASE@", &database)
    }

    /// Whether the program is read from standard input, in pieces.
    pub(super) fn is_read_from_input(&self) -> bool {
        self.name == SHELL
    }

    /// How the program is built; `None` where it needs no building.
    pub(super) fn build(&self, directory: &Path) -> Option<Command> {
        let (program, arguments) = self.build.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory);
        command.env("GO111MODULE", "off").env("GOPATH", GO_PATH);
        command.env("GOCACHE", directory.join("go-cache")).env("GOFLAGS", "");
        Some(command)
    }

    /// How the program is started.
    pub(super) fn start(&self, directory: &Path, database: &Path, mode: &str) -> Command {
        let fill = |word: &&str| -> OsString {
            match *word {
                "@FILE@" => directory.join(self.program.0).into(),
                "@DATABASE@" => database.into(),
                "@MODE@" => mode.into(),
                "@NODE@" => node_with_sqlite().into(),
                "@EXAMPLE@" => example().into(),
                word => word.into(),
            }
        };
        let mut words = self.start.iter().map(fill);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(directory);
        command
    }
}

const SHELL: &str = "sqlite3-shell";

/// Every runtime, in the order in which they are recorded.
pub(super) const RUNTIMES: &[Runtime] = &[
    Runtime::new(
        "python-sqlite3",
        "Debian: python3",
        &["/usr/bin/python3", "@FILE@", "@DATABASE@"],
    )
    .program("app.py", include_str!("programs/app.py")),
    Runtime::new(
        "python-apsw",
        "Debian: python3; PyPI: apsw, in PYTHONPATH",
        &["/usr/bin/python3", "@FILE@", "@DATABASE@"],
    )
    .program("app.py", include_str!("programs/apsw_app.py")),
    Runtime::new(
        "rust-rusqlite",
        "cargo build -p tombolo-lab --examples",
        &["@EXAMPLE@", "@DATABASE@", "@MODE@"],
    ),
    Runtime::new(
        "node-better-sqlite3",
        "Debian: nodejs; npm: better-sqlite3@12, in NODE_PATH",
        &["node", "@FILE@", "@DATABASE@"],
    )
    .program("app.js", include_str!("programs/better_sqlite3.js")),
    Runtime::new("node-sqlite", "npm: node@22, in NODE_PATH", &["@NODE@", "@FILE@", "@DATABASE@"])
        .program("app.js", include_str!("programs/node_sqlite.js")),
    Runtime::new(
        "java-sqlite-jdbc",
        "Debian: default-jdk-headless libxerial-sqlite-jdbc-java libxerial-sqlite-jdbc-jni",
        &["java", "-cp", "/usr/share/java/sqlite-jdbc.jar:.", "App", "@DATABASE@"],
    )
    .program("App.java", include_str!("programs/App.java"))
    .built(&["javac", "App.java"]),
    Runtime::new("ruby-sqlite3", "Debian: ruby ruby-sqlite3", &["ruby", "@FILE@", "@DATABASE@"])
        .program("app.rb", include_str!("programs/app.rb")),
    Runtime::new(
        "perl-dbd-sqlite",
        "Debian: perl libdbd-sqlite3-perl",
        &["/usr/bin/perl", "@FILE@", "@DATABASE@"],
    )
    .program("app.pl", include_str!("programs/app.pl")),
    Runtime::new(
        "php-pdo",
        "Debian: php-cli php-sqlite3",
        &["php", "-d", "display_errors=0", "-d", "log_errors=1", "@FILE@", "@DATABASE@"],
    )
    .program("app.php", include_str!("programs/app.php"))
    .deep_bound("libsqlite3.so.0"),
    Runtime::new(
        "go-mattn",
        "Debian: golang-go golang-github-mattn-go-sqlite3-dev libsqlite3-dev gcc",
        &["./app", "@DATABASE@"],
    )
    .program("app.go", include_str!("programs/app.go"))
    .built(&["go", "build", "-tags", "libsqlite3", "-o", "app", "app.go"]),
    Runtime::new(SHELL, "Debian: sqlite3", &["sqlite3", "-bail"])
        .program("app.sql", include_str!("programs/app.sql")),
];

/// A Node.js that has `node:sqlite`: npm's package `node` in `NODE_PATH`, else the machine's own.
fn node_with_sqlite() -> PathBuf {
    let places = std::env::var_os("NODE_PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&places).map(|place| place.join("node/bin/node"));
    places.find(|place| place.is_file()).unwrap_or_else(|| PathBuf::from("node"))
}

/// Examples stand in a directory of that name, beside the programs of a build.
fn example() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let mut places = program.ancestors().skip(1).take(2);
    let example = Path::new("examples/rusqlite_app");
    let found = places.find(|place| place.join(example).is_file());
    found.unwrap_or(Path::new("")).join(example)
}
