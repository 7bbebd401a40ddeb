//! What the doctor says of a rig, beside what happened there.

use super::clock::Clock;
use super::outcome::{Agreement, Compared, PairReport, Way};
use crate::error::LabError;
use crate::lab::Lab;
use crate::side::Side;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long a diagnosis from one side and from two may take.
const ONE_SIDED: Duration = Duration::from_secs(180);
const TWO_SIDED: Duration = Duration::from_secs(600);

/// What stands before the code in the doctor's invitation.
const JOIN: &str = "--join ";

/// The program `tombolo`, which every side has at the same path.
#[derive(Debug)]
pub(super) struct Doctor {
    program: PathBuf,
}

/// One cell of its table of verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    mode: String,
    openers: String,
    judgement: String,
    because: String,
}

/// The doctor beside the lab's own program.
///
/// # Errors
/// When it was not built.
pub(super) fn program(lab: &Lab) -> Result<PathBuf, LabError> {
    let program = lab.shared().binary.with_file_name("tombolo");
    if program.is_file() {
        return Ok(program);
    }
    let what = program.display().to_string();
    Err(LabError::Missing { what, how: "run `cargo build -p tombolo`" })
}

impl Doctor {
    /// # Errors
    /// When it was not built.
    pub(super) fn new(lab: &Lab) -> Result<Self, LabError> {
        Ok(Doctor { program: program(lab)? })
    }

    fn argv(&self, side: &Side, more: &[&str]) -> Vec<String> {
        let words = [&*self.program.to_string_lossy(), "doctor", "--format", "json"];
        let mut argv: Vec<String> = words.iter().chain(more).map(|of| (*of).to_owned()).collect();
        argv.push(side.directory().to_string_lossy().into_owned());
        argv
    }

    /// From one side: its verdicts beside all pairs.
    pub(super) fn one_sided(
        &self,
        side: &Side,
        pairs: &[PairReport],
        clock: Clock,
    ) -> Result<Vec<Compared>, LabError> {
        let argv = self.argv(side, &[]);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let ended = side.run(&argv, clock.left(ONE_SIDED)?)?;
        let verdicts = verdicts(&ended.stdout).ok_or_else(|| {
            let output = format!("{} on {}: {}", ended.status, side.name(), ended.stderr.trim());
            LabError::Program { program: "tombolo doctor".to_owned(), output }
        })?;
        let pairs: Vec<_> = pairs.iter().collect();
        Ok(compare(&verdicts, side.name(), &pairs))
    }

    /// From two sides: its verdicts for several kernels beside what these two did.
    pub(super) fn two_sided(
        &self,
        sides: [&Side; 2],
        pairs: &[PairReport],
        clock: Clock,
    ) -> Result<Vec<Compared>, LabError> {
        let deadline = clock.left(TWO_SIDED)?;
        let argv = self.argv(sides[0], &["--peer"]);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let lead = sides[0].start(&argv)?;
        lead.end_input();
        let begun = std::time::Instant::now();
        let said = lead.wait_for_error_text(JOIN, deadline);
        let Some(code) = code(&said) else {
            let output = format!("no invitation: {}", said.trim());
            return Err(LabError::Program { program: "tombolo doctor --peer".into(), output });
        };
        let argv = self.argv(sides[1], &["--join", &code]);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let other = sides[1].start(&argv)?;
        other.end_input();
        let ended = lead.end(deadline.saturating_sub(begun.elapsed()))?;
        // It ends by itself when the other one has.
        other.end(clock.left(ONE_SIDED)?)?;
        let names = format!("{} with {}", sides[0].name(), sides[1].name());
        let mut verdicts = verdicts(&ended.stdout).ok_or_else(|| {
            let output = format!("{} ({names}): {}", ended.status, ended.stderr.trim());
            LabError::Program { program: "tombolo doctor --peer".to_owned(), output }
        })?;
        verdicts.retain(|verdict| verdict.openers == "several_kernels");
        let is_of = |pair: &&PairReport| {
            [&pair.first, &pair.second].map(String::as_str) == sides.map(Side::name)
        };
        Ok(compare(&verdicts, &names, &pairs.iter().filter(is_of).collect::<Vec<_>>()))
    }
}

