//! Names that are known by their form: addresses, e-mail, keys of services, domains.

use super::scan::{Hit, before, hit, joins_after, joins_before, run};
use super::stand_in::Kind;
use core::net::{Ipv4Addr, Ipv6Addr};

/// `alice@example.net` is an e-mail address, `alice@nas:/srv` a user and a host.
pub(super) fn mail_or_login_at(text: &str, at: usize) -> Vec<Hit> {
    // `getty@tty1.service` (systemd.unit(5)), `image@sha256:...`, `10.0.0.1@tcp` of Lustre.
    const NO_HOSTS: &[&str] = &["sha256", "sha512", "tcp", "o2ib"];
    const UNITS: &[&str] = &[".service", ".socket", ".timer", ".mount", ".slice", ".scope"];
    let local = run(text, at, |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '%' | '+' | '-')
    });
    let from = at + local.len() + 1;
    if local.is_empty() || text.get(from - 1..from) != Some("@") || joins_before(text, at) {
        return Vec::new();
    }
    let domain = run(text, from, is_of_domain).trim_end_matches(['.', '-']);
    let rest = text.get(from + domain.len()..).unwrap_or_default();
    let is_ip = domain.parse::<Ipv4Addr>().is_ok();
    let path_follows = rest
        .strip_prefix(':')
        .is_some_and(|path| path.chars().next().is_some_and(|letter| !letter.is_whitespace()));
    let lettered = domain.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let named = !domain.is_empty() && (lettered || is_ip || path_follows);
    let no_login = NO_HOSTS.contains(&domain)
        || UNITS.iter().any(|unit| domain.ends_with(unit))
        || local.parse::<Ipv4Addr>().is_ok()
        // A snapshot: `tank/data@monday`.
        || before(text, at) == Some('/') && !rest.starts_with(':');
    if !named || no_login {
        return Vec::new();
    }
    if domain.contains('.') && !is_ip && !path_follows {
        return vec![hit(at, local.len() + 1 + domain.len(), Kind::Mail)];
    }
    let host = if is_ip { Kind::Ipv4 } else { Kind::Host };
    vec![hit(at, local.len(), Kind::User), hit(from, domain.len(), host)]
}

/// Six pairs of hexadecimal digits; more of them are a fingerprint.
pub(super) fn mac_at(text: &str, at: usize) -> Vec<Hit> {
    let whole = run(text, at, |letter| letter.is_ascii_hexdigit() || matches!(letter, ':' | '-'));
    let whole = whole.trim_end_matches([':', '-']);
    let separator = if whole.contains(':') { ':' } else { '-' };
    let pairs = || whole.split(separator);
    let all = pairs().all(|pair| pair.len() == 2 && !pair.contains([':', '-']));
    let free = !joins_before(text, at) && !joins_after(text, at + whole.len());
    match pairs().count() {
        6 if all && free => vec![hit(at, whole.len(), Kind::Mac)],
        7.. if all && free => vec![hit(at, whole.len(), Kind::Identifier)],
        _ => Vec::new(),
    }
}

/// An address with two colons at least, as `2001:db8::1`.
pub(super) fn ipv6_at(text: &str, at: usize) -> Vec<Hit> {
    let fits = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, ':' | '.');
    let mut whole = run(text, at, fits);
    if joins_after(text, at + whole.len()) || joins_before(text, at) {
        return Vec::new();
    }
    // `2001:db8::1:/export`, and the full stop of a sentence.
    while whole.matches(':').count() >= 2 {
        if whole.parse::<Ipv6Addr>().is_ok() {
            return vec![hit(at, whole.len(), Kind::Ipv6)];
        }
        match whole.strip_suffix([':', '.']) {
            Some(shorter) => whole = shorter,
            None => break,
        }
    }
    Vec::new()
}

