//! Commands and files.

use super::{PATIENCE, guest, lab};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_lab::{GuestSpec, Lab, LabError, QemuShare, Server, ServerSpec, Status};

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_runs_the_programs_of_the_machine_on_a_kernel_of_its_own() {
    let lab = lab();
    let guest = guest(&lab);
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("readable");
    let other = guest.run(&["cat", "/proc/sys/kernel/random/boot_id"]).expect("it ran").text();
    assert_ne!(boot_id.trim(), other);
    assert_eq!(other.len(), 36, "{other}");

    // Whoever knows the lab's secret can use the agent: it is nowhere to be read.
    let found = guest.shell("cat /proc/cmdline; ls /run/*secret* /secret");
    let found = found.expect("it ran");
    assert!(!found.text().contains("secret"), "{found:?}");

    let command = guest.command(&["sh", "-c", "echo $WORD; pwd; cat; echo err >&2; exit 7"]);
    let output = command.env("WORD", "hello").directory("/usr").input(b"from the host").run();
    let output = output.expect("it ran");
    assert_eq!(output.text(), "hello\n/usr\nfrom the host");
    assert_eq!(output.error_text(), "err");
    assert_eq!(output.status, Status::Exited(7));
    assert!(matches!(output.require_success(), Err(LabError::Unsuccessful { .. })));

    let usual = "bash -c 'cat <(echo piped)' && echo in | cat /dev/stdin && \
                 cat /sys/fs/cgroup/cgroup.procs";
    let usual = guest.shell(usual).expect("it ran").require_success().expect("as on any machine");
    assert!(usual.text().starts_with("piped\nin\n1\n"), "{usual:?}");

    let killed = guest.run(&["sh", "-c", "kill -BUS $$"]).expect("it ran");
    assert_eq!(killed.status, Status::Killed(7));
    assert!(guest.run(&["true"]).expect("only that one died").success());

    let refused = guest.run(&["/no/such/program"]);
    assert!(matches!(refused, Err(LabError::Refused { errno: Some(2), .. })), "{refused:?}");
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn files_go_in_and_out_and_the_host_keeps_its_own() {
    let lab = lab();
    let guest = guest(&lab);
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(|of| of.to_le_bytes()).collect();
    guest.put("/usr/share/lab-file", &content, 0o640).expect("put");
    assert_eq!(guest.get("/usr/share/lab-file").expect("got"), content);
    let mode = guest.run(&["stat", "-c", "%a", "/usr/share/lab-file"]).expect("it ran");
    assert_eq!(mode.text(), "640");
    assert!(!Path::new("/usr/share/lab-file").exists());
    guest.put("/tmp/empty", b"", 0o600).expect("put");
    assert_eq!(guest.get("/tmp/empty").expect("got"), b"");
    let refused = guest.put("/no/such/place", &content, 0o600);
    assert!(matches!(refused, Err(LabError::Refused { errno: Some(2), .. })), "{refused:?}");
    let refused = guest.get("/no/such/file");
    assert!(matches!(refused, Err(LabError::Refused { errno: Some(2), .. })), "{refused:?}");
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn long_commands_are_followed_fed_and_killed() {
    let lab = lab();
    let guest = guest(&lab);
    let echo = guest.spawn(&["cat"]).expect("started");
    echo.write(b"one\n").expect("written");
    echo.wait_for_text("one", PATIENCE).expect("it came back");
    assert!(echo.poll().expect("it runs").is_none());
    echo.end_input().expect("ended");
    assert!(echo.wait(PATIENCE).expect("it ended").success());

    let both = guest.spawn(&["sh", "-c", "echo out; echo err >&2; sleep 1; echo out"]);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let shown = both.expect("started").wait_and_show(&mut stdout, &mut stderr, PATIENCE);
    let shown = shown.expect("it ended");
    assert_eq!((stdout, stderr), (b"out\nout\n".to_vec(), b"err\n".to_vec()));
    assert_eq!(shown.text(), "out\nout");

    let sleeping = guest.spawn(&["sleep", "1000"]).expect("started");
    sleeping.kill().expect("told");
    assert_eq!(sleeping.wait(PATIENCE).expect("it ended").status, Status::Killed(9));

    let late = guest.command(&["sleep", "1000"]).timeout(Duration::from_millis(300)).run();
    assert_eq!(late.expect("it ended").status, Status::TimedOut);

    // A daemon keeps the pipes; the command has ended all the same.
    let begun = Instant::now();
    let left = guest.shell("sleep 1000 & echo started").expect("it ran");
    assert_eq!((left.status, left.text().as_str()), (Status::Exited(0), "started"));
    assert!(begun.elapsed() < Duration::from_secs(20));

    // Nobody waits for what is dropped.
    let dropped = guest.spawn(&["sh", "-c", "echo on; exec sleep 2001"]).expect("started");
    dropped.wait_for_text("on", PATIENCE).expect("it runs");
    drop(dropped);
    let gone = "for i in $(seq 300); do pgrep -f '[s]leep 2001' || exit 0; sleep 0.1; done; exit 1";
    assert!(guest.shell(gone).expect("it ran").success());
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_share_of_qemu_shows_the_same_files_on_both_sides() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("file"), "of the host").expect("written");
    let lab = lab();
    let spec = GuestSpec::new("a").share(QemuShare::virtfs(directory.path(), "share"));
    let guest = lab.guest(spec).expect("a guest");
    let script = "mkdir /mnt/share && mount -t 9p -o trans=virtio,version=9p2000.L share \
                  /mnt/share && cat /mnt/share/file && echo -n of the guest > /mnt/share/back";
    let output = guest.shell(script).expect("it ran").require_success().expect("mounted");
    assert_eq!(output.text(), "of the host");
    let back = std::fs::read_to_string(directory.path().join("back")).expect("readable");
    assert_eq!(back, "of the guest");
}

/// A virtiofs server for `directory`, listening at `socket`: the one written in C up to Debian 12,
/// else the one written in Rust.
fn virtiofsd(lab: &Lab, directory: &Path, socket: &Path) -> Server {
    let (directory, socket_option) = (directory.display(), socket.display());
    let old = Path::new("/usr/lib/qemu/virtiofsd");
    let argv = if old.is_file() {
        let program = old.to_string_lossy().into_owned();
        let source = format!("source={directory},cache=auto,sandbox=chroot");
        vec![program, format!("--socket-path={socket_option}"), "-o".to_owned(), source]
    } else {
        let program = tombolo_lab::virtiofsd().expect("virtiofsd (`tombolo-lab doctor --install`)");
        let program = program.to_string_lossy().into_owned();
        let shared = format!("--shared-dir={directory}");
        vec![program, format!("--socket-path={socket_option}"), shared, "--cache=auto".to_owned()]
    };
    let server = lab.server(&ServerSpec::new("virtiofsd", &argv)).expect("started");
    server.wait_for_socket(socket, false, PATIENCE).expect("it listens");
    server
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_virtiofs_share_ends_with_its_server() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("file"), "of the host").expect("written");
    let lab = lab();
    let socket = lab.directory().join("virtiofs");
    let server = virtiofsd(&lab, directory.path(), &socket);
    let spec = GuestSpec::new("a").share(QemuShare::vhost_user(&socket, "share"));
    let guest = lab.guest(spec).expect("a guest");
    let script = "mkdir /mnt/share && mount -t virtiofs share /mnt/share && cat /mnt/share/file";
    let output = guest.shell(script).expect("it ran").require_success().expect("mounted");
    assert_eq!(output.text(), "of the host");
    server.pause().expect("paused");
    let read = guest.spawn(&["cat", "/mnt/share/other"]).expect("started");
    let late = read.wait(Duration::from_secs(2));
    assert!(matches!(late, Err(LabError::Late { .. })), "{late:?}");
    server.resume().expect("resumed");
    assert_eq!(read.wait(PATIENCE).expect("it ended").status, Status::Exited(1));
    server.kill().expect("killed");
    assert!(!server.is_alive());
    assert!(guest.run(&["true"]).expect("the guest lives").success());
}
