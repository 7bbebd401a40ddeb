//! What holds for any text.

use super::*;
use proptest::prelude::*;
use tombolo_remedy::config::{Edit, recognise, unified_diff};

fn every_change() -> Vec<Vec<Change>> {
    vec![
        vec![set("cache=mmap"), without("soft"), without("direct_io")],
        vec![without("a"), set("vers=4.2")],
        vec![Change::BindDirectory],
        vec![volume("data")],
        vec![Change::Virtiofs],
        vec![Change::Source("/new".parse().unwrap())],
    ]
}

/// A mount is meant in every way at once.
fn selectors() -> Vec<Selector> {
    let mut selectors =
        vec![named("/d"), named("t"), named("/d/x.db"), showing("/srv/stack/d/x.db")];
    selectors.push(Selector::default());
    selectors
}

fn check(text: &str) {
    let _ = recognise("a.conf", text);
    let _ = recognise("a", text);
    for kind in Kind::ALL {
        for changes in every_change() {
            for selector in selectors() {
                let Ok(found) = edit(*kind, text, &selector, &changes) else { continue };
                let after = edited(text, &found.edits).unwrap();
                assert_outside_untouched(text, &after, &found.edits);
                assert_eq!(changed(*kind, &after, &selector, &changes), after, "{kind:?}");
                let diff = unified_diff("name", text, &found.edits);
                assert_eq!(diff.is_empty(), found.edits.is_empty());
            }
        }
        for selector in selectors() {
            // What is taken out is not there for a second time.
            let Ok(found) = edit(*kind, text, &selector, &[Change::Detach]) else { continue };
            let after = edited(text, &found.edits).unwrap();
            assert_outside_untouched(text, &after, &found.edits);
            assert!(edit(*kind, &after, &selector, &[Change::Detach]).is_err(), "{kind:?}");
        }
    }
}

/// The text between the edits stands in the result, in order, byte for byte.
fn assert_outside_untouched(text: &str, after: &str, edits: &[Edit]) {
    let (mut from, mut to) = (0, 0);
    for edit in edits {
        let kept = &text[from..edit.start];
        assert_eq!(&after[to..to + kept.len()], kept);
        from = edit.end;
        to += kept.len() + edit.text.len();
    }
    assert_eq!(&after[to..], &text[from..]);
}

/// Pieces of which files of all kinds are made, put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\n",
        "\r\n",
        " ",
        "  ",
        "\t",
        "#",
        "- ",
        ": ",
        ":",
        ",",
        "=",
        "\"",
        "'",
        "\\",
        "\\\n",
        "$",
        "$(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!t ",
        "<<: *a",
        "|",
        ">",
        "services:",
        "volumes:",
        "  a:",
        "    - ./d/x.db:/d/x.db",
        "driver_opts: {o: soft}",
        "o: soft,a=b",
        "t /d 9p cache=none",
        "soft 0 0",
        "[Mount]\n",
        "What=t\n",
        "Where=/d\n",
        "Type=9p\n",
        "Options=soft",
        "docker run ",
        "-v ./d:/d ",
        "--mount type=bind,source=d/x.db,target=/d/x.db ",
        "docker volume create ",
        "-o o=soft ",
        "kind: PersistentVolume",
        "spec:",
        "mountOptions:",
        "  - soft",
        "metadata: {name: t}",
        "<domain>",
        "</domain>",
        "<devices>",
        "</devices>",
        "<filesystem>",
        "</filesystem>",
        "<target dir='t'/>",
        "<memory>1</memory>",
        "<source dir='d'/>",
        "<memoryBacking/>",
        "<driver type='path'/>",
        "qemu-system-x86_64 ",
        "-m 1G ",
        "-virtfs local,mount_tag=t ",
        "-fsdev local,id=f ",
        "-device virtio-9p-pci,fsdev=f,mount_tag=t ",
        "mp0: t,mp=/d,mountoptions=a",
        "virtiofs0: t,cache=x",
        "args: -virtfs mount_tag=t",
        "mounts:\n",
        "- location: /d\n",
        "  9p:\n",
        "    cache: none\n",
        "mountType: 9p\n",
        "\u{e4}",
        "\u{feff}",
        "<!--",
        "-->",
        "<![CDATA[",
        "/d",
        "t",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A file as people write it, with a mount that it has, and some of it cut out or put elsewhere.
