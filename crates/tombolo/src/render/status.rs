//! What an owner says of itself, for people.

use super::page::{Page, Tone, styled};
use super::words;
use tombolo_core::owner::status::{
    DatabaseStatus, Latency, SessionKernel, SessionStatus, Status, TransactionState, TurnState,
};
use tombolo_core::text::printable;

/// Characters of a boot id in the table.
const BOOT_ID_CHARS_SHOWN: usize = 8;

pub(crate) fn status(page: &mut Page, status: &Status) {
    let databases = match status.database_count {
        1 => "1 database".to_owned(),
        count => format!("{count} databases"),
    };
    let (process, uptime) = (status.process, duration(status.uptime_ms));
    page.paragraph(0, &format!("Owner, process {process}, for {uptime}: {databases} open"));
    if status.silent_count > 0 {
        let text = format!("{} of them did not answer in time", status.silent_count);
        page.line(2, &styled(Tone::Fault, &text));
    }
    let listed = status.databases.len() as u64 + status.silent_count;
    if listed < status.database_count {
        page.line(2, &format!("{} of them are not listed", status.database_count - listed));
    }
    for database in &status.databases {
        of_database(page, database);
    }
}

fn of_database(page: &mut Page, of: &DatabaseStatus) {
    page.heading(&printable(of.path.as_bytes()));
    let size = match (of.size_pages, of.page_size_bytes) {
        (Some(pages), Some(size)) => {
            let bytes = u64::from(pages) * u64::from(size);
            format!("{pages} pages of {size} bytes ({})", words::size(bytes))
        }
        _ => "its size could not be told".to_owned(),
    };
    let engine = of.engine.as_str();
    let log = words::size(of.log_bytes);
    page.field("engine", &format!("{engine}, for {}; {size}; log {log}", duration(of.open_ms)));
    page.field(
        "now",
        &format!(
            "{} sessions, {} in the queue for the turn, {} commits wait for the disk",
            of.session_count, of.queue_length, of.pending_count
        ),
    );
    let rates = &of.rates;
    page.field(
        "rates",
        &format!(
            "{:.1} begins, {:.1} pages read, {:.1} commits, {:.1} conflicts, {:.1} syncs a second",
            rates.begins_per_second,
            rates.pages_read_per_second,
            rates.commits_per_second,
            rates.conflicts_per_second,
            rates.syncs_per_second
        ),
    );
    let counts = &of.counts;
    page.field(
        "in all",
        &format!(
            "{} sessions, {} begins, {} pages read, {} commits, {} conflicts, {} failed commits, \
             {} syncs, {} checkpoints",
            counts.sessions,
            counts.begins,
            counts.pages_read,
            counts.commits,
            counts.conflicts,
            counts.failed_commits,
            counts.syncs,
            counts.checkpoints
        ),
    );
    page.field("commits", &latency(&of.latencies.commit));
    page.field("syncs", &latency(&of.latencies.sync));
    sessions(page, of);
}

fn latency(of: &Latency) -> String {
    match (of.mean_us(), of.percentile_us(99)) {
        (Some(mean_us), Some(most_us)) => format!(
            "mean {}, 99 of 100 within {}, longest {}",
            milliseconds(mean_us),
            milliseconds(most_us),
            milliseconds(of.max_us)
        ),
        _ => "none yet".to_owned(),
    }
}

fn sessions(page: &mut Page, of: &DatabaseStatus) {
    if of.sessions.is_empty() {
        return;
    }
    let head = row(["program", "process", "kernel", "from", "transaction", "turn"]);
    page.line(2, &styled(Tone::Heading, &head));
    for session in &of.sessions {
        page.line(2, &session_row(session));
    }
    let more = of.session_count.saturating_sub(of.sessions.len() as u64);
    if more > 0 {
        page.line(2, &format!("and {more} more"));
    }
}

