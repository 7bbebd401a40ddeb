//! Another protocol for a share: what stands at both of its ends.
//!
//! Pure: from what is known of a share to pieces of configuration, each with the place where it
//! belongs and what puts it into force. What is not known, or holds a character that means
//! something in one of the formats, stands as a word in capitals, and [`Arrangement::fill_in`] says
//! what it is for.

mod block;
mod nfs;
mod smb;
mod virtiofs;

use crate::config::is_plain;
use serde::Serialize;

/// A way to the storage of another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A directory of the host for its virtual machine.
    Virtiofs,
    /// NFSv4.2.
    Nfs,
    /// SMB 3, by Samba.
    Smb,
    /// A disk of the virtual machine's own, with a local file system.
    Block,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Protocol; 4] =
        [Protocol::Virtiofs, Protocol::Nfs, Protocol::Smb, Protocol::Block];

    /// As it is typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Virtiofs => "virtiofs",
            Protocol::Nfs => "nfs",
            Protocol::Smb => "smb",
            Protocol::Block => "block",
        }
    }

    /// Its file system at the client, as the mount table names it, with the options that are set.
    #[must_use]
    pub const fn mounted_as(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Protocol::Virtiofs => ("virtiofs", &[]),
            Protocol::Nfs => ("nfs4", &["vers=4.2", "hard"]),
            Protocol::Smb => ("cifs", &["vers=3.1.1", "cache=strict"]),
            Protocol::Block => ("ext4", &[]),
        }
    }
}

/// What is known of a share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its tag or name.
    pub tag: Option<String>,
    /// Where the client has it.
    pub mount_point: Option<String>,
    /// The directory of the server.
    pub directory: Option<String>,
    /// The server's name or address, as the client reaches it.
    pub server: Option<String>,
}

/// The same, ready to be written.
struct Share {
    tag: String,
    mount_point: String,
    directory: String,
    server: String,
}

/// What stands for something that is not known.
const STAND_INS: [(&str, &str); 8] = [
    ("MOUNTPOINT", "where the client mounts it"),
    ("DIRECTORY", "the directory of the server"),
    ("SERVER", "the server's name or address, as the client reaches it"),
    ("CLIENT", "the client's name, address or network, as the server sees it"),
    ("SIZE", "the memory of the virtual machine, as in -m"),
    ("GIB", "the size of the new disk, in GiB: twice that of the database at least"),
    ("VMID", "the number of the virtual machine"),
    ("NODE", "the name of the Proxmox node"),
];

impl Share {
    fn of(known: &Known) -> Self {
        let taken = |text: &Option<String>, others: &[u8], instead: &str| -> String {
            let plain = text.as_deref().filter(|text| is_plain(text, others));
            plain.unwrap_or(instead).to_owned()
        };
        let path = |text: &Option<String>, instead| {
            let absolute = text.clone().filter(|text| text.starts_with('/'));
            taken(&absolute, b"._-/+@", instead)
        };
        // A tag of virtiofs has 36 bytes (Virtual I/O Device Version 1.2, section 5.11.4).
        let tag = known.tag.clone().filter(|tag| tag.len() <= 36);
        Share {
            tag: taken(&tag, b"._-", "share"),
            mount_point: path(&known.mount_point, "MOUNTPOINT"),
            directory: path(&known.directory, "DIRECTORY"),
            server: taken(&known.server, b"._-", "SERVER"),
        }
    }
}

/// An end of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Where the files are: a host, a server.
    Server,
    /// Where the program is.
    Client,
}

/// One piece of configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Where it is put.
    pub end: End,
    /// What it is; of pieces that begin alike up to a colon, one is enough.
    pub title: String,
    /// The file that it is, or is added to.
    pub place: String,
    /// The name under which it is written elsewhere.
    pub file: String,
    /// Its text, with a line end.
    pub text: String,
    /// What is done afterwards, in order.
    pub commands: Vec<String>,
}

/// Both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrangement {
    /// The pieces, those of the server first.
    pub pieces: Vec<Piece>,
    /// Words in capitals, and what is put in their place.
    pub fill_in: Vec<(&'static str, &'static str)>,
    /// What to know.
    pub notes: Vec<String>,
}

/// What stands at both ends of a share by this protocol.
#[must_use]
pub fn arrange(to: Protocol, known: &Known) -> Arrangement {
    let share = Share::of(known);
    let (pieces, mut notes) = match to {
        Protocol::Virtiofs => virtiofs::arrange(&share),
        Protocol::Nfs => nfs::arrange(&share),
        Protocol::Smb => smb::arrange(&share),
        Protocol::Block => block::arrange(&share),
    };
    let stands = |word: &str| {
        let mut texts = pieces.iter().flat_map(|piece| piece.commands.iter().chain([&piece.text]));
        texts.any(|text| text.contains(word))
    };
    notes.insert(0, "Stop the programs that use the share before its mount is changed.".to_owned());
    let fill_in = STAND_INS.into_iter().filter(|(word, _)| stands(word)).collect();
    Arrangement { pieces, fill_in, notes }
}

