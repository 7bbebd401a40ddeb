//! `xtask/tidy.toml`: the limits and today's exceptions.

use super::Complaint;
use std::collections::BTreeMap;
use toml::Table;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Packages that `Cargo.lock` may name.
    pub(super) dependencies: usize,
    exceptions: BTreeMap<(String, String), usize>,
}

impl Settings {
    /// Reads `dependencies = N` and `[[exception]]` tables of `rule`, `path`, `limit`.
    pub(super) fn parse(text: &str) -> Result<Settings, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let mut settings =
            Settings { dependencies: number(&table, "dependencies")?, ..Settings::default() };
        for exception in
            table.get("exception").and_then(|value| value.as_array()).into_iter().flatten()
        {
            let exception = exception.as_table().ok_or("an exception is a table")?;
            let key = (string(exception, "rule")?, string(exception, "path")?);
            settings.exceptions.insert(key, number(exception, "limit")?);
        }
        Ok(settings)
    }

    /// Drops what is excepted, and complains about exceptions that have become too large.
    pub(super) fn apply(&self, complaints: Vec<Complaint>) -> Vec<Complaint> {
        let mut excess: BTreeMap<(String, String), usize> = BTreeMap::new();
        for complaint in &complaints {
            let key = (complaint.rule.to_owned(), complaint.path.clone());
            *excess.entry(key).or_default() += complaint.excess;
        }
        let mut left: Vec<Complaint> = complaints
            .into_iter()
            .filter(|complaint| {
                let key = (complaint.rule.to_owned(), complaint.path.clone());
                let limit = self.exceptions.get(&key).copied().unwrap_or(0);
                excess.get(&key).copied().unwrap_or(0) > limit
            })
            .collect();
        for ((rule, path), limit) in &self.exceptions {
            let now = excess.get(&(rule.clone(), path.clone())).copied().unwrap_or(0);
            if now < *limit {
                let message = match now {
                    0 => format!("the exception from `{rule}` is no longer needed: remove it"),
                    now => format!("the exception from `{rule}` can shrink to {now}"),
                };
                left.push(Complaint::new("exceptions", path, 0, message));
            }
        }
        left
    }
}

fn number(table: &Table, name: &str) -> Result<usize, String> {
    let value = table.get(name).and_then(toml::Value::as_integer);
    value
        .and_then(|value| usize::try_from(value).ok())
        .ok_or_else(|| format!("`{name}` must be a number"))
}

fn string(table: &Table, name: &str) -> Result<String, String> {
    let value = table.get(name).and_then(|value| value.as_str());
    value.map(ToOwned::to_owned).ok_or_else(|| format!("`{name}` must be a string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str =
        "dependencies = 3\n[[exception]]\nrule = \"r\"\npath = \"a\"\nlimit = 2\n";

    fn complaints(count: usize) -> Vec<Complaint> {
        (0..count).map(|line| Complaint::new("r", "a", line, "m")).collect()
    }

    #[test]
    fn an_exception_covers_its_limit_and_no_more() {
        let settings = Settings::parse(SETTINGS).unwrap();
        assert_eq!(settings.dependencies, 3);
        assert!(settings.apply(complaints(2)).is_empty());
        assert_eq!(settings.apply(complaints(3)).len(), 3);
    }

    #[test]
    fn an_exception_must_shrink() {
        let settings = Settings::parse(SETTINGS).unwrap();
        assert!(settings.apply(complaints(1))[0].message.contains("shrink to 1"));
        assert!(settings.apply(complaints(0))[0].message.contains("no longer needed"));
    }
}
