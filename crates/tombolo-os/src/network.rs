//! The addresses of this machine, from the kernel's own tables.

use crate::bounded::read_file;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Of the tables. A router may have more routes than fit; its own addresses may then be missing.
const TABLE_BYTES_MAX: u64 = 1 << 20;

const ADDRESSES_MAX: usize = 1024;

/// The addresses of this network namespace; what cannot be read is left out. `root` is `/`, or a
/// copy of what stands below it.
#[must_use]
pub fn addresses(root: &Path) -> Vec<IpAddr> {
    let table = |name: &str| {
        let bytes = read_file(&root.join("proc/net").join(name), TABLE_BYTES_MAX);
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let mut addresses = version_4(&table("fib_trie"));
    addresses.extend(version_6(&table("if_inet6")));
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// A leaf of the routing table is a line `|-- ADDRESS`; below it, `/32 host LOCAL` says that the
/// address is this machine's (net/ipv4/fib_trie.c, `fib_trie_seq_show`).
fn version_4(table: &str) -> Vec<IpAddr> {
    let mut leaf: Option<Ipv4Addr> = None;
    let mut addresses = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            addresses.extend(leaf.map(IpAddr::from));
        }
    }
    addresses
}

/// Each line begins with an address of 32 hexadecimal digits (net/ipv6/addrconf.c,
/// `if6_seq_show`).
fn version_6(table: &str) -> Vec<IpAddr> {
    let first = |line: &str| line.split_ascii_whitespace().next().map(str::to_owned);
    let digits = table.lines().filter_map(first).filter(|digits| digits.len() == 32);
    let bits = digits.filter_map(|digits| u128::from_str_radix(&digits, 16).ok());
    bits.map(|bits| IpAddr::from(Ipv6Addr::from(bits))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_and_those_of_others_are_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let net = directory.path().join("proc/net");
        std::fs::create_dir_all(&net).expect("made");
        let trie = [
            "Main:",
            "  +-- 0.0.0.0/0 3 0 5",
            "     |-- 10.0.2.0",
            "        /24 link UNICAST",
            "     |-- 10.0.2.15",
            "        /32 host LOCAL",
            "     |-- 10.0.2.255",
            "        /32 link BROADCAST",
        ]
        .join("\n");
        std::fs::write(net.join("fib_trie"), trie).expect("written");
        let inet6 = "fe80000000000000505400fffe123456 02 40 20 80     eth0\nnonsense\n";
        std::fs::write(net.join("if_inet6"), inet6).expect("written");
        let expected: Vec<IpAddr> = ["10.0.2.15", "fe80::5054:ff:fe12:3456"]
            .map(|address| address.parse().expect("an address"))
            .to_vec();
        assert_eq!(addresses(directory.path()), expected);
        assert!(addresses(&directory.path().join("nowhere")).is_empty());
    }

    #[test]
    fn this_machine_has_its_loopback_address() {
        let own = addresses(Path::new("/"));
        assert!(own.iter().any(IpAddr::is_loopback), "is the loopback interface up? {own:?}");
    }
}
