//! The `tombolo-lab` command: what the lab needs, a guest to try things in, and, for the lab's own
//! use, what runs between it and its children and inside its guests.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tombolo_lab::matrix::{self, Progress, State};
use tombolo_lab::{
    Fetched, GuestSpec, Lab, LabError, Need, Output, QemuShare, Status, install_kernels,
    install_packages, install_virtiofsd, needs, runtimes,
};

/// How much later than the guest the host gives up: a guest that is busy answers late.
const SLACK: Duration = Duration::from_secs(40);

/// An exit code, or why there is none.
type Outcome = Result<u8, Box<dyn std::error::Error>>;

#[derive(Debug, Parser)]
#[command(name = "tombolo-lab", about = "Several real kernels on one machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one command in a guest, which has the programs and files of this machine; what it
    /// changes is lost, except on shares
    Run {
        #[command(flatten)]
        guest: GuestArguments,
        /// Keep the guest this long at most, in seconds
        #[arg(long, default_value_t = 3600)]
        timeout: u64,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true)]
        argv: Vec<String>,
    },
    /// Boot guests, one after the other, and say how long each takes and what memory
    Boot {
        #[command(flatten)]
        guest: GuestArguments,
        /// How many
        #[arg(long, default_value_t = 5)]
        times: u8,
    },
    /// Measure what stock SQLite does on file systems that several kernels share, and write
    /// matrix.md and matrix.json; exit code 1 if a rig is not whole or the doctor was wrong
    Matrix(MatrixArguments),
    /// Record what the runtimes of this machine say of errors of SQLite that are made on purpose.
    /// The example rusqlite_app must be built; modules of npm are found by NODE_PATH, those of PyPI
    /// by PYTHONPATH
    Record {
        /// Where the texts go, one file for each runtime
        directory: PathBuf,
        /// Only these runtimes
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(runtimes::names()))]
        names: Vec<String>,
    },
    /// Say what the lab needs and what of it is missing; exit code 1 if anything is
    Doctor {
        /// Install what is missing: packages through apt-get, kernels into this user's cache
        #[arg(long)]
        install: bool,
        /// Also build the virtiofs server that is written in Rust, from crates.io
        #[arg(long, requires = "install")]
        virtiofsd: bool,
    },
    /// The lab's program in a guest
    #[command(hide = true)]
    Agent,
    /// What the lab starts its children with
    #[command(hide = true)]
    Child {
        #[arg(long)]
        guard: bool,
        parent: u32,
        #[arg(last = true)]
        argv: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
struct GuestArguments {
    /// How the kernel's release begins, as in 6.1.; the newest by default
    #[arg(long, default_value = "")]
    kernel: String,
    /// Its memory in MiB
    #[arg(long, default_value_t = 320)]
    memory_mib: u32,
    /// A directory that it can mount: mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt
    #[arg(long, value_name = "TAG=DIRECTORY", value_parser = share)]
    share: Vec<QemuShare>,
    /// A further argument of the kernel
    #[arg(long, allow_hyphen_values = true)]
    kernel_argument: Vec<String>,
    /// A further argument of QEMU
    #[arg(long, allow_hyphen_values = true)]
    qemu_argument: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct MatrixArguments {
    /// Only the quick set, with fewer transactions
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// All rigs; the default
    #[arg(long)]
    full: bool,
    /// Only this rig, by its name in the data
    #[arg(long, value_name = "NAME")]
    rig: Vec<String>,
    /// How the release of the guests' kernel begins, as in `6.8.`, instead of those in the data
    #[arg(long, value_name = "RELEASE")]
    kernel: Option<String>,
    /// Rigs of one's own instead of the lab's
    #[arg(long, value_name = "FILE")]
    rigs: Option<PathBuf>,
    /// Where matrix.md and matrix.json go: docs by default when all rigs are run, else nowhere
    #[arg(long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,
    /// Keep the rows that are there of rigs that are not run now
    #[arg(long)]
    keep: bool,
    /// Run nothing: put the rows of this directory's matrix.json in
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["quick", "full", "rig"])]
    merge: Vec<PathBuf>,
    /// From how many sides the doctor is run: one by default in the quick set, else two
    #[arg(long, value_enum)]
    doctor: Option<matrix::DoctorFrom>,
    /// How long one rig may take, in seconds
    #[arg(long, default_value_t = 900)]
    rig_timeout: u64,
    /// What is written on standard output in the end
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl GuestArguments {
    fn spec(&self) -> GuestSpec {
        let mut spec = GuestSpec::new("guest").kernel(&self.kernel);
        spec.memory_mib = self.memory_mib;
        spec.shares.clone_from(&self.share);
        spec.kernel_arguments.clone_from(&self.kernel_argument);
        spec.qemu_arguments.clone_from(&self.qemu_argument);
        spec
    }
}

fn share(text: &str) -> Result<QemuShare, String> {
    let (tag, path) = text.split_once('=').ok_or("a tag, an equals sign, a directory")?;
    let path = Path::new(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
    Ok(QemuShare::virtfs(&path, tag))
}

fn main() -> ExitCode {
    let result: Outcome = match Arguments::parse().command {
        Command::Run { guest, timeout, argv } => run(&guest, Duration::from_secs(timeout), &argv),
        Command::Boot { guest, times } => boot(&guest, times),
        Command::Doctor { install, virtiofsd } => doctor(install, virtiofsd),
        Command::Matrix(arguments) => measure(&arguments),
        Command::Record { directory, names } => Ok(record(&directory, &names)),
        Command::Agent => tombolo_lab::agent().map(|never| match never {}).map_err(Into::into),
        Command::Child { guard: false, parent, argv } => {
            tombolo_lab::become_child(parent, &argv).map(|never| match never {}).map_err(Into::into)
        }
        Command::Child { guard: true, parent, argv } => {
            let code = |ended: Option<std::process::ExitStatus>| ended.and_then(|of| of.code());
            let ended = tombolo_lab::guard(parent, &argv);
            ended
                .map(|of| code(of).and_then(|of| of.try_into().ok()).unwrap_or(1))
                .map_err(Into::into)
        }
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("tombolo-lab: {error}");
            ExitCode::from(2)
        }
    }
}

fn doctor(install: bool, virtiofsd: bool) -> Outcome {
    if install {
        eprintln!("tombolo-lab: the packages of servers may start these; the lab starts its own");
        for line in install_packages()? {
            eprintln!("tombolo-lab: {line}");
        }
        for fetched in install_kernels()? {
            if let Fetched::New(kernel) = fetched {
                eprintln!("tombolo-lab: kernel {} is in the cache now", kernel.release());
            }
        }
        if virtiofsd {
            install_virtiofsd()?;
        }
    }
    let needs = needs();
    for Need { name, purpose, found, how, optional } in &needs {
        match (found, optional) {
            (Some(found), _) => println!("found    {name}: {found}"),
            (None, false) => println!("MISSING  {name}, for {purpose}: {how}"),
            (None, true) => println!("optional {name}, for {purpose}: {how}"),
        }
    }
    let missing = needs.iter().any(|need| need.found.is_none() && !need.optional);
    Ok(u8::from(missing))
}

fn measure(arguments: &MatrixArguments) -> Outcome {
    let data = arguments.rigs.as_ref().map(std::fs::read_to_string).transpose()?;
    let rigs = matrix::rigs(data.as_deref())?;
    let all = !arguments.quick && arguments.rig.is_empty();
    let output = arguments.output.clone().or_else(|| all.then(|| PathBuf::from("docs")));
    let options = matrix::Options {
        names: arguments.rig.clone(),
        quick: arguments.quick,
        kernel: arguments.kernel.clone(),
        output: output.clone(),
        keep: arguments.keep,
        doctor: arguments.doctor.unwrap_or(if arguments.quick {
            matrix::DoctorFrom::OneSide
        } else {
            matrix::DoctorFrom::TwoSides
        }),
        rig_timeout: Duration::from_secs(arguments.rig_timeout),
    };
    let measured = match &output {
        Some(output) if !arguments.merge.is_empty() => {
            matrix::merge(&rigs, output, &arguments.merge)?
        }
        _ => matrix::run(&rigs, &options, &tell)?,
    };
    match arguments.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&measured)?),
        Format::Text => print!("{}", matrix::render(&measured)),
    }
    let contradicted = measured.contradicted();
    for (rig, compared) in &contradicted {
        let matrix::Compared { sides, mode, openers, said, happened, .. } = compared;
        let of = format!("{}, {mode}, {openers}", rig.name);
        eprintln!("tombolo-lab: {of}: the doctor on {sides} said {said}; {happened}");
    }
    let whole = measured.rigs.iter().all(|rig| rig.state == State::Complete);
    Ok(u8::from(!whole || !contradicted.is_empty()))
}