/// The code in an invitation, once its line is whole.
fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(JOIN)?;
    rest.split_once('\n').map(|(code, _)| code.trim().to_owned())
}

/// The table of verdicts in a report.
fn verdicts(report: &str) -> Option<Vec<Verdict>> {
    let report: Value = serde_json::from_str(report).ok()?;
    let word = |of: &Value, key: &str| Some(of.get(key)?.as_str()?.to_owned());
    let cells = report.get("verdicts")?.as_array()?.iter();
    cells
        .map(|cell| {
            Some(Verdict {
                mode: word(cell, "mode")?,
                openers: word(cell, "openers")?,
                judgement: word(cell, "judgement")?,
                because: word(cell, "because")?,
            })
        })
        .collect()
}

/// How bad it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Harm {
    Nothing,
    /// SQLite got errors, and what it had acknowledged is there.
    Errors,
    /// Something that was acknowledged is gone or damaged, a program was killed, or two got what
    /// only one may have.
    Loss,
}

fn compare(verdicts: &[Verdict], sides: &str, pairs: &[&PairReport]) -> Vec<Compared> {
    let of = |verdict: &Verdict| {
        let way = match verdict.mode.as_str() {
            "wal" => Way::Wal,
            "rollback" => Way::Delete,
            _ => return None,
        };
        let across = verdict.openers == "several_kernels";
        let pairs = pairs.iter().filter(|pair| pair.is_across() == across);
        let (harm, happened) =
            pairs.filter_map(|pair| what_happened(pair, way)).max_by_key(|(harm, _)| *harm)?;
        Some(Compared {
            mode: verdict.mode.clone(),
            openers: verdict.openers.clone(),
            sides: sides.to_owned(),
            said: verdict.judgement.clone(),
            because: verdict.because.clone(),
            happened,
            agreement: agreement(&verdict.judgement, harm),
        })
    };
    verdicts.iter().filter_map(of).collect()
}

fn agreement(said: &str, harm: Harm) -> Agreement {
    match (said, harm) {
        ("safe" | "slow", Harm::Nothing) => Agreement::Agrees,
        ("unsafe", Harm::Loss) | ("fails", Harm::Errors) => Agreement::Agrees,
        // What "fails" promises as well: what is stored stays intact.
        ("safe" | "slow", _) | ("fails", Harm::Loss) => Agreement::Contradicted,
        ("unsafe" | "fails", _) => Agreement::NotConfirmed,
        _ => Agreement::Undecided,
    }
}

