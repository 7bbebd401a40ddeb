//! `tombolo fix PATH simplify` on a mount that does not tell which kernel is behind it.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tombolo_lab::{Faults, FaultyMount, Namespace};

fn simplify(path: &Path, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("fix").arg(path).arg("simplify").args(arguments).current_dir(directory);
    command.output().expect("it runs")
}

fn json(path: &Path, directory: &Path, arguments: &[&str]) -> Value {
    let output = simplify(path, directory, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn proposals_show_what_they_change_in_files_and_change_nothing() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let files = tempfile::tempdir().expect("a directory");
        let shown = mount.path().display();
        let compose = format!("services:\n  app:\n    volumes:\n      - {shown}:/config # all\n");
        let fstab = format!("media {shown} 9p trans=virtio 0 0\n/dev/vda1 / ext4 defaults 0 1\n");
        let domain = format!(
            "<domain>\n  <memory>1</memory>\n  <devices>\n    <filesystem type='mount'>\n      \
             <source dir='{shown}'/>\n      <target dir='media'/>\n    </filesystem>\n  \
             </devices>\n</domain>\n"
        );
        let texts = [("compose.yaml", compose), ("fstab", fstab), ("vm.xml", domain)];
        for (name, text) in &texts {
            std::fs::write(files.path().join(name), text).expect("written");
        }
        let configs = ["--config", "compose.yaml", "--config", "fstab", "--config", "vm.xml"];
        let arguments = [&configs[..], &["--directory", "/tank/media"]].concat();
        let simpler = json(&mount.path().join("app.db"), files.path(), &arguments);
        assert_eq!(simpler["schema"], "tombolo.simplify/1");
        let difference = |arrangement: &str, file: usize| {
            let mut all = simpler["proposals"].as_array().expect("a list").iter();
            let one = all.find(|one| one["arrangement"] == arrangement).expect("proposed");
            one["files"][file]["difference"].as_str().unwrap_or_default().to_owned()
        };
        assert!(difference("database-here", 0).contains("+      - sqlite-data:/config # all"));
        assert_eq!(difference("database-here", 1), "");
        let there = difference("container-there", 0);
        assert!(there.contains("+      - /tank/media:/config # all"), "{there}");
        for arrangement in ["container-there", "program-there"] {
            let of_fstab = difference(arrangement, 1);
            assert!(of_fstab.contains("+# media "), "{of_fstab}");
            assert!(!of_fstab.contains("-/dev/vda1"), "{of_fstab}");
            let of_domain = difference(arrangement, 2);
            assert!(of_domain.contains("-    </filesystem>"), "{of_domain}");
            assert!(!of_domain.contains("-  </devices>"), "{of_domain}");
        }
        for (name, text) in &texts {
            let now = std::fs::read_to_string(files.path().join(name)).expect("read");
            assert!(now == *text, "{name} is as before");
        }
        let refused = simplify(&mount.path().join("app.db"), files.path(), &["--apply"]);
        assert_eq!(refused.status.code(), Some(3));
    });
}

#[test]
fn one_kernel_is_not_made_simpler() {
    let directory = tempfile::tempdir().expect("a directory");
    let simpler = json(&directory.path().join("app.db"), directory.path(), &[]);
    assert_eq!(simpler["proposals"].as_array().map(Vec::len), Some(0), "{simpler}");
}
