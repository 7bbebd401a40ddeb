//! The mount that holds a path.

use serde::{Deserialize, Serialize};

/// A mount, with its row of the knowledge base.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mount {
    /// Where it is mounted, as the examined program sees it.
    pub mount_point: String,
    /// The directory of the file system that is shown there (`/` unless a bind mount).
    pub root: String,
    /// File-system type, such as `9p` or `fuse.mergerfs`.
    pub filesystem: String,
    /// The source, such as a device, a mount tag or `server:/export`.
    pub source: String,
    /// Options of this mount.
    pub options: Vec<String>,
    /// Options of the file system below it.
    pub super_options: Vec<String>,
    /// Whether the mount is of the very path (a single-file bind mount).
    pub file_mount: bool,
    /// Whether the mounted directory or file has been deleted below the mount.
    pub deleted: bool,
    /// `f_type` of `statfs`, as a hint only: 9p passes on what the server said.
    pub statfs_magic: Option<String>,
    /// Id of the row of the knowledge base that fits, if one does.
    pub knowledge: Option<String>,
}
