//! Names that are known by their place: home directories, options, URLs, shares, mount sources.

use super::forms::is_of_domain;
use super::scan::{Hit, before, hit, joins_before, run};
use super::stand_in::Kind;
use super::words;
use core::net::{Ipv4Addr, Ipv6Addr};

/// What the names of people stand below.
const HOMES: &[&str] = &[
    "/home/",
    "/Users/",
    "\\Users\\",
    "\\\\Users\\\\",
    "/var/mail/",
    "/var/spool/mail/",
    "/var/spool/cron/",
    "/run/media/",
];

/// `/home/NAME`, and `~NAME/`.
pub(super) fn owner_at(text: &str, at: usize) -> Vec<Hit> {
    let rest = text.get(at..).unwrap_or_default();
    let below = HOMES.iter().find(|home| rest.starts_with(**home)).map(|home| home.len());
    let begins = match below {
        Some(length) => at + length,
        None if rest.starts_with('~') => at + 1,
        None => return Vec::new(),
    };
    let name = run(text, begins, is_of_segment).trim_end_matches('.');
    let ends = text.get(begins + name.len()..).unwrap_or_default();
    let in_prose = !ends.starts_with('/') || joins_before(text, at);
    if name.is_empty() || below.is_none() && in_prose {
        return Vec::new();
    }
    vec![hit(begins, name.len(), Kind::User)]
}

/// A segment of a path as it stands in a sentence.
fn is_of_segment(letter: char) -> bool {
    !letter.is_whitespace() && !letter.is_control() && !"/\\\"'`,:;()[]{}<>|*?".contains(letter)
}

/// The owners of home directories in a path that stands for itself.
pub(super) fn owners(path: &str) -> impl Iterator<Item = &str> {
    HOMES.iter().flat_map(move |home| {
        path.match_indices(home).take(8).filter_map(|(at, _)| {
            let rest = path.get(at + home.len()..)?;
            rest.split(['/', '\\']).next().filter(|name| !name.is_empty())
        })
    })
}

/// `password=...`, `username=...`, `addr=...`, `Authorization: ...`, `--token ...`.
pub(super) fn assignment_at(text: &str, at: usize) -> Vec<Hit> {
    if joins_before(text, at) {
        return Vec::new();
    }
    let key =
        run(text, at, |letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'));
    let from = at + key.len();
    let after = text.get(from..).unwrap_or_default();
    let after = after.strip_prefix(['"', '\'']).map_or(after, |rest| rest);
    let mark = after.chars().next();
    let in_query = matches!(before(text, at), Some('?' | '&'));
    let key = key.to_ascii_lowercase().replace('-', "_");
    let secret = is_secret(&key) || in_query && matches!(key.as_str(), "key" | "sig" | "code");
    let kind = match mark {
        Some('=' | ':') if secret => Kind::Secret,
        Some(' ') if secret && before(text, at) == Some('-') => Kind::Secret,
        Some('=')
            if matches!(key.as_str(), "username" | "user" | "login" | "logname" | "uname") =>
        {
            Kind::User
        }
        Some('=') if is_host(&key) => Kind::Host,
        _ => return Vec::new(),
    };
    let spaced = mark != Some('=');
    let (begins, value) = value(text, text.len() - after.len() + 1, spaced, in_query);
    // `password: the one that you know`, `PASSWORD=$PASSWORD`.
    let no_value = spaced && words::is_ordinary(value) || value.starts_with('$');
    if value.is_empty() || no_value {
        return Vec::new();
    }
    match kind {
        Kind::User => {
            // `DOMAIN\alice`
            let name = value.rsplit('\\').next().unwrap_or(value);
            vec![hit(begins + value.len() - name.len(), name.len(), Kind::User)]
        }
        Kind::Host => host(begins, value).into_iter().collect(),
        _ => vec![hit(begins, value.len(), Kind::Secret)],
    }
}

fn is_secret(key: &str) -> bool {
    const PARTS: &[&str] = &[
        "passw",
        "secret",
        "token",
        "apikey",
        "api_key",
        "access_key",
        "accesskey",
        "credential",
        "passphrase",
        "private_key",
        "signature",
        "authorization",
        "cookie",
    ];
    const WHOLE: &[&str] = &["pass", "pwd", "pw", "cred"];
    WHOLE.contains(&key) || PARTS.iter().any(|part| key.contains(part))
}

fn is_host(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "addr",
        "mountaddr",
        "clientaddr",
        "mon_addr",
        "server",
        "host",
        "hostname",
        "ip",
        "srcaddr",
        "netbiosname",
        "servern",
        "domain",
        "dom",
        "workgroup",
    ];
    KEYS.contains(&key)
}

