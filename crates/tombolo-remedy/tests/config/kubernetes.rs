//! Persistent volumes and storage classes.

use super::*;

pub(super) const VOLUMES: &str = r#"---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: media
spec:
  capacity: {storage: 5Gi}
  accessModes: [ReadWriteMany]
  mountOptions:   # tuned
    - hard
    - nolock
    - "vers=3"
  nfs:
    server: 192.0.2.5
    path: "/export/media"
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: flow}
spec:
  mountOptions: [soft, vers=3]
  csi:
    volumeHandle: nas#export#flow
    volumeAttributes: {server: nas, share: /export/flow}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: smb
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: smb.csi.k8s.io
parameters:
  source: //win/data
mountOptions:
- nobrl
---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: bare
  annotations: {}
spec:
  nfs: {server: nas, path: /bare}
"#;

fn becomes(name: &str, changes: &[Change], pieces: &[(&str, &str)]) {
    assert_becomes(Kind::Kubernetes, VOLUMES, &named(name), changes, pieces);
}

#[test]
fn options_are_items_of_a_list() {
    let wanted = [without("nolock"), set("vers=4.2"), set("timeo=600")];
    let pieces = [("    - nolock\n", ""), ("\"vers=3\"", "\"vers=4.2\"\n    - timeo=600")];
    becomes("media", &wanted, &pieces);
    becomes("192.0.2.5:/export/media", &wanted, &pieces);
    let wanted = [without("soft"), set("vers=4.2"), set("hard")];
    let pieces = [("[soft, vers=3]", "[vers=4.2, hard]")];
    becomes("nas:/export/flow", &wanted, &pieces);
    becomes("smb", &[without("nobrl")], &[("- nobrl\n", "")]);
    let pieces = [("- nobrl", "- nobrl\n- vers=3.1.1\n- actimeo=1")];
    becomes("//win/data", &[set("vers=3.1.1"), set("actimeo=1")], &pieces);
    becomes("media", &[set("hard")], &[]);
}

#[test]
fn a_list_is_made_where_there_is_none() {
    let pieces = [(
        "spec:\n  nfs: {server: nas, path: /b",
        "spec:\n  mountOptions:\n    - hard\n  nfs: {server: nas, path: /b",
    )];
    becomes("bare", &[set("hard")], &pieces);
    let empty = VOLUMES.replace("- nobrl\n", "");
    let pieces = [("mountOptions:\n---", "mountOptions: [hard]\n---")];
    assert_becomes(Kind::Kubernetes, &empty, &named("smb"), &[set("hard")], &pieces);
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let refused = |text: &str, name: &str, change: Change, words: &str| {
        assert_refused(Kind::Kubernetes, text, &named(name), &[change], words);
    };
    refused(VOLUMES, "none", set("hard"), "none is not defined in it");
    refused(VOLUMES, "media", Change::Virtiofs, "does not say by which protocol");
    let several = VOLUMES.replace("    - nolock", "    - nolock,soft");
    refused(&several, "media", without("soft"), "line 11: several options stand in one item");
    let old = VOLUMES
        .replace("annotations: {}", "annotations: {volume.beta.kubernetes.io/mount-options: hard}");
    refused(&old, "bare", set("soft"), "line 42: the options stand in an annotation");
    let twice = VOLUMES.replace("name: bare", "name: media");
    refused(&twice, "media", set("hard"), "in lines 2 and 38");
    let block = VOLUMES.replace("    - nolock", "    - |\n      nolock");
    refused(&block, "media", set("nolock=x"), "line 12: a text of several");
}
