//! An owner as an app sees it: by the stock shell of SQLite through the door, or by the door itself
//! where there is none.

use super::live::Live;
use crate::preload;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tombolo_core::facade::waiting::Waited;
use tombolo_core::facade::{Lock, Refusal, Unlock};
use tombolo_core::owner::status::{EngineName, Status};
use tombolo_core::sqlite::header::HEADER_BYTES;
use tombolo_core::text::printable;
use tombolo_core::wire::request::Access;
use tombolo_door::{Address, Door, OwnerStatus};
use tombolo_os::{kernel, signal};
use tombolo_remedy::config::HostPath;
use tombolo_remedy::service::{Look, Service, Services as _, scratch};

/// How long an owner may take to listen: it looks first, as the doctor does.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may keep a database open that nobody has: some ten seconds
/// (crates/tombolo-core/src/owner/limits.rs).
const IDLE_PATIENCE: Duration = Duration::from_secs(40);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the turn to write is waited for.
const TURN_WAIT: Duration = Duration::from_secs(20);
/// What is written to the scratch database, and counted.
const COUNTED: &str = "CREATE TABLE IF NOT EXISTS seen(at INTEGER PRIMARY KEY);\n\
                       INSERT INTO seen DEFAULT VALUES;\nSELECT count(*) FROM seen;\n";

pub(super) fn look(look: &Look) -> Result<Vec<String>, String> {
    let plain = |path: &Path| path.display().to_string().parse::<HostPath>();
    for path in std::iter::once(&look.database).chain(&look.credentials) {
        plain(path).map_err(|error| error.to_string())?;
    }
    let mut scratch = Scratch { path: scratch(&look.database), rows: None };
    let mut seen = Vec::new();
    let looked = at_each_address(look, &mut scratch, &mut seen);
    let removed = scratch.remove(look, &mut seen);
    looked.and(removed).map(|()| seen)
}

fn at_each_address(
    look: &Look,
    scratch: &mut Scratch,
    seen: &mut Vec<String>,
) -> Result<(), String> {
    for address in &look.addresses {
        let app = App::new(look, address)?;
        app.wait(look.service.as_ref())?;
        let Some(library) = shell() else {
            seen.push(app.by_itself()?);
            continue;
        };
        seen.push(app.reads(&library)?);
        if !look.database.exists() {
            let note = "its directory is not seen from here: no scratch database is written to";
            seen.push(note.to_owned());
            continue;
        }
        match app.writes(&library, scratch) {
            Ok(sentence) => seen.push(sentence),
            // Who serves one database alone has no other.
            Err(said) if look.service.is_none() && scratch.rows.is_none() => {
                seen.push(format!("no scratch database was written to: {said}"));
            }
            Err(said) => return Err(said),
        }
    }
    Ok(())
}

/// The library with the VFS, where there is a shell that loads it.
fn shell() -> Option<PathBuf> {
    preload::in_path(OsStr::new("sqlite3"))?;
    preload::library(preload::DOOR).ok()
}

/// A database beside the user's, and the rows that are in it, once some were written.
struct Scratch {
    path: PathBuf,
    rows: Option<u64>,
}

impl Scratch {
    /// One more row was written, and so many were seen then. A look that was killed has left some.
    fn count(&mut self, said: &str) -> Result<(), String> {
        let words = || printable(said.trim().as_bytes());
        let seen = said.trim().parse().map_err(|_| format!("sqlite3 counted {}", words()))?;
        let expected = self.rows.map_or(seen, |rows| rows + 1);
        if seen != expected {
            return Err(format!("of {expected} rows of the scratch database {seen} are seen"));
        }
        self.rows = Some(seen);
        Ok(())
    }