/// A value and where it begins: of a quoted one what is between the quotes.
fn value(text: &str, from: usize, spaced: bool, in_query: bool) -> (usize, &str) {
    let rest = text.get(from..).unwrap_or_default();
    let mut begins = from;
    if spaced {
        begins += rest.len() - rest.trim_start_matches(' ').len();
    }
    let rest = |begins: usize| text.get(begins..).unwrap_or_default();
    for scheme in ["Bearer ", "Basic ", "bearer ", "basic "] {
        if rest(begins).starts_with(scheme) {
            begins += scheme.len();
        }
    }
    if let Some(quote @ ('"' | '\'')) = rest(begins).chars().next() {
        let inside = rest(begins + 1);
        let length = inside.find([quote, '\n']).unwrap_or(inside.len());
        return (begins + 1, inside.get(..length).unwrap_or_default());
    }
    let ends = |letter: char| {
        letter.is_whitespace()
            || matches!(letter, ',' | '"' | '\'' | '`' | ')' | ']' | '}' | '>')
            || in_query && matches!(letter, '&' | '#')
    };
    let length = rest(begins).find(ends).unwrap_or(rest(begins).len());
    (begins, rest(begins).get(..length).unwrap_or_default())
}

/// `scheme://user:password@host:port`
pub(super) fn address_of_resource_at(text: &str, at: usize) -> Vec<Hit> {
    let scheme =
        run(text, at, |letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '.' | '-'));
    let from = at + scheme.len() + 3;
    if scheme.is_empty() || text.get(from - 3..from) != Some("://") || joins_before(text, at) {
        return Vec::new();
    }
    let authority =
        run(text, from, |letter| !letter.is_whitespace() && !"/?#\"'`<>,)\\".contains(letter));
    let mut hits = Vec::new();
    let mut begins = from;
    if let Some((who, _)) = authority.rsplit_once('@') {
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        hits.push(hit(from, user.len(), Kind::User));
        hits.push(hit(from + user.len() + 1, password.len(), Kind::Secret));
        begins = from + who.len() + 1;
    }
    let rest = text.get(begins..from + authority.len()).unwrap_or_default();
    let host_of = match rest.strip_prefix('[') {
        Some(bracketed) => {
            begins += 1;
            bracketed.split(']').next()
        }
        None => rest.split(':').next(),
    };
    hits.extend(host_of.and_then(|name| host(begins, name)));
    hits.retain(|one| !one.range.is_empty());
    hits
}

/// `//server/share` and `\\server\share`.
pub(super) fn share_at(text: &str, at: usize) -> Vec<Hit> {
    let rest = text.get(at..).unwrap_or_default();
    let Some(mark) = ["\\\\\\\\", "\\\\", "//"].iter().find(|mark| rest.starts_with(**mark)) else {
        return Vec::new();
    };
    if before(text, at).is_some_and(|letter| letter.is_alphanumeric() || "/\\:".contains(letter)) {
        return Vec::new();
    }
    let begins = at + mark.len();
    let name = run(text, begins, |letter| is_of_domain(letter) || letter == '_');
    let after = text.get(begins + name.len()..).unwrap_or_default();
    let separator = mark.chars().next().unwrap_or('/');
    let shared = after.trim_start_matches(separator);
    let follows = after.starts_with(separator)
        && shared.chars().next().is_some_and(|letter| !letter.is_whitespace());
    if !follows {
        return Vec::new();
    }
    host(begins, name).into_iter().collect()
}

/// A host by name or by address.
fn host(at: usize, name: &str) -> Option<Hit> {
    // `2001:db8::1%eth0`
    let address = name.split('%').next().unwrap_or(name);
    let kind = if address.parse::<Ipv4Addr>().is_ok() {
        Kind::Ipv4
    } else if address.parse::<Ipv6Addr>().is_ok() {
        Kind::Ipv6
    } else if !name.is_empty() && name.chars().all(|letter| is_of_domain(letter) || letter == '_') {
        return (!PUBLIC.contains(&name)).then(|| hit(at, name.len(), Kind::Host));
    } else {
        return None;
    };
    Some(hit(at, address.len(), kind))
}

/// Hosts of URLs in the manual, and those reserved for documents.
const PUBLIC: &[&str] =
    &["sqlite.org", "www.sqlite.org", "localhost", "example.org", "example.com", "example.net"];

/// A server in the source of a mount.
pub(super) struct Server<'a> {
    pub(super) host: &'a str,
    pub(super) user: Option<&'a str>,
}

/// `host:/export`, `user@host:path`, `mon1,mon2:6789:/`, by the habits of NFS, sshfs, Ceph and
/// GlusterFS. Sources of local file systems, and the tags of 9p and virtiofs, name no server.
pub(super) fn servers<'a>(filesystem: &str, source: &'a str) -> Vec<Server<'a>> {
    let remote = matches!(filesystem, "nfs" | "nfs4" | "ceph" | "glusterfs" | "lustre")
        || filesystem.starts_with("fuse");
    let separator = if filesystem.contains("ssh") { ":" } else { ":/" };
    let Some((left, _)) = source.split_once(separator).filter(|_| remote) else {
        return Vec::new();
    };
    let server = |one: &'a str| {
        let (user, host) = match one.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, one),
        };
        let host = host.split(':').next().unwrap_or(host);
        let by_address = user.is_some_and(|user| user.parse::<Ipv4Addr>().is_ok());
        (!by_address && !host.starts_with('[')).then_some(Server { host, user })
    };
    left.split(',').take(16).filter_map(server).collect()
}
