//! The kernel's table of mounts (`proc_pid_mountinfo(5)`, `show_mountinfo` in
//! fs/proc_namespace.c).
//!
//! A line looks like this:
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! id parent dev root point options optional... - type source super-options
//! ```
//!
//! Which mount holds a path is not a question of the longest prefix alone: a mount can be hidden
//! by a later one on a directory above it. [`Table::find`] therefore walks from mount to mount by
//! parent ids, as the kernel's path lookup does.

use std::collections::{BTreeSet, HashMap};

/// Mounts kept of one table. The kernel's own bound for one namespace is 100,000
/// (`fs.mount-max`, Documentation/admin-guide/sysctl/fs.rst).
pub const MOUNTS_MAX: usize = 100_000;

/// Appended by the kernel to the root of a mount whose directory or file was unlinked
/// (`dentry_path` in fs/d_path.c).
const DELETED_SUFFIX: &[u8] = b"//deleted";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mount's id, reused after unmounting.
    pub id: u32,
    /// Id of the mount that this one stands on; not in the table for the topmost.
    pub parent: u32,
    /// Major and minor device number of the file system.
    pub device: (u32, u32),
    /// The directory or file of the file system that is shown; without the mark of deletion.
    pub root: Vec<u8>,
    /// Whether that directory or file still has a name.
    pub source_state: SourceState,
    /// Where it is mounted, relative to the process's root directory.
    pub mount_point: Vec<u8>,
    /// Options of this mount.
    pub options: Vec<String>,
    /// How mounts propagate: `shared:1`, `master:2`, `propagate_from:2`, `unbindable`.
    pub propagation: Vec<String>,
    /// Type with sub-type, such as `ext4` or `fuse.mergerfs`.
    pub filesystem: String,
    /// Source, in the words of the file system.
    pub source: Vec<u8>,
    /// Options of the file system.
    pub super_options: Vec<Vec<u8>>,
}

/// Whether the mounted directory or file still has a name in its file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It has.
    Named,
    /// It was unlinked after it was mounted.
    Deleted,
}

impl Mount {
    /// The type without its sub-type: `fuse` for `fuse.mergerfs`.
    #[must_use]
    pub fn base_type(&self) -> &str {
        self.filesystem.split('.').next().unwrap_or(&self.filesystem)
    }

    /// The value of `name=value` among the options of the file system.
    #[must_use]
    pub fn super_option(&self, name: &str) -> Option<&[u8]> {
        self.super_options.iter().find_map(|option| {
            option.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
        })
    }
}

/// A table of mounts as one process sees it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    mounts: Vec<Mount>,
    /// Positions by parent id; mounts whose parent is not in the table are under `None`.
    children: HashMap<Option<u32>, Vec<usize>>,
    malformed_lines: usize,
    left_out: usize,
}

impl Table {
    /// All mounts, in the order of the table.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Lines that could not be understood.
    #[must_use]
    pub fn malformed_lines(&self) -> usize {
        self.malformed_lines
    }

    /// Well-formed lines beyond [`MOUNTS_MAX`].
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The mount with this id.
    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.id == id)
    }

    /// The mount that holds an absolute path free of symbolic links; the path need not exist.
    ///
    /// `.` and `..` are taken lexically. `None` for a relative path, or when no mount of the table
    /// covers it (a process whose root directory is not a mount point).
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<&Mount> {
        let path = lexical(path)?;
        let mut current: Option<&Mount> = None;
        let mut seen = BTreeSet::new();
        // Path lookup meets the mount nearest to where it stands first; whatever is mounted deeper
        // on the same parent is then hidden. Of two on one point the later one is on top.
        while let Some(next) = self.first_met(current, &path) {
            if !seen.insert(next.id) {
                break;
            }
            current = Some(next);
        }
        current
    }

    fn first_met(&self, current: Option<&Mount>, path: &[u8]) -> Option<&Mount> {
        let children = self.children.get(&current.map(|mount| mount.id))?;
        let mut nearest: Option<&Mount> = None;
        for mount in children.iter().filter_map(|index| self.mounts.get(*index)) {
            // Lookup starts at the root directory itself and does not step onto what was mounted
            // over it later (`nd_jump_root` in fs/namei.c).
            let over_the_root = current.is_some() && mount.mount_point == b"/";
            let inside = current.is_none_or(|on| covers(&on.mount_point, &mount.mount_point));
            if over_the_root || !inside || !covers(&mount.mount_point, path) {
                continue;
            }
            if nearest.is_none_or(|best| mount.mount_point.len() <= best.mount_point.len()) {
                nearest = Some(mount);
            }
        }
        nearest
    }
}

