//! The lab's program inside a guest: `tombolo-lab agent`.
//!
//! As process 1 it only starts itself once more, and reaps: waiting for any child would take the
//! exit codes away from whoever waits for one of them.

mod command;
mod files;

use crate::protocol::{
    Action, Answer, Kind, PORT, READY, Request, SECRET_FILE, VERSION, receive, send_value,
};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

/// The guest's address on the network that only the lab uses.
pub(crate) const CONTROL_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 3, 15);

/// How long a connection may take to say what it wants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the lab until the guest ends.
///
/// # Errors
/// When the guest was not started by a lab.
pub fn agent() -> io::Result<std::convert::Infallible> {
    if std::process::id() == 1 {
        return reap_for(Command::new("/proc/self/exe").arg("agent"));
    }
    let secret = std::fs::read_to_string(SECRET_FILE).map_err(|error| {
        io::Error::other(format!("{SECRET_FILE}: {error}: this is no lab's guest"))
    })?;
    std::fs::remove_file(SECRET_FILE)?;
    let listener = TcpListener::bind((CONTROL_ADDRESS, PORT))?;
    announce()?;
    loop {
        let Ok((stream, _)) = listener.accept() else { continue };
        let secret = secret.clone();
        std::thread::Builder::new().name("request".to_owned()).spawn(move || {
            let _ = serve(stream, &secret);
        })?;
    }
}

/// Reports to the lab that connections are welcome.
fn announce() -> io::Result<()> {
    use std::io::Write as _;
    let mut console = std::fs::File::options().write(true).open("/dev/console")?;
    writeln!(console, "{READY}")
}

fn reap_for(server: &mut Command) -> io::Result<std::convert::Infallible> {
    let server = server.spawn()?.id();
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, status))) if u32::try_from(pid.as_raw_nonzero().get()) == Ok(server) => {
                // The end of process 1 is a panic of the kernel, which the lab reports.
                return Err(io::Error::other(format!("the agent has ended: {status:?}")));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn serve(mut stream: TcpStream, secret: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    let Some((Kind::Request, content)) = receive(&mut stream)? else { return Ok(()) };
    let refuse = |message: &str| Answer::Failed { message: message.to_owned(), errno: None };
    let answer = match serde_json::from_slice::<Request>(&content) {
        Err(error) => refuse(&format!("a request that is not one: {error}")),
        Ok(request) if request.version != VERSION => {
            refuse("the agent is of another build than the lab: build tombolo-lab again")
        }
        Ok(request) if request.secret != secret => refuse("a request without the lab's secret"),
        Ok(request) => {
            stream.set_read_timeout(None)?;
            perform(request.action, &mut stream)?
        }
    };
    send_value(&mut stream, Kind::Answer, &answer)
}

fn perform(action: Action, stream: &mut TcpStream) -> io::Result<Answer> {
    match action {
        Action::Put { path, mode } => files::put(path.as_ref(), mode, stream),
        Action::Get { path } => files::get(path.as_ref(), stream),
        Action::Run { argv, environment, directory, timeout_ms } => {
            let timeout = timeout_ms.map(Duration::from_millis);
            command::run(&argv, &environment, directory.as_deref(), timeout, stream)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_served_without_the_secret_or_with_another_version() {
        for (version, secret, said) in
            [(VERSION, "guess", "secret"), (VERSION + 1, "right", "build")]
        {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let mut client =
                TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
            let (server, _) = listener.accept().expect("accepted");
            let serving = std::thread::spawn(move || serve(server, "right"));
            let action = Action::Get { path: "/etc/hostname".to_owned() };
            let request = Request { version, secret: secret.to_owned(), action };
            send_value(&mut client, Kind::Request, &request).expect("sent");
            let (kind, content) = receive(&mut client).expect("whole").expect("an answer");
            assert_eq!(kind, Kind::Answer);
            assert!(String::from_utf8_lossy(&content).contains(said));
            serving.join().expect("no panic").expect("served");
        }
    }
}