/// One runtime that cannot be recorded does not keep the others from it.
fn record(directory: &Path, names: &[String]) -> u8 {
    let wanted = |name: &&str| names.is_empty() || names.iter().any(|named| named == name);
    let mut code = 0;
    for name in runtimes::names().filter(wanted) {
        match runtimes::record(name, directory) {
            Ok((texts, silent)) => {
                eprintln!("{name}: {texts} texts, {silent} faults without a word");
            }
            Err(error) => {
                code = 1;
                eprintln!("{name}: NOT RECORDED: {error}");
            }
        }
    }
    code
}

/// Progress, on standard error.
fn tell(progress: &Progress<'_>) {
    match progress {
        Progress::Rig { number, all, name, kernel, elapsed } => {
            let left = all - number;
            let kernel = if kernel.is_empty() { "the newest" } else { kernel };
            let seconds = elapsed.as_secs();
            eprintln!("[{number}/{all}] {name}, kernel {kernel}; {seconds} s gone, {left} to come");
        }
        Progress::Step { what, elapsed } => eprintln!("{:5} s {what}", elapsed.as_secs()),
        Progress::Swept(line) => eprintln!("        {line}"),
        Progress::Done(report) => {
            let state = match &report.state {
                State::Complete => "complete".to_owned(),
                State::NotRun { why } => format!("NOT RUN: {why}"),
                State::Failed { during, why } => format!("FAILED while {during}: {why}"),
                State::Hung { during, why } => format!("HUNG while {during}: {why}"),
            };
            eprintln!("        {state}, {:.0} s", report.elapsed_s);
        }
    }
}