/// Reads a table of mounts. Every input gives a table; what makes no sense is counted.
#[must_use]
pub fn parse(bytes: &[u8]) -> Table {
    let mut table = Table::default();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match parse_line(line) {
            None => table.malformed_lines += 1,
            Some(_) if table.mounts.len() == MOUNTS_MAX => table.left_out += 1,
            Some(mount) => table.mounts.push(mount),
        }
    }
    let ids: BTreeSet<u32> = table.mounts.iter().map(|mount| mount.id).collect();
    for (index, mount) in table.mounts.iter().enumerate() {
        // The root of a system that never left its initramfs is its own parent.
        let parent = Some(mount.parent).filter(|id| ids.contains(id) && *id != mount.id);
        table.children.entry(parent).or_default().push(index);
    }
    table
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let mut device = fields.next()?.splitn(2, |byte| *byte == b':');
    let device = (number(device.next()?)?, number(device.next()?)?);
    let mut root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    let options = comma_list(fields.next()?).iter().map(|option| text(option)).collect();
    let mut propagation = Vec::new();
    loop {
        match fields.next()? {
            b"-" => break,
            tag => propagation.push(text(tag)),
        }
    }
    let filesystem = text(&unescape(fields.next()?));
    // An empty source leaves two spaces in a row; some file systems print no options at all.
    let source = unescape(fields.next()?);
    let super_options = comma_list(fields.next().unwrap_or_default());
    if filesystem.is_empty() || !mount_point.starts_with(b"/") {
        return None;
    }
    let mut source_state = SourceState::Named;
    if let Some(named) = root.strip_suffix(DELETED_SUFFIX) {
        source_state = SourceState::Deleted;
        root = named.to_vec();
    }
    Some(Mount {
        id,
        parent,
        device,
        root,
        source_state,
        mount_point,
        options,
        propagation,
        filesystem,
        source,
        super_options,
    })
}

fn number(field: &[u8]) -> Option<u32> {
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Commas inside values are not escaped by every file system; the pieces are kept as they come.
fn comma_list(field: &[u8]) -> Vec<Vec<u8>> {
    field.split(|byte| *byte == b',').filter(|option| !option.is_empty()).map(unescape).collect()
}

/// Undoes the kernel's `mangle` (fs/seq_file.c): a backslash and three octal digits stand for one
/// byte. Any other backslash stands for itself.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let mut byte = *first;
        if byte == b'\\'
            && let [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', after @ ..] = tail
        {
            byte = (high - b'0') * 64 + (middle - b'0') * 8 + (low - b'0');
            rest = after;
        }
        bytes.push(byte);
    }
    bytes
}

/// An absolute path without `.`, `..` and empty components, by text alone; `None` for a relative
/// one. It touches no file, so it cannot hang on a dead mount, and it knows no symbolic links.
#[must_use]
pub fn lexical(path: &[u8]) -> Option<Vec<u8>> {
    let below_root = path.strip_prefix(b"/")?;
    let mut components: Vec<&[u8]> = Vec::new();
    for component in below_root.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                components.pop();
            }
            name => components.push(name),
        }
    }
    let mut clean = vec![b'/'];
    clean.extend(components.join(&b'/'));
    Some(clean)
}

