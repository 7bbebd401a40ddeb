//! No share at all: the control of the experiments.

use super::{Held, Offer, Rig, Site};
use crate::error::LabError;
use crate::side::Side;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Local {}

impl Offer for Local {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let side = |name| Side::host(name, site.lab.shared(), &site.directory);
        let shown = site.directory.display();
        let mounted = side("server")
            .shell(&format!("findmnt -n -o FSTYPE,OPTIONS --target '{shown}'"), super::PATIENCE)?;
        Ok(Rig {
            server: side("server"),
            clients: vec![side("A"), side("B")],
            mounted: mounted.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
            held: Held::default(),
        })
    }
}
