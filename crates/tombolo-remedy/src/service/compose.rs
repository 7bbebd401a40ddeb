//! The service of a Compose file: the Compose Specification.

use super::{Wanted, filled};
use crate::config::{self, Edited, Refusal};

/// The file that is shipped.
const SHIPPED: &str = include_str!("../../../../dist/compose.yaml");
/// What stands in it of one machine.
const SERVICE: &str = "  tombolo:\n";
const COMMAND: &str = "\"serve\", \"/srv/tombolo\"]";
const DIRECTORY: &str = "/srv/tombolo";
const DIRECTORY_THERE: &str = "./databases";
const BINARY_THERE: &str = "- ./tombolo:";
const USER: &str = "user: \"1000:1000\"\n";

/// A Compose file with an owner alone.
pub(crate) fn whole(wanted: &Wanted) -> String {
    let directory = wanted.directory.as_str();
    let options = wanted.options();
    let options: String = options.iter().map(|word| format!(", \"{word}\"")).collect();
    let command = format!("\"serve\", \"{directory}\"{options}]");
    let (user, group) = wanted.numbers;
    let mut user = format!("user: \"{user}:{group}\"\n");
    if !wanted.listen.is_empty() {
        // Its addresses are those of the machine.
        user += "    network_mode: host\n";
    }
    let service = format!("  {}:\n", wanted.name);
    let binary = format!("- {}:", wanted.binary.as_str());
    let keys = wanted.keys.as_ref().map(|keys| format!("      - {0}:{0}\n", keys.as_str()));
    let words = [
        (SERVICE, service.as_str()),
        (COMMAND, command.as_str()),
        (DIRECTORY, directory),
        (DIRECTORY_THERE, directory),
        (BINARY_THERE, binary.as_str()),
        (USER, user.as_str()),
    ];
    filled(SHIPPED, &words) + &keys.unwrap_or_default()
}

/// The edit that adds an owner to a Compose file.
///
/// # Errors
/// [`Refusal`]; then the file is not to be changed at all.
pub(crate) fn added(text: &str, wanted: &Wanted) -> Result<Edited, Refusal> {
    let whole = whole(wanted);
    let lines: Vec<&str> =
        whole.lines().skip_while(|line| *line != "services:").skip(1).map(without_indent).collect();
    config::add_service(text, wanted.name.as_str(), &lines)
}

fn without_indent(line: &str) -> &str {
    line.strip_prefix("  ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::wanted;
    use super::*;

    #[test]
    fn a_new_file_is_the_shipped_one_with_what_is_of_this_machine() {
        let whole = whole(&wanted());
        let changed: Vec<(&str, &str)> =
            SHIPPED.lines().zip(whole.lines()).filter(|(old, new)| old != new).collect();
        assert_eq!(SHIPPED.lines().count(), whole.lines().count());
        let directory = "/srv/tombolo-x/db";
        let expected = [
            format!(
                "# The owner of all SQLite databases in {directory}, which must belong to the user \
                 below. The first of"
            ),
            format!("    command: [\"/usr/local/bin/tombolo\", \"serve\", \"{directory}\"]"),
            "    user: \"1001:1002\"".to_owned(),
            format!(
                "      test: [\"CMD\", \"/usr/local/bin/tombolo\", \"status\", \"{directory}\"]"
            ),
            "      - /opt/t/tombolo:/usr/local/bin/tombolo:ro".to_owned(),
            format!("      - {directory}:{directory}"),
        ];
        assert_eq!(changed.iter().map(|(_, new)| *new).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn other_machines_reach_it_at_an_address_of_the_machine() {
        let listen = vec!["tcp://192.0.2.1:7000".to_owned()];
        let keys = Some("/var/lib/keys".parse().unwrap());
        let text = whole(&Wanted { listen, keys, ..wanted() });
        assert!(text.contains("\"--listen\", \"tcp://192.0.2.1:7000\", \"--keys\""), "{text}");
        assert!(text.contains("    network_mode: host\n"), "{text}");
        assert!(text.ends_with("      - /var/lib/keys:/var/lib/keys\n"), "{text}");
    }

    #[test]
    fn a_service_is_added_and_every_other_byte_stays() {
        let before = "# mine\r\nservices:  # all\r\n    # the app\r\n    app: &a\r\n        \
                      image: \"x\"   # pinned\r\nvolumes:\r\n    v:\r\n";
        let edited = added(before, &wanted()).unwrap();
        assert_eq!(edited.edits.len(), 1);
        let after = config::edited(before, &edited.edits).unwrap();
        let (start, rest) = before.split_at(before.find("    # the app").unwrap());
        assert!(after.starts_with(start) && after.ends_with(rest), "{after}");
        assert!(after.contains("# all\r\n    tombolo:\r\n      image: debian"), "{after}");
        let refusal = added(&after, &wanted()).unwrap_err();
        assert!(refusal.to_string().contains("line 3: a service of this name"), "{refusal}");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (text, line) in [
            ("services: {app: {image: x}}\n", "line 1"),
            ("x: &s\n  app: {image: x}\nservices: *s\n", "line 3"),
            ("services: &s\n  app: {image: x}\nother: *s\n", "line"),
            ("services: !reset\n  app: {image: x}\n", "line"),
            ("services:\n  - app\n", "line 2"),
            ("volumes:\n  v:\n", "no services"),
            ("", "no services"),
            ("services:\n  a: [\n", "line"),
        ] {
            let refusal = added(text, &wanted()).unwrap_err();
            assert!(refusal.to_string().contains(line), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn a_list_of_services_that_is_empty_gets_its_first() {
        for text in ["services:\n", "services:"] {
            let edited = added(text, &wanted()).unwrap();
            let after = config::edited(text, &edited.edits).unwrap();
            assert!(after.starts_with("services:\n  tombolo:\n    image: "), "{after}");
        }
    }
}
