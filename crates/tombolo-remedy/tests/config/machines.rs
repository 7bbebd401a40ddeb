//! libvirt, QEMU, Proxmox and Lima.

use super::*;

pub(super) const DOMAIN: &str = r#"<?xml version="1.0"?>
<!-- virsh define -->
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
	<name>guest</name>
	<memory unit='KiB'>4194304</memory>
	<currentMemory unit='KiB'>4194304</currentMemory> <!-- all -->
	<devices>
	  <filesystem type='mount' accessmode="mapped" fmode='0644'  dmode='0755'>
	    <source dir='/srv/share'/>
	    <target dir='share'/>
	    <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
	  </filesystem>
	  <filesystem type='mount'
	              multidevs='remap'>
	    <driver type='path' wrpolicy='immediate'/>
	    <source dir='/srv/other'/>
	    <target dir='other'/>
	  </filesystem>
	  <filesystem type='mount' accessmode='passthrough'>
	    <driver type='virtiofs' queue='1024'/>
	    <source dir='/srv/new'/>
	    <target dir='new'/>
	  </filesystem>
	</devices>
</domain>
"#;

const BACKING: (&str, &str) = (
    "</currentMemory>",
    "</currentMemory>\n\t<memoryBacking>\n\t  <source type='memfd'/>\n\t  \
     <access mode='shared'/>\n\t</memoryBacking>",
);

#[test]
fn a_share_of_a_domain_becomes_virtiofs_with_shared_memory() {
    let pieces = [
        ("accessmode=\"mapped\" fmode='0644'  dmode='0755'", "accessmode=\"passthrough\""),
        (
            "<source dir='/srv/share'/>",
            "<driver type='virtiofs'/>\n\t    <source dir='/srv/share'/>",
        ),
        BACKING,
    ];
    let changes = [Change::Virtiofs];
    assert_becomes(Kind::Libvirt, DOMAIN, &named("share"), &changes, &pieces);
    assert_becomes(Kind::Libvirt, DOMAIN, &showing("/srv/share/a.db"), &changes, &pieces);
    let pieces = [
        (
            "type='mount'\n\t              multidevs='remap'>",
            "accessmode='passthrough' type='mount'>",
        ),
        ("type='path' wrpolicy='immediate'", "type='virtiofs'"),
        BACKING,
    ];
    assert_becomes(Kind::Libvirt, DOMAIN, &named("other"), &changes, &pieces);
    assert_becomes(Kind::Libvirt, DOMAIN, &named("new"), &changes, &[BACKING]);
}