/// What a pair showed of one way; nothing where it was not tried.
pub(super) fn what_happened(pair: &PairReport, way: Way) -> Option<(Harm, String)> {
    let updates = pair.updates.iter().find(|updates| updates.way == way)?;
    let names = format!("{}+{}", pair.first, pair.second);
    if updates.lost > 0 {
        let all: usize = updates.clients.iter().map(|client| client.acknowledged).sum();
        return Some((Harm::Loss, format!("{names}: {} of {all} lost", updates.lost)));
    }
    if updates.is_harmed() {
        return Some((Harm::Loss, format!("{names}: damaged")));
    }
    if let Some(client) = updates.clients.iter().find(|client| client.end.starts_with("SIG")) {
        return Some((Harm::Loss, format!("{names}: {}", client.end)));
    }
    if way == Way::Delete && pair.exclusive.iter().all(|outcome| outcome == "ok") {
        return Some((Harm::Loss, format!("{names}: both got BEGIN EXCLUSIVE")));
    }
    // One that only ever waits is not served; one that waits now and then is.
    let refused = updates.clients.iter().find_map(|client| {
        let hard = client.errors.keys().find(|name| *name != "SQLITE_BUSY");
        let never = (client.acknowledged == 0).then(|| client.errors.keys().next()).flatten();
        hard.or(never)
    });
    match refused {
        Some(error) => Some((Harm::Errors, format!("{names}: {error}"))),
        None if updates.is_done() => Some((Harm::Nothing, format!("{names}: all there"))),
        None => Some((Harm::Nothing, format!("{names}: all acknowledged ones there"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Client, Updates};
    use super::*;
    use std::collections::BTreeMap;

    fn pair(second: &str, lost: usize, errors: &[&str], acknowledged: usize) -> PairReport {
        let errors: BTreeMap<_, _> = errors.iter().map(|name| ((*name).to_owned(), 1)).collect();
        let client = Client { acknowledged, errors, end: "done".to_owned() };
        let updates = Updates {
            way: Way::Wal,
            seed: 1,
            wanted: 10,
            clients: [client.clone(), client],
            lost,
            integrity: "ok".to_owned(),
            broken: Vec::new(),
        };
        PairReport {
            first: "A".to_owned(),
            second: second.to_owned(),
            exclusive: ["ok".to_owned(), "SQLITE_BUSY".to_owned()],
            updates: vec![updates],
        }
    }

    fn agreed(said: &str, openers: &str, pairs: &[&PairReport]) -> Option<Agreement> {
        let verdict = Verdict {
            mode: "wal".to_owned(),
            openers: openers.to_owned(),
            judgement: said.to_owned(),
            because: "it was measured".to_owned(),
        };
        compare(&[verdict], "A", pairs).first().map(|compared| compared.agreement)
    }

    #[test]
    fn safe_and_lost_contradict_each_other() {
        let (one, two) = (pair("A", 0, &[], 10), pair("B", 3, &[], 10));
        let both = [&one, &two];
        assert_eq!(agreed("safe", "one_kernel", &both), Some(Agreement::Agrees));
        assert_eq!(agreed("safe", "several_kernels", &both), Some(Agreement::Contradicted));
        assert_eq!(agreed("unsafe", "several_kernels", &both), Some(Agreement::Agrees));
        assert_eq!(agreed("unsafe", "one_kernel", &both), Some(Agreement::NotConfirmed));
        assert_eq!(agreed("fails", "several_kernels", &both), Some(Agreement::Contradicted));
        assert_eq!(agreed("not_proven", "several_kernels", &both), Some(Agreement::Undecided));
        assert_eq!(agreed("safe", "several_kernels", &[&one]), None);
    }

    #[test]
    fn errors_are_no_loss_and_waiting_is_no_error() {
        let refused = pair("A", 0, &["SQLITE_IOERR_SHMMAP"], 0);
        assert_eq!(agreed("fails", "one_kernel", &[&refused]), Some(Agreement::Agrees));
        assert_eq!(agreed("safe", "one_kernel", &[&refused]), Some(Agreement::Contradicted));
        let waited = pair("A", 0, &["SQLITE_BUSY"], 4);
        assert_eq!(agreed("safe", "one_kernel", &[&waited]), Some(Agreement::Agrees));
        let starved = pair("A", 0, &["SQLITE_BUSY"], 0);
        assert_eq!(agreed("fails", "one_kernel", &[&starved]), Some(Agreement::Agrees));
    }

    #[test]
    fn the_worst_of_several_pairs_counts() {
        let (fine, bad) = (pair("B", 0, &[], 10), pair("B", 1, &[], 10));
        assert_eq!(
            agreed("safe", "several_kernels", &[&fine, &bad]),
            Some(Agreement::Contradicted)
        );
    }

    #[test]
    fn a_report_and_an_invitation_are_read() {
        let report = r#"{"verdicts": [{"mode": "wal", "openers": "one_kernel",
            "judgement": "safe", "because": "x"}]}"#;
        assert_eq!(verdicts(report).expect("read")[0].judgement, "safe");
        assert_eq!(verdicts("{}"), None);
        assert_eq!(verdicts("no JSON"), None);
        let text = "run this:\n\n  tombolo doctor /mnt/share --join k3v9-x0q2-7d\n\nWaiting.";
        assert_eq!(code(text).as_deref(), Some("k3v9-x0q2-7d"));
        assert_eq!(code("tombolo doctor /mnt/share --join k3v9"), None);
    }
}