/// The service of a Compose file that is given a directory of its machine.
fn compose_directory(share: &Share) -> Piece {
    Piece {
        end: End::Client,
        title: "In a container: mount the directory, not the single file".to_owned(),
        place: "compose.yaml".to_owned(),
        file: "client-compose.yaml".to_owned(),
        text: format!(
            "services:\n  app:\n    volumes:\n      - type: bind\n        source: {0}\n        \
             target: /data\n        bind:\n          create_host_path: false\n",
            share.mount_point
        ),
        commands: vec!["docker compose up --detach".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let some = |text: &str| Some(text.to_owned());
        Known {
            tag: some("media"),
            mount_point: some("/srv/media"),
            directory: some("/tank/media"),
            server: some("192.0.2.1"),
        }
    }

    fn whole(arrangement: &Arrangement) -> String {
        let texts = arrangement
            .pieces
            .iter()
            .flat_map(|piece| [piece.text.clone(), piece.commands.join("\n")]);
        texts.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn both_ends_are_whole_and_name_the_same_things() {
        for (to, server, client) in [
            (
                Protocol::Virtiofs,
                &["--shared-dir=/tank/media", "share=on", "tag=media", "dirid=media"][..],
                "media /srv/media virtiofs ",
            ),
            (
                Protocol::Nfs,
                &["/tank/media CLIENT(rw,sync,", "exportfs -ra"][..],
                "192.0.2.1:/tank/media /srv/media nfs4 vers=4.2,hard,",
            ),
            (
                Protocol::Smb,
                &["[media]", "path = /tank/media", "oplocks = yes", "strict sync = yes"][..],
                "//192.0.2.1/media /srv/media cifs ",
            ),
            (
                Protocol::Block,
                &["qemu-img create", "serial=media", "bus='virtio'"][..],
                "LABEL=media /srv/media-db ext4 ",
            ),
        ] {
            let arrangement = arrange(to, &known());
            for (end, words) in [(End::Server, server), (End::Client, &[client][..])] {
                let of_end = arrangement.pieces.iter().filter(|piece| piece.end == end).cloned();
                let text = whole(&Arrangement { pieces: of_end.collect(), ..arrangement.clone() });
                for word in words {
                    assert!(text.contains(word), "{to:?}: {word:?} in {text}");
                }
            }
            assert!(!whole(&arrangement).contains("DIRECTORY"), "{to:?}");
            assert!(!arrangement.notes.is_empty(), "{to:?}");
        }
    }

    #[test]
    fn what_means_something_to_a_format_is_never_written() {
        let hostile = Some("a b'\"$(x)\n<y>,rw".to_owned());
        let known = Known {
            tag: hostile.clone(),
            mount_point: hostile.clone().map(|text| format!("/{text}")),
            directory: Some("relative".to_owned()),
            server: hostile,
        };
        for to in Protocol::ALL {
            let arrangement = arrange(to, &known);
            let text = whole(&arrangement);
            assert!(!text.contains("$(x)") && !text.contains("<y>"), "{text}");
            let words: Vec<&str> = arrangement.fill_in.iter().map(|(word, _)| *word).collect();
            assert_eq!(words.contains(&"DIRECTORY"), to != Protocol::Block, "{to:?}: {words:?}");
        }
    }

    #[test]
    fn files_have_names_of_their_own_and_compose_files_are_read_again() {
        for to in Protocol::ALL {
            let arrangement = arrange(to, &known());
            let mut files: Vec<&str> =
                arrangement.pieces.iter().map(|piece| piece.file.as_str()).collect();
            files.sort_unstable();
            let count = files.len();
            files.dedup();
            assert_eq!(files.len(), count, "{to:?}");
            for piece in &arrangement.pieces {
                assert!(piece.text.ends_with('\n') && !piece.file.contains('/'), "{piece:?}");
                let kind = crate::config::recognise(&piece.place, &piece.text);
                match piece.file.as_str() {
                    "client-compose.yaml" => {
                        assert_eq!(kind, Some(crate::config::Kind::Compose), "{}", piece.text);
                    }
                    "client-fstab" => {
                        assert_eq!(kind, Some(crate::config::Kind::Fstab), "{}", piece.text);
                    }
                    _ => {}
                }
            }
        }
    }
}
