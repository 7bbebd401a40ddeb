//! `serve`: an owner as a service.

mod live;
mod look;

pub(super) use live::Live;

use super::{facts, refused};
use crate::answer;
use crate::args::{FixArguments, ServiceArguments, UnitOf};
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::unused::Kernel;
use serde::Serialize;
use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tombolo_core::report::KernelCount;
use tombolo_core::wire::address::Endpoint;
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::remedy::quoted;
use tombolo_door::Address;
use tombolo_os::{read, user};
use tombolo_owner::engine::EngineKind;
use tombolo_remedy::Error;
use tombolo_remedy::config::HostPath;
use tombolo_remedy::guard::Watch as _;
use tombolo_remedy::plan::{Plan, RemedyName};
use tombolo_remedy::record::{Ended, Standing};
use tombolo_remedy::remedies::{self, By, Serving};
use tombolo_remedy::service::{Engine, Look, Manager, Services as _, Wanted};
use tombolo_remedy::state::Place;

/// Name and version of the JSON of a look.
const CHECK_SCHEMA: &str = "tombolo.check/1";
/// Where an administrator's units are: systemd.unit(5).
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// It is there where systemd runs the machine: sd_booted(3).
const SYSTEM_RUNS: &str = "/run/systemd/system";

/// What was seen from an app's side.
#[derive(Serialize)]
struct Checked<'a> {
    schema: &'static str,
    database: String,
    addresses: &'a [String],
    seen: &'a [String],
}

pub(super) fn planned(
    arguments: &FixArguments,
    place: &Place,
    wanted: &ServiceArguments,
) -> Result<Plan, Failure> {
    facts::database(place).map_err(refused)?;
    let directory = directory(place, wanted)?;
    if let Some(by) = Live.owner(&place.target()) {
        return Err(refused(Error::ServedAlready { by }));
    }
    let (engine, reach) = engine(place, &directory)?;
    if reach != KernelCount::One && !arguments.run.assume_unused {
        check_elsewhere(place)?;
    }
    let status = read::status(&place.target()).map_err(|error| refused(error.into()))?;
    let service = Wanted {
        name: wanted.name.clone(),
        directory: plain(&directory)?,
        binary: plain(&own_program()?)?,
        user: user::name_or_number(Path::new("/"), status.uid),
        numbers: (status.uid, status.gid),
        listen: wanted.listen.iter().map(ToString::to_string).collect(),
        keys: wanted.keys.clone(),
    };
    let openers = Kernel.look(&place.target()).map(|found| found.openers).unwrap_or_default();
    let serving = |by| Serving {
        wanted: &service,
        by,
        engine,
        openers: &openers,
        addresses: wanted.listen.iter().filter_map(called).collect(),
    };
    let plan = match &wanted.compose {
        Some(file) => {
            let file = named(file)?;
            let by = By::Compose { file: &file, tool: live::compose_tool() };
            remedies::serve(place, &serving(by))
        }
        None => {
            let (manager, units) = manager(wanted.unit, &directory)?;
            check_user(&manager, status.uid, place)?;
            remedies::serve(place, &serving(By::Unit { manager, directory: &units }))
        }
    };
    plan.map_err(refused)
}

/// Whether an earlier run has set it up, and its owner answers.
pub(super) fn is_done(place: &Place, standing: &Standing) -> bool {
    standing.ended == Some(Ended::Applied)
        && standing.plan.remedy == RemedyName::Serve
        && Live.owner(&place.target()).is_some()
}

/// Only looks.
pub(super) fn check(arguments: &FixArguments, wanted: &ServiceArguments) -> Result<Exit, Failure> {
    let database = std::path::absolute(&arguments.path)
        .map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let database = std::fs::canonicalize(&database).unwrap_or(database);
    let address = match &wanted.owner {
        Some(address) => address.clone(),
        None => match Address::find(&database) {
            Some(Address::Unix(socket)) => format!("unix:{}", socket.display()),
            _ => {
                let text = format!("no owner is beside {} or above it", database.display());
                return Err(Failure::new(Exit::NotExamined, text)
                    .hint("--owner tells where it listens, as for an owner on another kernel"));
            }
        },
    };
    let look = Look {
        database,
        addresses: vec![address],
        credentials: wanted.credentials.clone(),
        service: None,
    };
    let seen = Live.look(&look).map_err(|said| Failure::new(Exit::Findings, said))?;
    let database = look.database.display().to_string();
    let addresses = &look.addresses;
    let checked = Checked { schema: CHECK_SCHEMA, database, addresses, seen: &seen };
    answer::print(arguments.run.format, &checked, |page| {
        page.paragraph(0, &format!("{} from an app's side:", checked.database));
        for sentence in checked.seen {
            page.hanging("  - ", "    ", sentence);
        }
    })?;
    Ok(Exit::Healthy)
}

