//! From Debian's packages to the cache, without root: nothing is installed or put into `/boot`.

use super::{Kernel, cache, image};
use crate::error::LabError;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel that is in the cache now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It was there before.
    Present(Kernel),
    /// It was got.
    New(Kernel),
}

/// The packages that the distribution has for kernels of this machine's kind, the default one
/// first: `linux-image-amd64`, `linux-image-6.12-amd64` of Debian's backports; else Ubuntu's.
///
/// # Errors
/// When `apt-cache` is missing or fails, or knows no kernel.
pub(crate) fn wanted_packages() -> Result<Vec<String>, LabError> {
    let names = run(Command::new("apt-cache").args(["pkgnames", "linux-image-"]))?;
    let packages = select(names.lines());
    if packages.is_empty() {
        let what = "package of a kernel for guests".to_owned();
        return Err(LabError::Missing { what, how: "run `apt-get update`; it must be on x86-64" });
    }
    Ok(packages)
}

/// Those names that stand for the newest kernel of a line, without those of special flavours.
fn select<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_version = |of: &str| of.contains('.') && of.split('.').all(is_number);
    let (mut packages, mut generic) = (Vec::new(), None);
    for name in names {
        match name.strip_prefix("linux-image-") {
            Some("amd64") => packages.insert(0, name.to_owned()),
            Some("generic") => generic = Some(name.to_owned()),
            Some(rest) if rest.strip_suffix("-amd64").is_some_and(is_version) => {
                packages.push(name.to_owned());
            }
            _ => {}
        }
    }
    packages.dedup();
    if packages.is_empty() { generic.into_iter().collect() } else { packages }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Puts the kernel of `package` into the cache; a package that only names another one is followed.
///
/// # Errors
/// When APT does not know it, or a tool is missing or fails.
pub(crate) fn fetch(package: &str) -> Result<Fetched, LabError> {
    let package = resolve(package)?;
    let release = package.strip_prefix("linux-image-").unwrap_or(&package).to_owned();
    if let Some(kernel) = Kernel::all().into_iter().find(|kernel| kernel.release == release) {
        return Ok(Fetched::Present(kernel));
    }
    let cache = cache()?;
    fs::create_dir_all(&cache).map_err(LabError::call("mkdir", &cache))?;
    let work = tempfile::Builder::new().prefix(".new.").tempdir_in(&cache);
    let work = work.map_err(LabError::call("mkdtemp", &cache))?;
    let tree = work.path().join("tree");
    // Ubuntu has the modules in packages of their own.
    let others = ["linux-modules", "linux-modules-extra"].map(|of| format!("{of}-{release}"));
    let others = others.into_iter().filter(|of| show(of).is_ok());
    for package in std::iter::once(package.clone()).chain(others) {
        let place = work.path().join(&package);
        fs::create_dir(&place).map_err(LabError::call("mkdir", &place))?;
        run(Command::new("apt-get").arg("download").arg(&package).current_dir(&place))?;
        let archive = only_entry(&place, "deb")?;
        run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&tree))?;
    }
    let kernel = Kernel { release: release.clone(), directory: cache.join(&release) };
    arrange(&kernel.release, &tree, &work.path().join("kernel"))?;
    match fs::rename(work.path().join("kernel"), &kernel.directory) {
        // Another run was faster; it put the same there.
        Err(_) if kernel.image().is_file() => {}
        other => other.map_err(LabError::call("rename", &kernel.directory))?,
    }
    Ok(Fetched::New(kernel))
}

