//! Those that are compared: the same rows at an owner, in two files of stock SQLite, and at a
//! PostgreSQL server.

use super::works::{self, Cache, Client, Durability, Work, Writes};
use crate::bench::server::Server;
use crate::shell::{self, Failure, cargo};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const LOAD: &str = include_str!("load.c");
const SLOW_SYNC: &str = include_str!("slow_sync.c");
/// Rows of the table, about 100 MB; the load generator knows it as well.
const ROWS: u32 = 800_000;

/// What is measured, built here.
#[derive(Debug)]
pub(in crate::bench) struct Programs {
    command: PathBuf,
    extension: PathBuf,
    load: PathBuf,
    slow_sync: PathBuf,
}

impl Programs {
    /// Builds all, or all but what stands in the directory `built`.
    pub(in crate::bench) fn build(directory: &Path, built: Option<&Path>) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(Failure::file(directory))?;
        if built.is_none() {
            let packages = ["--package", "tombolo", "--package", "tombolo-vfs"];
            shell::run(cargo(&["build", "--quiet", "--locked", "--release"]).args(packages))?;
        }
        let built = built.map_or_else(|| shell::target_directory().join("release"), Path::to_owned);
        let compile = |text: &str, name: &str, arguments: &[&str]| {
            let (source, made) = (directory.join(format!("{name}.c")), directory.join(name));
            fs::write(&source, text).map_err(Failure::file(&source))?;
            let mut compiler = Command::new("cc");
            compiler.args(["-O2", "-o"]).arg(&made).arg(&source).args(arguments);
            shell::run(&mut compiler).map(|()| made)
        };
        let libraries = ["-I/usr/include/postgresql", "-lsqlite3", "-lpq"];
        Ok(Programs {
            command: built.join("tombolo"),
            extension: built.join("libtombolo.so"),
            load: compile(LOAD, "load", &libraries)?,
            slow_sync: compile(SLOW_SYNC, "slow_sync.so", &["-shared", "-fPIC"])?,
        })
    }

    /// What `load WORDS` prints.
    fn load(&self, words: &[&str], sync: Sync) -> Result<Vec<Client>, Failure> {
        let mut command = Command::new(&self.load);
        command.args(words).envs(self.environment(sync));
        command.env("TOMBOLO_LIBRARY", &self.extension);
        match shell::output(&mut command)? {
            (status, printed) if status.success() => works::clients(&printed),
            (status, _) => {
                let words = words.join(" ");
                Err(Failure::Check(format!("the load generator ended with {status}: {words}")))
            }
        }
    }

    fn environment(&self, sync: Sync) -> Vec<(String, OsString)> {
        match sync {
            Sync::OfTheDisk => Vec::new(),
            Sync::Slowed { delay_us } => vec![
                ("LD_PRELOAD".to_owned(), self.slow_sync.clone().into_os_string()),
                ("SYNC_DELAY_US".to_owned(), delay_us.to_string().into()),
            ],
        }
    }

    /// Median time of a round trip between two processes, in microseconds.
    pub(super) fn ping_pong_us(&self) -> Result<f64, Failure> {
        let printed = self.load(&["ping-pong", "20000"], Sync::OfTheDisk)?;
        Ok(printed.first().map_or(f64::NAN, |line| line.median_us))
    }

    /// Least and median time of an `fdatasync` after 4096 bytes were appended, in microseconds.
    pub(super) fn sync_us(&self, directory: &Path, sync: Sync) -> Result<SyncTime, Failure> {
        let file = directory.join("sync");
        let printed = self.load(&["sync", &file.to_string_lossy(), "200"], sync)?;
        let nothing = || Failure::Check("no sync was measured".to_owned());
        let line = printed.first().ok_or_else(nothing)?;
        Ok(SyncTime { least_us: line.least_us, median_us: line.median_us })
    }
}

/// How long a sync took. The least tells what the disk can do, whatever else it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncTime {
    pub(super) least_us: f64,
    pub(super) median_us: f64,
}

