//! A PostgreSQL server of its own for each test, on a Unix socket in a temporary directory.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The user that runs it: PostgreSQL refuses to be root.
const NOBODY: u32 = 65534;

pub(crate) struct Server {
    directory: TempDir,
    process: Child,
}

impl Server {
    /// Starts one. A machine without PostgreSQL fails the test: `./setup test` installs it.
    pub(crate) fn start() -> Self {
        Server::start_with("trust", None)
    }

    /// Starts one that wants a password by this method.
    pub(crate) fn start_with(method: &str, password: Option<&str>) -> Self {
        Server::start_set(method, password, &[])
    }

    /// Starts one with settings besides.
    pub(crate) fn start_set(method: &str, password: Option<&str>, settings: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let owned = |path: &Path| {
            if rustix::process::geteuid().is_root() {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        };
        owned(directory.path());
        let data = directory.path().join("data");
        let secret = directory.path().join("password");
        std::fs::write(&secret, password.unwrap_or("unused")).unwrap();
        owned(&secret);
        let made = program("initdb")
            .args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "tester"])
            .args(["--auth-local", "trust", "--auth-host", method, "-D"])
            .arg(&data)
            .arg(format!("--pwfile={}", secret.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = program("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(directory.path());
        command.args(["-c", "fsync=off", "-c", "autovacuum=off", "-c"]);
        match password {
            None => command.arg("listen_addresses="),
            Some(_) => command.arg("listen_addresses=127.0.0.1").args(["-p", &free_port()]),
        };
        for setting in settings {
            command.args(["-c", setting]);
        }
        let process = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let server = Server { directory, process };
        assert!(
            crate::common::becomes(|| server.try_ask("postgres", "SELECT 1").is_some()),
            "{}",
            std::fs::read_to_string(server.directory.path().join("log")).unwrap()
        );
        server.ask("postgres", "CREATE DATABASE app");
        server
    }

    fn port(&self) -> String {
        let pid = std::fs::read_to_string(self.directory.path().join("data/postmaster.pid"));
        pid.ok().and_then(|text| text.lines().nth(3).map(str::to_owned)).unwrap_or_default()
    }

    /// Its address, by the socket.
    pub(crate) fn address(&self) -> String {
        let directory = self.directory.path().display();
        format!("postgres://tester@/app?host={directory}&port={}", self.port())
    }

    /// Its address, by TCP.
    pub(crate) fn tcp_address(&self) -> String {
        format!("postgres://tester@127.0.0.1:{}/app", self.port())
    }

    /// What `psql` prints, unaligned; the columns are parted by `|`.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        self.try_ask(database, sql).unwrap_or_else(|| panic!("psql refused {sql}"))
    }

    fn try_ask(&self, database: &str, sql: &str) -> Option<String> {
        let output = Command::new("psql")
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "tester"])
            .arg("-h")
            .arg(self.directory.path())
            .args(["-p", &self.port(), "-d", database, "-c", sql])
            .output()
            .unwrap();
        let text = || String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned();
        output.status.success().then(text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown, <https://www.postgresql.org/docs/current/server-shutdown.html>.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.process.wait();
    }
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// A program of the newest PostgreSQL of the distribution.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let paths = versions.map(|entry| entry.unwrap().path().join("bin").join(name));
    let newest: PathBuf = paths.filter(|path| path.exists()).max().expect("PostgreSQL");
    let mut command = Command::new(newest);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}