/// A lab that has said what it found and where it works.
fn lab() -> Result<Lab, LabError> {
    let lab = Lab::new()?;
    for line in lab.swept() {
        eprintln!("tombolo-lab: {line}");
    }
    eprintln!("tombolo-lab: at work in {}", lab.directory().display());
    Ok(lab)
}

fn run(guest: &GuestArguments, timeout: Duration, argv: &[String]) -> Outcome {
    let lab = lab()?;
    let output = run_in(&lab, guest, timeout, argv).inspect_err(|_| {
        let kept = lab.keep_consoles();
        eprintln!("tombolo-lab: its console is kept in {}", kept.display());
    })?;
    Ok(match output.status {
        Status::Exited(code) => u8::try_from(code).unwrap_or(1),
        other => {
            eprintln!("tombolo-lab: the command ended with {other}");
            1
        }
    })
}

fn run_in(
    lab: &Lab,
    guest: &GuestArguments,
    timeout: Duration,
    argv: &[String],
) -> Result<Output, LabError> {
    let guest = lab.guest(guest.spec())?;
    let release = guest.kernel().release();
    let seconds = guest.boot_time().as_secs_f32();
    eprintln!("tombolo-lab: Linux {release} was ready after {seconds:.1} s");
    let running = guest.command(argv).input(&[]).timeout(timeout).spawn()?;
    running.wait_and_show(&mut io::stdout(), &mut io::stderr(), timeout.saturating_add(SLACK))
}

fn boot(guest: &GuestArguments, times: u8) -> Outcome {
    let (mut seconds, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..times.max(1) {
        let lab = lab()?;
        let guest = lab.guest(guest.spec())?;
        seconds.push(guest.boot_time().as_secs_f64());
        resident.push(guest.resident_kib()? >> 10);
        println!(
            "{:.2} s, {} MiB resident",
            seconds[seconds.len() - 1],
            resident[resident.len() - 1]
        );
    }
    seconds.sort_by(f64::total_cmp);
    let (median, most) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    let resident = resident.into_iter().max().unwrap_or(0);
    println!("median {median:.2} s, most {most:.2} s, at most {resident} MiB resident");
    Ok(0)
}
