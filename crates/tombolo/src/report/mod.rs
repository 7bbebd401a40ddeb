//! `tombolo report`: what an issue tracker or a forum gets.

mod preview;
pub(crate) mod target;

use crate::args::ReportArguments;
use crate::exit::{self, Exit, Failure};
use crate::progress::ProgressLine;
use crate::render;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use target::Target;
use tombolo_core::report::Report;
use tombolo_doctor::bundle::{Bundle, Known, Material, MountLine, Prepared, mount_lines};
use tombolo_doctor::diagnosis::{Probes, Progress, Request, Viewpoint, diagnose};
use tombolo_os::mount_table::{self, Viewer};

/// Bytes of a post that trackers take; GitHub's limit is 65,536 characters.
const POST_BYTES: usize = 65_000;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Exit, Failure> {
    tombolo_os::signal::catch_stop();
    // Before the examination: who cannot be given a report need not wait for one.
    let targets = targets(arguments)?;
    let report = examine(arguments);
    let mounts = mounts(&report);
    let material = Material {
        tombolo: env!("CARGO_PKG_VERSION").to_owned(),
        report,
        mounts,
        trace: Vec::new(),
    };
    let prepared = Bundle::prepare(material, &known(arguments));
    let texts = texts(&prepared, &targets)?;
    match preview::wanted(&prepared, arguments.yes) {
        preview::Answer::Yes => {}
        preview::Answer::No => {
            anstream::eprintln!("tombolo: nothing was written");
            return Ok(Exit::Findings);
        }
        preview::Answer::NobodyAsked => {
            let failure = Failure::new(Exit::Usage, "nothing was written: nobody could be asked");
            return Err(failure.hint("--yes writes what was counted above"));
        }
    }
    for (target, text) in targets.into_iter().zip(texts) {
        write(target, &text)?;
    }
    Ok(Exit::Healthy)
}

/// What is written, and to where.
enum Form {
    Post(Option<Target>),
    Page(Target),
}

/// Makes the files, so that a name that cannot be had is told at once.
fn targets(arguments: &ReportArguments) -> Result<Vec<Form>, Failure> {
    let make = |path: &Path| {
        Target::new(path).map_err(|error| {
            let failure = Failure::new(Exit::NotExamined, error);
            failure.hint("the file must not exist yet, and its directory must be writable")
        })
    };
    let mut all = Vec::new();
    match (&arguments.output, &arguments.html) {
        (Some(output), _) => all.push(Form::Post(Some(make(output)?))),
        (None, None) => all.push(Form::Post(None)),
        (None, Some(_)) => {}
    }
    if let Some(path) = &arguments.html {
        all.push(Form::Page(make(path)?));
    }
    Ok(all)
}

fn examine(arguments: &ReportArguments) -> Report {
    let request = Request {
        path: arguments.path.clone(),
        viewpoint: Viewpoint::Own,
        probes: if arguments.no_probes { Probes::Skip } else { Probes::Run },
        timeout: arguments.timeout,
        overtime: Duration::ZERO,
        peers: None,
    };
    let mut line = ProgressLine::new();
    let name = arguments.path.display().to_string();
    diagnose(&request, &mut |progress| match progress {
        Progress::Probe(kind) => line.show(&format!("{name}: {}", kind.as_str())),
        Progress::Search { directory, files, databases } => {
            line.show(&format!("{files} files, {databases} databases in {}", directory.display()))
        }
        _ => {}
    })
}

/// The lines of the mount table about the path; none where it cannot be read, which the doctor has
/// said already.
fn mounts(report: &Report) -> Vec<MountLine> {
    let table = mount_table::read(Path::new("/proc"), Viewer::Own);
    table.map_or_else(
        |_| Vec::new(),
        |table| mount_lines(&table, Path::new(&report.target.resolved)),
    )
}

/// Names that the environment tells.
fn known(arguments: &ReportArguments) -> Known {
    let variables = ["USER", "LOGNAME", "SUDO_USER", "DOAS_USER"];
    let mut users: Vec<String> =
        variables.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let home = std::env::home_dir();
    users.extend(home.and_then(|home| Some(home.file_name()?.to_string_lossy().into_owned())));
    Known {
        host: tombolo_os::kernel::host_name(),
        users,
        passwd: tombolo_os::user::table(Path::new("/")),
        hidden: arguments.hide.clone(),
    }
}

/// The texts in the order of their targets. None of them may hold what was to be replaced.
fn texts(prepared: &Prepared, targets: &[Form]) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for form in targets {
        let text = match form {
            Form::Post(_) => render::post(&prepared.bundle),
            Form::Page(_) => render::html(&prepared.bundle),
        };
        let text = text.map_err(|error| Failure::new(Exit::NotExamined, error))?;
        let survivors = prepared.survivors(&text);
        if let Some(one) = survivors.first() {
            let failure = Failure::new(
                Exit::NotExamined,
                format!("nothing was written: {} are still in it", one.kind.in_words()),
            );
            return Err(failure.hint("this is a defect of Tombolo; please report it"));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn write(target: Form, text: &str) -> Result<(), Failure> {
    if matches!(target, Form::Post(_)) && text.len() > POST_BYTES {
        anstream::eprintln!(
            "tombolo: the text has {} bytes, more than many trackers take: attach it as a file",
            text.len()
        );
    }
    match target {
        Form::Post(None) => {
            let mut out = std::io::stdout().lock();
            exit::printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
        }
        Form::Post(Some(file)) | Form::Page(file) => {
            let path = file.path().display().to_string();
            file.keep(text).map_err(|error| Failure::new(Exit::NotExamined, error))?;
            anstream::eprintln!("tombolo: wrote {path}");
            Ok(())
        }
    }
}
