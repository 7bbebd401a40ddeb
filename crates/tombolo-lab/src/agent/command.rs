//! One command in a guest, with its streams, until it ends, is too slow, or nobody waits for it.

use crate::protocol::{Answer, FRAME_BYTES_MAX, Kind, receive, send};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// How long the streams may stay open after the command has ended: a daemon that it left behind
/// may hold them for ever.
const STREAMS_AFTER_END: Duration = Duration::from_millis(500);

const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("TERM", "dumb"),
];

enum Event {
    Piece(Kind, Vec<u8>),
    StreamEnded,
    Ended(io::Result<ExitStatus>),
    Signal(i32),
    NobodyWaits,
}

pub(super) fn run(
    argv: &[String],
    environment: &[(String, String)],
    directory: Option<&str>,
    timeout: Option<Duration>,
    stream: &mut TcpStream,
) -> io::Result<Answer> {
    let Some((program, arguments)) = argv.split_first() else {
        return Ok(Answer::Failed { message: "no program was named".to_owned(), errno: None });
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(ENVIRONMENT.iter().copied());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(directory.unwrap_or("/")).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Answer::failed(program, &error)),
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (events, inbox) = sync_channel(64);
    let input = child.stdin.take();
    watch(&events, Kind::Output, child.stdout.take())?;
    watch(&events, Kind::Errors, child.stderr.take())?;
    listen(events.clone(), stream.try_clone()?, input)?;
    wait_for(events, child)?;
    Ok(follow(&inbox, group, timeout, stream))
}

/// Passes on what happens, until the command has ended.
fn follow(
    inbox: &Receiver<Event>,
    group: Option<Pid>,
    timeout: Option<Duration>,
    stream: &mut TcpStream,
) -> Answer {
    let kill = |signal| group.map(|group| kill_process_group(group, signal));
    let mut deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (mut open, mut timed_out, mut ended) = (2, false, None);
    loop {
        let event = match deadline {
            Some(deadline) => {
                inbox.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Piece(kind, content)) => {
                if send(stream, kind, &content).is_err() {
                    kill(Signal::KILL);
                }
            }
            Ok(Event::StreamEnded) => open -= 1,
            Ok(Event::Ended(status)) => {
                ended = Some(status);
                deadline = Some(Instant::now() + STREAMS_AFTER_END);
            }
            Ok(Event::Signal(number)) if ended.is_none() => {
                Signal::from_named_raw(number).map(kill);
            }
            Ok(Event::NobodyWaits) if ended.is_none() => {
                kill(Signal::KILL);
            }
            Ok(Event::Signal(_) | Event::NobodyWaits) => {}
            Err(RecvTimeoutError::Timeout) if ended.is_none() => {
                timed_out = true;
                deadline = None;
                kill(Signal::KILL);
            }
            // The streams had their time.
            Err(RecvTimeoutError::Timeout) => open = 0,
            Err(RecvTimeoutError::Disconnected) => {
                return Answer::Failed { message: "nobody waits".to_owned(), errno: None };
            }
        }
        match &ended {
            Some(status) if open == 0 => return answer(status, timed_out),
            _ => {}
        }
    }
}

fn answer(status: &io::Result<ExitStatus>, timed_out: bool) -> Answer {
    match status {
        Ok(status) => Answer::Ended { code: status.code(), signal: status.signal(), timed_out },
        Err(error) => Answer::failed("wait", error),
    }
}

/// Reads one stream of the command to its end. Without a reader of events it goes on, so that a
/// daemon left behind does not die of a closed pipe.
fn watch(
    events: &SyncSender<Event>,
    kind: Kind,
    stream: Option<impl Read + Send + 'static>,
) -> io::Result<()> {
    let (events, Some(mut stream)) = (events.clone(), stream) else { return Ok(()) };
    let read = move || {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    let _ = events.send(Event::Piece(kind, buffer[..length].to_vec()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let _ = events.send(Event::StreamEnded);
    };
    std::thread::Builder::new().name("stream".to_owned()).spawn(read).map(drop)
}

fn wait_for(events: SyncSender<Event>, mut child: Child) -> io::Result<()> {
    let wait = move || {
        let status = child.wait();
        let _ = events.send(Event::Ended(status));
    };
    std::thread::Builder::new().name("wait".to_owned()).spawn(wait).map(drop)
}

/// Takes the lab's frames. Standard input has a thread of its own: a command that does not read it
/// must still hear signals.
fn listen(
    events: SyncSender<Event>,
    mut stream: TcpStream,
    input: Option<ChildStdin>,
) -> io::Result<()> {
    let (pieces, queue) = channel::<Vec<u8>>();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || write(&queue, input))?;
    let read = move || {
        let mut pieces: Option<Sender<Vec<u8>>> = Some(pieces);
        loop {
            match receive(&mut stream) {
                Ok(Some((Kind::Input, content))) => {
                    let _ = pieces.as_ref().map(|pieces| pieces.send(content));
                }
                Ok(Some((Kind::InputEnd, _))) => pieces = None,
                Ok(Some((Kind::Signal, content))) => {
                    let number = String::from_utf8_lossy(&content).parse().unwrap_or(0);
                    let _ = events.send(Event::Signal(number));
                }
                _ => break,
            }
        }
        let _ = events.send(Event::NobodyWaits);
    };
    std::thread::Builder::new().name("frames".to_owned()).spawn(read).map(drop)
}

fn write(queue: &Receiver<Vec<u8>>, input: Option<ChildStdin>) {
    let Some(mut input) = input else { return };
    while let Ok(piece) = queue.recv() {
        if input.write_all(&piece).is_err() {
            return;
        }
    }
}
