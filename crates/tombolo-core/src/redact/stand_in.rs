//! Kinds of names, and what stands for one of each.

use super::scan::{joins_before, run};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A password, a token, a key, the name of a file with credentials.
    Secret,
    /// A user, or the owner of a home directory.
    User,
    /// A host.
    Host,
    /// An e-mail address.
    Mail,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A hardware address.
    Mac,
    /// A UUID: a boot id, a file system.
    Uuid,
    /// A long number that names one thing in the world: a container, a digest.
    Identifier,
    /// A word that was asked to be hidden.
    Word,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] = &[
        Kind::Secret,
        Kind::User,
        Kind::Host,
        Kind::Mail,
        Kind::Ipv4,
        Kind::Ipv6,
        Kind::Mac,
        Kind::Uuid,
        Kind::Identifier,
        Kind::Word,
    ];

    /// The stable name, as it stands in JSON: a plural.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Secret => "secrets",
            Kind::User => "users",
            Kind::Host => "hosts",
            Kind::Mail => "mail_addresses",
            Kind::Ipv4 => "ipv4_addresses",
            Kind::Ipv6 => "ipv6_addresses",
            Kind::Mac => "hardware_addresses",
            Kind::Uuid => "uuids",
            Kind::Identifier => "identifiers",
            Kind::Word => "words",
        }
    }

    /// What people call it, and several of it.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Secret => ("secret", "secrets"),
            Kind::User => ("user name", "user names"),
            Kind::Host => ("host name", "host names"),
            Kind::Mail => ("e-mail address", "e-mail addresses"),
            Kind::Ipv4 => ("IPv4 address", "IPv4 addresses"),
            Kind::Ipv6 => ("IPv6 address", "IPv6 addresses"),
            Kind::Mac => ("hardware address", "hardware addresses"),
            Kind::Uuid => ("UUID", "UUIDs"),
            Kind::Identifier => ("identifier", "identifiers"),
            Kind::Word => ("hidden word", "hidden words"),
        }
    }

    /// What people call several of it.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        self.names().1
    }

    /// So many of it, in words.
    #[must_use]
    pub fn counted(self, count: u32) -> String {
        let (one, several) = self.names();
        format!("{count} {}", if count == 1 { one } else { several })
    }

    /// The stand-in of this number. Addresses are of the ranges that are reserved for documents
    /// (RFC 5737, RFC 3849, RFC 7042 section 2.1.2), beyond them of those for benchmarks (RFC 2544)
    /// and of those that are administered locally.
    pub(super) fn stand_in(self, number: u32) -> String {
        let [_, high, middle, low] = number.to_be_bytes();
        match self {
            Kind::Secret => format!("secret-{number}"),
            Kind::User => format!("user-{number}"),
            Kind::Host => format!("host-{number}"),
            Kind::Mail => format!("mail-{number}@example.org"),
            Kind::Ipv4 if number < 255 => format!("192.0.2.{number}"),
            Kind::Ipv4 => Ipv4Addr::new(198, 18 | (high & 1), middle, low).to_string(),
            Kind::Ipv6 => {
                let [upper, lower] = [(number >> 16) as u16, (number & 0xffff) as u16];
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, upper, lower).to_string()
            }
            Kind::Mac if number < 256 => format!("00:00:5e:00:53:{low:02x}"),
            Kind::Mac => format!("02:00:5e:{high:02x}:{middle:02x}:{low:02x}"),
            Kind::Uuid => format!("00000000-0000-4000-8000-{number:012x}"),
            Kind::Identifier => format!("id-{number}"),
            Kind::Word => format!("word-{number}"),
        }
    }

    /// The form in which two names of this kind are compared.
    pub(super) fn compared(self, name: &str) -> String {
        match self {
            Kind::Ipv6 => {
                name.parse().map_or_else(|_| name.to_owned(), |ip: Ipv6Addr| ip.to_string())
            }
            Kind::Mac => name.to_ascii_lowercase().replace('-', ":"),
            Kind::Secret => name.to_owned(),
            _ => name.to_ascii_lowercase(),
        }
    }

    /// Whether this text can be a name of this kind that says something of somebody.
    pub(super) fn can_be(self, name: &str) -> bool {
        if name.is_empty() || all_in(name).contains(name) {
            return false;
        }
        match self {
            Kind::Ipv4 => name.parse().is_ok_and(|ip: Ipv4Addr| {
                let reserved = matches!(ip.octets(), [192, 0, 2, _] | [198, 18 | 19, _, _]);
                !(reserved || ip.is_loopback() || ip.is_unspecified() || ip.is_broadcast())
            }),
            Kind::Ipv6 => name.parse().is_ok_and(|ip: Ipv6Addr| {
                let documentation = matches!(ip.segments(), [0x2001, 0xdb8, ..]);
                !(documentation || ip.is_loopback() || ip.is_unspecified())
            }),
            Kind::Mac => {
                let mac = self.compared(name);
                let reserved = ["00:00:5e:00:53:", "02:00:5e:", "00:00:00:00:00:00"];
                !reserved.iter().any(|prefix| mac.starts_with(prefix)) && mac != "ff:ff:ff:ff:ff:ff"
            }
            Kind::Uuid => !name.starts_with("00000000-0000-"),
            Kind::Mail => !name.ends_with("@example.org"),
            Kind::User => name != "root" && !is_number(name),
            Kind::Host => {
                let address = name.parse::<IpAddr>().is_ok();
                !matches!(name, "localhost" | "." | "..") && !is_number(name) && !address
            }
            Kind::Secret | Kind::Identifier | Kind::Word => true,
        }
    }
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Stand-ins that a text holds already.
pub(super) fn all_in(text: &str) -> BTreeSet<String> {
    // What begins one, and what ends it after its number.
    const FORMS: [(&str, &str); 9] = [
        ("secret-", ""),
        ("user-", ""),
        ("host-", ""),
        ("id-", ""),
        ("word-", ""),
        ("mail-", "@example.org"),
        ("192.0.2.", ""),
        ("00:00:5e:00:53:", ""),
        ("2001:db8::", ""),
    ];
    let mut found = BTreeSet::new();
    for (begins, ends) in FORMS {
        for (at, _) in text.match_indices(begins) {
            let number = run(text, at + begins.len(), |letter| letter.is_ascii_hexdigit());
            let end = at + begins.len() + number.len() + ends.len();
            let whole = text.get(at..end).filter(|whole| whole.ends_with(ends));
            if let Some(whole) = whole.filter(|_| !number.is_empty() && !joins_before(text, at)) {
                found.insert(whole.to_owned());
            }
        }
    }
    found
}