/// Whether `directory` is `path` or stands above it; both lexically clean.
fn covers(directory: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => directory == b"/" || rest.is_empty() || rest.starts_with(b"/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point_of<'a>(table: &'a Table, path: &str) -> Option<(&'a [u8], u32)> {
        table.find(path.as_bytes()).map(|mount| (mount.mount_point.as_slice(), mount.id))
    }

    #[test]
    fn every_field_is_read() {
        let table = parse(
            b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 - fuse.mergerfs \
              a\\011b:c\\134d rw,errors=continue\n",
        );
        let mount = &table.mounts()[0];
        assert_eq!((mount.id, mount.parent, mount.device), (36, 35, (98, 0)));
        assert_eq!(
            (mount.root.as_slice(), mount.mount_point.as_slice()),
            (&b"/mnt1"[..], &b"/mnt 2"[..])
        );
        assert_eq!(mount.options, ["rw", "noatime"]);
        assert_eq!(mount.propagation, ["shared:7", "master:1"]);
        assert_eq!((mount.filesystem.as_str(), mount.base_type()), ("fuse.mergerfs", "fuse"));
        assert_eq!(mount.source, b"a\tb:c\\d");
        assert_eq!(mount.super_option("errors"), Some(&b"continue"[..]));
        assert_eq!(mount.super_option("err"), None);
    }

    #[test]
    fn a_deleted_root_loses_its_mark_and_says_so() {
        let table = parse(b"1 0 8:1 /srv/data//deleted /data rw - ext4 /dev/sda1 rw\n");
        assert_eq!(table.mounts()[0].root, b"/srv/data");
        assert_eq!(table.mounts()[0].source_state, SourceState::Deleted);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_kept() {
        let table = parse(b"1 0 8:1 / /d\xff\xfe rw - ext4 none rw\n");
        assert_eq!(table.mounts()[0].mount_point, b"/d\xff\xfe");
    }

    #[test]
    fn an_empty_source_and_missing_options_are_fine() {
        let table = parse(
            b"1 0 0:9 / /m rw -  tmpfs\n2 1 0:9 / /m rw - tmpfs  rw\n3 1 0:9 / /n rw - tmpfs src\n",
        );
        assert_eq!(table.malformed_lines(), 1, "an empty type is malformed");
        assert_eq!(table.mounts()[0].source, b"");
        assert_eq!(table.mounts()[1].super_options, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn malformed_lines_are_counted_and_skipped() {
        let table = parse(
            b"\nx 1 8:1 / / rw - ext4 a rw\n1 0 81 / / rw - ext4 a rw\n1 0 8:1 / / rw shared:1\n\
              1 0 8:1 / rel rw - ext4 a rw\n99999999999 0 8:1 / / rw - ext4 a rw\n\
              1 0 8:1 / / rw - ext4 a rw\n",
        );
        assert_eq!((table.malformed_lines(), table.mounts().len()), (5, 1));
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        assert_eq!(unescape(b"\\04\\999\\"), b"\\04\\999\\");
        assert_eq!(unescape(b"\\377\\477"), b"\xff\\477");
    }

    #[test]
    fn the_longest_prefix_is_one_of_components() {
        let table = parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - xfs b rw\n\
              3 2 0:5 / /data/app rw - 9p tag rw\n",
        );
        assert_eq!(point_of(&table, "/data/app/x.db"), Some((&b"/data/app"[..], 3)));
        assert_eq!(point_of(&table, "/data/application"), Some((&b"/data"[..], 2)));
        assert_eq!(point_of(&table, "/database"), Some((&b"/"[..], 1)));
        assert_eq!(point_of(&table, "/data/./app//../app/"), Some((&b"/data/app"[..], 3)));
        assert_eq!(point_of(&table, "data"), None);
    }

    #[test]
    fn the_last_one_mounted_on_a_point_wins() {
        let table = parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 0:5 / /d rw - tmpfs t rw\n\
              3 2 0:6 / /d rw - 9p p rw\n",
        );
        assert_eq!(point_of(&table, "/d/x"), Some((&b"/d"[..], 3)));
        let twins = parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 0:5 / /d rw - tmpfs t rw\n\
              3 1 0:6 / /d rw - 9p p rw\n",
        );
        assert_eq!(point_of(&twins, "/d/x"), Some((&b"/d"[..], 3)));
    }

    #[test]
    fn a_mount_hidden_by_a_later_one_above_it_does_not_win() {
        let table = parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 0:5 / /a/b rw - 9p hidden rw\n\
              3 1 0:6 / /a rw - tmpfs top rw\n4 3 0:7 / /a/c rw - xfs seen rw\n",
        );
        assert_eq!(point_of(&table, "/a/b/x"), Some((&b"/a"[..], 3)));
        assert_eq!(point_of(&table, "/a/c/x"), Some((&b"/a/c"[..], 4)));
    }

    #[test]
    fn a_file_mount_holds_the_file_and_nothing_else() {
        let table = parse(
            b"1 0 8:1 / / rw - overlay overlay rw,lowerdir=/l:/m\n\
              2 1 8:2 /srv/app.db /app/app.db rw - ext4 /dev/sdb rw\n",
        );
        assert_eq!(point_of(&table, "/app/app.db"), Some((&b"/app/app.db"[..], 2)));
        assert_eq!(point_of(&table, "/app/app.db-wal"), Some((&b"/"[..], 1)));
    }

    #[test]
    fn a_table_that_bites_its_tail_comes_to_an_end() {
        let table = parse(
            b"1 2 8:1 / / rw - ext4 a rw\n2 1 8:1 / /d rw - ext4 a rw\n\
              1 2 8:1 / /d rw - ext4 a rw\n\
              7 7 8:1 / / rw - rootfs a rw\n",
        );
        assert_eq!(point_of(&table, "/d/x"), Some((&b"/"[..], 7)));
    }

    #[test]
    fn a_root_that_is_no_mount_point_leaves_paths_uncovered() {
        let table = parse(b"5 4 8:1 / /data rw - ext4 a rw\n");
        assert_eq!(point_of(&table, "/etc"), None);
        assert_eq!(point_of(&table, "/data/x"), Some((&b"/data"[..], 5)));
    }

    fn mangled(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in bytes {
            if b" \t\n\\#".contains(byte) {
                out.extend(format!("\\{byte:03o}").into_bytes());
            } else {
                out.push(*byte);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000),
                           path in proptest::collection::vec(any::<u8>(), 0..64)) {
            let table = parse(&bytes);
            let _ = table.find(&path);
        }

        #[test]
        fn lines_made_of_near_valid_pieces_do_not_panic(
            lines in proptest::collection::vec(
                "[0-3] [0-3] [0-9]:[0-9] /(a|b|//deleted)? (/|/a|/a/b) rw (shared:1 )?-( x){0,3}",
                0..40)) {
            let table = parse(lines.join("\n").as_bytes());
            if let Some(mount) = table.find(b"/a/b/c") {
                prop_assert!(covers(&mount.mount_point, b"/a/b/c"));
            }
        }

        #[test]
        fn what_the_kernel_escapes_comes_back(name in proptest::collection::vec(1u8..=255, 1..40)) {
            let mut point = b"/".to_vec();
            point.extend(&name);
            let mut line = b"1 0 8:1 / ".to_vec();
            line.extend(mangled(&point));
            line.extend(b" rw - ext4 none rw\n");
            let table = parse(&line);
            prop_assert_eq!(table.malformed_lines(), 0);
            prop_assert_eq!(&table.mounts()[0].mount_point, &point);
        }

        #[test]
        fn lexical_is_clean_and_stable(path in "/[./a-c]{0,30}") {
            let once = lexical(path.as_bytes()).expect("absolute");
            prop_assert_eq!(lexical(&once), Some(once.clone()));
            prop_assert!(!once.windows(2).any(|pair| pair == b"//"));
        }
    }
}
