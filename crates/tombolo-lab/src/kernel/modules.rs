//! The modules of a kernel, each after those that it needs.

use super::Kernel;
use crate::error::LabError;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files to load for `wanted`, in order. Those built into the kernel are left out.
pub(crate) fn load_order(kernel: &Kernel, wanted: &[&str]) -> Result<Vec<PathBuf>, LabError> {
    let directory = kernel.modules();
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path).map_err(LabError::call("read", &path))
    };
    let (listed, builtin) = (read("modules.dep")?, read("modules.builtin")?);
    let dependencies = Dependencies::parse(&listed);
    let mut order = Vec::new();
    for name in wanted {
        match dependencies.files.get(*name) {
            Some(file) => dependencies.visit(file, &mut order),
            None if builtin.lines().any(|line| module_name(line) == *name) => {}
            None => {
                let what = format!("module {name} of Linux {}", kernel.release());
                let how = "take a kernel that is not of the cloud flavour";
                return Err(LabError::Missing { what, how });
            }
        }
    }
    Ok(order.into_iter().map(|file| directory.join(file)).collect())
}

/// `modules.dep` (`modules.dep(5)`): each file with all that it needs, the nearest first.
struct Dependencies<'a> {
    files: HashMap<String, &'a str>,
    needs: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Dependencies<'a> {
    fn parse(text: &'a str) -> Self {
        let (mut files, mut needs) = (HashMap::new(), HashMap::new());
        for (file, rest) in text.lines().filter_map(|line| line.split_once(':')) {
            files.insert(module_name(file), file);
            needs.insert(file, rest.split_ascii_whitespace().collect());
        }
        Dependencies { files, needs }
    }

    /// Adds `file` after all that it needs, each once.
    fn visit(&self, file: &'a str, order: &mut Vec<&'a str>) {
        let needs = self.needs.get(file).map(Vec::as_slice).unwrap_or_default();
        for next in needs.iter().rev().chain(std::iter::once(&file)) {
            if !order.contains(next) {
                order.push(next);
            }
        }
    }
}

/// How the kernel calls the module in a file: without directories and suffixes, and with `_`.
fn module_name(file: &str) -> String {
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let text = "k/9p.ko: k/9pnet.ko k/netfs.ko\nk/9pnet-virtio.ko.xz: k/9pnet.ko k/virtio.ko\n\
                    k/9pnet.ko:\nk/netfs.ko:\nk/virtio.ko:\n";
        let dependencies = Dependencies::parse(text);
        let mut order = Vec::new();
        for name in ["9pnet_virtio", "9p"] {
            dependencies.visit(dependencies.files[name], &mut order);
        }
        let expected =
            ["k/virtio.ko", "k/9pnet.ko", "k/9pnet-virtio.ko.xz", "k/netfs.ko", "k/9p.ko"];
        assert_eq!(order, expected);
    }
}