/// Makes of an unpacked package what [`Kernel`] expects.
fn arrange(release: &str, tree: &Path, kernel: &Path) -> Result<(), LabError> {
    let modules = ["lib/modules", "usr/lib/modules"].map(|path| tree.join(path).join(release));
    let modules = modules.into_iter().find(|path| path.is_dir()).ok_or_else(|| {
        LabError::Request(format!("the package has no modules of Linux {release}"))
    })?;
    let parent = kernel.join("lib/modules");
    fs::create_dir_all(&parent).map_err(LabError::call("mkdir", &parent))?;
    let to = parent.join(release);
    fs::rename(&modules, &to).map_err(LabError::call("rename", &to))?;
    // Where a `depmod` looks whose distribution has given up /lib.
    let usr = kernel.join("usr");
    fs::create_dir(&usr).map_err(LabError::call("mkdir", &usr))?;
    let link = usr.join("lib");
    std::os::unix::fs::symlink("../lib", &link).map_err(LabError::call("symlink", &link))?;
    run(Command::new(depmod()).arg("-b").arg(kernel).arg(release))?;
    let packed = tree.join(format!("boot/vmlinuz-{release}"));
    let content = fs::read(&packed).map_err(LabError::call("read", &packed))?;
    // The packed image boots as well, only slower.
    let content = image::extract(&content).unwrap_or(content);
    let image = kernel.join("image");
    fs::write(&image, content).map_err(LabError::call("write", &image))
}

/// `depmod` is not on the path of ordinary users.
fn depmod() -> PathBuf {
    let places = ["/usr/sbin/depmod", "/sbin/depmod"].map(PathBuf::from);
    places.into_iter().find(|path| path.exists()).unwrap_or_else(|| "depmod".into())
}

/// The package that has the kernel: `linux-image-amd64` only depends on it.
fn resolve(package: &str) -> Result<String, LabError> {
    Ok(image_needed(&show(package)?).unwrap_or_else(|| package.to_owned()))
}

/// The kernel's package among what a package depends on.
fn image_needed(shown: &str) -> Option<String> {
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends: "))?;
    let mut names = depends.split(',').filter_map(|name| name.split_ascii_whitespace().next());
    names.find(|name| name.starts_with("linux-image-")).map(str::to_owned)
}

/// What APT knows of a package.
fn show(package: &str) -> Result<String, LabError> {
    run(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
}

fn only_entry(directory: &Path, extension: &str) -> Result<PathBuf, LabError> {
    let entries = fs::read_dir(directory).map_err(LabError::call("opendir", directory))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let found = paths.find(|path| path.extension() == Some(OsStr::new(extension)));
    found.ok_or_else(|| LabError::Request(format!("apt-get left no .{extension} file")))
}

fn run(command: &mut Command) -> Result<String, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.env("LC_ALL", "C").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let how = "this needs Debian or Ubuntu, with the packages apt, dpkg and kmod";
            return Err(LabError::Missing { what: program, how });
        }
        other => other.map_err(LabError::call("execve", Path::new(&program)))?,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::Program { program, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_line_is_wanted_and_no_special_flavour() {
        let debian = [
            "linux-image-6.12-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-image-6.12.117+deb12-amd64",
            "linux-image-cloud-amd64",
            "linux-image-6.12-rt-amd64",
            "linux-image-amd64-dbg",
            "linux-image-amd64",
            "linux-image-6.1.0-56-amd64-unsigned",
        ];
        let wanted = ["linux-image-amd64", "linux-image-6.12-amd64"];
        assert_eq!(select(debian.into_iter()), wanted);
        let ubuntu = ["linux-image-generic", "linux-image-6.8.0-31-generic", "linux-image-oem"];
        assert_eq!(select(ubuntu.into_iter()), ["linux-image-generic"]);
        assert!(select(["linux-image-arm64"].into_iter()).is_empty());
    }

    #[test]
    fn a_package_that_only_names_another_is_followed() {
        let named =
            "Package: linux-image-amd64\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n";
        assert_eq!(image_needed(named).as_deref(), Some("linux-image-6.1.0-56-amd64"));
        let kernel =
            "Depends: kmod, linux-base (>= 4.3~), initramfs-tools | linux-initramfs-tool\n";
        assert_eq!(image_needed(kernel), None);
    }
}
