//! Finds the course of events: what was lost with a container, what works in the end but slowly.

use super::sentence::Sentence;
use super::text::{self, Text};

/// Sentences read together: one thought often takes two.
const SENTENCES_TOGETHER: usize = 2;

/// Whether data are gone when a container is made anew, and the path is relative or no volume is
/// mounted: then the file lies in the container's own layer.
pub(super) fn lost_with_container(text: &Text) -> bool {
    const GONE: &[&str] = &[
        "gone",
        "empty",
        "lost",
        "lose",
        "losing",
        "vanish",
        "disappear",
        "reset",
        "wiped",
        "fresh",
        "blank",
        "missing",
        "persist",
        "scratch",
        "forget",
        "forgot",
        "anew",
        "onboarding",
        "wizard",
    ];
    const AGAIN: &[&str] = &[
        "created again",
        "create again",
        "set up again",
        "sign up again",
        "register again",
        "configure again",
        "configured again",
        "start over",
        "from scratch",
        "all over again",
        "log in again",
        "imported again",
        "entered again",
    ];
    const ANEW: &[&str] = &[
        "restart",
        "recreat",
        "re-creat",
        "rebuil",
        "redeploy",
        "re-deploy",
        "updat",
        "upgrad",
        "pull",
        "deploy",
        "build",
        "down",
        "reboot",
        "destroy",
    ];
    let own_layer = text.lines().any(|line| {
        line.contains("relative path")
            || without_volume(line)
            || inside_container(line)
            || mounted_elsewhere(&Sentence::of(line))
            || ["own layer", "container layer", "writable layer", "ephemeral storage"]
                .iter()
                .any(|words| line.contains(words))
            || text::head_words(line).any(is_relative_path)
    });
    own_layer
        && passages(text).any(|passage| {
            let gone = opens(&passage, GONE) || AGAIN.iter().any(|words| passage.contains(words));
            gone && (opens(&passage, ANEW) || passage.contains("made anew"))
        })
}

/// "nothing ever appears in the mounted folder", "the database was in another directory": what is
/// mounted is not where the file lies.
fn mounted_elsewhere(line: &Sentence<'_>) -> bool {
    const PLACES: &[&str] = &["folder", "volume", "directory", "path"];
    let empty = line.near(&["nothing", "no"], &["appear*", "written", "stored", "change*"], 4);
    let other = line.near(&["another", "other", "different"], PLACES, 7);
    empty && line.has(&["mounted", "mapped", "bound", "volume"])
        || other && line.has(&["database", "db", "sqlite", "file"])
}

/// "the database file lies inside the container".
fn inside_container(line: &str) -> bool {
    const FILES: &[&str] = &["database", "db", "sqlite", "file", "data"];
    let placed =
        ["inside the container", "in the image", "of the container;", "within the container"];
    placed.iter().any(|words| line.contains(words))
        && text::words(line).take(120).any(|word| FILES.contains(&word))
}

/// "no volume", "have not mounted a volume", "without any persistent volume".
fn without_volume(line: &str) -> bool {
    const REACH: usize = 5;
    const VOLUMES: &[&str] =
        &["volume", "volumes", "pvc", "persistent", "persistence", "mount", "mounts", "mounted"];
    let words: Vec<&str> = text::words(line).take(400).collect();
    words.iter().enumerate().any(|(at, word)| {
        let denied = matches!(*word, "no" | "not" | "without" | "never") || word.ends_with("n't");
        let near = words.get(at + 1..(at + 1 + REACH).min(words.len())).unwrap_or(&[]);
        denied && near.iter().any(|next| VOLUMES.contains(next))
    })
}

/// `DB_PATH=./data/app.db`, `sqlite:///./app.db`, and not the volume `./data:/data`.
fn is_relative_path(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', ',', '(', ')', ';']);
    // SQLAlchemy and Prisma: three slashes before a relative path, four before an absolute one.
    if let Some((_, path)) = word.split_once("sqlite:///") {
        return !path.starts_with('/') && !path.contains(":/");
    }
    let Some(at) = word.find("./") else { return false };
    let before = word.get(..at).unwrap_or("");
    let after = word.get(at..).unwrap_or("");
    let starts = before.is_empty() || before.ends_with(['=', ':', '"', '\'', '/']);
    starts && !before.ends_with('.') && !after.contains(":/") && after.len() > 2
}

