//! `tombolo status`: how an owner is.

use crate::args::{StatusArguments, StatusFormat};
use crate::exit::{self, Exit, Failure};
use crate::render::{self, Page};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tombolo_core::owner::status::{SCHEMA, Status, prometheus};
use tombolo_door::address::socket_within;
use tombolo_door::{Address, OwnerStatus};
use tombolo_os::signal;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &StatusArguments) -> Result<Exit, Failure> {
    let path = arguments.path.as_deref().unwrap_or(Path::new("."));
    let address = address(arguments, path)?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut owner = OwnerStatus::connect(&address, &absolute).map_err(no_owner)?;
    signal::catch_stop();
    loop {
        let document = owner.ask().map_err(no_owner)?;
        print(&document, arguments.format)?;
        if !arguments.watch {
            return Ok(Exit::Healthy);
        }
        pause();
        if signal::stop_wanted() {
            return Ok(Exit::Healthy);
        }
    }
}

/// A signal ends it early.
#[expect(clippy::disallowed_methods, reason = "nothing happens that could be waited for")]
fn pause() {
    std::thread::sleep(PAUSE);
}

fn no_owner(refusal: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::NotExamined, refusal.to_string())
}

fn address(arguments: &StatusArguments, path: &Path) -> Result<Address, Failure> {
    if let Some(owner) = arguments.owner.as_ref().filter(|owner| !owner.is_empty()) {
        let address = Address::parse(owner.as_bytes())
            .map_err(|refusal| Failure::new(Exit::Usage, refusal.to_string()))?;
        let credentials = arguments.credentials.clone();
        return Ok(match credentials.filter(|file| !file.as_os_str().is_empty()) {
            Some(file) => address.with_credentials(file),
            None => address,
        });
    }
    let real = std::fs::canonicalize(path)
        .map_err(|error| Failure::new(Exit::NotExamined, format!("{}: {error}", path.display())))?;
    let own = socket_within(&real);
    let found = if own.exists() { Some(Address::Unix(own)) } else { Address::find(&real) };
    found.ok_or_else(|| {
        let message = format!("no owner is beside {} or above it", path.display());
        Failure::new(Exit::NotExamined, message)
            .hint("tombolo serve PATH starts one; --owner tells where it listens")
    })
}

fn print(document: &[u8], format: StatusFormat) -> Result<(), Failure> {
    let strange = |why: String| {
        let message = format!("the owner answered what is no {SCHEMA}: {why}");
        Failure::new(Exit::NotExamined, message)
    };
    let status: Status =
        serde_json::from_slice(document).map_err(|error| strange(error.to_string()))?;
    if status.schema != SCHEMA {
        return Err(strange(status.schema));
    }
    let text = match format {
        // One line for each, so that a reader of --watch can tell them apart, and as it came: it
        // may hold fields that are newer than this program.
        StatusFormat::Json => String::from_utf8_lossy(document).into_owned() + "\n",
        StatusFormat::Prometheus => prometheus::text(&status),
        StatusFormat::Text => {
            let mut page = Page::new();
            render::status(&mut page, &status);
            page.into_text()
        }
    };
    let mut out = anstream::stdout().lock();
    exit::printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}
