//! The unit of systemd: systemd.service(5).

use super::{Manager, Wanted, filled};

/// The one that is shipped.
const SHIPPED: &str = include_str!("../../../../dist/tombolo.service");
/// What stands in it of one machine.
const DIRECTORY: &str = "/srv/tombolo";
const BINARY: &str = "/usr/local/bin/tombolo";
const USER: &str = "User=tombolo\n";
const ORDER: &str = "After=local-fs.target remote-fs.target\n";
const TARGET: &str = "WantedBy=multi-user.target\n";

/// The unit of an owner.
pub(crate) fn unit(manager: &Manager, wanted: &Wanted) -> String {
    let directory = wanted.directory.as_str();
    let start = format!("ExecStart={BINARY} serve {DIRECTORY}\n");
    let command = [wanted.binary.as_str(), "serve", directory];
    let command: Vec<String> =
        command.into_iter().map(str::to_owned).chain(wanted.options()).collect();
    let command = format!("ExecStart={}\n", command.join(" "));
    let user = format!("User={}\n", wanted.user);
    // The manager of a user has one user, and none of the machine's targets
    // (systemd.special(7)).
    let (user, order, target) = match manager {
        Manager::User => ("", "", "WantedBy=default.target\n"),
        _ => (user.as_str(), ORDER, TARGET),
    };
    let words = [
        (start.as_str(), command.as_str()),
        (DIRECTORY, directory),
        (USER, user),
        (ORDER, order),
        (TARGET, target),
    ];
    filled(SHIPPED, &words)
}

#[cfg(test)]
mod tests {
    use super::super::tests::wanted;
    use super::*;

    fn difference(unit: &str) -> Vec<String> {
        let lines: Vec<&str> = unit.lines().collect();
        let gone = SHIPPED.lines().filter(|line| !lines.contains(line));
        let gone = gone.map(|line| format!("-{line}"));
        let old: Vec<&str> = SHIPPED.lines().collect();
        let new = lines.iter().filter(|line| !old.contains(line)).map(|line| format!("+{line}"));
        gone.chain(new).collect()
    }

    #[test]
    fn a_unit_differs_from_the_shipped_one_in_what_is_of_this_machine() {
        let listen = vec!["tcp://192.0.2.1:7000".to_owned()];
        let keys = Some("/var/lib/t".parse().unwrap());
        let unit = unit(&Manager::System, &Wanted { listen, keys, ..wanted() });
        assert_eq!(
            difference(&unit),
            [
                "-# The owner of all SQLite databases below /srv/tombolo. Programs that use them \
                 run as the same user:",
                "-# the socket, /srv/tombolo/.tombolo/owner.sock, is for its user alone.",
                "-Description=Owner of the SQLite databases below /srv/tombolo",
                "-User=tombolo",
                "-ExecStart=/usr/local/bin/tombolo serve /srv/tombolo",
                "+# The owner of all SQLite databases below /srv/tombolo-x/db. Programs that use \
                 them run as the same user:",
                "+# the socket, /srv/tombolo-x/db/.tombolo/owner.sock, is for its user alone.",
                "+Description=Owner of the SQLite databases below /srv/tombolo-x/db",
                "+User=media",
                "+ExecStart=/opt/t/tombolo serve /srv/tombolo-x/db --listen tcp://192.0.2.1:7000 \
                 --keys /var/lib/t",
            ]
        );
    }

    #[test]
    fn the_unit_of_a_user_names_none_and_nothing_of_the_machine() {
        let unit = unit(&Manager::User, &wanted());
        assert!(!unit.contains("User="), "{unit}");
        assert!(!unit.contains("remote-fs"), "{unit}");
        assert!(unit.ends_with("\n[Install]\nWantedBy=default.target\n"), "{unit}");
        assert!(unit.contains("\nExecStart=/opt/t/tombolo serve /srv/tombolo-x/db\n"), "{unit}");
    }
}
