//! A network card of a guest, and what can be done to its cable.

use super::Guest;
use crate::error::LabError;
use serde_json::json;
use std::time::Duration;

/// One of a guest's networks. The lab's own way into the guest is another one.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    guest: &'a Guest,
    card: &'static str,
    interface: &'static str,
}

impl<'a> Link<'a> {
    pub(super) fn new(guest: &'a Guest, card: &'static str, interface: &'static str) -> Self {
        Link { guest, card, interface }
    }

    /// Pulls the cable: nothing gets through in either direction.
    ///
    /// # Errors
    /// What QEMU said.
    pub fn cut(&self) -> Result<(), LabError> {
        self.set(false)
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// What QEMU said.
    pub fn restore(&self) -> Result<(), LabError> {
        self.set(true)
    }

    fn set(&self, up: bool) -> Result<(), LabError> {
        let arguments = json!({"name": self.card, "up": up});
        self.guest.monitor("set_link", &arguments)
    }

    /// Holds back what the guest sends, each packet by this time (`tc-netem(8)` in the guest); zero
    /// ends that.
    ///
    /// # Errors
    /// When the guest has no `tc` (package iproute2) or no such module, or is gone.
    pub fn delay(&self, delay: Duration) -> Result<(), LabError> {
        let of =
            |verb: &str| ["tc", "qdisc", verb, "dev", self.interface, "root"].map(str::to_owned);
        if delay.is_zero() {
            return self.guest.run(&of("del"))?.require_success().map(drop);
        }
        let mut argv = of("replace").to_vec();
        argv.extend(["netem", "limit", "10000", "delay"].map(str::to_owned));
        argv.push(format!("{}us", delay.as_micros()));
        self.guest.run(&argv)?.require_success().map(drop)
    }
}
