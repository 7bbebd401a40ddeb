//! What is replaced, what is kept, and what holds of any text.

use super::*;
use proptest::prelude::*;

/// Learns all texts, then redacts each.
fn redacted(texts: &[&str]) -> Vec<String> {
    let mut redactor = Redactor::new();
    texts.iter().for_each(|text| redactor.learn(text));
    texts.iter().map(|text| redactor.redact(text)).collect()
}

fn one(text: &str) -> String {
    redacted(&[text]).remove(0)
}

#[test]
fn names_are_known_by_their_place() {
    for (text, wanted) in [
        ("/home/alice/media/app.db", "/home/user-1/media/app.db"),
        ("fuser -v '/home/alice/app.db'*", "fuser -v 'user-1'*"),
        ("C:\\Users\\Alice\\app.db", "C:\\Users\\user-1\\app.db"),
        ("~alice/app.db: locked", "~user-1/app.db: locked"),
        (
            "rw,username=alice,password=hunter2,vers=3.0",
            "rw,username=user-1,password=secret-1,vers=3.0",
        ),
        ("credentials=/root/.smb,uid=1000", "credentials=secret-1,uid=1000"),
        ("user=CORP\\alice,sec=ntlmssp", "user=CORP\\user-1,sec=ntlmssp"),
        ("addr=10.1.2.3,clientaddr=10.1.2.4", "addr=192.0.2.1,clientaddr=192.0.2.2"),
        ("//fileserver/media on /mnt", "//host-1/media on /mnt"),
        ("\\\\fileserver\\media", "\\\\host-1\\media"),
        ("postgres://bob:s3cr3t@db7:5432/app", "postgres://user-1:secret-1@host-1:5432/app"),
        (
            "https://store.acme.io/x?token=abc&vfs=unix-excl",
            "https://host-1/x?token=secret-1&vfs=unix-excl",
        ),
        ("https://[2001:470::7]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer secret-1"),
        ("{\"password\": \"a b\"}", "{\"password\": \"secret-1\"}"),
        ("mysql --password hunter2 app", "mysql --password secret-1 app"),
        ("alice@nas7:/srv on /mnt", "user-1@host-1:/srv on /mnt"),
        ("alice@10.1.2.3:/srv", "user-1@192.0.2.1:/srv"),
    ] {
        let wanted = wanted.replace("'user-1'*", "'/home/user-1/app.db'*");
        assert_eq!(one(text), wanted, "{text}");
    }
}

#[test]
fn names_are_known_by_their_form() {
    for (text, wanted) in [
        ("mail Alice.B+x@example.net: hello", "mail mail-1@example.org: hello"),
        ("from 172.16.3.4.", "from 192.0.2.1."),
        ("10.0.0.5.8.1", "192.0.2.1.8.1"),
        ("fe80::1c2:3ff:fe04:506%eth0", "2001:db8::1%eth0"),
        ("2a02:8070::17:/export", "2001:db8::1:/export"),
        ("ether 52:54:00:12:34:56 up", "ether 00:00:5e:00:53:01 up"),
        ("52-54-00-12-34-56", "00:00:5e:00:53:01"),
        ("key AKIAIOSFODNN7EXAMPLE.", "key secret-1."),
        ("ghp_0123456789abcdefABCDEF0123456789abcd", "secret-1"),
        ("boot 3b241101-e2bb-4255-8caf-4136c566a962", "boot 00000000-0000-4000-8000-000000000001"),
        ("docker-0123456789abcdef0123456789abcdef.scope", "docker-id-1.scope"),
        ("nas.fritz.box and NAS.fritz.box", "host-1 and host-1"),
    ] {
        assert_eq!(one(text), wanted, "{text}");
    }
}

