//! `serve`: an owner as a service.

use super::keep;
use super::mount::configuration_text;
use crate::config::{self, Edit, Edited};
use crate::copy;
use crate::error::{Error, programs};
use crate::plan::{Action, PLAN_SCHEMA, Plan, RemedyName, Step};
use crate::service::{self, ComposeTool, Engine, Look, Manager, Service, Wanted};
use crate::state::Place;
use std::path::{Path, PathBuf};
use tombolo_core::report::Opener;
use tombolo_core::wire::address::{CID_ANY, Endpoint, NetworkAddress};
use tombolo_core::wire::place::{CREDENTIALS, SOCKET, within};

/// What is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving<'a> {
    /// The service.
    pub wanted: &'a Wanted,
    /// By what, and in which file.
    pub by: By<'a>,
    /// Which engine the doctor's experiments allow.
    pub engine: Engine,
    /// Who has the database open now.
    pub openers: &'a [Opener],
    /// The addresses of `wanted` as they are called from here.
    pub addresses: Vec<String>,
}

/// What runs the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// systemd, by a new unit.
    Unit {
        /// Whose.
        manager: Manager,
        /// The directory of its units.
        directory: &'a Path,
    },
    /// A container tool, by a Compose file, which may be there already.
    Compose {
        /// The file, free of symbolic links.
        file: &'a Path,
        /// The tool; `None` where there is none here, and the file is all.
        tool: Option<ComposeTool>,
    },
}

/// An owner as a service, started and looked at from an app's side.
///
/// # Errors
/// [`Error::Config`] where a Compose file is not edited, [`Error::NotApplicable`] where a file is
/// there already, and what the kernel said.
pub fn serve(place: &Place, serving: &Serving<'_>) -> Result<Plan, Error> {
    let Serving { wanted, engine, .. } = *serving;
    let directory = PathBuf::from(wanted.directory.as_str());
    let name = wanted.name.as_str().to_owned();
    let service = match &serving.by {
        By::Unit { manager, .. } => {
            Some(Service { manager: manager.clone(), name, directory: directory.clone() })
        }
        By::Compose { file, tool } => tool.map(|tool| {
            let manager = Manager::Compose { file: (*file).to_owned(), tool };
            Service { manager, name, directory: directory.clone() }
        }),
    };
    let database = place.target();
    let mut steps = vec![Step {
        title: format!("Make sure that nobody else serves {}", database.display()),
        action: Action::CheckFree { engine, service: service.clone() },
        reads: vec![database.clone()],
        writes: Vec::new(),
        could_break: "Nothing of yours. Where an owner answers, the run ends here.".to_owned(),
    }];
    steps.extend(files(place, serving)?);
    if let Some(service) = service {
        let look = Look {
            database: database.clone(),
            addresses: addresses(serving, &directory),
            credentials: wanted
                .keys
                .as_ref()
                .map(|keys| Path::new(keys.as_str()).join(CREDENTIALS)),
            service: Some(service.clone()),
        };
        steps.extend(started(&service, look));
    }
    Ok(Plan {
        schema: PLAN_SCHEMA.to_owned(),
        remedy: RemedyName::Serve,
        target: database,
        steps,
        cautions: cautions(place, serving),
    })
}

/// Its Unix socket, and what is listened to besides.
fn addresses(serving: &Serving<'_>, directory: &Path) -> Vec<String> {
    let socket = within(directory).join(SOCKET);
    let own = format!("unix:{}", socket.display());
    std::iter::once(own).chain(serving.addresses.iter().cloned()).collect()
}

/// The steps that write files.
fn files(place: &Place, serving: &Serving<'_>) -> Result<Vec<Step>, Error> {
    let wanted = serving.wanted;
    match &serving.by {
        By::Unit { manager, directory } => {
            let file = directory.join(format!("{}.service", wanted.name));
            if std::fs::symlink_metadata(&file).is_ok() {
                return Err(Error::NotApplicable(format!(
                    "{} exists; nothing is overwritten: --name NAME takes another name",
                    file.display()
                )));
            }
            Ok(vec![made("Write the unit", file, service::unit(manager, wanted))])
        }
        By::Compose { file, .. } if std::fs::symlink_metadata(file).is_ok() => {
            let text = configuration_text(&Place::of(file)?)?;
            let refused = |refusal| Error::Config { path: (*file).to_owned(), refusal };
            let Edited { edits, .. } = service::added(&text, wanted).map_err(refused)?;
            Ok(edited(place, file, &text, edits))
        }
        By::Compose { file, .. } => {
            Ok(vec![made("Write the Compose file", (*file).to_owned(), service::whole(wanted))])
        }
    }
}

fn made(what: &str, file: PathBuf, text: String) -> Step {
    Step {
        title: format!("{what} {}", file.display()),
        writes: vec![file.clone()],
        action: Action::MakeFile { file, text },
        reads: Vec::new(),
        could_break: "Nothing of yours: a file of this name is never overwritten.".to_owned(),
    }
}

fn edited(place: &Place, file: &Path, text: &str, edits: Vec<Edit>) -> Vec<Step> {
    let after = config::edited(text, &edits).unwrap_or_default();
    let [before, after] = [text, &after].map(|text| copy::digest_of(text.as_bytes()));
    let path = file.to_owned();
    vec![
        keep(place, file, &before),
        Step {
            title: format!("Add the service to {}", file.display()),
            action: Action::WriteFile { edits, before, after, file: Some(path.clone()) },
            reads: vec![path.clone()],
            writes: vec![path],
            could_break: "The file is the old one or the new one at every moment. No other byte \
                          of it changes."
                .to_owned(),
        },
    ]
}

