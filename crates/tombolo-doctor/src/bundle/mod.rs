//! A report for strangers: what an issue tracker or a forum gets.
//!
//! [`Bundle::prepare`] is the only way to one, and takes names and secrets out of everything that
//! goes in ([`tombolo_core::redact`]): what prints a bundle cannot print anything else. Nothing
//! here looks at the machine.
//!
//! [`Told::read`] finds such a bundle in a text that somebody has pasted.

mod encode;
mod mounts;
mod told;

pub use encode::{Layout, pasteable};
pub use mounts::mount_lines;
pub use told::{Told, ToldFinding};

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tombolo_core::redact::{Kind, Redactor, Replaced, accounts, learn_report, redact_report};
use tombolo_core::report::{Report, Value};

/// Name and version of the JSON in a bundle.
pub const BUNDLE_SCHEMA: &str = "tombolo.bundle/1";

/// What goes into a bundle, as it was found.
#[derive(Clone, Debug)]
pub struct Material {
    /// The version of Tombolo.
    pub tombolo: String,
    /// What the doctor says.
    pub report: Report,
    /// Lines of the mount table: the file system and the source of each, and the line itself.
    pub mounts: Vec<MountLine>,
    /// Lines of a trace of the program that fails; none unless one was recorded.
    pub trace: Vec<String>,
}

/// One line of the mount table, in the form of mount(8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountLine {
    /// The type.
    pub filesystem: String,
    /// The source.
    pub source: String,
    /// The whole line.
    pub line: String,
}

/// Names that this machine knows before any text is read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The host's own name.
    pub host: String,
    /// Names of users in the environment.
    pub users: Vec<String>,
    /// The table of users, in the form of passwd(5).
    pub passwd: String,
    /// Words that the user wants hidden.
    pub hidden: Vec<String>,
}

/// A report without names and secrets.
#[derive(Clone, Debug, Serialize)]
pub struct Bundle {
    schema: &'static str,
    tombolo: String,
    sqlite: Vec<String>,
    mounts: Vec<String>,
    trace: Vec<String>,
    replaced: BTreeMap<&'static str, u32>,
    report: Report,
}

/// A bundle, and what was taken out of it.
#[derive(Debug)]
pub struct Prepared {
    /// What can be shown.
    pub bundle: Bundle,
    redactor: Redactor,
}

impl Bundle {
    /// Takes names and secrets out.
    #[must_use]
    pub fn prepare(material: Material, known: &Known) -> Prepared {
        let Material { tombolo, mut report, mounts, trace } = material;
        let mut redactor = Redactor::new();
        know(&mut redactor, known);
        learn_report(&mut redactor, &report);
        for MountLine { filesystem, source, line } in &mounts {
            redactor.learn_source(filesystem, source);
            redactor.learn(line);
        }
        trace.iter().for_each(|line| redactor.learn(line));
        let sqlite = sqlite_versions(&report);
        redact_report(&mut redactor, &mut report);
        let mounts = mounts.iter().map(|mount| redactor.redact(&mount.line)).collect();
        let trace = trace.iter().map(|line| redactor.redact(line)).collect();
        let mut replaced = BTreeMap::new();
        for one in redactor.replaced() {
            *replaced.entry(one.kind.as_str()).or_default() += 1;
        }
        let bundle =
            Bundle { schema: BUNDLE_SCHEMA, tombolo, sqlite, mounts, trace, replaced, report };
        Prepared { bundle, redactor }
    }

    /// The version of Tombolo that made it.
    #[must_use]
    pub fn tombolo(&self) -> &str {
        &self.tombolo
    }

    /// Versions of SQLite that were found, each with where.
    #[must_use]
    pub fn sqlite(&self) -> &[String] {
        &self.sqlite
    }

    /// Lines of the mount table, in the form of mount(8).
    #[must_use]
    pub fn mounts(&self) -> &[String] {
        &self.mounts
    }

    /// Lines of a trace; empty where none was recorded.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    /// What was replaced, in words: `2 user names, 1 UUID`; empty if nothing was.
    #[must_use]
    pub fn replaced(&self) -> String {
        let counted = |kind: &Kind| Some(kind.counted(*self.replaced.get(kind.as_str())?));
        let all: Vec<String> = Kind::ALL.iter().filter_map(counted).collect();
        all.join(", ")
    }

    /// What the doctor says.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl Prepared {
    /// What was replaced.
    #[must_use]
    pub fn replaced(&self) -> Vec<Replaced> {
        self.redactor.replaced()
    }

    /// Names that a text made of the bundle still holds; a text with some may not be shown.
    #[must_use]
    pub fn survivors(&self, text: &str) -> Vec<&Replaced> {
        self.redactor.survivors(text)
    }
}

fn know(redactor: &mut Redactor, known: &Known) {
    known.hidden.iter().for_each(|word| redactor.hide(word));
    redactor.name(Kind::Host, &known.host);
    known.users.iter().for_each(|user| redactor.name(Kind::User, user));
    for account in accounts(&known.passwd) {
        redactor.name(Kind::User, account.name);
        redactor.alias(Kind::User, account.name, account.full_name);
    }
}

/// The SQLite of the trial sessions, and those of the programs that have databases open.
fn sqlite_versions(report: &Report) -> Vec<String> {
    let tried = report.evidence.iter().filter_map(|one| match one.values.get("sqlite_version") {
        Some(Value::Text(version)) => Some(format!("{version} (trial sessions)")),
        _ => None,
    });
    let databases = report.database.iter().chain(&report.databases);
    let openers = databases.flat_map(|database| &database.openers);
    let found = openers.filter_map(|opener| {
        Some(format!("{} (in {})", opener.sqlite_version.as_ref()?, opener.program))
    });
    let all: BTreeSet<String> = tried.chain(found).collect();
    all.into_iter().take(32).collect()
}