#[test]
fn what_a_diagnosis_needs_stays() {
    for text in [
        "9p hostshare on /srv (rw,relatime,access=client,trans=virtio,cache=none,msize=65536)",
        "mmap(MAP_SHARED) is refused with EINVAL (22, invalid argument): IOERR_SHMMAP (5386)",
        "host (zfs) \u{2500}9p\u{2192} guest \u{2500}bind\u{2192} docker container jellyfin",
        "addr=127.0.0.1, ::1, 0.0.0.0, localhost:/srv",
        "stock SQLite 3.8.11.1 in WAL mode; kernel 5.15.153.1-microsoft-standard-WSL2",
        "tombolo doctor /srv/app/app.db && sqlite3 app.db 'PRAGMA integrity_check;'",
        "file:/srv/app.db?vfs=unix-excl&nolock=1",
        "getty@tty1.service tank/data@monday image@sha256:abc compose.yaml app.db lib.so.6",
        "mount -t nfs4 -o vers=4.2,soft,timeo=600,local_lock=none,sec=sys",
        "took 12:34:56, 1.2.3, TMB-MMAP-001, E29 E30, std::fs::File, 0x2fc12fc1",
        "image root is /root/app.db, /home, /home/",
        "see https://www.sqlite.org/wal.html",
    ] {
        assert_eq!(one(text), text);
    }
}

#[test]
fn a_name_that_was_seen_once_is_replaced_everywhere() {
    let texts = redacted(&[
        "alice has the files, alice-backup too; Alice. Not malice, alices or alice2.",
        "/home/alice/x",
    ]);
    assert_eq!(
        texts[0],
        "user-1 has the files, user-1-backup too; user-1. Not malice, alices or alice2."
    );
}

#[test]
fn an_ordinary_word_is_replaced_at_its_place_only() {
    let mut redactor = Redactor::new();
    redactor.learn_source("nfs4", "server:/export");
    redactor.learn("/home/data/app.db");
    let text = redactor.redact("server:/export on /home/data: the server can lose data");
    assert_eq!(text, "host-1:/export on /home/user-1: the server can lose data");
    redactor.hide("Export");
    assert_eq!(redactor.redact("the export of data"), "the word-1 of data");
}

#[test]
fn sources_of_mounts_name_servers_by_their_file_system() {
    for (filesystem, source, wanted) in [
        ("nfs4", "nas7.corp.example:/export", "host-1:/export"),
        ("fuse.sshfs", "bob@nas7:media", "user-1@host-1:media"),
        ("ceph", "mona,monb:6789:/", "host-1,host-2:6789:/"),
        ("lustre", "10.0.0.1@tcp:/fs", "192.0.2.1@tcp:/fs"),
        ("9p", "hostshare", "hostshare"),
        ("zfs", "tank/data", "tank/data"),
    ] {
        let mut redactor = Redactor::new();
        redactor.learn_source(filesystem, source);
        assert_eq!(redactor.redact(source), wanted, "{source}");
    }
}

#[test]
fn a_host_with_and_without_its_domain_is_one_host() {
    assert_eq!(one("nas7.fritz.box, nas7 and //nas7/x"), "host-1, host-1 and //host-1/x");
    let mut redactor = Redactor::new();
    redactor.name(Kind::Host, "nas7");
    assert_eq!(redactor.redact("nas7.fritz.box nas7"), "host-1 host-1");
}

#[test]
fn stand_ins_of_a_text_are_not_given_again() {
    assert_eq!(one("/home/user-1/a /home/bob/b"), "/home/user-1/a /home/user-2/b");
    assert_eq!(one("192.0.2.1 10.0.0.1"), "192.0.2.1 192.0.2.2");
}

#[test]
fn a_person_is_one_by_both_names() {
    let mut redactor = Redactor::new();
    redactor.name(Kind::User, "asmith");
    redactor.alias(Kind::User, "asmith", "Alice Smith");
    assert_eq!(redactor.redact("Alice Smith (asmith)"), "user-1 (user-1)");
    let replaced = redactor.replaced();
    assert_eq!((replaced.len(), replaced[0].times), (1, 2));
}

#[test]
fn more_names_than_a_range_has_are_still_apart() {
    let addresses: Vec<String> =
        (0..300).map(|n| format!("10.0.{}.{}", n / 200, n % 200)).collect();
    let out = one(&addresses.join(" "));
    let distinct: BTreeSet<&str> = out.split(' ').collect();
    assert_eq!(distinct.len(), 300);
    assert_eq!(one(&out), out);
}

