//! A server database of the distribution, on the host.

use crate::common::{PATIENCE, wait_until};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use tombolo_lab::{Lab, Namespace, Server, ServerSpec, needs};

/// Of `tombolo-lab doctor`.
pub(crate) const REQUIRED: &str = "/usr/lib/postgresql/*/bin/postgres";

/// Nobody but this lab reaches the server, which listens on the loopback.
const PASSWORD: &str = "lab";

/// The host's loopback interface, as a guest has it.
pub(crate) const HOST_OF_GUEST: &str = "10.0.2.2";

/// PostgreSQL with a cluster of its own. It is gone with the namespace.
#[derive(Debug)]
pub(crate) struct Postgres {
    port: u16,
    _server: Server,
}

impl Postgres {
    /// Makes a cluster and starts the server, as the user that the package has made for it: it
    /// refuses to run as root.
    pub(crate) fn start(namespace: &Namespace, lab: &Lab) -> Self {
        let need = needs().into_iter().find(|need| need.name == REQUIRED);
        let program = PathBuf::from(need.and_then(|need| need.found).expect("it was required"));
        let directory = namespace.directory("postgres").expect("a directory");
        let owner = user_and_group("postgres");
        chown(&directory, Some(owner.0), Some(owner.1)).expect("given away");
        let (cluster, password) = (directory.join("cluster"), directory.join("password"));
        std::fs::write(&password, PASSWORD).expect("written");
        let made = as_user(owner, &program.with_file_name("initdb"))
            .args(["--username=lab", "--auth=scram-sha-256", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(&cluster)
            .output()
            .expect("it ran");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let mut command = as_user(owner, &program);
        command.arg("-D").arg(&cluster).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        let argv: Vec<_> =
            std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let server = lab.server(&ServerSpec::new("postgres", &argv)).expect("started");
        let postgres = Postgres { port, _server: server };
        wait_until("PostgreSQL answers", || postgres.asked("SELECT 1").is_ok());
        postgres
    }

    /// The client's command for who reaches the server at `address`: answers are bare, and a
    /// failed statement ends it.
    pub(crate) fn client(&self, address: &str) -> Vec<String> {
        let limit = PATIENCE.as_secs();
        let target = format!(
            "host={address} port={} user=lab dbname=postgres password={PASSWORD} \
             connect_timeout={limit}",
            self.port
        );
        let words = ["/usr/bin/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", &target];
        words.map(str::to_owned).to_vec()
    }

    /// What it says to statements of the host, in one transaction.
    pub(crate) fn ask(&self, statements: &str) -> String {
        self.asked(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    fn asked(&self, statements: &str) -> Result<String, String> {
        let client = self.client("127.0.0.1");
        let output = Command::new(&client[0]).args(&client[1..]).args(["-c", statements]).output();
        let output = output.expect("psql runs (package postgresql)");
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn as_user((user, group): (u32, u32), program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
    command.arg("--clear-groups").arg(program);
    command
}

/// Their numbers, from passwd(5).
fn user_and_group(name: &str) -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("readable");
    let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.find(|fields| fields.first() == Some(&name)).expect("its package made it");
    let number = |index: usize| found.get(index).and_then(|field| field.parse().ok());
    (number(2).expect("a number"), number(3).expect("a number"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("known").port()
}