#[test]
fn memory_that_is_backed_already_is_only_shared() {
    for (before, after) in [
        (
            "<memoryBacking/>",
            "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        ),
        (
            "<memoryBacking>\n\t\t<hugepages/>\n\t</memoryBacking>",
            "<memoryBacking>\n\t\t<access mode='shared'/>\n\t\t<hugepages/>\n\t</memoryBacking>",
        ),
        (
            "<memoryBacking><source type=\"anonymous\"/><access mode='private'/></memoryBacking>",
            "<memoryBacking><source type=\"memfd\"/><access mode='shared'/></memoryBacking>",
        ),
        (
            "<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>",
            "<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>",
        ),
    ] {
        let text = DOMAIN.replace("<devices>", &format!("{before}\n\t<devices>"));
        let pieces = if before == after { vec![] } else { vec![(before, after)] };
        assert_becomes(Kind::Libvirt, &text, &named("new"), &[Change::Virtiofs], &pieces);
    }
}

#[test]
fn what_a_domain_cannot_be_asked_is_refused_with_its_line() {
    let refused = |text: &str, name: &str, change: Change, words: &str| {
        assert_refused(Kind::Libvirt, text, &named(name), &[change], words);
    };
    refused(DOMAIN, "share", set("cache=mmap"), "stand in the guest");
    refused(DOMAIN, "none", Change::Virtiofs, "none is not defined in it");
    let twice = DOMAIN.replace("dir='other'", "dir='share'");
    refused(&twice, "share", Change::Virtiofs, "in lines 8 and 13");
    let read_only = DOMAIN.replace("<target dir='share'/>", "<target dir='share'/>\n<readonly/>");
    refused(&read_only, "share", Change::Virtiofs, "line 11: the share is read-only");
    let block = DOMAIN.replacen("<filesystem type='mount'", "<filesystem type='block'", 1);
    refused(&block, "share", Change::Virtiofs, "line 8: this share is no directory");
    let cell =
        DOMAIN.replace("<devices>", "<cpu><numa><cell memAccess='private'/></numa></cpu><devices>");
    refused(&cell, "new", Change::Virtiofs, "line 7: this memory is private");
    refused("<domain>\n<x></domain>", "new", Change::Virtiofs, "line 2: this is no XML");
    refused("<network/>", "new", Change::Virtiofs, "line 1: this is no domain");
}

pub(super) const QEMU: &str = r#"#!/bin/bash
exec qemu-system-x86_64 -enable-kvm \
  -m 4G -smp 2 \
  -virtfs local,path="/srv/my share",mount_tag=share,security_model=mapped-xattr,id=s0 \
  -fsdev local,id=f1,path=/srv/two,security_model=none,writeout=immediate \
  -device virtio-9p-pci,fsdev=f1,mount_tag=two,id=d1 \
  -nographic
"#;

#[test]
fn a_share_of_qemu_keeps_its_tag() {
    let memory = " -object memory-backend-memfd,id=virtiofs-memory,size=4G,share=on -numa \
                  node,memdev=virtiofs-memory";
    let new = format!(
        "-chardev socket,id=virtiofs-share,path=/run/virtiofsd-share.sock -device \
         vhost-user-fs-pci,chardev=virtiofs-share,tag=share{memory}"
    );
    let old =
        "-virtfs local,path=\"/srv/my share\",mount_tag=share,security_model=mapped-xattr,id=s0";
    let changes = [Change::Virtiofs];
    assert_becomes(Kind::Qemu, QEMU, &named("share"), &changes, &[(old, &new)]);
    let device = format!("vhost-user-fs-pci,chardev=virtiofs-two,tag=two{memory}");
    let pieces = [
        (
            "-fsdev local,id=f1,path=/srv/two,security_model=none,writeout=immediate",
            "-chardev socket,id=virtiofs-two,path=/run/virtiofsd-two.sock",
        ),
        ("virtio-9p-pci,fsdev=f1,mount_tag=two,id=d1", device.as_str()),
    ];
    assert_becomes(Kind::Qemu, QEMU, &named("two"), &changes, &pieces);
}

#[test]
fn options_of_the_share_are_set_in_its_list() {
    let pieces = [("id=s0", "id=s0,multidevs=remap")];
    assert_becomes(Kind::Qemu, QEMU, &named("share"), &[set("multidevs=remap")], &pieces);
    let pieces = [(",writeout=immediate", "")];
    assert_becomes(Kind::Qemu, QEMU, &named("/srv/two"), &[without("writeout")], &pieces);
}

#[test]
fn what_a_command_line_does_not_show_is_refused_with_its_line() {
    let refused = |text: &str, name: &str, change: Change, words: &str| {
        assert_refused(Kind::Qemu, text, &named(name), &[change], words);
    };
    refused(QEMU, "share", set("cache=mmap"), "stands in the guest");
    refused(QEMU, "none", Change::Virtiofs, "none is not defined in it");
    let words = "line 3: how much memory this is cannot be told";
    refused(&QEMU.replace("4G", "$MEM"), "share", Change::Virtiofs, words);
    refused(&QEMU.replace("-m 4G ", ""), "share", Change::Virtiofs, "does not say how much memory");
    let private = QEMU.replace("-smp 2", "-object memory-backend-ram,id=m,size=4G");
    refused(&private, "share", Change::Virtiofs, "line 3: this memory is not shared");
    let bus = QEMU.replace("id=d1", "bus=pci.1");
    refused(&bus, "two", Change::Virtiofs, "line 6: the device has bus=pci.1");
}

pub(super) const PROXMOX: &str = "\
# a container
arch: amd64
hostname: app
mp0: /tank/app,mp=/data,backup=1
mp1: local:101/vm-101-disk-0.raw,mp=/media,mountoptions=noatime;nodev,size=8G
mp2: /tank/one/app.db,mp=/var/app/app.db,ro=1
virtiofs0: dirid=share,cache=always,direct-io=1
args: -virtfs local,path=/x,mount_tag=old,security_model=none -nodefaults
rootfs: local-lvm:vm-101-disk-0,size=8G

[before-upgrade]
mp0: /tank/app,mp=/data
";

#[test]
fn lines_of_proxmox_are_edited_above_the_snapshots() {
    let becomes = |name: &str, changes: &[Change], pieces: &[(&str, &str)]| {
        assert_becomes(Kind::Proxmox, PROXMOX, &named(name), changes, pieces);
    };
    becomes("/data", &[set("noatime")], &[("backup=1", "backup=1,mountoptions=noatime")]);
    becomes("/media", &[without("nodev"), set("discard")], &[("noatime;nodev", "noatime;discard")]);
    let gone = [without("noatime"), without("nodev")];
    becomes("/media", &gone, &[(",mountoptions=noatime;nodev", "")]);
    let pieces = [("cache=always,direct-io=1", "cache=auto")];
    becomes("share", &[set("cache=auto"), without("direct-io")], &pieces);
    let pieces = [("/tank/one/app.db,mp=/var/app/app.db", "/tank/one,mp=/var/app")];
    becomes("/var/app/app.db", &[Change::BindDirectory], &pieces);
    becomes("share", &[Change::Virtiofs], &[]);
}

#[test]
fn what_proxmox_does_not_take_is_refused() {
    let refused = |name: &str, change: Change, words: &str| {
        assert_refused(Kind::Proxmox, PROXMOX, &named(name), &[change], words);
    };
    refused("/data", set("cache=mmap"), "Proxmox has no cache here, only discard");
    refused("/data", Change::Virtiofs, "line 4: a container sees");
    refused("old", Change::Virtiofs, "line 8: take the share out of this line");
    refused("old", set("cache=auto"), "line 8: options of a share in a command line");
    refused("/none", set("noatime"), "/none is not defined in it");
    refused("/data", volume("xx"), "pct set");
}

pub(super) const LIMA: &str = r#"# Lima
images:
- location: "https://example.org/x.img"
  arch: "x86_64"
mounts:
- location: "~"
  writable: false
- location: "/srv/app"   # the database
  mountPoint: /mnt/app
  writable: true
  9p:
    # Built-in default: 128KiB
    msize: "128KiB"   # small
    cache: "fscache"
- {location: /tmp/lima, writable: true}
mountType: 9p # until virtiofs works
"#;

#[test]
fn settings_of_lima_are_set_where_it_reads_them() {
    let becomes = |name: &str, changes: &[Change], pieces: &[(&str, &str)]| {
        assert_becomes(Kind::Lima, LIMA, &named(name), changes, pieces);
    };
    becomes("/mnt/app", &[set("cache=mmap")], &[("fscache", "mmap")]);
    becomes("/srv/app", &[set("cache=mmap")], &[("fscache", "mmap")]);
    let pieces = [("writable: false", "writable: false\n  9p:\n    cache: mmap")];
    becomes("~", &[set("cache=mmap")], &pieces);
    let pieces = [("lima, writable: true}", "lima, writable: true, 9p: {cache: mmap}}")];
    becomes("/tmp/lima", &[set("cache=mmap")], &pieces);
    becomes("~", &[Change::Virtiofs], &[("mountType: 9p", "mountType: virtiofs")]);
    let none = LIMA.replace("mountType: 9p # until virtiofs works\n", "");
    let pieces = [("images:", "mountType: virtiofs\nimages:")];
    assert_becomes(Kind::Lima, &none, &named("~"), &[Change::Virtiofs], &pieces);
}

#[test]
fn what_lima_has_no_setting_for_is_refused() {
    let refused = |text: &str, name: &str, change: Change, words: &str| {
        assert_refused(Kind::Lima, text, &named(name), &[change], words);
    };
    refused(LIMA, "/none", set("cache=mmap"), "/none is not defined in it");
    refused(LIMA, "~", set("soft"), "no setting for the option soft");
    let other = LIMA.replace("mountType: 9p", "mountType: reverse-sshfs");
    refused(&other, "~", set("cache=mmap"), "line 16: the mounts of this instance are not by 9p");
    refused(&other, "~", Change::Virtiofs, "line 16: the mounts of this instance are not by 9p");
    refused(LIMA, "/mnt/app", without("cache"), "line 14: set another value");
}
