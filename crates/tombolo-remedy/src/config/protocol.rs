//! The guest's end of a share: from 9p to virtiofs.

use super::field::{Edit, Field};
use super::{Change, Refusal};

/// Options that 9p alone knows (`Documentation/filesystems/9p.rst`).
const NINE_P: [&str; 20] = [
    "trans",
    "version",
    "msize",
    "cache",
    "access",
    "posixacl",
    "aname",
    "uname",
    "dfltuid",
    "dfltgid",
    "cachetag",
    "debug",
    "noextend",
    "nodevmap",
    "locktimeout",
    "directio",
    "ignoreqv",
    "noxattr",
    "port",
    "loose",
];

/// The edits of a mount's type, and the options that go with the old one.
pub(super) fn virtiofs(
    text: &str,
    source: &Field,
    kind: &Field,
) -> Result<(Vec<Edit>, Vec<Change>), Refusal> {
    match kind.text.as_str() {
        "virtiofs" => return Ok((Vec::new(), Vec::new())),
        "9p" => {}
        other => {
            let reason = format!("the file system is {other}, not 9p");
            return Err(Refusal::unknown(text, kind.start(), reason));
        }
    }
    // Over TCP the source is an address; a tag has no such characters.
    if source.text.contains(['/', ':']) {
        let reason = "the source is no mount tag: virtiofs is for the host of a virtual machine";
        return Err(Refusal::unknown(text, source.start(), reason));
    }
    let dropped = NINE_P.iter().filter_map(|name| name.parse().ok()).map(Change::Drop);
    Ok((kind.replace(0..kind.text.len(), "virtiofs"), dropped.collect()))
}