#[test]
fn what_survives_is_told() {
    let mut redactor = Redactor::new();
    redactor.learn("/home/zebulon/x 10.9.8.7");
    let survivors = redactor.survivors("by zebulon from 10.9.8.7");
    let names: Vec<&str> = survivors.iter().map(|one| one.original.as_str()).collect();
    assert_eq!(names, ["zebulon", "10.9.8.7"]);
    assert!(redactor.survivors("by zebulons").is_empty());
}

/// A name that no manual has.
fn name() -> impl Strategy<Value = String> {
    "[a-z]{3,8}[0-9][a-z]{1,3}"
}

/// A secret, a text that shows its place, and what must not be left of it.
fn placed() -> impl Strategy<Value = (String, String)> {
    let with = |form: &'static str| name().prop_map(move |name| (form.replace('#', &name), name));
    prop_oneof![
        with("/home/#/app.db"),
        with("rw,username=#,vers=3"),
        with("password=#"),
        with("https://u:#@host.example/"),
        with("//#/share"),
        with("mounted from x?token=#&y=1"),
        with("#.fritz.box"),
        with("--secret # "),
        any::<[u8; 4]>().prop_filter_map("an address of somebody", |octets| {
            let ip = core::net::Ipv4Addr::from(octets);
            let text = ip.to_string();
            Kind::Ipv4.can_be(&text).then(|| (format!("addr={text}"), text))
        }),
        any::<[u16; 8]>().prop_filter_map("an address of somebody", |segments| {
            let text = core::net::Ipv6Addr::from(segments).to_string();
            Kind::Ipv6.can_be(&text).then(|| (format!("[{text}]"), text))
        }),
        any::<[u8; 6]>().prop_filter_map("an address of somebody", |bytes| {
            let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = pairs.join(":");
            Kind::Mac.can_be(&text).then(|| (format!("ether {text} "), text))
        }),
        ("[a-z]{2,6}", "[a-z]{3,8}")
            .prop_map(|(local, domain)| format!("{local}@{domain}.com"))
            .prop_map(|text| (format!("<{text}>"), text)),
        "AKIA[A-Z0-9]{16}".prop_map(|key| (format!("key {key} "), key)),
    ]
}

/// Texts of the kind that a report holds, and any others.
fn prose() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        Just("can lose data; mmap says EINVAL (22)".to_owned()),
        "(/home/|//|\\\\\\\\|user=|token: |~)[a-z@:/.=0-9-]{0,24}",
        "[0-9a-f:.@/-]{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_secret_survives(
        placed in prop::collection::vec(placed(), 1..6),
        others in prop::collection::vec(prose(), 0..4),
    ) {
        let mut texts: Vec<String> = placed.iter().map(|(text, _)| text.clone()).collect();
        texts.extend(placed.iter().map(|(_, secret)| format!("once more: {secret}.")));
        texts.extend(others);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let out = redacted(&texts).join("\n");
        for (_, secret) in &placed {
            let left = scan::starts(&out).any(|at| scan::stands_at(&out, at, secret));
            prop_assert!(!left, "{secret} in {out}");
        }
    }

    #[test]
    fn redacting_twice_changes_nothing_more(texts in prop::collection::vec(prose(), 1..4)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let once = redacted(&texts);
        let again = redacted(&once.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(once, again);
    }

    #[test]
    fn equal_names_get_equal_stand_ins_and_others_do_not(one in name(), two in name()) {
        prop_assume!(one != two);
        let text = format!("/home/{one}/a\n/home/{two}/a\n/home/{one}/a");
        let out = redacted(&[&text]).remove(0);
        let lines: Vec<&str> = out.lines().collect();
        prop_assert_eq!(lines[0], lines[2]);
        prop_assert_ne!(lines[0], lines[1]);
    }

    #[test]
    fn any_text_is_accepted(text in "\\PC{0,200}") {
        let _ = one(&text);
    }
}