/// How long syncing takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// As long as it does here.
    OfTheDisk,
    /// So much longer, for everybody.
    Slowed { delay_us: u32 },
}

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Through an owner.
    Door,
    Wal,
    Delete,
    Postgres,
}

#[derive(Debug)]
pub(super) struct Contender {
    pub(super) kind: Kind,
    pub(super) title: String,
    address: String,
}

/// Everybody, ready.
pub(super) struct Arena<'a> {
    programs: &'a Programs,
    pub(super) sync: Sync,
    pub(super) contenders: Vec<Contender>,
    server: Server,
    /// They end with this.
    _owners: Vec<Owner>,
    _directory: TempDir,
}

impl<'a> Arena<'a> {
    /// One owner for each way to listen, as `tombolo serve --listen` takes it; `unix` is the socket
    /// beside the database.
    pub(super) fn new(
        programs: &'a Programs,
        listen: &[String],
        sync: Sync,
    ) -> Result<Self, Failure> {
        let directory = tempfile::tempdir().map_err(Failure::file(Path::new("TMPDIR")))?;
        let path = directory.path();
        let original = path.join("original.db");
        sqlite(&original, &filling(&format!("PRAGMA page_size=4096; {TABLES}")))?;
        let mut owners = Vec::new();
        let mut contenders = Vec::new();
        for way in listen {
            let database = copy(&original, &format!("owned-{}.db", owners.len()), "WAL")?;
            let owner = Owner::start(programs, &database, way, sync)?;
            contenders.push(Contender {
                kind: Kind::Door,
                title: format!("tombolo, {}", way.split(':').next().unwrap_or(way)),
                address: format!("file:{}?vfs=tombolo&owner={}", database.display(), owner.address),
            });
            owners.push(owner);
        }
        for (kind, title, mode) in
            [(Kind::Wal, "SQLite, WAL", "WAL"), (Kind::Delete, "SQLite, DELETE", "DELETE")]
        {
            let database = copy(&original, &format!("{mode}.db"), mode)?;
            let address = format!("file:{}", database.display());
            contenders.push(Contender { kind, title: title.to_owned(), address });
        }
        let server = Server::start_in(programs.environment(sync))?;
        server.empty_database()?;
        server.ask("app", TABLES)?;
        server.ask("app", &filling("").replace(SERIES, "generate_series(1, 800000) AS n(i)"))?;
        server.ask("app", "VACUUM ANALYZE")?;
        server.ask("app", "CHECKPOINT")?;
        let (title, address) = ("PostgreSQL".to_owned(), server.socket_address());
        contenders.push(Contender { kind: Kind::Postgres, title, address });
        let _owners = owners;
        Ok(Arena { programs, sync, contenders, server, _owners, _directory: directory })
    }

    /// One run.
    pub(super) fn run(
        &self,
        contender: &Contender,
        work: &Work,
        durability: Durability,
    ) -> Result<Vec<Client>, Failure> {
        if work.cache == Cache::Cold {
            if contender.kind == Kind::Postgres {
                self.server.restart()?;
            }
            crate::bench::drop_caches()?;
        }
        let client = if contender.kind == Kind::Postgres { "postgres" } else { "sqlite" };
        let (clients, time) = (work.clients.to_string(), work.milliseconds.to_string());
        let durability = durability.name();
        let words = [client, &contender.address, work.name, durability, &clients, &time];
        let ran = self.programs.load(&words, self.sync)?;
        if ran.len() != work.clients as usize {
            return Err(Failure::Check(format!("{} clients reported", ran.len())));
        }
        Ok(ran)
    }

    /// Versions of those who are compared with.
    pub(super) fn versions(&self) -> Result<String, Failure> {
        let mut asked = Command::new("dpkg-query");
        asked.args(["--show", "--showformat=${Version}", "libsqlite3-0"]);
        let (_, sqlite) = shell::output(&mut asked)?;
        let server = self.server.ask("postgres", "SHOW server_version")?;
        Ok(format!("SQLite {} (libsqlite3-0), PostgreSQL {}", sqlite.trim(), server.trim()))
    }

