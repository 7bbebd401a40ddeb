//! The `tombolo-lab` command: what the lab needs, a guest to try things in, and, for the lab's own
//! use, what runs between it and its children and inside its guests.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;
use tombolo_lab::{Fetched, GuestSpec, Lab, Status};

#[derive(Debug, Parser)]
#[command(name = "tombolo-lab", about = "Several real kernels on one machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one command in a guest
    Run {
        /// How the kernel's release begins, as in 6.1.
        #[arg(long, default_value = "")]
        kernel: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true)]
        argv: Vec<String>,
    },
    /// Put a kernel into the cache
    Fetch {
        /// A Debian package
        package: String,
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

fn main() -> ExitCode {
    let result: Result<u8, Box<dyn std::error::Error>> = match Arguments::parse().command {
        Command::Run { kernel, argv } => run(&kernel, &argv),
        Command::Fetch { package } => match tombolo_lab::fetch(&package) {
            Ok(Fetched::New(kernel) | Fetched::Present(kernel)) => {
                println!("{}", kernel.release());
                Ok(0)
            }
            Err(error) => Err(error.into()),
        },
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

fn run(kernel: &str, argv: &[String]) -> Result<u8, Box<dyn std::error::Error>> {
    let lab = Lab::new()?;
    for line in lab.swept() {
        eprintln!("tombolo-lab: {line}");
    }
    eprintln!("tombolo-lab: at work in {}", lab.directory().display());
    let guest = lab.guest(GuestSpec::new("guest").kernel(kernel))?;
    let output = guest.run(argv)?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    eprintln!(
        "tombolo-lab: Linux {}, ready after {:.1} s, {} MiB resident, {}",
        guest.kernel().release(),
        guest.boot_time().as_secs_f32(),
        guest.resident_kib()? >> 10,
        output.status
    );
    Ok(match output.status {
        Status::Exited(code) => u8::try_from(code).unwrap_or(1),
        _ => 1,
    })
}
