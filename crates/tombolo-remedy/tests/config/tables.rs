//! fstab and mount units.

use super::*;

pub(super) const FSTAB: &str = "\
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
UUID=0a3407de-014b-458b-b5c1-848e92a327a3 /               ext4    errors=remount-ro 0       1

  # the share of the host
share\t\t/mnt/host\\040files  9p\ttrans=virtio,version=9p2000.L,cache=loose,_netdev   0 0
nas:/export/media /mnt/media nfs  soft,timeo=30,nolock,vers=3   0 0   # old box
nas:/export/app\t/srv/app\tnfs\trw,soft\t0\t0
//win/data /mnt/win cifs credentials=/root/.smb,nobrl,context=\"system_u:object_r:x:s0:c1,c2\" 0 0
/mnt/disk* /mnt/pool fuse.mergerfs direct_io,allow_other,cache.files=off 0 0
mds@tcp:/fs /lustre lustre defaults,noflock 0 0
/srv/one /srv/two none bind 0 0
/srv/one /srv/three none bind
broken /mnt/broken 9p
";

#[test]
fn options_of_the_entry_meant_are_changed_and_nothing_else() {
    for (mount, changes, pieces) in [
        ("/mnt/host files", vec![set("cache=mmap")], vec![("cache=loose", "cache=mmap")]),
        ("share", vec![set("cache=mmap")], vec![("cache=loose", "cache=mmap")]),
        ("/mnt/media/", vec![without("soft")], vec![("soft,timeo", "timeo")]),
        (
            "/mnt/media",
            vec![without("nolock"), without("soft"), set("hard")],
            vec![("soft,timeo=30,nolock,vers=3", "timeo=30,vers=3,hard")],
        ),
        ("/srv/app", vec![without("soft")], vec![("rw,soft", "rw")]),
        ("/mnt/win", vec![without("nobrl")], vec![("nobrl,", "")]),
        (
            "/mnt/pool",
            vec![set("cache.files=auto-full"), set("dropcacheonclose=true"), without("direct_io")],
            vec![
                ("direct_io,", ""),
                ("cache.files=off", "cache.files=auto-full,dropcacheonclose=true"),
            ],
        ),
        (
            "/lustre",
            vec![without("noflock"), without("localflock"), set("flock")],
            vec![("defaults,noflock", "defaults,flock")],
        ),
        ("/srv/two", vec![without("bind")], vec![("none bind 0", "none defaults 0")]),
        ("/srv/app", vec![without("nolock")], vec![]),
    ] {
        assert_becomes(Kind::Fstab, FSTAB, &named(mount), &changes, &pieces);
    }
}

#[test]
fn nine_p_becomes_virtiofs_without_its_options() {
    let pieces = [("9p\ttrans=virtio,version=9p2000.L,cache=loose,_netdev", "virtiofs\t_netdev")];
    assert_becomes(Kind::Fstab, FSTAB, &named("share"), &[Change::Virtiofs], &pieces);
    let line = "t /m 9p trans=virtio 0 0\n";
    let pieces = [("9p trans=virtio", "virtiofs defaults")];
    assert_becomes(Kind::Fstab, line, &named("t"), &[Change::Virtiofs], &pieces);
}

#[test]
fn an_entry_that_is_not_there_or_twice_is_refused_with_its_lines() {
    let refused = |mount: &str, change: Change, words: &str| {
        assert_refused(Kind::Fstab, FSTAB, &named(mount), &[change], words);
    };
    refused("/mnt/none", set("hard"), "/mnt/none is not defined in it (looked up to line 16)");
    refused("/srv/one", set("ro"), "twice, in lines 13 and 14");
    refused("/mnt/broken", set("cache=mmap"), "line 15: the entry has no options");
    refused("/mnt/media", Change::Virtiofs, "line 8: the file system is nfs, not 9p");
    refused("share", Change::BindDirectory, "no such mounts");
    let tcp = "host:/x /m 9p trans=tcp 0 0\n";
    let selector = named("/m");
    assert_refused(Kind::Fstab, tcp, &selector, &[Change::Virtiofs], "line 1: the source is no");
}

#[test]
fn the_mount_point_goes_before_the_source() {
    let text = "t /a 9p trans=virtio 0 0\nt /b 9p trans=virtio 0 0\n";
    let selector = Selector {
        mount_point: Some("/b".to_owned()),
        source: Some("t".to_owned()),
        ..Selector::default()
    };
    let pieces = [("/b 9p trans=virtio", "/b 9p trans=virtio,cache=mmap")];
    assert_becomes(Kind::Fstab, text, &selector, &[set("cache=mmap")], &pieces);
}

pub(super) const UNIT: &str = "\
# Share of the host
[Unit]
Description=Files; see What=elsewhere
After=network.target \\
  other.target

[Mount]
What = share
Where=/srv/files
Type=9p
; was: Options=cache=loose
Options=trans=virtio,\\
  cache=none

[Install]
WantedBy=multi-user.target
";

#[test]
fn a_unit_has_its_options_on_one_line_or_gets_one() {
    let one = UNIT.replace("\\\n  cache", "cache");
    let pieces = [("cache=none", "cache=mmap")];
    assert_becomes(Kind::SystemdMount, &one, &named("/srv/files"), &[set("cache=mmap")], &pieces);
    let none = UNIT.replace("Options=trans=virtio,\\\n  cache=none\n", "");
    let pieces = [("Type=9p\n", "Type=9p\nOptions=cache=mmap,msize=512000\n")];
    let wanted = [set("cache=mmap"), set("msize=512000")];
    assert_becomes(Kind::SystemdMount, &none, &named("share"), &wanted, &pieces);
    assert_becomes(Kind::SystemdMount, &none, &named("share"), &[without("soft")], &[]);
    let pieces = [("Type=9p", "Type=virtiofs"), ("trans=virtio,cache=none", "defaults")];
    assert_becomes(Kind::SystemdMount, &one, &named("share"), &[Change::Virtiofs], &pieces);
}

#[test]
fn what_a_unit_could_mean_twice_is_refused() {
    let refused = |text: &str, words: &str| {
        assert_refused(Kind::SystemdMount, text, &named("share"), &[set("cache=mmap")], words);
    };
    refused(UNIT, "line 12: Options= is continued on the next line");
    refused(&UNIT.replace("Type=9p", "Options=x"), "Options= is defined twice, in lines 10 and 12");
    refused(&UNIT.replace("= share", "=other"), "share is not defined in it");
    let specifier = UNIT.replace("= share", "=x").replace("/srv/files", "/srv/%i");
    refused(&specifier, "line 9: a specifier");
    refused("[Unit]\n", "share is not defined in it");
}

#[test]
fn a_mount_that_is_not_wanted_any_more_is_a_comment() {
    let after = changed(Kind::Fstab, FSTAB, &named("/srv/app"), &[Change::Detach]);
    assert_eq!(after, FSTAB.replace("nas:/export/app", "# nas:/export/app"));
    assert_refused(Kind::Fstab, &after, &named("/srv/app"), &[Change::Detach], "not defined");
    let words = "has no such mounts";
    let source = Change::Source("/tank".parse().unwrap());
    assert_refused(Kind::Fstab, FSTAB, &named("/srv/app"), &[source], words);
}
