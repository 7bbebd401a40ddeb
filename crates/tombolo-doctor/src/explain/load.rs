//! Finds storage that answers, only late: under load, over a slow link, or for a moment not at all.

use super::sentence::Sentence;

/// What is slow or busy.
#[rustfmt::skip]
const PARTS: &[&str] = &[
    "network", "link", "uplink", "server", "filer", "nas", "cluster", "array", "pool", "guest",
    "vm", "disk*", "storage", "volume", "filesystem", "ost*", "mds", "osd*", "iops", "credit*",
    "bandwidth", "node", "i/o", "hypervisor", "controller", "raid*", "backend", "spindle*",
];

/// What is wrong with it.
#[rustfmt::skip]
const LOADED: &[&str] = &[
    "saturat*", "overload*", "congest*", "throttl*", "exhausted", "contention", "stun*", "heal*",
    "rebuil*", "resilver*", "rebalanc*", "degraded", "backlog", "starv*", "stall*", "loaded",
    "capped", "bursting", "hiccup*", "backfill*", "recover*",
];

/// "gpfs under heavy load from other jobs", "burst credits at 0", "the snapshot stuns the guest".
pub(super) fn loaded(sentences: &[Sentence<'_>]) -> bool {
    const HEAVY: &[&str] = &["heavy", "high", "full", "extreme", "constant", "peak"];
    const LOAD: &[&str] = &["load", "utilisation", "utilization", "traffic", "iowait", "await"];
    const SPENT: &[&str] = &["0", "zero", "spent", "gone", "used", "empty", "out"];
    sentences.iter().any(|one| {
        let part = one.near(PARTS, LOADED, 4);
        let load = one.near(HEAVY, LOAD, 2);
        let spent = one.near(&["credit*"], SPENT, 3);
        let waits = one.has(&["waiters", "stuns", "stunned"]);
        (part || load || spent || waits) && !one.denies()
    })
}

/// "ping 180 ms", "every lock is a round trip", "over a VPN".
pub(super) fn far(sentences: &[Sentence<'_>]) -> bool {
    const FAR: &[&str] = &[
        "vpn",
        "wan",
        "wireguard",
        "tailscale",
        "zerotier",
        "openvpn",
        "rtt",
        "round-trip*",
        "satellite",
        "dsl",
        "lte",
        "powerline",
        "wlan",
    ];
    const PINGS: &[&str] = &["ping", "latency", "rtt"];
    sentences.iter().any(|one| {
        let times = one.near(PINGS, &["ms"], 6) && !one.has(&["disk", "fsync"]);
        let trips = one.says(&["round trip", "round-trip", "other continent", "another region"]);
        (one.has(FAR) || times || trips) && !one.denies()
    })
}

/// "a longer connection time-out ended the failures": who waits long enough gets the lock.
pub(super) fn patience_helps(sentences: &[Sentence<'_>]) -> bool {
    const MORE: &[&str] = &[
        "longer", "larger", "higher", "rais*", "increas*", "bigger", "more", "greater", "generous",
    ];
    const TIMES: &[&str] =
        &["timeout*", "time-out*", "busy_timeout", "busytimeout", "retries", "timeo", "patience"];
    const HELPS: &[&str] = &[
        "end*",
        "help*",
        "fix*",
        "solv*",
        "gone",
        "cur*",
        "enough",
        "works",
        "worked",
        "resolv*",
        "disappear*",
        "succeed*",
        "less",
        "fewer",
        "rarer",
    ];
    sentences.iter().any(|one| {
        let raised = one.near(MORE, TIMES, 3)
            || one.near(TIMES, &["60", "120", "300", "30"], 4) && one.has(&["with", "set"]);
        let silent = one.says(&["no error", "without an error", "without error", "no more error"]);
        raised && (silent || one.has(HELPS) && !one.denies())
    })
}

/// "works again when the backup is over", "fine at night": it goes with the load.
pub(super) fn quiet_helps(sentences: &[Sentence<'_>]) -> bool {
    const QUIET: &[&str] =
        &["night", "idle", "quiet", "weekend*", "sunday*", "office", "off-peak", "unloaded"];
    const WELL: &[&str] =
        &["fine", "fast", "works", "worked", "correct*", "finish*", "succeed*", "ok", "normal"];
    const OVER: &[&str] = &["over", "finished", "done", "ends", "ended", "stopped", "paused"];
    sentences.iter().any(|one| {
        let quiet = one.has(QUIET) && one.has(WELL);
        let over = one.near(&["when", "after", "until", "once"], OVER, 6)
            && one
                .has(&["backup*", "heal*", "scrub*", "rebuild*", "copy", "job*", "scan*", "sync"])
            && (one.has(WELL) || one.has(&["gone", "until"]));
        (quiet || over) && !one.denies()
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_busy_storage_is_found_by_part_and_state() {
        for report in [
            "The array is rebuilding since noon.",
            "iostat: disk saturated at 23:00",
            "IOPS are capped at 300 by the plan",
            "the burst credits are spent",
            "beegfs under heavy load from a neighbour's run",
        ] {
            assert!(finds(loaded, report), "{report}");
        }
        assert!(!finds(loaded, "the pool is not degraded"));
        assert!(!finds(loaded, "the server returns an error"));
    }

    #[test]
    fn a_far_server_is_found() {
        assert!(finds(far, "the branch office mounts it over a VPN"));
        assert!(finds(far, "ping to the filer is 90 ms"));
        assert!(!finds(far, "no VPN in between"));
    }

    #[test]
    fn patience_cures_only_where_it_is_said_to() {
        assert!(finds(patience_helps, "Raising the busy_timeout to a minute solved it."));
        assert!(!finds(patience_helps, "A longer timeout does not help."));
        assert!(!finds(patience_helps, "the timeout is 30 s"));
    }

    #[test]
    fn what_goes_with_the_load_is_found() {
        assert!(finds(quiet_helps, "fine at the weekend"));
        assert!(finds(quiet_helps, "works once the nightly backup is finished"));
        assert!(!finds(quiet_helps, "fails at night too"));
    }
}
