//! Commands of a shell script, word by word, as far as one can tell without running it: POSIX shell
//! command language, sections 2.2 (quoting) and 2.3 (tokens).

use super::Refusal;
use super::field::Field;
use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// A word of a command.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// What the command sees, with what stands for a variable as it is written.
    pub(super) field: Field,
    /// The word as it is written, with its quotes.
    pub(super) range: Range<usize>,
    /// Part of it is what another command prints.
    pub(super) opaque: bool,
}

impl Word {
    pub(super) fn text(&self) -> &str {
        &self.field.text
    }
}

/// The words of each command.
///
/// # Errors
/// [`Refusal::Unknown`] for a quote without its end, and for a here-document, whose lines could be
/// commands or not.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<Word>>, Refusal> {
    let mut lexer = Lexer {
        text,
        characters: text.char_indices().peekable(),
        all: Vec::new(),
        now: Vec::new(),
        redirected: false,
    };
    while let Some((at, character)) = lexer.characters.peek().copied() {
        match character {
            ' ' | '\t' | '\r' => drop(lexer.characters.next()),
            '\n' | ';' | '&' | '|' | '(' | ')' | '`' => {
                lexer.characters.next();
                lexer.finish();
            }
            '\\' if lexer.continued(at) => {}
            '#' => while lexer.characters.next_if(|(_, other)| *other != '\n').is_some() {},
            '<' if text.get(at..at + 3) == Some("<<<") => {
                lexer.characters.nth(2);
                lexer.redirected = true;
            }
            '<' if text.get(at..at + 2) == Some("<<") => {
                return Err(Refusal::unknown(text, at, "a here-document is not understood"));
            }
            '<' | '>' => {
                lexer.characters.next();
                lexer.redirected = true;
            }
            _ => lexer.word(at)?,
        }
    }
    lexer.finish();
    Ok(lexer.all)
}

struct Lexer<'a> {
    text: &'a str,
    characters: Peekable<CharIndices<'a>>,
    all: Vec<Vec<Word>>,
    now: Vec<Word>,
    /// The next word is a file that the command reads or writes.
    redirected: bool,
}

impl Lexer<'_> {
    fn finish(&mut self) {
        self.redirected = false;
        let command = std::mem::take(&mut self.now);
        if !command.is_empty() {
            self.all.push(command);
        }
    }

    /// Skips a backslash with the line end after it, if there is one.
    fn continued(&mut self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let length = ["\\\n", "\\\r\n"].iter().find(|end| rest.starts_with(**end));
        let Some(length) = length.map(|end| end.len()) else { return false };
        while self.characters.next_if(|(place, _)| *place < at + length).is_some() {}
        true
    }

    fn word(&mut self, start: usize) -> Result<(), Refusal> {
        let mut word = Word { field: Field::new(start), range: start..start, opaque: false };
        while let Some((at, character)) = self.characters.peek().copied() {
            match character {
                ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '(' | ')' | '`' | '<' | '>' => break,
                '\\' if self.continued(at) => continue,
                '\'' => self.single(at, &mut word)?,
                '"' => self.double(at, &mut word)?,
                '$' if self.text.get(at..at + 2) == Some("$(") => {
                    // What stands in it is looked at as a command of its own.
                    word.opaque = true;
                    self.characters.next();
                    break;
                }
                '\\' => {
                    self.characters.next();
                    self.escaped(at, &mut word);
                }
                _ => {
                    self.characters.next();
                    word.field.push(character, at..at + character.len_utf8());
                }
            }
        }
        let next = self.characters.peek().copied();
        word.range.end = next.map_or(self.text.len(), |(at, _)| at);
        let number = word.text().bytes().all(|byte| byte.is_ascii_digit());
        let descriptor = number && matches!(next, Some((_, '<' | '>')));
        if !std::mem::take(&mut self.redirected) && !descriptor {
            self.now.push(word);
        }
        Ok(())
    }

    /// The character after a backslash, for itself.
    fn escaped(&mut self, at: usize, word: &mut Word) {
        if let Some((place, character)) = self.characters.next() {
            word.field.push(character, at..place + character.len_utf8());
        }
    }

    fn single(&mut self, open: usize, word: &mut Word) -> Result<(), Refusal> {
        self.characters.next();
        for (at, character) in self.characters.by_ref() {
            if character == '\'' {
                return Ok(());
            }
            word.field.push(character, at..at + 1.max(character.len_utf8()));
        }
        Err(Refusal::unknown(self.text, open, "this quote has no end"))
    }

    fn double(&mut self, open: usize, word: &mut Word) -> Result<(), Refusal> {
        self.characters.next();
        while let Some((at, character)) = self.characters.next() {
            match character {
                '"' => return Ok(()),
                '\\' => match self.characters.peek().copied() {
                    Some((_, '"' | '\\' | '$' | '`')) => self.escaped(at, word),
                    Some((_, '\n')) => drop(self.characters.next()),
                    _ => word.field.push('\\', at..at + 1),
                },
                '`' => {
                    return Err(Refusal::unknown(self.text, at, "a command stands in this text"));
                }
                '$' if self.text.get(at..at + 2) == Some("$(") => {
                    word.opaque = true;
                    self.substitution(at)?;
                }
                _ => word.field.push(character, at..at + character.len_utf8()),
            }
        }
        Err(Refusal::unknown(self.text, open, "this quote has no end"))
    }

    /// Skips `$( ... )` within double quotes.
    fn substitution(&mut self, open: usize) -> Result<(), Refusal> {
        let mut depth = 0_usize;
        let mut quote = None;
        for (_, character) in self.characters.by_ref() {
            match (quote, character) {
                (Some(mark), other) if mark == other => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(character),
                (None, '(') => depth += 1,
                (None, ')') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        Err(Refusal::unknown(self.text, open, "this parenthesis has no end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text).unwrap();
        commands
            .iter()
            .map(|words| words.iter().map(|word| word.text().to_owned()).collect())
            .collect()
    }

    #[test]
    fn words_are_what_the_command_sees() {
        let text = "#!/bin/sh\nset -e; id=$(docker run \\\n  -v \"$PWD/a b\":'/c' x) # -v no\n\
                    echo \"$(ls \"x)\" )\" a\\ b 'it'\\''s' && true 2>log x\r\n";
        let found = words(text);
        assert_eq!(found[0], ["set", "-e"]);
        assert_eq!(found[1], ["id="]);
        assert_eq!(found[2], ["docker", "run", "-v", "$PWD/a b:/c", "x"]);
        assert_eq!(found[3], ["echo", "", "a b", "it's"]);
        assert_eq!(found[4], ["true", "x"]);
    }

    #[test]
    fn every_character_knows_where_it_stands() {
        let text = "x \"a b\"\\ 'c'$d";
        let commands = commands(text).unwrap();
        let word = &commands[0][1];
        assert_eq!(word.text(), "a b c$d");
        assert_eq!(&text[word.range.clone()], "\"a b\"\\ 'c'$d");
        let edits = word.field.replace(2..5, "!");
        assert_eq!(super::super::field::edited(text, &edits).unwrap(), "x \"a !\"''$d");
    }

    #[test]
    fn what_cannot_be_told_has_a_line() {
        for (text, wanted) in [("a\nb 'c\n", 2), ("a\n\ncat <<EOF\n", 3), ("echo \"$(x", 1)] {
            let Err(Refusal::Unknown { line, .. }) = commands(text) else { panic!("{text}") };
            assert_eq!(line, wanted, "{text}");
        }
        assert!(commands("cat <<<x").is_ok());
    }
}