/// Four numbers; of six the last two are a port (RFC 5665, section 5.2.3.3).
pub(super) fn ipv4_at(text: &str, at: usize) -> Vec<Hit> {
    // SQLite 3.8.11.1, kernel 5.15.153.1.
    const VERSIONS: [&str; 4] = ["sqlite", "version", "kernel", "linux"];
    let whole = run(text, at, |letter| letter.is_ascii_digit() || letter == '.');
    let end = whole.match_indices('.').nth(3).map_or(whole.len(), |(end, _)| end);
    let address = whole.get(..end).unwrap_or_default();
    let said = text.get(at.saturating_sub(16)..at).unwrap_or_default().trim_end();
    let said = said.to_ascii_lowercase();
    let is_version = VERSIONS.iter().any(|word| said.ends_with(word));
    let free = !joins_before(text, at) && !joins_after(text, at + end);
    match address.parse::<Ipv4Addr>() {
        Ok(_) if free && !is_version => vec![hit(at, address.len(), Kind::Ipv4)],
        _ => Vec::new(),
    }
}

/// UUIDs, long numbers, and keys by the prefixes that services give them so that they are found.
pub(super) fn token_at(text: &str, at: usize) -> Vec<Hit> {
    const PREFIXES: &[&str] = &[
        "AKIA",
        "ASIA",
        "ghp_",
        "gho_",
        "ghs_",
        "ghr_",
        "ghu_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xapp-",
        "sk-",
        "sk_live_",
        "rk_live_",
        "AIza",
        "ya29",
        "eyJ",
        "npm_",
        "dckr_pat_",
        "tskey-",
        "hf_",
        "SG.",
    ];
    const TOKEN_BYTES_MIN: usize = 18;
    const NUMBER_BYTES_MIN: usize = 32;
    if joins_before(text, at) {
        return Vec::new();
    }
    let whole = run(text, at, is_of_token);
    if PREFIXES.iter().any(|prefix| whole.starts_with(prefix)) {
        let whole = run(text, at, |letter| is_of_token(letter) || letter == '.');
        let whole = whole.trim_end_matches('.');
        if whole.len() >= TOKEN_BYTES_MIN {
            return vec![hit(at, whole.len(), Kind::Secret)];
        }
    }
    if whole.get(..36).is_some_and(is_uuid) && !joins_after(text, at + 36) {
        return vec![hit(at, 36, Kind::Uuid)];
    }
    let word = run(text, at, |letter| letter.is_ascii_alphanumeric());
    let has = |fits: fn(&u8) -> bool| word.as_bytes().iter().any(fits);
    let digits = has(u8::is_ascii_digit);
    let is_number = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if word.len() >= NUMBER_BYTES_MIN && digits && is_number {
        return vec![hit(at, word.len(), Kind::Identifier)];
    }
    let mixed = digits && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if word.len() >= TOKEN_BYTES_MIN && mixed && !joins_after(text, at + word.len()) {
        return vec![hit(at, word.len(), Kind::Secret)];
    }
    Vec::new()
}

/// A host with a domain. Endings that are also those of files are left out.
pub(super) fn domain_at(text: &str, at: usize) -> Vec<Hit> {
    #[rustfmt::skip]
    const ENDINGS: &[&str] = &[
        "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "io", "dev", "cloud",
        "online", "site", "xyz", "local", "lan", "home", "internal", "intranet", "corp", "arpa",
        "box", "localdomain", "de", "at", "ch", "fr", "nl", "be", "uk", "eu", "us", "ca", "au",
        "jp", "cn", "ru", "br", "it", "es", "pt", "se", "fi", "dk", "cz", "gr", "ie", "nz", "kr",
        "tw", "hk", "il", "tr", "ua", "mx", "za", "sg",
    ];
    // Of the manual, and reserved for documents (RFC 2606).
    const PUBLIC: &[&str] =
        &["sqlite.org", "kernel.org", "man7.org", "example.com", "example.net", "example.org"];
    let whole = run(text, at, is_of_domain).trim_end_matches(['.', '-']);
    let lower = whole.to_ascii_lowercase();
    let ends = lower.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending));
    let labels = lower.split('.').all(|label| !label.is_empty());
    let public = PUBLIC.iter().any(|known| {
        lower.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let free = !joins_before(text, at) && !joins_after(text, at + whole.len());
    if ends && labels && !public && free {
        return vec![hit(at, whole.len(), Kind::Host)];
    }
    Vec::new()
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups = || text.split('-');
    groups().count() == 5
        && groups().zip(lengths).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

pub(super) fn is_of_domain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-')
}