fn session_row(of: &SessionStatus) -> String {
    let age = |ms: Option<u64>| ms.map(duration).unwrap_or_default();
    let kernel = match (of.kernel, &of.boot_id) {
        (SessionKernel::Same, _) => "same".to_owned(),
        // Enough of a boot id to tell one from another.
        (SessionKernel::Other, Some(id)) => {
            printable(id.as_bytes()).chars().take(BOOT_ID_CHARS_SHOWN).collect()
        }
        (SessionKernel::Other, None) => "another".to_owned(),
        (SessionKernel::NotKnown, _) => "not known".to_owned(),
    };
    let from = of.address.as_deref().unwrap_or("socket");
    let from = printable(from.as_bytes());
    let transaction = match of.transaction {
        TransactionState::None => "none".to_owned(),
        TransactionState::Open => format!("for {}", age(of.transaction_ms)),
        TransactionState::Expired => "given up".to_owned(),
    };
    let turn = match of.turn {
        TurnState::None => "-".to_owned(),
        TurnState::Queued => "in the queue".to_owned(),
        TurnState::Held => format!("for {}", age(of.turn_ms)),
    };
    let program = printable(of.program.as_bytes());
    row([&program, &of.process.to_string(), &kernel, &from, &transaction, &turn])
}

fn row(cells: [&str; 6]) -> String {
    let [program, process, kernel, from, transaction, turn] = cells;
    format!("{program:<20} {process:>8}  {kernel:<10} {from:<24} {transaction:<16} {turn}")
}

fn duration(duration_ms: u64) -> String {
    let seconds = duration_ms / 1000;
    match seconds {
        0 => format!("{duration_ms} ms"),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn milliseconds(duration_us: u64) -> String {
    format!("{:.2} ms", duration_us as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::owner::status::{
        Counts, DatabaseLatencies, EngineName, Rates, SCHEMA, SessionAccess,
    };

    #[test]
    fn times_are_short() {
        assert_eq!(
            [0, 999, 1000, 119_999, 120_000, 7_200_000, 172_800_000].map(duration),
            ["0 ms", "999 ms", "1 s", "119 s", "2 min", "2 h", "2 days"]
        );
    }

    #[test]
    fn what_programs_and_paths_are_called_does_not_steer_a_terminal() {
        let session = SessionStatus {
            program: "evil\x1b[2J".into(),
            process: 9,
            kernel: SessionKernel::Other,
            boot_id: Some("\x1b[31mbad".into()),
            address: Some("tcp://10.0.2.15:4242".into()),
            access: SessionAccess::Write,
            transaction: TransactionState::Open,
            transaction_ms: Some(1500),
            turn: TurnState::Held,
            turn_ms: Some(70),
        };
        let database = DatabaseStatus {
            path: "/srv/a\nb.db".into(),
            engine: EngineName::Sole,
            open_ms: 0,
            page_size_bytes: Some(4096),
            size_pages: Some(2),
            log_bytes: 0,
            session_count: 3,
            sessions: vec![session],
            queue_length: 1,
            pending_count: 0,
            counts: Counts::default(),
            rates: Rates::default(),
            latencies: DatabaseLatencies { commit: Latency::default(), sync: Latency::default() },
        };
        let whole = Status {
            schema: SCHEMA.into(),
            version: "0".into(),
            process: 5,
            boot_id: None,
            uptime_ms: 60_000,
            newcomer_count: None,
            database_count: 3,
            silent_count: 1,
            databases: vec![database],
        };
        let mut page = Page::with_width(100);
        status(&mut page, &whole);
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        for expected in [
            "Owner, process 5, for 60 s: 3 databases open",
            "1 of them did not answer in time",
            "1 of them are not listed",
            "/srv/a?b.db",
            "sole, for 0 ms; 2 pages of 4096 bytes (8192 bytes); log 0 bytes",
            "evil?[2J                    9  ?[31mbad   tcp://10.0.2.15:4242     for 1 s          \
             for 70 ms",
            "and 2 more",
            "none yet",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }
}
