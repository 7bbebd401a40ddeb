//! Files into a guest and out of it.

use crate::protocol::{Answer, FRAME_BYTES_MAX, Kind, STREAM_BYTES_MAX, receive, send};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Makes the file of the input that follows. What is at the path is overwritten.
pub(super) fn put(path: &Path, mode: u32, stream: &mut TcpStream) -> io::Result<Answer> {
    let mut options = File::options();
    let opened = options.write(true).create(true).truncate(true).mode(mode).open(path);
    let shown = path.display().to_string();
    // Read to its end in any case, else the lab's write would fail before it sees the answer.
    let (mut result, mut total) = (opened, 0);
    loop {
        match receive(stream)? {
            Some((Kind::Input, content)) => {
                total += content.len();
                if total > STREAM_BYTES_MAX {
                    return Ok(too_long(&shown));
                }
                if let Ok(file) = &mut result
                    && let Err(error) = file.write_all(&content)
                {
                    result = Err(error);
                }
            }
            Some((Kind::InputEnd, _)) => break,
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    // The mode of a new file lacks what umask takes; an old one keeps its own.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    Ok(match result.and_then(|file| file.set_permissions(permissions)) {
        Ok(()) => Answer::Done,
        Err(error) => Answer::failed(&shown, &error),
    })
}

/// Sends the file.
pub(super) fn get(path: &Path, stream: &mut TcpStream) -> io::Result<Answer> {
    let shown = path.display().to_string();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Ok(Answer::failed(&shown, &error)),
    };
    let (mut buffer, mut total) = (vec![0; FRAME_BYTES_MAX], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Answer::Done),
            Ok(length) => {
                total += length;
                if total > STREAM_BYTES_MAX {
                    return Ok(too_long(&shown));
                }
                send(stream, Kind::Output, &buffer[..length])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Answer::failed(&shown, &error)),
        }
    }
}

fn too_long(shown: &str) -> Answer {
    let message = format!("{shown}: longer than {STREAM_BYTES_MAX} bytes");
    Answer::Failed { message, errno: None }
}
