//! The people of a machine, from its table of users.

/// Accounts read of one table.
const ACCOUNTS_MAX: usize = 4_096;

/// The first user id of people, and the first beyond them (`login.defs(5)`, UID_MIN; systemd's
/// `UIDS-GIDS`: 60001 and up are of programs).
const PEOPLE: std::ops::RangeInclusive<u32> = 1_000..=60_000;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// The name to log in with.
    pub name: &'a str,
    /// The name in full, if the table has it (the first part of the fifth field, passwd(5)).
    pub full_name: &'a str,
}

/// The accounts of people in a text of the form of `/etc/passwd`.
#[must_use]
pub fn accounts(passwd: &str) -> Vec<Account<'_>> {
    let account = |line| -> Option<Account<'_>> {
        let mut fields = str::split(line, ':');
        let name = fields.next()?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        let full_name = fields.nth(1)?.split(',').next()?.trim();
        (PEOPLE.contains(&id) && !name.is_empty()).then_some(Account { name, full_name })
    };
    passwd.lines().filter_map(account).take(ACCOUNTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_programs() {
        let table = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice Smith,,,:/home/alice:\n\
                     www-data:x:33:33::/var/www:\nnobody:x:65534:65534::/:\nbroken:line\n";
        assert_eq!(accounts(table), [Account { name: "alice", full_name: "Alice Smith" }]);
    }
}
