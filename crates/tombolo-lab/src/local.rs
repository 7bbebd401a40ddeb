//! File systems of the kernel itself: on loop devices, in memory, stacked, read-only, full.

use crate::error::LabError;
use crate::namespace::Namespace;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system that lives on a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl Disk {
    /// The maker, its arguments, its package, and the smallest round size that it accepts, in MiB.
    fn maker(self) -> (&'static str, &'static [&'static str], &'static str, u64) {
        match self {
            Disk::Ext4 => ("mkfs.ext4", &["-q", "-F"], "install e2fsprogs", 16),
            Disk::Xfs => ("mkfs.xfs", &["-q"], "install xfsprogs", 300),
            Disk::Btrfs => ("mkfs.btrfs", &["-q"], "install btrfs-progs", 128),
        }
    }
}

/// A mount, taken away when dropped, even while it is in use.
#[derive(Debug)]
pub struct Mounted {
    path: PathBuf,
}

impl Mounted {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A fresh file system on a loop device over a sparse file.
    ///
    /// # Errors
    /// When the maker or loop devices are missing, or one of them fails.
    pub fn disk(namespace: &Namespace, disk: Disk) -> Result<Self, LabError> {
        let (maker, arguments, how, size_mib) = disk.maker();
        let image = namespace.directory("image")?.join("disk");
        let file = File::create(&image).map_err(LabError::call("open", &image))?;
        file.set_len(size_mib << 20).map_err(LabError::call("ftruncate", &image))?;
        run(Command::new(maker).args(arguments).arg(&image), maker, how)?;
        let path = namespace.directory("disk")?;
        // The program rather than the call: it finds a free loop device and has it go with the
        // mount.
        let mut mount = Command::new("mount");
        run(mount.args(["-o", "loop"]).arg(&image).arg(&path), "mount", "install mount")?;
        Ok(Mounted { path })
    }

    /// A file system in memory.
    ///
    /// # Errors
    /// What `mount` said.
    pub fn memory(namespace: &Namespace) -> Result<Self, LabError> {
        mount(namespace.directory("memory")?, "tmpfs", "size=64m")
    }

    /// A file system in memory without a free byte; `content` makes the files that stand in it.
    ///
    /// # Errors
    /// What `mount` and `write` said; another error than "no space" stops the filling.
    pub fn full(namespace: &Namespace, content: impl FnOnce(&Path)) -> Result<Self, LabError> {
        let mounted = mount(namespace.directory("full")?, "tmpfs", "size=1m")?;
        content(&mounted.path);
        let path = mounted.path.join("filling");
        let mut file = File::create(&path).map_err(LabError::call("open", &path))?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(mounted),
                Err(error) => return Err(LabError::call("write", &path)(error)),
            }
        }
    }

    /// One directory over another, as container runtimes stack their images.
    ///
    /// # Errors
    /// What `mkdir` and `mount` said.
    pub fn overlay(namespace: &Namespace, lower: &Path) -> Result<Self, LabError> {
        let (upper, work) = (namespace.directory("upper")?, namespace.directory("work")?);
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        mount(namespace.directory("overlay")?, "overlay", &options)
    }

    /// One file of `directory`, mounted on a file of another directory, as `docker run -v
    /// app.db:/data/app.db` does.
    ///
    /// # Errors
    /// What `open` and `mount` said.
    pub fn file(namespace: &Namespace, file: &Path) -> Result<Self, LabError> {
        let path = namespace.directory("container")?.join(file.file_name().unwrap_or_default());
        File::create(&path).map_err(LabError::call("open", &path))?;
        rustix::mount::mount_bind(file, &path).map_err(LabError::call("mount --bind", &path))?;
        Ok(Mounted { path })
    }

    /// The same files as at `directory`, by a bind mount.
    ///
    /// # Errors
    /// What `mount` said.
    pub fn bind(namespace: &Namespace, directory: &Path) -> Result<Self, LabError> {
        let path = namespace.directory("bind")?;
        rustix::mount::mount_bind(directory, &path)
            .map_err(LabError::call("mount --bind", &path))?;
        Ok(Mounted { path })
    }

    /// The same files as at `directory`, by a bind mount that nothing can be written through.
    ///
    /// # Errors
    /// What `mount` said.
    pub fn read_only(namespace: &Namespace, directory: &Path) -> Result<Self, LabError> {
        let mounted = Self::bind(namespace, directory)?;
        let flags = MountFlags::BIND | MountFlags::RDONLY;
        rustix::mount::mount_remount(&mounted.path, flags, "")
            .map_err(LabError::call("mount -o remount,ro", &mounted.path))?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
    }
}

fn mount(path: PathBuf, filesystem: &'static str, options: &str) -> Result<Mounted, LabError> {
    let options = CString::new(options).unwrap_or_default();
    rustix::mount::mount("tombolo-lab", &path, filesystem, MountFlags::empty(), &*options)
        .map_err(LabError::call(filesystem, &path))?;
    Ok(Mounted { path })
}

fn run(command: &mut Command, program: &str, how: &'static str) -> Result<(), LabError> {
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(LabError::Missing { what: program.to_owned(), how });
        }
        other => other.map_err(LabError::call("execve", Path::new(program)))?,
    };
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::Program { program: program.to_owned(), output })
}
