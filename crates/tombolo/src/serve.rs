//! `tombolo serve`: owns a database.

use crate::args::{EngineChoice, Listen, ServeArguments};
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::log;
use std::path::PathBuf;
use tombolo_core::owner::limits::Limits;
use tombolo_core::report::{Judgement, Mode, Openers, Report, Verdict};
use tombolo_core::wire::address::{NetworkAddress, Protection};
use tombolo_doctor::diagnosis::Probes;
use tombolo_os::{descriptors, signal};
use tombolo_owner::engine::EngineKind;
use tombolo_owner::server::{Network, ServeError, Server, Settings};

pub(crate) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    log::start(arguments.log_format, arguments.log_level);
    let (socket, network) = places(arguments)?;
    let (kind, because) = engine(arguments)?;
    let settings = Settings {
        path: arguments.path.clone(),
        kind,
        limits: Limits::default(),
        socket,
        spill_directory: arguments.spill_directory.clone(),
        network,
    };
    signal::catch_stop();
    raise_descriptor_limit(settings.limits.sessions_max);
    let server = Server::start(settings).map_err(failure)?;
    let name = match kind {
        EngineKind::Shared => "shared",
        EngineKind::Sole => "sole",
    };
    tracing::info!(engine = name, because, "the engine is chosen");
    let (path, address) = (arguments.path.display(), server.address());
    tracing::info!(%path, "it is served at {address}");
    for address in server.network_addresses() {
        tracing::info!(%path, "it is served at {address}");
    }
    server.run(&signal::stop_wanted).map_err(failure)?;
    Ok(Exit::Healthy)
}

/// A session is a descriptor, and many systems give a program 1024 unless it asks for more.
fn raise_descriptor_limit(sessions_max: usize) {
    match descriptors::raise_limit() {
        Ok(limit) if limit >= sessions_max as u64 => {}
        Ok(limit) => tracing::info!(limit, "fewer descriptors than {sessions_max} sessions take"),
        Err(error) => tracing::warn!(%error, "the limit of descriptors cannot be raised"),
    }
}

fn failure(error: ServeError) -> Failure {
    let exit = match &error {
        ServeError::ServedAlready(_) | ServeError::Engine { .. } | ServeError::Keys(_) => {
            Exit::Findings
        }
        ServeError::Io { .. } | ServeError::Stopped { .. } => Exit::NotExamined,
    };
    let is_of_keys = matches!(error, ServeError::Keys(_));
    let hint = is_of_keys.then(|| "--keys DIRECTORY keeps them where only this user is".to_owned());
    Failure::new(exit, error).hint_if_any(hint)
}

/// Where to listen.
fn places(arguments: &ServeArguments) -> Result<(Option<PathBuf>, Network), Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let mut socket = None;
    let mut network = Network { listen: Vec::new(), keys: arguments.keys.clone() };
    let protection = if arguments.insecure { Protection::None } else { Protection::Tls };
    for place in &arguments.listen {
        match place {
            Listen::Unix(path) if socket.is_some() => {
                let text = format!("{}: there is one Unix socket already", path.display());
                return Err(usage(text));
            }
            Listen::Unix(path) => socket = Some(path.clone()),
            Listen::Network(endpoint) => {
                let is_bare = arguments.insecure && !arguments.insecure_for_others;
                if is_bare && !endpoint.is_loopback() {
                    let text = format!("other machines reach {endpoint}, and would be let in");
                    let hint =
                        "without --insecure it is encrypted; --insecure-for-others allows it";
                    return Err(usage(text).hint(hint));
                }
                network.listen.push(NetworkAddress { endpoint: *endpoint, protection });
            }
        }
    }
    Ok((socket, network))
}

/// Which engine, and why.
fn engine(arguments: &ServeArguments) -> Result<(EngineKind, String), Failure> {
    let told = "it was asked for on the command line".to_owned();
    match arguments.engine {
        EngineChoice::Shared => Ok((EngineKind::Shared, told)),
        EngineChoice::Sole => Ok((EngineKind::Sole, told)),
        EngineChoice::Auto => choose(&examine::report(&arguments.path, Probes::Run)),
    }
}

/// The engine that the doctor's experiments allow, and why.
pub(crate) fn choose(report: &Report) -> Result<(EngineKind, String), Failure> {
    let verdict = |mode| {
        report
            .verdicts
            .iter()
            .find(|verdict| verdict.mode == mode && verdict.openers == Openers::OneKernel)
    };
    let works = |verdict: &&Verdict| matches!(verdict.judgement, Judgement::Safe | Judgement::Slow);
    let engines = [(Mode::Wal, EngineKind::Shared), (Mode::WalOneProcess, EngineKind::Sole)];
    for (mode, kind) in engines {
        if let Some(found) = verdict(mode).filter(works) {
            return Ok((kind, found.because.clone()));
        }
    }
    let because = verdict(Mode::WalOneProcess)
        .map_or_else(|| report.summary.clone(), |verdict| verdict.because.clone());
    let message = format!("no engine is safe there: {because}");
    Err(Failure::new(Exit::Findings, message).hint("tombolo doctor says more"))
}
