//! 9p by QEMU itself (`-virtfs local`, qemu(1)).

use super::{Offer, Rig, Site};
use crate::error::LabError;
use crate::guest::{QemuShare, SecurityModel};
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Virtfs {
    /// The client's `cache=` (Documentation/filesystems/9p.rst); the kernel's default without.
    cache: Option<String>,
    #[serde(default)]
    security_model: Model,
}

/// QEMU's security models, by its own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Model {
    #[default]
    None,
    MappedXattr,
    MappedFile,
    Passthrough,
}

impl From<Model> for SecurityModel {
    fn from(model: Model) -> Self {
        match model {
            Model::None => SecurityModel::None,
            Model::MappedXattr => SecurityModel::MappedXattr,
            Model::MappedFile => SecurityModel::MappedFile,
            Model::Passthrough => SecurityModel::Passthrough,
        }
    }
}

impl Offer for Virtfs {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        if self.security_model == Model::Passthrough && !rustix::process::geteuid().is_root() {
            let what = "right to the security model passthrough".to_owned();
            return Err(LabError::Missing { what, how: "run the lab as root" });
        }
        let share = QemuShare::virtfs(&site.directory, "share");
        let share = share.security_model(self.security_model.into());
        let guests = site.boot(|_| Ok(Some(share.clone())))?;
        let cache = self.cache.as_ref().map_or(String::new(), |cache| format!(",cache={cache}"));
        let options = format!("trans=virtio,version=9p2000.L,msize=512000{cache}");
        site.rig(&guests, &format!("mount -t 9p -o {options} share"), Vec::new())
    }
}