/// The steps that start it and look at it.
fn started(service: &Service, look: Look) -> [Step; 2] {
    let later = match service.manager {
        Manager::System => "now and whenever the machine starts",
        Manager::User => "now and whenever this user's session starts",
        Manager::Compose { .. } => "now, as a container",
    };
    let scratch = service::scratch(&look.database);
    [
        Step {
            title: format!("Start {}, {later}", service.name),
            action: Action::StartService { service: service.clone() },
            reads: vec![service.directory.clone()],
            writes: vec![within(&service.directory), look.database.clone()],
            could_break: "The owner looks first, as the doctor does, and ends where nothing is \
                          safe. It opens a database when an app asks for it."
                .to_owned(),
        },
        Step {
            title: "Look at the database from an app's side".to_owned(),
            reads: vec![look.database.clone()],
            writes: vec![scratch],
            action: Action::CheckService { look },
            could_break: "Nothing of yours: it is read, and its turn to write taken and given \
                          back. What is written goes to a scratch database beside it, which is \
                          removed."
                .to_owned(),
        },
    ]
}

/// What to know, and what apps must change.
fn cautions(place: &Place, serving: &Serving<'_>) -> Vec<String> {
    let wanted = serving.wanted;
    let (database, directory) = (place.target(), wanted.directory.as_str());
    let database = database.display();
    let mut cautions = vec![format!(
        "All SQLite databases below {directory} are served, as far as apps ask for them."
    )];
    cautions.push(match serving.engine {
        Engine::Shared => format!(
            "Stock programs of this kernel may go on using the files themselves, reading and \
             writing, beside those at the door{}.",
            open_by(serving.openers)
        ),
        Engine::Sole => "Only the owner may use the files from now on: WAL mode works there in \
                         one process alone. Every program goes through the door."
            .to_owned(),
    });
    cautions.push(format!(
        "An app of this kernel goes through the door by tombolo run -- COMMAND, or, where it loads \
         libtombolo.so, by the URI file:{database}?vfs=tombolo. It runs as the user of the \
         service."
    ));
    let credentials = wanted
        .keys
        .as_ref()
        .map_or_else(|| within(Path::new(directory)), |keys| PathBuf::from(keys.as_str()));
    let credentials = credentials.join(CREDENTIALS);
    match wanted.listen.as_slice() {
        [] => cautions.push(
            "An app on another kernel does not reach a Unix socket: --listen tcp://IP:PORT gives \
             the owner an address as well."
                .to_owned(),
        ),
        addresses => cautions.extend(addresses.iter().map(|address| {
            format!(
                "An app on another kernel is told TOMBOLO_OWNER={}, with tombolo run -- COMMAND \
                 or the URI of its own path: file:PATH?vfs=tombolo. It finds {} by the shared \
                 directory, or TOMBOLO_CREDENTIALS names a copy of it.",
                as_called(address),
                credentials.display()
            )
        })),
    }
    cautions.push(
        "While a program of another kernel still opens a file itself, nothing is safe: stop it, \
         or let it go through the door."
            .to_owned(),
    );
    cautions.extend(of_what_runs_it(place, serving));
    cautions
}

/// An address that is listened at, as others call it: where it stands for all of this machine, one
/// of them is to be put in; a guest calls its host as machine 2 (`VMADDR_CID_HOST` of vsock(7)).
fn as_called(address: &str) -> String {
    match NetworkAddress::parse(address.as_bytes()).map(|network| network.endpoint) {
        Ok(Endpoint::Tcp(socket)) if socket.ip().is_unspecified() => {
            format!("tcp://ADDRESS:{} (ADDRESS is one of this machine)", socket.port())
        }
        Ok(Endpoint::Vsock { cid: CID_ANY, port }) => format!("vsock://2:{port}"),
        _ => address.to_owned(),
    }
}

fn of_what_runs_it(place: &Place, serving: &Serving<'_>) -> Vec<String> {
    let wanted = serving.wanted;
    let binary = wanted.binary.as_str();
    match &serving.by {
        By::Unit { manager: Manager::User, .. } => vec![
            format!("The unit runs {binary}, which must stay there."),
            "It runs while its user is logged in; loginctl enable-linger lets it run from the \
             start of the machine (loginctl(1))."
                .to_owned(),
        ],
        By::Unit { .. } => vec![format!(
            "The unit runs {binary}, which must stay there, where only root may write."
        )],
        By::Compose { file, tool } => {
            let (directory, (user, group)) = (wanted.directory.as_str(), wanted.numbers);
            let mut texts = vec![format!(
                "Services of the file that use the database mount {directory} at the same path, \
                 run as user \"{user}:{group}\", and load libtombolo.so. The binary must run in \
                 the image: that of cargo xtask dist is static."
            )];
            if tool.is_none() {
                texts.push(format!(
                    "No docker compose, docker-compose or podman compose is here: start it with \
                     docker compose -f {} up --detach {}, and then look at it with tombolo fix {} \
                     serve --check.",
                    file.display(),
                    wanted.name,
                    place.target().display()
                ));
            }
            texts
        }
    }
}

fn open_by(openers: &[Opener]) -> String {
    if openers.is_empty() {
        return String::new();
    }
    format!("; {} has it open and need not stop", programs(openers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_told_an_address_that_can_be_called() {
        for (listened_at, called) in [
            ("tcp://192.0.2.1:7000", "tcp://192.0.2.1:7000"),
            ("tcp://0.0.0.0:7000", "tcp://ADDRESS:7000 (ADDRESS is one of this machine)"),
            ("tcp://[::]:7000", "tcp://ADDRESS:7000 (ADDRESS is one of this machine)"),
            ("vsock://any:7000", "vsock://2:7000"),
        ] {
            assert_eq!(as_called(listened_at), called);
        }
    }
}