    /// At the end every file is whole, and each has the commits of its writers.
    pub(super) fn check(&self) -> Result<(), Failure> {
        for contender in self.contenders.iter().filter(|one| one.kind != Kind::Postgres) {
            let path = contender.address.trim_start_matches("file:");
            let path = Path::new(path.split('?').next().unwrap_or(path));
            let said = sqlite(path, "PRAGMA integrity_check")?;
            if said.trim() != "ok" {
                return Err(Failure::Check(format!("{}: {said}", contender.title)));
            }
        }
        Ok(())
    }
}

/// Whether a work is done with both kinds of acknowledgement.
pub(super) fn durabilities(work: &Work, sync: Sync) -> &'static [Durability] {
    match (work.writes, sync) {
        (Writes::Never, _) => &[Durability::Normal],
        (Writes::Yes, Sync::OfTheDisk) => &[Durability::Normal, Durability::Full],
        (Writes::Yes, Sync::Slowed { .. }) => &[Durability::Full],
    }
}

const TABLES: &str = "
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value INTEGER, body TEXT NOT NULL);
CREATE TABLE entry(number INTEGER NOT NULL, body TEXT NOT NULL);
";
const SERIES: &str = "series";

/// What makes the tables and fills them, in the words that SQLite and PostgreSQL share.
fn filling(before: &str) -> String {
    let body = "'a text that is as long as the address of a customer may be, with number ' || i || \
        ', and a remark'";
    let rows = format!("SELECT i, 'name ' || i, i % 1000, {body} FROM {SERIES}");
    let series = format!(
        "WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {ROWS})"
    );
    match before {
        "" => format!("INSERT INTO item {rows}"),
        before => format!("{before} {series} INSERT INTO item {rows};"),
    }
}

fn copy(original: &Path, name: &str, mode: &str) -> Result<PathBuf, Failure> {
    let database = original.with_file_name(name);
    fs::copy(original, &database).map_err(Failure::file(&database))?;
    sqlite(&database, &format!("PRAGMA journal_mode={mode}"))?;
    Ok(database)
}

/// What the distribution's shell prints.
fn sqlite(database: &Path, sql: &str) -> Result<String, Failure> {
    match shell::output(Command::new("sqlite3").arg("-bail").arg(database).arg(sql))? {
        (status, said) if status.success() => Ok(said),
        (status, said) => Err(Failure::Check(format!("sqlite3 ended with {status}: {said}"))),
    }
}

/// An owner that is running.
#[derive(Debug)]
struct Owner {
    child: Child,
    address: String,
}

impl Owner {
    fn start(programs: &Programs, database: &Path, way: &str, sync: Sync) -> Result<Self, Failure> {
        let mut command = Command::new(&programs.command);
        command.args(["serve", "--engine", "shared"]).arg(database);
        if way != "unix" {
            command.args(["--listen", way]);
        }
        command.envs(programs.environment(sync));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |source| Failure::NotStarted { command: "tombolo serve".into(), source };
        let mut child = command.spawn().map_err(failed)?;
        let errors = child.stderr.take();
        let mut owner = Owner { child, address: String::new() };
        let mut said = String::new();
        let silent = |said: &str| Failure::Check(format!("tombolo serve ended: {said}"));
        let mut errors = BufReader::new(errors.ok_or_else(|| silent(&said))?);
        loop {
            if errors.read_line(&mut said).map_err(failed)? == 0 {
                return Err(silent(&said));
            }
            // It listens at its socket as well, and says so first.
            let scheme = way.split(':').next().unwrap_or_default();
            let mut addresses = said.split("is served at ").skip(1);
            if let Some(address) = addresses.find(|rest| rest.starts_with(scheme)) {
                owner.address = address.split_whitespace().next().unwrap_or_default().to_owned();
                return Ok(owner);
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
