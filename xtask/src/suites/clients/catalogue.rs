//! The suites: what each runs, and how it goes through the door.

use super::installed::{self, Installed};
use crate::shell::{self, Failure};
use crate::suites::source;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts the JDBC driver.
const JDBC: &str = "/usr/share/java/sqlite-jdbc.jar";

/// One suite.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) prints: Prints,
    pub(super) enters: Enters,
    /// The distribution's packages that it needs, each with a file of it.
    needs: &'static [(&'static str, &'static str)],
    command: fn(&Installed, &Place<'_>) -> Result<Command, Failure>,
}

/// How results are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prints {
    /// As JUnit's XML, in a file.
    Junit,
    /// On standard output, in sections whose text on the stock VFS is what ought to be.
    Sections,
}

/// How a program comes to use the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enters {
    /// By `tombolo run`.
    Run,
    /// It loads an extension, as its SQLite is linked in.
    Extension,
}

/// Where a suite runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// For its databases, and for all else that it writes.
    pub(super) directory: &'a Path,
    /// For its results, where they are a file.
    pub(super) results: &'a Path,
}

/// A package of PyPI whose source has its tests.
#[derive(Debug)]
pub(super) struct Sdist {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// What its archive is called and has in it.
    pub(super) directory: &'static str,
}

const SQLITE_UTILS: Sdist =
    Sdist { name: "sqlite-utils", version: "4.2.1", directory: "sqlite_utils-4.2.1" };
const SQLALCHEMY: Sdist =
    Sdist { name: "sqlalchemy", version: "2.0.58", directory: "sqlalchemy-2.0.58" };
const DJANGO: Sdist = Sdist { name: "Django", version: "5.2.19", directory: "django-5.2.19" };

/// What SQLAlchemy asks of a dialect, its own tests of SQLite's, and those of connections,
/// transactions and of what a database says of itself.
const SQLALCHEMY_TESTS: [&str; 5] = [
    "test/dialect/sqlite",
    "test/dialect/test_suite.py",
    "test/engine/test_transaction.py",
    "test/engine/test_reflection.py",
    "test/engine/test_execute.py",
];
/// Those of Django's tests that are about the database itself.
const DJANGO_TESTS: [&str; 6] =
    ["backends", "transactions", "transaction_hooks", "migrations", "schema", "introspection"];

const PYTHON: (&str, &str) = ("/usr/share/doc/python3-venv", "python3-venv");
const SHELL: (&str, &str) = ("/usr/bin/sqlite3", "sqlite3");

