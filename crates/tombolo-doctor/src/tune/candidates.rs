//! Which options are worth a trial, as data.

use crate::knowledge::glob;
use serde::Deserialize;
use std::sync::OnceLock;
use tombolo_core::errno::Errno;
use tombolo_core::report::Mount;

/// A set of options for one trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The options that make the difference, as they stand in a table of mounts.
    pub options: Vec<String>,
    /// The type of file system that mount(2) is given.
    pub filesystem: String,
    /// The options that it is given.
    pub data: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    family: Vec<Family>,
    nothing: Vec<Nothing>,
}

/// File systems whose options are tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    filesystems: Vec<String>,
    /// The type that takes all of the candidates, where it is not the one that is mounted.
    mounted_as: Option<String>,
    /// Options of the mount as it is that a second one needs as well.
    keep: Vec<String>,
    /// Options that candidates decide.
    replaced: Vec<String>,
    /// Options of every second mount.
    #[serde(default)]
    always: Vec<String>,
    /// The candidates.
    #[serde(rename = "try")]
    candidates: Vec<Vec<String>>,
    #[serde(default, rename = "refusal")]
    refusals: Vec<Refusal>,
}

/// What an error of mount(2) means there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    errno: String,
    why: String,
}

/// File systems for which there is nothing to try.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    filesystems: Vec<String>,
    why: String,
}

fn data() -> Option<&'static Data> {
    static DATA: OnceLock<Option<Data>> = OnceLock::new();
    DATA.get_or_init(|| toml::from_str(include_str!("candidates.toml")).ok()).as_ref()
}

fn family(filesystem: &str) -> Option<&'static Family> {
    data()?.family.iter().find(|family| family.filesystems.iter().any(|one| one == filesystem))
}

/// The candidates for a mount.
///
/// # Errors
/// Why there is nothing to try.
pub(super) fn candidates(mount: &Mount) -> Result<Vec<Candidate>, String> {
    let filesystem = mount.filesystem.as_str();
    let Some(family) = family(filesystem) else {
        let nothing = data().and_then(|data| {
            let fits = |nothing: &&Nothing| {
                nothing.filesystems.iter().any(|pattern| glob(pattern, filesystem))
            };
            data.nothing.iter().find(fits)
        });
        let why =
            nothing.map_or("no option of it is known to change maps or locks", |one| &one.why);
        return Err(format!("{filesystem}: {why}"));
    };
    let key = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let named = |list: &[String], option: &str| list.contains(&key(option));
    let kept = mount
        .super_options
        .iter()
        .filter(|option| named(&family.keep, option) && !named(&family.replaced, option));
    let kept: Vec<String> = kept.chain(&family.always).cloned().collect();
    let candidate = |options: &Vec<String>| {
        let all: Vec<&str> = kept.iter().chain(options).map(String::as_str).collect();
        Candidate {
            options: options.clone(),
            filesystem: family.mounted_as.as_deref().unwrap_or(filesystem).to_owned(),
            data: all.join(","),
        }
    };
    Ok(family.candidates.iter().map(candidate).collect())
}

/// What a refusal of mount(2) means.
pub(super) fn why_refused(filesystem: &str, errno: Errno) -> String {
    let text = errno.to_string();
    let named = |refusal: &&Refusal| text.split(' ').any(|word| word == refusal.errno);
    let known = family(filesystem).and_then(|family| family.refusals.iter().find(named));
    match (known, errno) {
        (Some(refusal), _) => refusal.why.clone(),
        (None, Errno::EINVAL) => "this kernel does not take these options".to_owned(),
        (None, Errno::EPERM) => "it takes root, with CAP_SYS_ADMIN".to_owned(),
        (None, Errno::ENODEV) => "this kernel has no such file system".to_owned(),
        (None, _) => "what was mounted cannot be mounted a second time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::Scene;

    fn mount(filesystem: &str, super_options: &[&str]) -> Mount {
        Mount {
            filesystem: filesystem.to_owned(),
            source: "media".to_owned(),
            super_options: super_options.iter().map(|option| (*option).to_owned()).collect(),
            ..Scene::new().mount
        }
    }

    #[test]
    fn a_second_mount_has_the_options_that_it_needs_and_the_trial() {
        let options = ["rw", "sync", "access=client", "mmap", "cache=0x5", "trans=virtio"];
        let all = candidates(&mount("9p", &options)).unwrap();
        let data: Vec<&str> = all.iter().map(|candidate| candidate.data.as_str()).collect();
        assert_eq!(data[1], "access=client,trans=virtio,cache=mmap");
        assert_eq!(data.len(), 4);
        let options = ["rw", "vers=4.1", "hard", "local_lock=none", "addr=192.0.2.1", "acregmin=3"];
        let all = candidates(&mount("nfs4", &options)).unwrap();
        assert!(all.iter().all(|one| one.filesystem == "nfs"), "nfs4 takes no version 3");
        assert!(all.iter().any(|one| one.data == "hard,addr=192.0.2.1,nosharecache,vers=3,nolock"));
    }

    #[test]
    fn where_there_is_nothing_to_try_it_says_why() {
        for (filesystem, words) in [
            ("virtiofs", "virtiofsd decides"),
            ("fuse.mergerfs", "second server"),
            ("overlay", "layers"),
            ("xfs", "local"),
            ("newfs", "no option of it is known"),
        ] {
            let why = candidates(&mount(filesystem, &[])).unwrap_err();
            assert!(why.starts_with(filesystem) && why.contains(words), "{why}");
        }
    }

    #[test]
    fn refusals_are_explained_by_file_system() {
        assert!(why_refused("9p", Errno::EBUSY).contains("--source"));
        assert!(why_refused("cifs", Errno::EACCES).contains("--credentials"));
        assert!(why_refused("cifs", Errno::ECONNREFUSED).contains("--with port="));
        assert!(why_refused("nfs4", Errno::EACCES).contains("--source"));
        assert!(why_refused("9p", Errno::EINVAL).contains("does not take"));
    }
}
