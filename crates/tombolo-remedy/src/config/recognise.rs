//! What a file is, by its name and content.

use super::Kind;

/// The kind of a file, where its name or content tells; `None` where neither does, or where both
/// could be two kinds.
#[must_use]
pub fn recognise(path: &str, text: &str) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if name == "fstab" || ends(&[".fstab"]) {
        return Some(Kind::Fstab);
    }
    if ends(&[".mount"]) {
        return Some(Kind::SystemdMount);
    }
    if ends(&[".xml"]) || text.trim_start().starts_with('<') {
        return text.contains("<domain").then_some(Kind::Libvirt);
    }
    if ends(&[".conf"]) {
        let known = ["mp", "rootfs", "virtiofs", "args", "scsi", "net", "memory"];
        let proxmox = text.lines().any(|line| {
            let key = line.split_once(':').map_or("", |(key, _)| key);
            known.contains(&key.trim_end_matches(|digit: char| digit.is_ascii_digit()))
        });
        return proxmox.then_some(Kind::Proxmox);
    }
    if ends(&[".yaml", ".yml"]) {
        return yaml(name, text);
    }
    shell(text)
}

fn yaml(name: &str, text: &str) -> Option<Kind> {
    let top = |key: &str| text.lines().any(|line| line.strip_prefix(key) == Some(":"));
    let begins = |key: &str| text.lines().any(|line| line.trim_start().starts_with(key));
    let kinds = ["kind: PersistentVolume", "kind: StorageClass", "kind: List"];
    if begins("apiVersion:") && kinds.iter().any(|kind| begins(kind)) {
        return Some(Kind::Kubernetes);
    }
    if name.contains("compose") || begins("services:") {
        return Some(Kind::Compose);
    }
    let lima = top("mounts") || begins("mountType:") || begins("mounts:");
    (name == "lima.yaml" || lima).then_some(Kind::Lima)
}

fn shell(text: &str) -> Option<Kind> {
    let docker = ["docker run", "docker create", "docker volume", "podman run", "podman create"];
    let docker = docker.iter().any(|words| text.contains(words));
    match (docker, text.contains("qemu-system-") || text.contains("qemu-kvm")) {
        (true, false) => Some(Kind::DockerRun),
        (false, true) => Some(Kind::Qemu),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_tell() {
        for (name, text, kind) in [
            ("/etc/fstab", "", Some(Kind::Fstab)),
            ("/etc/systemd/system/srv-app.mount", "", Some(Kind::SystemdMount)),
            ("/srv/docker-compose.override.yml", "", Some(Kind::Compose)),
            ("stack.yml", "services:\n", Some(Kind::Compose)),
            ("pv.yaml", "apiVersion: v1\nkind: PersistentVolume\n", Some(Kind::Kubernetes)),
            ("lima.yaml", "", Some(Kind::Lima)),
            ("other.yaml", "a: b\n", None),
            ("vm.xml", "<!-- x --><domain type='kvm'/>", Some(Kind::Libvirt)),
            ("net.xml", "<network/>", None),
            ("/etc/pve/lxc/101.conf", "mp0: /x,mp=/y\n", Some(Kind::Proxmox)),
            ("/etc/app.conf", "key = value\n", None),
            ("start", "docker run -d x\n", Some(Kind::DockerRun)),
            ("vm.sh", "exec qemu-system-x86_64 \\\n", Some(Kind::Qemu)),
            ("both.sh", "docker run x\nqemu-system-x86_64\n", None),
            ("empty", "", None),
        ] {
            assert_eq!(recognise(name, text), kind, "{name}");
        }
    }
}
