//! Putting names that came from outside into commands and configuration lines.

/// A word of a POSIX shell. Plain words stay as they are, so that commands read well.
#[must_use]
pub fn shell(text: &str) -> String {
    let text = not_an_option(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A relative name that begins with a dash would be read as an option.
fn not_an_option(text: &str) -> String {
    if text.starts_with('-') { format!("./{text}") } else { text.to_owned() }
}

/// A string literal of SQL.
pub(super) fn sql(text: &str) -> String {
    format!("'{}'", not_an_option(text).replace('\'', "''"))
}

/// A string of YAML, JSON, TOML or Python: JSON's double-quoted form is one in all of them.
pub(super) fn double(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A field of fstab(5), in which white space and backslashes are octal escapes.
pub(super) fn fstab(text: &str) -> String {
    let mut field = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\n' | '\\' | '#' => field += &format!("\\{:03o}", u32::from(character)),
            other => field.push(other),
        }
    }
    field
}

/// The path of a `file:` URI of SQLite (uri.html): what has a meaning there is percent-encoded.
pub(super) fn uri_path(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in not_an_option(text).bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-+:@,=~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path += &format!("%{byte:02X}");
        }
    }
    path
}

/// A path for lines whose syntax has no quotes of its own; `instead` where it holds anything that
/// could be read as something else.
pub(super) fn bare<'a>(text: &'a str, instead: &'a str) -> &'a str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text } else { instead }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(shell("/srv/app.db"), "/srv/app.db");
        assert_eq!(shell("/srv/my app.db"), "'/srv/my app.db'");
        assert_eq!(shell("a'; rm -rf /;'"), "'a'\\''; rm -rf /;'\\'''");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("-rf"), "./-rf");
        assert_eq!(sql("it's"), "'it''s'");
        assert_eq!(double("a\"b\n"), "\"a\\\"b\\n\"");
        assert_eq!(fstab("/mnt/my disk"), "/mnt/my\\040disk");
        assert_eq!(uri_path("/a b?c#d%"), "/a%20b%3Fc%23d%25");
        assert_eq!(bare("/a b", "/new/directory"), "/new/directory");
    }

    /// Reads a word as a shell does: quotes are taken off, `\'` outside them is a quote.
    fn unquote(word: &str) -> Option<String> {
        let (mut text, mut quoted, mut characters) = (String::new(), false, word.chars());
        while let Some(character) = characters.next() {
            match (character, quoted) {
                ('\'', _) => quoted = !quoted,
                ('\\', false) => text.push(characters.next()?),
                (other, true) => text.push(other),
                (other, false) if "/._-+:@%,=".contains(other) => text.push(other),
                (other, false) if other.is_ascii_alphanumeric() => text.push(other),
                _ => return None,
            }
        }
        (!quoted).then_some(text)
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_name_back(name in "\\PC*") {
            let expected = if name.starts_with('-') { format!("./{name}") } else { name.clone() };
            prop_assert_eq!(unquote(&shell(&name)), Some(expected));
        }

        #[test]
        fn json_reads_the_name_back(name in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&double(&name)).ok(), Some(name));
        }
    }
}