/// "every statement takes between 29 and 31 seconds": as long as a time-out, whatever the load.
pub(super) fn constant_wait(sentences: &[Sentence<'_>]) -> bool {
    const REQUESTS: &[&str] = &[
        "statement*",
        "query",
        "queries",
        "lock",
        "locks",
        "commit",
        "commits",
        "write",
        "writes",
        "open",
        "command",
        "access",
        "transaction",
        "insert",
        "call",
    ];
    const UNITS: &[&str] = &["s", "sec", "seconds", "secs"];
    sentences.iter().any(|one| {
        let long = (0..one.words.len()).any(|at| {
            let count = one.word(at).parse().unwrap_or(0_u32);
            (10..=180).contains(&count) && UNITS.contains(&one.word(at + 1))
        });
        long && one.near(&["every", "each", "any", "per"], REQUESTS, 2)
    })
}

/// Whether a URL of SQLAlchemy or Prisma has three slashes and a path that looks absolute: then it
/// is relative to the working directory.
pub(super) fn relative_url(text: &Text) -> bool {
    const ROOTS: &[&str] = &["mnt/", "data/", "srv/", "var/", "opt/", "home/", "config/", "app/"];
    text.lines().flat_map(text::head_words).any(|word| {
        let path = word.split_once("sqlite:///").map(|(_, path)| path);
        path.is_some_and(|path| ROOTS.iter().any(|root| path.starts_with(root)))
    })
}

/// "about 1 in 200 writes", "at random", "some days": it comes and goes by itself.
pub(super) fn intermittent(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const COMES: &[&str] = &[
        "intermittent*", "sporadic*", "sometimes", "occasional*", "randomly", "rarely", "flaky",
        "unpredictab*", "erratic*",
    ];
    const SAID: &[&str] = &[
        "at random",
        "now and then",
        "from time to time",
        "once in a while",
        "every few",
        "comes and goes",
        "most of the time",
        "not always",
        "some days",
        "in some runs",
    ];
    sentences.iter().any(|one| {
        let share = (0..one.words.len()).any(|at| {
            let number =
                |at: usize| one.word(at).starts_with(|letter: char| letter.is_ascii_digit());
            number(at) && matches!(one.word(at + 1), "in" | "of") && number(at + 2)
        });
        one.has(COMES) || one.says(SAID) || share
    })
}

/// Whether it works in the end and takes long: no error, many small requests, a slow start.
pub(super) fn works_slowly(text: &Text) -> bool {
    const WAITS: &[&str] = &[
        "slow", "minute", "hang", "ages", "forever", "long", "takes", "took", "wait", "freez",
        "stuck", "seconds",
    ];
    const THEN: &[&str] = &["then", "eventually", "afterwards", "finally", "after", "until"];
    const WORKS: &[&str] = &[
        "works",
        "work",
        "worked",
        "fine",
        "normal",
        "normally",
        "continues",
        "loads",
        "opens",
        "starts",
        "ready",
        "responds",
        "usable",
        "ok",
        "succeeds",
        "finishes",
        "completes",
    ];
    let harmless = |passage: &str| {
        let free = ["no error", "without error", "without an error", "without any error"];
        free.iter().any(|words| passage.contains(words))
    };
    let for_ever = |passage: &str| passage.contains("forever") || passage.contains("never");
    let compared = |passage: &str| {
        let quick = ["instead of", "rather than", "compared"].iter();
        passage.contains("minute") && quick.into_iter().any(|words| passage.contains(words))
    };
    passages(text).any(|passage| {
        let slow = opens(&passage, WAITS);
        let in_the_end = || {
            let mut words = text::words(&passage).take(160);
            words.by_ref().any(|word| WAITS.iter().any(|stem| word.starts_with(stem)))
                && words.by_ref().any(|word| THEN.contains(&word))
                && words.take(6).any(|word| WORKS.contains(&word))
        };
        slow && (harmless(&passage) && !for_ever(&passage) || in_the_end() || compared(&passage))
            && !turned_down(&passage)
    }) || text.lines().any(many_requests)
        || text.lines().flat_map(|line| line.split(". ").take(64)).any(compares_times)
}

/// "4 s on the local disk, 3 minutes over the network": two times side by side, of two places.
fn compares_times(sentence: &str) -> bool {
    const UNITS: &[&str] = &[
        "s", "sec", "secs", "seconds", "second", "min", "mins", "minutes", "minute", "hours",
        "hour", "ms", "h",
    ];
    const SIDES: &[&str] = &["local", "locally", "ssd", "instead", "versus", "vs", "than", "disk"];
    const OTHER: &[&str] = &["network", "nfs", "smb", "cifs", "share", "nas", "remote", "over"];
    let sentence = Sentence::of(sentence);
    let times = (0..sentence.words.len()).filter(|at| {
        sentence.word(*at).starts_with(|letter: char| letter.is_ascii_digit())
            && UNITS.contains(&sentence.word(at + 1))
    });
    let local = sentence.has(&["local", "locally", "ssd"]);
    times.count() > 1 && sentence.has(SIDES) && (local || sentence.has(OTHER))
}

/// "write stalls of 2 to 5 s", "the pool is saturated": what the storage does, and not the program.
pub(super) fn storage_stalls(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const STORAGE: &[&str] = &[
        "write*", "i/o", "io", "disk", "disks", "storage", "commit*", "flush*", "fsync*", "pool",
        "array", "volume", "iops", "await", "platter*",
    ];
    #[rustfmt::skip]
    const STALLS: &[&str] = &[
        "stall*", "throttl*", "saturat*", "starv*", "congest*", "spike*", "await", "overload*",
        "capped", "exhausted", "hiccup*", "backlog",
    ];
    sentences.iter().any(|one| one.near(STORAGE, STALLS, 3) && !one.denies())
}

/// "commands take up to five seconds", where nothing is said to be locked.
pub(super) fn takes_long(text: &Text, sentences: &[Sentence<'_>]) -> bool {
    const TAKES: &[&str] =
        &["take*", "took", "need", "needs", "delay*", "wait*", "lasts", "lag*", "pause*"];
    const TIMES: &[&str] = &["seconds", "minutes", "minute", "hours", "hour", "sec", "secs", "s"];
    !text.plain.contains("locked")
        && sentences.iter().any(|one| one.follows(TAKES, TIMES, 5) && !one.denies())
        || sentences.iter().any(answers_late)
}

/// "fsync of a directory is not supported there".
pub(super) fn sync_refused(sentences: &[Sentence<'_>]) -> bool {
    const SYNCS: &[&str] = &["fsync*", "fdatasync*", "sync_file_range"];
    sentences.iter().any(|one| {
        one.has(SYNCS)
            && one.says(&[
                "not supported",
                "unsupported",
                "not support",
                "not implemented",
                "eexist",
            ])
    })
}

/// "traces: a response after 14 s": an answer that comes, and late.
fn answers_late(one: &Sentence<'_>) -> bool {
    const ANSWERS: &[&str] = &["response*", "reply", "replies", "answer*", "commit*", "trace*"];
    const UNITS: &[&str] = &["s", "sec", "secs", "seconds", "minutes", "min"];
    let late = one.places(&["after"]).any(|at| {
        let count: u32 = one.word(at + 1).parse().unwrap_or(0);
        count >= 3 && UNITS.contains(&one.word(at + 2))
    });
    late && one.has(ANSWERS) && !one.denies()
}

/// "could not initialise the database": a failure in a program's own words.
pub(super) fn database_fails(sentences: &[Sentence<'_>]) -> bool {
    const DATABASES: &[&str] = &["database*", "db", "sqlite*", "catalog*", "migration*"];
    sentences.iter().any(|one| {
        let denied = ["no error", "without error", "never fail", "not fail", "no failure"];
        one.near(DATABASES, super::sentence::FAILS, 4) && !one.says(&denied)
            || one.near(DATABASES, &["not"], 4) && one.says(&["could not", "can not", "not be "])
    })
}

/// Whether it hangs, in words that name no hang: where a debugger finds it, or what never comes.
pub(super) fn hangs(sentences: &[Sentence<'_>]) -> bool {
    const TOOLS: &[&str] =
        &["py-spy", "gdb", "strace", "pstack", "jstack", "backtrace", "dtruss", "stack", "lldb"];
    const SITS: &[&str] = &[
        "stuck", "inside", "ends", "sits", "waits", "waiting", "hangs", "last", "stands",
        "blocked", "stops",
    ];
    const COMES: &[&str] = &[
        "return*",
        "respond*",
        "finish*",
        "complete*",
        "proceed*",
        "answers",
        "advance*",
        "progress*",
    ];
    const NOT: &[&str] = &["not", "never", "no", "nothing"];
    sentences.iter().any(|one| {
        let watched = one.near(TOOLS, SITS, 6)
            && one.words.iter().any(|word| {
                word.contains("fcntl") || word.contains("lock") || word.starts_with("sqlite3_")
            });
        let nothing = one.follows(NOT, COMES, 2) && !one.has(&["error*", "exit*", "value", "rows"]);
        watched || nothing || one.says(&["not come back", "nothing follows", "never comes back"])
    })
}

/// "and then works no more", "until it fails".
fn turned_down(passage: &str) -> bool {
    const FAILURES: &[&str] =
        &["fail", "crash", "corrupt", "malformed", "dies", "locked", "restart", "kill", "reboot"];
    opens(passage, FAILURES) || passage.contains("no more") || passage.contains("not work")
}

/// "thousands of small reads", "hundreds of stat calls".
fn many_requests(line: &str) -> bool {
    const MANY: &[&str] = &["thousands", "hundreds", "millions", "lots", "tens"];
    const REQUESTS: &[&str] =
        &["reads", "requests", "round", "roundtrips", "lookups", "preads", "calls", "seeks"];
    let words: Vec<&str> = text::words(line).take(400).collect();
    words.iter().enumerate().any(|(at, word)| {
        let near = words.get(at + 1..(at + 6).min(words.len())).unwrap_or(&[]);
        MANY.contains(word) && near.iter().any(|next| REQUESTS.contains(next))
    })
}

/// Each sentence with the one behind it.
fn passages(text: &Text) -> impl Iterator<Item = String> {
    let sentences: Vec<&str> =
        text.lines().flat_map(|line| line.split(". ").take(64)).take(2048).collect();
    let count = sentences.len();
    (0..count).map(move |at| {
        sentences.get(at..(at + SENTENCES_TOGETHER).min(count)).unwrap_or(&[]).join(", ")
    })
}

fn opens(passage: &str, stems: &[&str]) -> bool {
    text::words(passage)
        .take(160)
        .flat_map(|word| word.split('-').chain([word]))
        .any(|word| stems.iter().any(|stem| word.starts_with(stem)))
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_file_of_the_container_goes_with_it() {
        for report in [
            "after docker compose down everything is gone, DB_PATH=./data/x.db",
            "DATABASE_URL=sqlite:///./x.db. It is empty after each rebuild",
            "I lose rows on up --force-recreate; path ./x.db",
            "sqlite:///site.db. It forgets all after each deploy",
            "the container's own layer: each deploy starts with an empty database",
            "no PVC; everything is lost when the pod is recreated",
            "no volume is mounted. Users vanish when the container is recreated",
            "no volume. Accounts have to be created again after compose up --build",
        ] {
            assert!(lost_with_container(&Text::new(report)), "{report}");
        }
        for report in [
            "volumes: ./data:/data. Rows are gone after a restart",
            "rows are gone after a restart",
            "sqlite:////data/site.db is lost after a restart",
            "../data/x.db is lost after a restart",
        ] {
            assert!(!lost_with_container(&Text::new(report)), "{report}");
        }
    }

    #[test]
    fn what_works_in_the_end_is_slow() {
        for report in [
            "it hangs for two minutes and then works",
            "the start is slow. No errors",
            "it takes 20 minutes instead of 10 seconds",
            "it issues thousands of small reads",
            "4 s on the local disk, 3 minutes over the network",
            "opening a project: 40 s, on local disk 2 s",
        ] {
            assert!(works_slowly(&Text::new(report)), "{report}");
        }
        for report in [
            "it hangs for two minutes and then fails",
            "it takes long until it crashes",
            "it works for minutes",
        ] {
            assert!(!works_slowly(&Text::new(report)), "{report}");
        }
    }

    #[test]
    fn storage_that_stalls() {
        let found = |report: &str| finds(storage_stalls, report);
        for report in [
            "write stalls of 2 to 5 s",
            "the disk is saturated at night",
            "the volume is throttled",
            "iostat: disk await of 800 ms",
        ] {
            assert!(found(report), "{report}");
        }
        assert!(!found("the program writes to a disk and later its user interface stalls"));
        assert!(!found("disk is not saturated"));
    }

    #[test]
    fn a_hang_in_other_words() {
        let found = |report: &str| finds(hangs, report);
        for report in [
            "py-spy shows it inside sqlite3_step",
            "strace ends in fcntl(5, F_SETLKW, ...)",
            "no error, the prompt does not come back",
            "the import never finishes",
            "gdb: stuck in fcntl64",
        ] {
            assert!(found(report), "{report}");
        }
        for report in ["it does not start", "strace shows fcntl(5, F_SETLK)", "no rows returned"] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn a_url_that_looks_absolute_and_is_relative() {
        assert!(relative_url(&Text::new("DB=sqlite:///srv/app.db")));
        assert!(!relative_url(&Text::new("DB=sqlite:////srv/app.db")));
        assert!(!relative_url(&Text::new("DB=sqlite:///app.db")));
    }

    #[test]
    fn what_comes_and_goes() {
        let found = |report: &str| finds(intermittent, report);
        assert!(found("3 of 400 saves fail"));
        assert!(found("it fails sporadically"));
        assert!(found("at random, not always"));
        assert!(!found("each save fails"));
        assert!(!found("2 in parallel"));
    }

    #[test]
    fn what_hangs_for_ever_is_not_slow() {
        assert!(!works_slowly(&Text::new("no error, it hangs forever")));
    }

    #[test]
    fn a_wait_as_long_as_a_time_out() {
        let found = |report: &str| finds(constant_wait, report);
        assert!(found("each write takes 30 s"));
        assert!(found("per lock 25 seconds"));
        assert!(!found("each write takes 3 s"));
        assert!(!found("it runs each 30 s"));
    }

    #[test]
    fn two_times_of_two_places_are_slowness() {
        assert!(works_slowly(&Text::new("a scan takes 7 h, on the local disk 12 min")));
    }
}
