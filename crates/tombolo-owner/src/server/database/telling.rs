//! What a database says of itself, to sessions, to who asks for all of the owner, and to the log.

use super::super::connection::{Caller, Connection, Ended};
use super::Database;
use crate::engine::EngineKind;
use std::sync::mpsc::Sender;
use tombolo_core::owner::SessionId;
use tombolo_core::owner::engine::{Checkpointed, EngineError};
use tombolo_core::owner::machine::{Note, Surroundings, Who};
use tombolo_core::owner::status::{
    DatabaseLatencies, DatabaseStatus, EngineName, SessionKernel, boot_id, program_name,
};
use tombolo_core::text::printable;
use tombolo_core::wire::Reply;
use tracing::debug;

impl Database {
    fn status(&mut self) -> DatabaseStatus {
        use std::os::unix::ffi::OsStrExt as _;
        let path = printable(self.subject.path.as_os_str().as_bytes());
        let surroundings = Surroundings {
            path: &path,
            engine: match self.subject.kind {
                EngineKind::Shared => EngineName::Shared,
                EngineKind::Sole => EngineName::Sole,
            },
            latencies: DatabaseLatencies {
                commit: self.commit_latencies.told(),
                sync: self.sync_latencies.told(),
            },
        };
        let now_ms = self.now_ms();
        let own = super::super::boot_id();
        let connections = &self.connections;
        let who = |session| {
            let connection = connections.get(&session);
            let caller = connection.map(|connection| connection.caller.clone());
            let caller = caller.unwrap_or_default();
            Who {
                program: program_name(&caller.program),
                process: caller.process,
                kernel: kernel(&caller, own.as_deref()),
                boot_id: boot_id(&caller.boot_id),
                address: connection.and_then(Connection::address),
            }
        };
        self.machine.status(surroundings, who, now_ms)
    }

    /// Whoever asks may have gone meanwhile.
    pub(super) fn tell(&mut self, asker: &Sender<DatabaseStatus>) {
        let _ = asker.send(self.status());
    }

    pub(super) fn tell_session(&mut self, session: SessionId) {
        let uptime_ms = self.now_ms();
        let databases = vec![self.status()];
        let status = super::super::status(uptime_ms, None, databases.len(), databases);
        let text = super::super::document(&status);
        self.send(session, &Reply::Status(text));
    }

    pub(super) fn log_session(&self, connection: &Connection, session: SessionId, event: &str) {
        let Caller { boot_id, process, program } = &connection.caller;
        let path = self.subject.path.display();
        let number = session.0;
        let address = connection.address();
        debug!(%path, number, program, process, boot_id, address, "{event}");
    }

    pub(super) fn log_session_end(
        &self,
        connection: &Connection,
        session: SessionId,
        ended: Ended,
    ) {
        let Caller { process, program, .. } = &connection.caller;
        let path = self.subject.path.display();
        let number = session.0;
        match ended {
            Ended::Malformed(_)
            | Ended::OutOfPlace
            | Ended::Refused
            | Ended::Stranger
            | Ended::NotTls
            | Ended::Late => {
                tracing::warn!(%path, number, program, process, why = %ended, "a session ends");
            }
            Ended::Gone | Ended::Stop | Ended::Silent => {
                debug!(%path, number, program, process, why = %ended, "a session ends");
            }
        }
    }

    pub(super) fn log_checkpoint(&self, ended: &Result<Checkpointed, EngineError>) {
        let path = self.subject.path.display();
        match ended {
            Ok(done) => {
                let (frames, copied) = (done.log_frames, done.checkpointed_frames);
                debug!(%path, frames, copied, busy = done.busy, "a checkpoint");
            }
            Err(error) => tracing::warn!(%path, %error, "a checkpoint failed"),
        }
    }

    /// What was done to sessions without their asking.
    pub(super) fn log_notes(&mut self) {
        for note in self.machine.take_notes() {
            let (session, event, ms) = match note {
                Note::SnapshotGivenUp { session, age_ms } => {
                    (session, "a snapshot that held up the log is given up", age_ms)
                }
                Note::TurnLost { session, held_ms } => {
                    (session, "the turn to write was held for too long and is lost", held_ms)
                }
            };
            let (path, number) = (self.subject.path.display(), session.0);
            let caller = self.connections.get(&session).map(|connection| &connection.caller);
            let (program, process) = caller.map_or(("", 0), |of| (&of.program, of.process));
            tracing::warn!(%path, number, program, process, ms, "{event}");
        }
    }
}

fn kernel(caller: &Caller, own: Option<&str>) -> SessionKernel {
    match own {
        Some(own) if !own.is_empty() && caller.boot_id == own => SessionKernel::Same,
        Some(own) if !own.is_empty() && !caller.boot_id.is_empty() => SessionKernel::Other,
        _ => SessionKernel::NotKnown,
    }
}