fn damaged() -> impl Strategy<Value = (Kind, &'static str, String)> {
    use super::{containers, kubernetes, machines, tables};
    let file = prop::sample::select(vec![
        (Kind::Fstab, "share", tables::FSTAB),
        (Kind::SystemdMount, "share", tables::UNIT),
        (Kind::Compose, "/config2", containers::COMPOSE),
        (Kind::Compose, "/media", containers::COMPOSE),
        (Kind::DockerRun, "/config/app.db", containers::SCRIPT),
        (Kind::DockerRun, "/media", containers::SCRIPT),
        (Kind::Kubernetes, "media", kubernetes::VOLUMES),
        (Kind::Kubernetes, "flow", kubernetes::VOLUMES),
        (Kind::Libvirt, "share", machines::DOMAIN),
        (Kind::Libvirt, "other", machines::DOMAIN),
        (Kind::Qemu, "share", machines::QEMU),
        (Kind::Qemu, "two", machines::QEMU),
        (Kind::Proxmox, "/media", machines::PROXMOX),
        (Kind::Lima, "/mnt/app", machines::LIMA),
    ]);
    let cut = (any::<prop::sample::Index>(), 0..12_usize, any::<prop::sample::Index>());
    (file, prop::collection::vec(cut, 1..4)).prop_map(|((kind, mount, text), cuts)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (from, count, to) in cuts {
            let start = from.index(characters.len());
            let end = (start + count).min(characters.len());
            let moved: Vec<char> = characters.drain(start..end).collect();
            let at = to.index(characters.len() + 1);
            if count % 2 == 0 {
                characters.splice(at..at, moved);
            }
        }
        (kind, mount, characters.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_damaged_file_is_edited_within_its_edits_or_refused((kind, mount, text) in damaged()) {
        let selector = named(mount);
        for changes in every_change() {
            let Ok(found) = edit(kind, &text, &selector, &changes) else { continue };
            let after = edited(&text, &found.edits).unwrap();
            assert_outside_untouched(&text, &after, &found.edits);
            prop_assert_eq!(changed(kind, &after, &selector, &changes), after);
        }
    }

    #[test]
    fn any_text_is_edited_within_its_edits_or_refused(text in pieces()) {
        check(&text);
    }

    #[test]
    fn any_characters_are_read_without_a_panic(text in "\\PC{0,60}") {
        check(&text);
    }
}

#[test]
fn long_files_are_refused() {
    let text = " ".repeat(tombolo_remedy::config::TEXT_BYTES_MAX + 1);
    for kind in Kind::ALL {
        assert_refused(*kind, &text, &named("/d"), &[set("a")], "is longer than");
    }
}

#[test]
fn a_difference_is_what_patch_takes() {
    let text = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\nsoft,x";
    let edit = |start: usize, end: usize, text: &str| Edit { start, end, text: text.to_owned() };
    let edits = [edit(0, 1, "A"), edit(4, 6, ""), edit(28, 33, "hard\nmore,")];
    let wanted = "\
--- /etc/x
+++ /etc/x
@@ -1,6 +1,5 @@
-a
+A
 b
-c
 d
 e
 f
@@ -12,4 +11,5 @@
 l
 m
 n
-soft,x
\\ No newline at end of file
+hard
+more,x
\\ No newline at end of file
";
    let edits = [edits[0].clone(), edits[1].clone(), edit(28, 33, "hard\nmore,")];
    assert_eq!(unified_diff("/etc/x", text, &edits), wanted);
    assert_eq!(unified_diff("/etc/x", text, &[]), "");
}
