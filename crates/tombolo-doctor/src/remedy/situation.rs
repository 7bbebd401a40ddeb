//! What a remedy may know about the case it is for.

use tombolo_core::report::{ContainerRuntime, HeaderMode, KernelCount, Machine};

/// The facts of one case, as far as they are known. `None` means *not known*, never *no*.
///
/// The doctor fills it from measurements, `explain` from the text of a report.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// The database file.
    pub database: Option<String>,
    /// File-system type as in mountinfo: `9p`, `nfs4`, `fuse.mergerfs`.
    pub filesystem: Option<String>,
    /// Id of the row of the knowledge base.
    pub knowledge: Option<String>,
    /// Where it is mounted.
    pub mount_point: Option<String>,
    /// The directory of the file system that is mounted there; `/` for all of it.
    pub mount_root: Option<String>,
    /// What is mounted.
    pub source: Option<String>,
    /// Mount options, of the mount and of the file system, as `key` or `key=value`.
    pub options: Vec<String>,
    /// How many kernels can reach the file.
    pub reach: Option<KernelCount>,
    /// Whether programs of several kernels are known to open it.
    pub several_kernels_open: Option<bool>,
    /// Whether one process alone opens it.
    pub one_process: Option<bool>,
    /// What the kernel runs on.
    pub machine: Option<Machine>,
    /// The container tool.
    pub container: Option<ContainerRuntime>,
    /// The application, by its lower-case name: `jellyfin`.
    pub application: Option<String>,
    /// Executables that have the database open.
    pub programs: Vec<String>,
    /// Journal mode of the database.
    pub journal_mode: Option<HeaderMode>,
    /// A local directory with room, if one was found.
    pub local_directory: Option<String>,
}
