//! TLS with real servers, whose certificates the test makes.

use super::mysql::server::Server as MariaDb;
use super::ways::TWO;
use super::{Database, Server, command, errors};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The user that runs the servers.
const NOBODY: u32 = 65534;

/// A certificate for 127.0.0.1, and the one that vouches for it.
struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let made = Certificates { directory: tempfile::tempdir().unwrap() };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        std::fs::write(made.path("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        made.openssl("req -x509 -subj /CN=root -days 2 -keyout root.key -out root.pem", &key);
        made.openssl("req -subj /CN=server -keyout server.key -out request", &key);
        let signed = "x509 -req -in request -CA root.pem -CAkey root.key -CAcreateserial -days 2 \
                      -extfile names -out server.pem";
        made.openssl(signed, &[]);
        if rustix::process::geteuid().is_root() {
            for path in [made.directory.path().to_owned(), made.path("server.key")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        made
    }

    fn openssl(&self, words: &str, more: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).args(more).current_dir(self.directory.path());
        let output = command.output().expect("openssl is installed");
        assert!(output.status.success(), "{}", errors(&output));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// What an address ends in, and what the run says: of nothing, that it went well.
type Case<'a> = (&'a str, String, Option<&'a str>);

/// The same for both, by their own names for things.
fn check(address: &str, password: (&str, &str), cases: &[Case<'_>]) {
    for (host, query, expected) in cases {
        let database = Database::new(TWO);
        let address = address.replace("127.0.0.1", host) + query;
        let mut command = command(&database.path(), &address, &["--replace"]);
        let output = command.env(password.0, password.1).output().unwrap();
        match expected {
            None => {
                let told = String::from_utf8_lossy(&output.stdout);
                assert!(told.contains("\"migrated\""), "{query}: {}", errors(&output));
            }
            Some(words) => {
                assert_eq!(output.status.code(), Some(2), "{query}");
                assert!(errors(&output).contains(words), "{query}: {}", errors(&output));
            }
        }
    }
}

#[test]
fn postgres() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    std::fs::write(
        certificates.path("hba"),
        "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
    )
    .unwrap();
    let options = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificates.text("server.pem")),
        format!("ssl_key_file={}", certificates.text("server.key")),
        format!("hba_file={}", certificates.text("hba")),
    ];
    let server = Server::start_set("scram-sha-256", Some("s3cret"), &options);
    let (root, other) = (certificates.text("root.pem"), others.text("root.pem"));
    check(
        &server.tcp_address(),
        ("PGPASSWORD", "s3cret"),
        &[
            ("127.0.0.1", "?sslmode=require".into(), None),
            ("127.0.0.1", "?sslmode=prefer".into(), None),
            ("127.0.0.1", format!("?sslmode=verify-full&sslrootcert={root}"), None),
            ("localhost", format!("?sslmode=verify-ca&sslrootcert={root}"), None),
            (
                "localhost",
                format!("?sslmode=verify-full&sslrootcert={root}"),
                Some("not valid for name"),
            ),
            (
                "127.0.0.1",
                format!("?sslmode=require&sslrootcert={other}"),
                Some("invalid peer certificate"),
            ),
            ("127.0.0.1", "?sslmode=verify-full&sslrootcert=/absent".into(), Some("/absent")),
            // Without TLS the server does not let anybody in; that is what is asked on loopback.
            ("127.0.0.1", "?sslmode=disable".into(), Some("28000")),
            ("127.0.0.1", String::new(), Some("28000")),
        ],
    );
    let plain = Server::start_with("scram-sha-256", Some("s3cret"));
    let address = plain.tcp_address();
    let words = Some("sslmode=disable");
    let cases = [
        ("127.0.0.1", "?sslmode=require".into(), words),
        ("127.0.0.1", "?sslmode=prefer".into(), None),
    ];
    check(&address, ("PGPASSWORD", "s3cret"), &cases);
}

#[test]
fn mariadb() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let options = [
        format!("--ssl-cert={}", certificates.text("server.pem")),
        format!("--ssl-key={}", certificates.text("server.key")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = MariaDb::start_on_tcp(&options);
    server.ask("", "ALTER USER tester IDENTIFIED BY 's3cret' REQUIRE SSL");
    let (root, other) = (certificates.text("root.pem"), others.text("root.pem"));
    check(
        &server.tcp_address(),
        ("MYSQL_PWD", "s3cret"),
        &[
            ("127.0.0.1", "?ssl-mode=REQUIRED".into(), None),
            ("127.0.0.1", "?ssl-mode=PREFERRED".into(), None),
            ("127.0.0.1", format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={root}"), None),
            ("localhost", format!("?ssl-mode=VERIFY_CA&ssl-ca={root}"), None),
            (
                "localhost",
                format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={root}"),
                Some("not valid for name"),
            ),
            (
                "127.0.0.1",
                format!("?ssl-mode=REQUIRED&ssl-ca={other}"),
                Some("invalid peer certificate"),
            ),
            ("127.0.0.1", "?ssl-mode=DISABLED".into(), Some("ER_ACCESS_DENIED_ERROR")),
            ("127.0.0.1", String::new(), Some("ER_ACCESS_DENIED_ERROR")),
        ],
    );
    let plain = MariaDb::start_on_tcp(&["--skip-ssl"]);
    let words = Some("sslmode=disable");
    let cases = [
        ("127.0.0.1", "?ssl-mode=REQUIRED".into(), words),
        ("127.0.0.1", "?ssl-mode=PREFERRED".into(), None),
    ];
    check(&plain.tcp_address(), ("MYSQL_PWD", ""), &cases);
}