/// The directory that is served, which holds the database.
fn directory(place: &Place, wanted: &ServiceArguments) -> Result<PathBuf, Failure> {
    let Some(named) = &wanted.directory else { return Ok(place.directory.clone()) };
    let directory = std::fs::canonicalize(named).map_err(|error| {
        Failure::new(Exit::NotExamined, format!("{}: {error}", named.display()))
    })?;
    if place.directory.starts_with(&directory) && directory.is_dir() {
        return Ok(directory);
    }
    let text = format!("{} is not in {}", place.target().display(), directory.display());
    Err(refused(Error::NotApplicable(text)))
}

/// The engine by which `tombolo serve` would serve it: the same for the database and for all of
/// the directory.
fn engine(place: &Place, directory: &Path) -> Result<(Engine, KernelCount), Failure> {
    let report = examine::report(directory, Probes::Run);
    let (kind, _) = crate::serve::choose(&report)?;
    let other = |path| crate::serve::choose(&examine::report(path, Probes::Run));
    if place.directory != directory && other(&place.directory)?.0 != kind {
        let text = format!(
            "{} needs another engine than {}: serve the two apart, with --directory",
            place.directory.display(),
            directory.display()
        );
        return Err(refused(Error::NotApplicable(text)));
    }
    let engine = match kind {
        EngineKind::Shared => Engine::Shared,
        EngineKind::Sole => Engine::Sole,
    };
    Ok((engine, report.topology.reach.count))
}

/// Where other kernels reach the files, a socket at which nobody answers here can be that of an
/// owner there. Two owners would each take the file for their own.
fn check_elsewhere(place: &Place) -> Result<(), Failure> {
    let Some(socket) = live::silent_socket(&place.target()) else { return Ok(()) };
    let text = format!(
        "nobody answers here at {}, which can be the socket of an owner on another kernel",
        socket.display()
    );
    let hint = "ask there with tombolo status; where there is none, say --assume-unused";
    Err(Failure::new(Exit::Findings, text).hint(hint))
}

/// Whose systemd, and where its units are.
fn manager(unit: Option<UnitOf>, directory: &Path) -> Result<(Manager, PathBuf), Failure> {
    let system = match unit {
        Some(UnitOf::System) => true,
        Some(UnitOf::User) => false,
        Some(UnitOf::Own) | None => user::own() == 0,
    };
    let missing = |whose: &str| {
        let command = format!("tombolo serve {}", quoted(&directory.display().to_string()));
        let text = format!("no systemd {whose} runs here, so no unit can be started");
        let hint = format!(
            "--compose FILE writes a service of containers; by hand, or by what else runs \
             services here, it is: {command}"
        );
        Failure::new(Exit::Findings, text).hint(hint)
    };
    if system {
        if !Path::new(SYSTEM_RUNS).is_dir() {
            return Err(missing("of the machine"));
        }
        if user::own() != 0 {
            let failure = Failure::new(Exit::Findings, "only root adds units to the machine");
            return Err(failure.hint("--unit=user adds one for this user"));
        }
        return Ok((Manager::System, SYSTEM_UNITS.into()));
    }
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // The manager of a user makes it: user@.service(5).
    if !variable("XDG_RUNTIME_DIR").is_some_and(|runtime| runtime.join("systemd").is_dir()) {
        return Err(missing("of this user"));
    }
    let home = || variable("HOME").map(|home| home.join(".config"));
    let configuration = variable("XDG_CONFIG_HOME").or_else(home);
    let configuration = configuration.ok_or_else(|| missing("of this user"))?;
    Ok((Manager::User, configuration.join("systemd/user")))
}

/// A unit of a user runs as that user, and the database must be his.
fn check_user(manager: &Manager, owner: u32, place: &Place) -> Result<(), Failure> {
    if *manager != Manager::User || owner == user::own() {
        return Ok(());
    }
    let text = format!(
        "{} belongs to {}, and a unit of this user would run as {}",
        place.target().display(),
        user::in_words(Path::new("/"), owner),
        user::in_words(Path::new("/"), user::own())
    );
    Err(refused(Error::NotApplicable(text)))
}

/// An address that is listened at, as it is called on the same machine; `None` for one that only
/// other machines call.
fn called(endpoint: &Endpoint) -> Option<String> {
    let Endpoint::Tcp(address) = endpoint else { return None };
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Some(Endpoint::Tcp(SocketAddr::new(ip, address.port())).to_string())
}

fn own_program() -> Result<PathBuf, Failure> {
    let own = env::current_exe().and_then(std::fs::canonicalize);
    own.map_err(|error| Failure::new(Exit::NotExamined, error))
}

/// A path that stands in units and Compose files without quotes.
fn plain(path: &Path) -> Result<HostPath, Failure> {
    let text = path.display().to_string();
    text.parse::<HostPath>().map_err(|error| refused(Error::NotApplicable(error.to_string())))
}

/// A file that may be new, in a directory that is there, without links on the way.
fn named(file: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::NotExamined, format!("{}: {error}", file.display()))
    };
    if let Ok(whole) = std::fs::canonicalize(file) {
        return Ok(whole);
    }
    let whole = std::path::absolute(file).map_err(failed)?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(Failure::new(Exit::Usage, "--compose names a file"));
    };
    Ok(std::fs::canonicalize(parent).map_err(failed)?.join(name))
}