    /// Removes it when the owner has closed it.
    fn remove(&self, look: &Look, seen: &mut Vec<String>) -> Result<(), String> {
        let Some(address) = look.addresses.last().filter(|_| self.rows.is_some()) else {
            return Ok(());
        };
        let app = App::new(look, address)?;
        let end = Instant::now() + IDLE_PATIENCE;
        while Instant::now() < end && app.has_open(&self.path)?.is_some() {
            pause()?;
        }
        let path = self.path.display();
        if !self.path.exists() {
            seen.push(format!("the owner has the scratch database elsewhere: {path} stays there"));
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = PathBuf::from(format!("{path}{suffix}"));
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// An app at one address.
struct App<'a> {
    look: &'a Look,
    at: &'a str,
    address: Address,
}

impl<'a> App<'a> {
    fn new(look: &'a Look, at: &'a str) -> Result<Self, String> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/+@:[]%".contains(byte);
        if !at.as_bytes().iter().all(is_plain) {
            return Err(format!("{} is no address of an owner", printable(at.as_bytes())));
        }
        let address = Address::parse(at.as_bytes()).map_err(|refusal| refusal.message)?;
        let address = match &look.credentials {
            Some(file) => address.with_credentials(file.clone()),
            None => address,
        };
        Ok(App { look, at, address })
    }

    fn status(&self) -> Result<Status, String> {
        let connected = OwnerStatus::connect(&self.address, &self.look.database);
        let document = connected.and_then(|mut owner| owner.ask());
        let document = document.map_err(|refusal| refusal.to_string())?;
        serde_json::from_slice(&document).map_err(|error| format!("{}: {error}", self.at))
    }

    /// Waits until the owner answers, as long as its service runs.
    fn wait(&self, service: Option<&Service>) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = match self.status() {
                Ok(_) => return Ok(()),
                Err(said) => said,
            };
            let Some(service) = service else { return Err(said) };
            if let Some(ended) = ended(service) {
                return Err(ended);
            }
            if Instant::now() > end {
                return Err(format!("{said}, for {} s", PATIENCE.as_secs()));
            }
            pause()?;
        }
    }

    /// Reads the database, and takes the turn to write for a moment.
    fn reads(&self, library: &Path) -> Result<String, String> {
        let statements = "PRAGMA journal_mode;\nSELECT count(*) FROM sqlite_schema;\n\
                          BEGIN IMMEDIATE;\nROLLBACK;\n";
        let said = self.door(library, &self.look.database, statements)?;
        let mut lines = said.lines();
        let (mode, entries) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if mode != "wal" || entries.parse::<u64>().is_err() {
            return Err(format!("at {}, sqlite3 said {}", self.at, printable(said.as_bytes())));
        }
        Ok(format!(
            "at {}, sqlite3 through the door has journal mode {mode}, reads a schema of {entries} \
             entries, and has the turn to write",
            self.at
        ))
    }

    /// Writes to the scratch database through the door, and past it where that may be.
    fn writes(&self, library: &Path, scratch: &mut Scratch) -> Result<String, String> {
        let through = |scratch: &Scratch| self.door(library, &scratch.path, COUNTED);
        scratch.count(&through(scratch)?)?;
        let begins = format!("at {}, a scratch database is written to and read", self.at);
        let here = kernel::boot_id(Path::new("/"));
        let shared = self.has_open(&scratch.path)? == Some(EngineName::Shared);
        if !(shared && here.is_some() && self.status()?.boot_id == here) {
            return Ok(format!("{begins}; from here no program may use the file itself"));
        }
        scratch.count(&run(None, &scratch.path.display().to_string(), COUNTED)?)?;
        scratch.count(&through(scratch)?)?;
        Ok(format!(
            "{begins}, through the door and by stock sqlite3 on the file itself: each sees what \
             the other has written"
        ))
    }

    /// The engine of a file that is open, which the owner may see under another name.
    fn has_open(&self, path: &Path) -> Result<Option<EngineName>, String> {
        let databases = self.status()?.databases;
        let is_of = |theirs: &str| Path::new(theirs).file_name() == path.file_name();
        Ok(databases.iter().find(|database| is_of(&database.path)).map(|database| database.engine))
    }

    /// Runs statements in the shell, through the door.
    fn door(&self, library: &Path, database: &Path, statements: &str) -> Result<String, String> {
        let credentials = self.look.credentials.as_ref();
        let credentials =
            credentials.map(|file| format!("&credentials={}", file.display())).unwrap_or_default();
        // A percent sign begins a byte in hexadecimal there: an IPv6 zone has one.
        let at = self.at.replace('%', "%25");
        let uri = format!("file:{}?vfs=tombolo&owner={at}{credentials}", database.display());
        run(Some(library), &uri, statements)
            .map_err(|said| format!("at {}, through the door: {said}", self.at))
    }

    /// The door without SQLite: the file is opened and read, and the turn to write had.
    fn by_itself(&self) -> Result<String, String> {
        let path = self.look.database.as_os_str().as_bytes();
        let failed = |refusal: Refusal| format!("at {}: {refusal}", self.at);
        let mut door = Door::open(&self.address, path, Access::Write).map_err(failed)?;
        door.lock(Lock::Shared).map_err(failed)?;
        door.read(0, &mut [0; HEADER_BYTES]).map_err(failed)?;
        let turn = match door.lock(Lock::Reserved) {
            Err(busy) if door.begin_waiting() => {
                let waited = door.wait(TURN_WAIT);
                door.stop_waiting().map_err(failed)?;
                match waited.map_err(failed)? {
                    Waited::Granted | Waited::Offered => Ok(()),
                    Waited::InVain => Err(busy),
                }
            }
            other => other,
        };
        turn.map_err(failed)?;
        door.unlock(Unlock::ToNone).map_err(failed)?;
        Ok(format!(
            "at {}, the door itself opens and reads it, and has the turn to write; no sqlite3 \
             with libtombolo.so is here that could write to a scratch database",
            self.at
        ))
    }
}

/// How a service ended, if it did. Of a container its log tells.
fn ended(service: &Service) -> Option<String> {
    if !service.manager.is_systemd() {
        return None;
    }
    let unit = format!("{}.service", service.name);
    let state = Live.ask(&service.manager, &["show", "--property=ActiveState,Result", &unit]);
    let state = state.ok()?;
    let is_over = ["ActiveState=failed", "ActiveState=inactive"];
    let over = state.lines().any(|line| is_over.contains(&line));
    over.then(|| format!("{unit} has ended ({})", state.trim().replace('\n', ", ")))
}

/// Runs statements in the shell of SQLite, on a path or a URI without quotes.
fn run(library: Option<&Path>, database: &str, statements: &str) -> Result<String, String> {
    let mut command = Command::new("sqlite3");
    // Without what the user's own settings would print.
    command.args(["-batch", "-bail", "-init", "/dev/null"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    // Who may write in the directory could put a link there, for root to follow.
    let open = match library {
        Some(library) => format!(".load '{}'\n.open '{database}'", library.display()),
        None => format!(".open --nofollow '{database}'"),
    };
    let wait_ms = TURN_WAIT.as_millis();
    let script = format!("{open}\n.timeout {wait_ms}\n.mode list\n{statements}");
    if let Some(mut input) = child.stdin.take() {
        // A shell that ended before has said why.
        let _ = input.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said = printable(output.stderr.trim_ascii());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && said.is_empty() {
        Ok(printed)
    } else if said.is_empty() {
        Err(output.status.to_string())
    } else {
        Err(said)
    }
}

/// A signal ends the wait.
#[expect(clippy::disallowed_methods, reason = "another process decides, and does not tell")]
fn pause() -> Result<(), String> {
    std::thread::sleep(PAUSE);
    if signal::stop_wanted() { Err("stopped".to_owned()) } else { Ok(()) }
}