pub(super) const SUITES: [Suite; 10] = [
    Suite {
        name: "shell",
        prints: Prints::Sections,
        enters: Enters::Run,
        needs: &[SHELL],
        command: |_, _| Ok(interpreted("sh", "shell.sh")),
    },
    Suite {
        name: "cpython",
        prints: Prints::Junit,
        enters: Enters::Run,
        needs: &[("/usr/bin/dpkg-source", "dpkg-dev")],
        command: cpython,
    },
    Suite {
        name: "sqlite-utils",
        prints: Prints::Junit,
        enters: Enters::Run,
        needs: &[PYTHON],
        command: |installed, place| {
            let source = installed.source_of(&SQLITE_UTILS)?;
            let mut command = pytest(installed, place, &source)?;
            // Whether a test passes must not hang on the time that it takes.
            command.arg("--hypothesis-profile=ci").arg(source.join("tests"));
            Ok(command)
        },
    },
    Suite {
        name: "datasette",
        prints: Prints::Sections,
        enters: Enters::Run,
        needs: &[PYTHON],
        command: |installed, _| {
            let mut command = Command::new(installed.python()?);
            command.arg(program("with_datasette.py"));
            Ok(command)
        },
    },
    Suite {
        name: "sqlalchemy",
        prints: Prints::Junit,
        enters: Enters::Run,
        needs: &[PYTHON],
        command: |installed, place| {
            let source = installed.source_of(&SQLALCHEMY)?;
            let mut command = pytest(installed, place, &source)?;
            command.args(["--dburi", "sqlite:///test.db"]);
            command.args(SQLALCHEMY_TESTS.map(|tests| source.join(tests)));
            Ok(command)
        },
    },
    Suite {
        name: "django",
        prints: Prints::Junit,
        enters: Enters::Run,
        needs: &[PYTHON],
        command: |installed, place| {
            let runner = installed.source_of(&DJANGO)?.join("tests/runtests.py");
            let mut command = django(installed, place)?;
            command.arg(runner).args(["--parallel=1", "--noinput"]).args(DJANGO_TESTS);
            Ok(command)
        },
    },
    Suite {
        name: "django-app",
        prints: Prints::Junit,
        enters: Enters::Run,
        needs: &[PYTHON],
        command: |installed, place| {
            let mut command = django(installed, place)?;
            command.arg(program("django_site/manage.py"));
            Ok(command)
        },
    },
    Suite {
        name: "better-sqlite3",
        prints: Prints::Sections,
        enters: Enters::Extension,
        // Whatever Node built the module is in the PATH.
        needs: &[],
        command: |_, _| {
            let mut command = interpreted("node", "better_sqlite3.js");
            command.arg(installed::better_sqlite3()?);
            Ok(command)
        },
    },
    Suite {
        name: "php",
        prints: Prints::Sections,
        enters: Enters::Run,
        needs: &[("/usr/bin/php", "php-cli"), ("/usr/share/doc/php-sqlite3", "php-sqlite3")],
        command: |_, _| Ok(interpreted("php", "pdo.php")),
    },
    Suite {
        name: "jdbc",
        prints: Prints::Sections,
        enters: Enters::Run,
        needs: &[("/usr/bin/javac", "default-jdk-headless"), (JDBC, "libxerial-sqlite-jdbc-java")],
        command: |_, place| {
            installed::compile(&program("Clients.java"), JDBC, place.directory)?;
            let mut command = Command::new("java");
            let path = format!("{JDBC}:{}", place.directory.display());
            command.args(["-cp", &path, "Clients"]);
            Ok(command)
        },
    },
];

impl Suite {
    /// The command that runs it; installs what it needs and the distribution does not have.
    pub(super) fn command(
        &self,
        installed: &Installed,
        place: &Place<'_>,
    ) -> Result<Command, Failure> {
        source::check_for(self.needs)?;
        (self.command)(installed, place)
    }
}

/// A file of `programs/`.
fn program(name: &str) -> PathBuf {
    shell::root().join("xtask/src/suites/clients/programs").join(name)
}

fn interpreted(interpreter: &str, name: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(program(name));
    command
}

/// CPython's own suite, by the distribution's Python.
fn cpython(installed: &Installed, place: &Place<'_>) -> Result<Command, Failure> {
    let mut command = Command::new("/usr/bin/python3");
    command.env("PYTHONPATH", installed.tests_of_cpython()?);
    command.args(["-m", "test", "--verbose", "--junit-xml"]).arg(place.results);
    // It makes a directory of its own there, for all files of its tests.
    command.arg("--tempdir").arg(place.directory).arg("test_sqlite3");
    Ok(command)
}

/// pytest on what is below a source.
fn pytest(installed: &Installed, place: &Place<'_>, source: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(installed.python()?);
    command.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]);
    command.arg("--rootdir").arg(source).arg("-c").arg(source.join("pyproject.toml"));
    command.arg("--basetemp").arg(place.directory.join("pytest"));
    command.arg("--junit-xml").arg(place.results);
    Ok(command)
}

/// Python, with settings of ours that name files for databases and results.
fn django(installed: &Installed, place: &Place<'_>) -> Result<Command, Failure> {
    let mut command = Command::new(installed.python()?);
    command.env("PYTHONPATH", program("django_site"));
    // Nothing is written beside the programs.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("DJANGO_SETTINGS_MODULE", "settings");
    command.env("CLIENTS_DIRECTORY", place.directory).env("CLIENTS_RESULTS", place.results);
    Ok(command)
}
