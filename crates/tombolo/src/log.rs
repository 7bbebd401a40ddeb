//! The log of `tombolo serve`, on standard error: one line for each event.

use crate::args::{LogFormat, LogLevel};
use serde_json::{Map, Value};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::{Duration, SystemTime};
use tombolo_core::text::printable;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The key under which `tracing` has what was said, as against what it was said of.
const MESSAGE: &str = "message";

/// From now on events of Tombolo's crates are printed.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    // It fails only where one is there, and this process has no other.
    let _ = tracing::subscriber::set_global_default(Log { format, level });
}

/// What prints events. There are no spans in Tombolo: who did it is a field of the event.
struct Log {
    format: LogFormat,
    level: Level,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= self.level
            && metadata.target().starts_with("tombolo")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = line(self.format, *event.metadata().level(), SystemTime::now(), fields);
        // Whoever reads the log may have gone; that is no reason to serve nobody.
        let _ = anstream::stderr().lock().write_all(line.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn line(format: LogFormat, level: Level, now: SystemTime, fields: Fields) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = moment(since);
    match format {
        LogFormat::Text => {
            let mut line = format!("{time} {level:<5} {}", fields.message);
            for (name, value) in &fields.others {
                // Writing to a string does not fail.
                let _ = match value {
                    Value::String(text) if text.contains([' ', '"']) || text.is_empty() => {
                        write!(line, " {name}={text:?}")
                    }
                    Value::String(text) => write!(line, " {name}={text}"),
                    other => write!(line, " {name}={other}"),
                };
            }
            line + "\n"
        }
        LogFormat::Json => {
            let mut document = Map::new();
            document.insert("time".to_owned(), time.into());
            document.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
            document.insert(MESSAGE.to_owned(), fields.message.into());
            document
                .extend(fields.others.into_iter().map(|(name, value)| (name.to_owned(), value)));
            Value::Object(document).to_string() + "\n"
        }
    }
}

/// What an event says. Control characters are taken out: a name from outside must not begin a line
/// of its own.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: &str) {
        let text = printable(text.as_bytes());
        if field.name() == MESSAGE {
            self.message = text;
        } else {
            self.others.push((field.name(), text.into()));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }
}

/// A moment as RFC 3339 has it, in UTC, from the time since 1970.
fn moment(since: Duration) -> String {
    let (mut days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (day, millisecond) = (days + 1, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn moments_are_those_of_the_calendar() {
        // `date -u -d @SECONDS` says so.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(moment(Duration::from_millis(seconds * 1000 + 7)), text);
        }
    }

    #[test]
    fn a_line_is_a_line_whatever_is_in_it() {
        let fields = || Fields {
            message: "a session begins".to_owned(),
            others: vec![("program", "a \"b\"".into()), ("process", 7.into()), ("who", "x".into())],
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1);
        assert_eq!(
            line(LogFormat::Text, Level::WARN, at, fields()),
            "1970-01-01T00:00:00.001Z WARN  a session begins \
             program=\"a \\\"b\\\"\" process=7 who=x\n"
        );
        let json = line(LogFormat::Json, Level::WARN, at, fields());
        let parsed: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(parsed["level"], "warn");
        assert_eq!(parsed["message"], "a session begins");
        assert_eq!(parsed["program"], "a \"b\"");
        assert_eq!(parsed["process"], 7);
    }

    #[test]
    fn names_from_outside_begin_no_line() {
        #[derive(Clone, Default)]
        struct Probe(Arc<Mutex<Vec<String>>>);
        impl Subscriber for Probe {
            fn enabled(&self, _: &Metadata<'_>) -> bool {
                true
            }
            fn new_span(&self, _: &Attributes<'_>) -> Id {
                Id::from_u64(1)
            }
            fn record(&self, _: &Id, _: &Record<'_>) {}
            fn record_follows_from(&self, _: &Id, _: &Id) {}
            fn event(&self, event: &Event<'_>) {
                let mut fields = Fields::default();
                event.record(&mut fields);
                let text = line(LogFormat::Text, Level::INFO, SystemTime::UNIX_EPOCH, fields);
                self.0.lock().expect("nobody panicked").push(text);
            }
            fn enter(&self, _: &Id) {}
            fn exit(&self, _: &Id) {}
        }
        let probe = Probe::default();
        tracing::subscriber::with_default(probe.clone(), || {
            let (name, flag) = ("x\ny", true);
            tracing::info!(program = "a\nb", number = 5_u64, flag, "it is {name}");
        });
        let said = probe.0.lock().expect("nobody panicked").concat();
        let expected = "INFO  it is x?y program=a?b number=5 flag=true\n";
        assert_eq!(said, format!("1970-01-01T00:00:00.000Z {expected}"));
    }
}
