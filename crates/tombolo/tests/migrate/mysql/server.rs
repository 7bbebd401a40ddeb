//! A MariaDB server of its own for each test, on a Unix socket in a temporary directory.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The user that runs it: MariaDB refuses to be root.
const NOBODY: u32 = 65534;

pub(crate) struct Server {
    directory: TempDir,
    process: Child,
    port: Option<u16>,
}

impl Server {
    /// Starts one. A machine without MariaDB fails the test: `./setup test` installs it.
    pub(crate) fn start() -> Self {
        Server::start_with(&[])
    }

    /// Starts one with these options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Server::run(&[&["--skip-networking"], options].concat(), None)
    }

    /// Starts one that also listens on TCP.
    pub(crate) fn start_on_tcp(options: &[&str]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let listen = [format!("--port={port}"), "--bind-address=127.0.0.1".to_owned()];
        let listen: Vec<&str> = listen.iter().map(String::as_str).collect();
        Server::run(&[&listen, options].concat(), Some(port))
    }

    fn run(options: &[&str], port: Option<u16>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = format!("--datadir={}", directory.path().join("data").display());
        let made = unprivileged("mariadb-install-db")
            .args(["--no-defaults", &data, "--auth-root-authentication-method=normal"])
            .args(["--skip-test-db", "--innodb-log-file-size=8M"])
            .arg(format!("--tmpdir={}", directory.path().display()))
            .output()
            .expect("mariadb-install-db is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let process = unprivileged("/usr/sbin/mariadbd")
            .args(["--no-defaults", &data, "--skip-log-bin", "--innodb-log-file-size=8M"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=48M"])
            .args([format!("--socket={}", path("socket")), format!("--tmpdir={}", path(""))])
            .arg(format!("--pid-file={}", path("pid")))
            .args(options)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd is installed");
        let server = Server { directory, process, port };
        assert!(
            crate::common::becomes(|| server.try_ask("", "SELECT 1").is_ok()),
            "{}",
            std::fs::read_to_string(server.directory.path().join("log")).unwrap()
        );
        server.ask("", "CREATE DATABASE app; CREATE USER tester; GRANT ALL ON *.* TO tester");
        server
    }

    /// The address of a database, by the socket.
    pub(crate) fn address(&self, database: &str) -> String {
        let socket = self.directory.path().join("socket");
        format!("mysql://tester@/{database}?socket={}", socket.display())
    }

    /// The address of `app`, by TCP.
    pub(crate) fn tcp_address(&self) -> String {
        format!("mysql://tester@127.0.0.1:{}/app", self.port.unwrap())
    }

    /// What the shell prints; the columns are parted by tabs, and what is special is escaped.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        self.try_ask(database, sql).unwrap_or_else(|text| panic!("{sql}: {text}"))
    }

    pub(crate) fn try_ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--skip-column-names", "--batch"])
            .arg("--default-character-set=utf8mb4")
            .arg(format!("--socket={}", self.directory.path().join("socket").display()))
            .args(["--execute", sql, database])
            .output()
            .expect("the shell of MariaDB is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

fn unprivileged(program: &str) -> Command {
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}
