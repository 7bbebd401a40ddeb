//! `cargo xtask dist`: one static binary for any Linux of this architecture, tried where there is
//! nothing else: in an empty root directory. Beside it, the library that `tombolo run` preloads,
//! which belongs to the loader and libc of the program that it is loaded into.

use crate::elf;
use crate::shell::{self, Failure, cargo};
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIMIT_BYTES: u64 = 12_000_000;

/// Builds and tries the binary.
pub(crate) fn run() -> Result<(), Failure> {
    let binary = build()?;
    build_preload(&binary)?;
    check_file(&binary)?;
    try_in_empty_root(&binary)
}

/// Builds the binary and returns where it stands.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    let target = format!("{ARCH}-unknown-linux-gnu");
    // `--target` keeps the flag away from procedural macros, which are shared objects.
    shell::run(
        cargo(&["build", "--locked", "--package", "tombolo", "--profile", "dist"])
            .args(["--target", &target])
            .env("RUSTFLAGS", "-C target-feature=+crt-static"),
    )?;
    let built = shell::target_directory().join(&target).join("dist/tombolo");
    let directory = shell::target_directory().join("dist");
    fs::create_dir_all(&directory).map_err(Failure::file(&directory))?;
    let name = format!("tombolo-{}-{ARCH}-linux", env!("CARGO_PKG_VERSION"));
    let binary = directory.join(&name);
    fs::copy(&built, &binary).map_err(Failure::file(&built))?;
    let (status, sum) =
        shell::output(Command::new("sha256sum").arg(&name).current_dir(&directory))?;
    if !status.success() {
        return Err(Failure::Check(format!("sha256sum ended with {status}")));
    }
    let sum_file = directory.join(format!("{name}.sha256"));
    fs::write(&sum_file, sum).map_err(Failure::file(&sum_file))?;
    Ok(binary)
}

/// Builds the libraries that are preloaded, and puts them beside the binary.
pub(crate) fn build_preload(binary: &Path) -> Result<(), Failure> {
    for (package, library) in
        [("tombolo-preload", "libtombolo_preload.so"), ("tombolo-vfs", "libtombolo.so")]
    {
        shell::run(&mut cargo(&["build", "--locked", "--package", package, "--profile", "dist"]))?;
        let built = shell::target_directory().join("dist").join(library);
        let beside = binary.with_file_name(library);
        if built != beside {
            fs::copy(&built, &beside).map_err(Failure::file(&built))?;
        }
    }
    Ok(())
}

fn check_file(binary: &Path) -> Result<(), Failure> {
    let bytes = fs::read(binary).map_err(Failure::file(binary))?;
    let needs = elf::needs(&bytes).map_err(|error| Failure::Check(error.to_string()))?;
    let size_bytes = bytes.len() as u64;
    println!("dist: {} has {size_bytes} bytes", binary.display());
    if needs != elf::Needs::default() {
        return Err(Failure::Check(format!("the binary is not static: {needs:?}")));
    }
    if size_bytes >= LIMIT_BYTES {
        return Err(Failure::Check(format!("{size_bytes} bytes, limit {LIMIT_BYTES}")));
    }
    Ok(())
}

/// Runs the binary where no other file exists: no loader, library, `/proc`, `/dev` or `/tmp`.
fn try_in_empty_root(binary: &Path) -> Result<(), Failure> {
    let (_, user) = shell::output(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        let message = "the trial in an empty root directory did not run: chroot needs root";
        return Err(Failure::Check(message.into()));
    }
    let root = tempfile::tempdir_in(shell::target_directory())
        .map_err(Failure::file(&shell::target_directory()))?;
    let copy = root.path().join("tombolo");
    fs::copy(binary, &copy).map_err(Failure::file(&copy))?;
    let trials: [(&[&str], &[i32]); 3] = [
        (&["--version"], &[0]),
        (&["codes"], &[0]),
        // A partial examination is honest there; a usage error or a signal is not.
        (&["doctor", "/"], &[0, 1, 2]),
    ];
    for (arguments, allowed) in trials {
        let mut command = Command::new("chroot");
        command.arg(root.path()).arg("/tombolo").args(arguments);
        let (status, printed) = shell::output(&mut command)?;
        let shown = arguments.join(" ");
        if !status.code().is_some_and(|code| allowed.contains(&code)) || printed.is_empty() {
            let message = format!("in an empty root, `tombolo {shown}` ended with {status}");
            return Err(Failure::Check(message));
        }
        println!("dist: in an empty root, `tombolo {shown}` ended with {status}");
    }
    Ok(())
}
