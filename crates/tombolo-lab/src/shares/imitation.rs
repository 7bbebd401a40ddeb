//! Two FUSE mounts of one directory on the host that stand for a share between kernels.

use super::{Held, Offer, Rig, Site, described_on_host, mount_point};
use crate::error::LabError;
use crate::faulty::TwoMounts;
use crate::imitations;
use crate::side::Side;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Imitation {
    of: Imitated,
}

/// By [`imitations::Share::name`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Imitated(imitations::Share);

impl TryFrom<String> for Imitated {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = imitations::Share::ALL.iter().find(|share| share.name() == name);
        found.map(|share| Imitated(*share)).ok_or_else(|| format!("{name:?} is not imitated"))
    }
}

impl Offer for Imitation {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let places = [mount_point(site, "A")?, mount_point(site, "B")?];
        let mounts = TwoMounts::like_at(self.of.0, &site.directory, places)?;
        let side = |name, directory| Side::host(name, site.lab.shared(), directory);
        Ok(Rig {
            server: side("server", &site.directory),
            clients: vec![side("A", mounts.first().path()), side("B", mounts.second().path())],
            mounted: described_on_host(mounts.first().path())?,
            held: Held { _two_mounts: Some(mounts), ..Held::default() },
        })
    }
}
