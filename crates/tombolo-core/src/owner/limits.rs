//! How much an owner allows, in one place. How long messages may be is in [`crate::wire::limits`].

/// How long an owner lets a turn go unused, if nothing else is said; doors reckon with it.
pub const TURN_UNUSED_MS: u64 = 100;

/// What an owner allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at a time; a further one is turned away.
    pub sessions_max: usize,
    /// Connections that have not said which database they want; a further one is closed.
    pub newcomers_max: usize,
    /// How long such a connection may say nothing whole before it is closed, in milliseconds.
    pub newcomer_silence_ms: u64,
    /// How long a connection may take to say who it is, the handshake of TLS included, in
    /// milliseconds.
    pub introduction_ms: u64,
    /// Connections over a network that have not said who they are; a further one takes the place of
    /// the oldest.
    pub strangers_max: usize,
    /// How long a machine at the other end of a network may be gone until its connections end, in
    /// milliseconds.
    pub network_silence_ms: u64,
    /// How long a session may take to finish a request that it has begun, and to read an answer, in
    /// milliseconds; then it is ended.
    pub request_ms: u64,
    /// How long a session may say nothing while it has no transaction, in milliseconds; then it is
    /// ended. A door opens a new one with its next transaction.
    pub session_silence_ms: u64,
    /// How long a database of a directory stays open that no session has, in milliseconds.
    pub idle_database_ms: u64,
    /// Sessions that wait for the turn; a further one is told busy at once.
    pub queue_max: usize,
    /// Longest time that a session which has the turn may say nothing, in milliseconds; then it
    /// loses it. Who writes much keeps it for as long as that takes.
    pub turn_hold_ms: u64,
    /// Longest time that a session may keep the turn that it got along with a begin and does not
    /// use, in milliseconds: most that have written write again, but some only read. A door that
    /// has waited for half as long asks again.
    pub turn_unused_ms: u64,
    /// Age beyond which a snapshot is given up when the log has grown past `log_bytes_max`, in
    /// milliseconds. With a log of twice that it is a fourth, and so on.
    pub snapshot_age_ms: u64,
    /// Bytes of the log beyond which old snapshots are given up, and the turn is held back until
    /// the log was begun anew.
    pub log_bytes_max: u64,
    /// Bytes of the log from which on a checkpoint is wanted.
    pub checkpoint_bytes: u64,
    /// How long a checkpoint that begins the log anew may wait for readers and writers, each, in
    /// milliseconds. Nobody writes meanwhile. It is tried five times in a row.
    pub checkpoint_wait_ms: u64,
    /// How long after the last commit the log is begun anew, if nobody reads, in milliseconds.
    pub quiet_ms: u64,
    /// Bytes of pages of one transaction that are kept in memory; the rest goes to a file.
    pub transaction_memory_bytes: u64,
    /// Bytes of pages of one transaction; a larger one is refused as if the disk were full.
    pub transaction_bytes_max: u64,
    /// Commits whose outcome is remembered.
    pub outcomes_max: usize,
    /// Most pages that are read ahead of what was asked for.
    pub window_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            sessions_max: 20_000,
            newcomers_max: 4096,
            newcomer_silence_ms: 30_000,
            introduction_ms: 10_000,
            strangers_max: 256,
            network_silence_ms: 30_000,
            request_ms: 30_000,
            session_silence_ms: 24 * 60 * 60 * 1_000,
            idle_database_ms: 10_000,
            queue_max: 10_000,
            turn_hold_ms: 10_000,
            turn_unused_ms: TURN_UNUSED_MS,
            snapshot_age_ms: 60_000,
            log_bytes_max: 64 << 20,
            checkpoint_bytes: 4 << 20,
            checkpoint_wait_ms: 100,
            quiet_ms: 1_000,
            transaction_memory_bytes: 32 << 20,
            transaction_bytes_max: 64 << 30,
            outcomes_max: 65_536,
            window_bytes_max: 1 << 20,
        }
    }
}
